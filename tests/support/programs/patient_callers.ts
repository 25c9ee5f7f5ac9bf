// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Calls a port so many times within a second, each call from a socket of its own and with every INVITE sent twice, and
 * waits until it is answered; then it hangs up. The arguments: port, count. Prints JSON: how many ms it took until the
 * 100 was there, for 95 of 100 INVITEs and at most, and how many calls were answered.
 */
import process from "node:process";
import { silentSdp } from "../calls.ts";
import { every } from "../every.ts";
import { Peer } from "../peer.ts";

const [port, count] = process.argv.slice(2).map(Number) as [number, number];
const uri = `sip:sipcore@127.0.0.1:${port}`;
const waits: number[] = [];
let answered = 0;

async function call(): Promise<void> {
  await using peer = await Peer.open({ keepRetransmissions: true });
  const start = performance.now();
  const invite = peer.request("INVITE", { uri, body: silentSdp.toString() });
  await peer.next({ code: 100, timeoutMs: 20_000 });
  waits.push(performance.now() - start);
  const again = performance.now();
  peer.send(invite.text, port);
  await peer.next({ code: 100, timeoutMs: 20_000 });
  waits.push(performance.now() - again);
  const ok = await peer.next({ code: 200, timeoutMs: 20_000 });
  peer.ack(ok);
  peer.request("BYE", peer.dialog(ok));
  await peer.next({ code: 200, cseqMethod: "BYE", timeoutMs: 20_000 });
  answered++;
}

const calls: Promise<void>[] = [];
for await (const _ of every(1000 / count, count)) calls.push(call());
const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === "rejected");
if (failed.length > 0) throw (failed[0] as PromiseRejectedResult).reason;
waits.sort((a, b) => a - b);
console.log(
  JSON.stringify({ usual: waits[Math.floor(waits.length * 0.95)], slowest: waits.at(-1), answered }),
);
