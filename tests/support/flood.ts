// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { deadline } from "@std/async";

/** Requests that wait for their answers at the same time. */
const crowd = 64;

/**
 * Sends an OPTIONS with each of these branches to a UDP port on 127.0.0.1, as fast as they are answered.
 *
 * @returns how many a second.
 * @throws DOMException "TimeoutError" when one stays without a 200.
 */
export async function floodWith(branches: readonly string[], port: number): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const via = `SIP/2.0/UDP 127.0.0.1:${socket.address().port};rport;branch=`;
  const { promise, resolve } = Promise.withResolvers<void>();
  const answered = new Set<string>();
  let sent = 0;
  const send = () => {
    const branch = branches[sent++];
    if (branch === undefined) return;
    const request = `OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: ${via}${branch}\r\nMax-Forwards: 70\r\n` +
      `From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: ${branch}\r\nCSeq: 1 OPTIONS\r\n` +
      "Content-Length: 0\r\n\r\n";
    socket.send(request, port, "127.0.0.1");
  };
  socket.on("message", (data) => {
    const [, branch] = /^SIP\/2\.0 200 [^]*?branch=([^;\r]+)/.exec(data.toString("latin1")) ?? [];
    if (branch === undefined || answered.has(branch)) return;
    answered.add(branch);
    if (answered.size === branches.length) resolve();
    else send();
  });
  const begun = performance.now();
  for (let i = 0; i < crowd; i++) send();
  try {
    await deadline(promise, 60_000);
    return branches.length / ((performance.now() - begun) / 1000);
  } finally {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  }
}
