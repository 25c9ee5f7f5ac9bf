// SPDX-License-Identifier: GPL-2.0-or-later
import type { Command } from "../command.ts";
import { account, general, lasting, network } from "../options.ts";
import { keepRegistered } from "../registrar.ts";
import { readURI, startEngine, untilTold } from "../station.ts";

export const register: Command = {
  words: "URI",
  count: [1, 1],
  summary: "keeps an address registered, and unregisters it in the end",
  options: {
    once: { help: "end after the first success" },
    duration: { value: "SECONDS", help: "how long a registration shall hold (default: 300)" },
    ...lasting,
    ...account,
    ...network,
    ...general,
  },
  async run(input) {
    const uri = readURI(input.words[0]!);
    await using engine = await startEngine(input);
    const told = new AbortController();
    const signal = AbortSignal.any([untilTold(input), told.signal]);
    const onSuccess = () => {
      if (input.values.has("once")) told.abort();
    };
    return await keepRegistered(uri, { ...input, engine, until: signal, onSuccess });
  },
};
