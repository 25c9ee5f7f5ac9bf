// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Holds calls: "incoming" or "outgoing", how many, and for how many seconds. Then ends them all. Prints a line of JSON:
 * how many were lost on the way, and what each has held and left behind.
 */
import process from "node:process";
import { delay } from "@std/async";
import type { Invitation } from "../../../mod.ts";
import { callPort, Calls } from "../calls.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";
import { memoryFigures } from "../memory_figures.ts";
import { Sipp } from "../sipp.ts";

const [kind = "", count = 0, seconds = 0] = process.argv.slice(2).map((text, index) =>
  index ? Number(text) : text
) as [
  string,
  number,
  number,
];

const timers = { t1: 60, t2: 400, t4: 400, td: 1000 };
/** Outgoing calls whose answer is under way. */
const crowd = 100;

const engine = await startEngine({ tcpPort: null }, timers);

/** So many calls with SIPp, which waits for our BYE. */
async function place(calls: Calls, count: number): Promise<Sipp> {
  const timeout = seconds + 120;
  if (kind === "incoming") {
    const target = { port: engine.udpPort! };
    const sipp = await Sipp.start({ scenario: "caller_left", count, rate: 500, target, timeout });
    await calls.until(() => calls.connected.size === count);
    return sipp;
  }
  const sipp = await Sipp.start({ scenario: "callee", count, timeout });
  for (let placed = 1; placed <= count; placed++) {
    callPort(sipp.port);
    if (placed % crowd === 0 || placed === count) await calls.until(() => calls.connected.size === placed);
  }
  return sipp;
}

/** How many of them have ended otherwise than by our BYE and its 200. */
async function hold(count: number, whileHeld: () => Promise<unknown>): Promise<number> {
  using calls = new Calls(engine);
  await using sipp = await place(calls, count);
  await whileHeld();
  const lost = calls.disconnected.size;
  const held = [...calls.connected].filter((call: Invitation) => call.state === "connected");
  for (const [index, call] of held.entries()) {
    call.end();
    if (index % crowd === crowd - 1) await calls.until(() => calls.disconnected.size >= lost + index + 1);
  }
  await calls.until(() => calls.disconnected.size === count);
  const { successful } = await sipp.finish();
  return Math.max(lost, count - successful);
}

// The runtime compiles and grows.
await hold(Math.min(count, 300), () => Promise.resolve());
const before = await memoryFigures(2 * timers.t4 + 200);
let during = before;
const lost = await hold(count, async () => {
  during = await memoryFigures(2 * timers.t4 + 200);
  await delay(seconds * 1000);
});
const after = await memoryFigures(2 * timers.t4 + 200);
console.log(JSON.stringify({
  lost,
  liveObjects: during.liveObjects,
  heldBytes: (during.residentBytes - before.residentBytes) / count,
  heldPoolBytes: (during.poolBytes - before.poolBytes) / count,
  heldHeapBytes: (during.heapBytes - before.heapBytes) / count,
  leftBytes: (after.residentBytes - before.residentBytes) / count,
  leftObjects: after.liveObjects,
}));
await stopEngine();
