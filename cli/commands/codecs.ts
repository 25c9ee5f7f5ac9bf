// SPDX-License-Identifier: GPL-2.0-or-later
import type { Command } from "../command.ts";
import { done } from "../exit_status.ts";
import { general } from "../options.ts";
import { noPorts, startEngine } from "../station.ts";

export const codecs: Command = {
  words: "",
  count: [0, 0],
  summary: "the audio codecs of this build, in the order in which they are offered",
  options: general,
  async run(input) {
    await using engine = await startEngine(input, noPorts);
    for (const name of engine.codecs) input.output.event("codec", { name, offered: true }, name);
    const others = engine.availableCodecs.filter((name) => !engine.codecs.includes(name));
    for (const name of others) input.output.event("codec", { name, offered: false }, `${name} (not offered)`);
    return done;
  },
};
