// SPDX-License-Identifier: GPL-2.0-or-later
import process from "node:process";
import { FromHeader, Message, ToHeader } from "../../mod.ts";
import type { Command } from "../command.ts";
import { statusOf } from "../exit_status.ts";
import { account, general, network } from "../options.ts";
import { credentialsOf, ownURI, readURI, routesTo, startEngine, timeoutOf } from "../station.ts";

async function standardInput(): Promise<string> {
  process.stdin.setEncoding("utf8");
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  return text;
}

export const message: Command = {
  words: "URI [TEXT]",
  count: [1, 2],
  summary: "sends a message; without TEXT it is read from standard input",
  options: {
    type: { value: "TYPE", help: "its content type (default: text/plain;charset=utf-8)" },
    ...account,
    ...network,
    ...general,
  },
  async run(input) {
    const { words: [address, text], values, output, signal } = input;
    const uri = readURI(address!);
    const own = ownURI(uri, values);
    const timeout = timeoutOf(values);
    const body = text ?? await standardInput();
    await using _engine = await startEngine(input);
    const [routeHeader] = await routesTo(uri, input);
    const sent = new Message({
      fromHeader: new FromHeader(own),
      toHeader: new ToHeader(uri),
      routeHeader: routeHeader!,
      contentType: values.text("type") ?? "text/plain;charset=utf-8",
      body,
      ...credentials(credentialsOf(own, values)),
    });
    const notes = sent.notifications();
    sent.send({ timeout, signal });
    let status = statusOf(null);
    for await (const { name, data: { code, reason } } of notes) {
      status = statusOf(code);
      const facts = { delivered: name === "SIPMessageDidSucceed", code, reason };
      output.event("answer", facts, `${code} ${reason}`);
    }
    signal.throwIfAborted();
    return status;
  },
};

function credentials<T>(value: T | null): { credentials: T } | Record<never, never> {
  return value === null ? {} : { credentials: value };
}
