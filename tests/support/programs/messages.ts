// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Sends so many MESSAGEs to a port at a rate, "1", "2", "3" … their bodies, and waits for the answers. The arguments:
 * port, count, rate a second. Prints JSON: how many were accepted (200) and refused (503), and how many ms the slowest
 * answer took.
 */
import process from "node:process";
import { every } from "../every.ts";
import { Peer } from "../peer.ts";

const [port, count, rate] = process.argv.slice(2).map(Number) as [number, number, number];
await using peer = await Peer.open();
const codes: number[] = [];
let slowest = 0;

async function message(number: number): Promise<void> {
  const callId = `message-${number}`;
  const start = performance.now();
  peer.request("MESSAGE", {
    uri: `sip:sipcore@127.0.0.1:${port}`,
    callId,
    body: String(number),
    contentType: "text/plain",
  });
  const { code } = await peer.next({ callId, timeoutMs: 20_000 });
  slowest = Math.max(slowest, performance.now() - start);
  codes.push(code!);
}

const messages: Promise<void>[] = [];
for await (const _ of every(1000 / rate, count)) messages.push(message(messages.length + 1));
await Promise.all(messages);
console.log(JSON.stringify({
  accepted: codes.filter((code) => code === 200).length,
  refused: codes.filter((code) => code === 503).length,
  slowest,
}));
