// SPDX-License-Identifier: GPL-2.0-or-later
import process from "node:process";
import { version as own } from "../../mod.ts";
import type { Command } from "../command.ts";
import { done } from "../exit_status.ts";
import { general } from "../options.ts";
import { noPorts, startEngine } from "../station.ts";

/** "Deno 2.9.6", say. */
function runtime(): string {
  const { deno, bun } = process.versions;
  return deno !== undefined ? `Deno ${deno}` : `Bun ${bun}`;
}

export const version: Command = {
  words: "",
  count: [0, 0],
  summary: "the versions of sipcore, PJSIP and the runtime",
  options: general,
  async run(input) {
    await using engine = await startEngine(input, noPorts);
    const pjsip = engine.pjsipVersion;
    const text = `sipcore ${own}, PJSIP ${pjsip}, ${runtime()}, ${process.platform} ${process.arch}`;
    input.output.event("version", {
      sipcore: own,
      pjsip,
      runtime: runtime(),
      platform: process.platform,
      arch: process.arch,
    }, text);
    return done;
  },
};
