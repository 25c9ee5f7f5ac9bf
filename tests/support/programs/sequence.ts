// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Calls in sequence in one process, and what they leave behind: "incoming" or "outgoing", then how many a round.
 * Prints a line of JSON after each round. Wants a runtime that exposes gc().
 */
import process from "node:process";
import { delay } from "@std/async";
import { sipTimers } from "../../../core/sip_timers.ts";
import { openedLibrary } from "../../../ffi/library.ts";
import { Engine, NotificationCenter } from "../../../mod.ts";
import { Calls, callPort } from "../calls.ts";
import { residentBytes } from "../process_figures.ts";
import { Sipp } from "../sipp.ts";

const [direction, perRound, rounds] = process.argv.slice(2);

// What a transaction keeps goes half a second after it.
Object.assign(sipTimers, { t1: 50, t2: 200, t4: 100, td: 500 });

const engine = new Engine();
const center = new NotificationCenter();
await engine.start({ ipAddress: "127.0.0.1", udpPort: 0, tcpPort: null });
const native = openedLibrary()!;

async function placeCalls(count: number): Promise<void> {
  await using sipp = await Sipp.start({ scenario: "callee", count });
  for (let placed = 0; placed < count; placed++) {
    const call = callPort(sipp.port);
    for await (const { data } of call.notifications("SIPInvitationChangedState")) {
      if (data.state === "connected") call.end();
    }
  }
  await sipp.finish();
}

async function takeCalls(count: number): Promise<void> {
  using calls = new Calls(engine);
  await using sipp = await Sipp.start({
    scenario: "caller",
    count,
    rate: 300,
    target: { port: engine.udpPort! },
  });
  await sipp.finish();
  await calls.until(() => calls.disconnected.size === count);
}

/** The memory, once every transaction is gone: nothing of theirs lives for a second. */
async function figures() {
  let poolBytes = 0;
  for (let since = 0; since < 1000; since += 50) {
    if (native.sc_pool_bytes() !== poolBytes) since = 0;
    poolBytes = native.sc_pool_bytes();
    await delay(50);
  }
  for (let i = 0; i < 5; i++) {
    (globalThis as unknown as { gc(): void }).gc();
    await delay(10);
  }
  native.sc_trim();
  return { liveObjects: native.sc_live_objects(), poolBytes, residentBytes: residentBytes(), ...process.memoryUsage() };
}

for (let round = 0; round < Number(rounds); round++) {
  await (direction === "incoming" ? takeCalls : placeCalls)(Number(perRound));
  console.log(JSON.stringify(await figures()));
}
await engine.stop();
