// SPDX-License-Identifier: GPL-2.0-or-later
import { FromHeader, NotificationCenter, Request, ToHeader } from "../../mod.ts";
import type { Command, Input } from "../command.ts";
import { done, statusOf } from "../exit_status.ts";
import { account, general, lasting, network } from "../options.ts";
import {
  aborted,
  credentialsOf,
  describeTrace,
  ownURI,
  readURI,
  routesTo,
  startEngine,
  timeoutOf,
  untilTold,
} from "../station.ts";

export const trace: Command = {
  words: "[URI]",
  count: [0, 1],
  summary: "sends OPTIONS and prints all SIP messages; without URI, those that come in",
  options: {
    method: { value: "NAME", help: "sends this instead of OPTIONS" },
    ...lasting,
    ...account,
    ...network,
    ...general,
  },
  async run(input) {
    const { words: [address], output } = input;
    await using engine = await startEngine(input, { traceSip: true });
    new NotificationCenter().addObserver(({ data }) => {
      const { received, transport, data: text, timestamp } = data;
      const peer = received
        ? { ip: data.sourceIp, port: data.sourcePort }
        : { ip: data.destinationIp, port: data.destinationPort };
      const head = `${timestamp.toISOString().slice(11, 23)} ${describeTrace(data)}`;
      output.event("message", { received, transport, peer, text }, `${head}\n${text}`, timestamp);
    }, { name: "SIPEngineSIPTrace" });
    if (address !== undefined) return await ask(address, input);
    const { udpPort, tcpPort, tlsPort } = engine;
    output.event(
      "ready",
      { udpPort, tcpPort, tlsPort },
      `Listening on UDP ${udpPort}, TCP ${tcpPort}, TLS ${tlsPort}`,
    );
    await aborted(untilTold(input));
    return done;
  },
};

async function ask(address: string, input: Input): Promise<number> {
  const { values, output, signal } = input;
  const uri = readURI(address);
  const own = ownURI(uri, values);
  const [routeHeader] = await routesTo(uri, input);
  const credentials = credentialsOf(own, values);
  const request = new Request({
    method: values.text("method") ?? "OPTIONS",
    requestUri: uri,
    fromHeader: new FromHeader(own),
    toHeader: new ToHeader(uri),
    routeHeader: routeHeader!,
    ...(credentials && { credentials }),
  });
  const notes = request.notifications();
  const start = performance.now();
  request.send({ timeout: timeoutOf(values), signal });
  let status = statusOf(null);
  for await (const { name, data } of notes) {
    if (name !== "SIPRequestDidSucceed" && name !== "SIPRequestDidFail") continue;
    const milliseconds = Math.round((performance.now() - start) * 10) / 10;
    status = statusOf(data.code);
    const { code, reason } = data;
    output.event("answer", { code, reason, milliseconds }, `${code} ${reason} after ${milliseconds} ms`);
    request.end();
  }
  signal.throwIfAborted();
  return status;
}
