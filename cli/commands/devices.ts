// SPDX-License-Identifier: GPL-2.0-or-later
import type { Command } from "../command.ts";
import { done } from "../exit_status.ts";
import { general } from "../options.ts";
import { noPorts, startEngine } from "../station.ts";

export const devices: Command = {
  words: "",
  count: [0, 0],
  summary: "the sound devices, by the names that --input and --output take",
  options: general,
  async run(input) {
    await using engine = await startEngine(input, noPorts);
    const { soundDevices, inputDevices, outputDevices } = engine;
    for (const name of soundDevices) {
      const [hears, speaks] = [inputDevices.includes(name), outputDevices.includes(name)];
      const ways = [hears && "input", speaks && "output"].filter(Boolean).join(", ");
      input.output.event("device", { name, input: hears, output: speaks }, `${name} (${ways})`);
    }
    if (soundDevices.length === 0) input.output.remark("There is no sound device");
    return done;
  },
};
