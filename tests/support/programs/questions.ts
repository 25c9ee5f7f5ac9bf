// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Sends requests to a port, the next one when the last was answered. The arguments: port, method, count. Prints JSON: how
 * many got a 200, and how many ms the slowest answer took.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import process from "node:process";
import { deadline } from "@std/async";

const [port, method, count] = [Number(process.argv[2]), process.argv[3]!, Number(process.argv[4])];
const socket = createSocket("udp4");
socket.bind(0, "127.0.0.1");
await once(socket, "listening");
const own = `127.0.0.1:${socket.address().port}`;

async function ask(id: string): Promise<boolean> {
  const answer = Promise.withResolvers<boolean>();
  const onMessage = (data: Uint8Array) => {
    const text = new TextDecoder().decode(data);
    if (text.includes(`Call-ID: ${id}\r\n`)) answer.resolve(text.startsWith("SIP/2.0 200 "));
  };
  socket.on("message", onMessage);
  socket.send(
    `${method} sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ${own};rport;branch=z9hG4bK${id}\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\n` +
      `Call-ID: ${id}\r\nCSeq: 1 ${method}\r\nContent-Length: 0\r\n\r\n`,
    port,
    "127.0.0.1",
  );
  try {
    return await deadline(answer.promise, 10_000);
  } finally {
    socket.off("message", onMessage);
  }
}

let [answered, slowest] = [0, 0];
for (let number = 0; number < count; number++) {
  const begun = performance.now();
  if (await ask(`${process.pid}-${number}`)) answered++;
  slowest = Math.max(slowest, performance.now() - begun);
}
socket.close();
console.log(JSON.stringify({ answered, slowest }));
