// SPDX-License-Identifier: GPL-2.0-or-later
import { assertEquals } from "@std/assert";
import { type SIPTimers, sipTimers } from "../../core/sip_timers.ts";
import { openedLibrary } from "../../ffi/library.ts";
import { Engine, type EngineOptions } from "../../mod.ts";

/** Transactions that end in a second instead of 32. */
const quick: SIPTimers = { t1: 100, t2: 400, t4: 500, td: 2000 };

/** Starts the engine on loopback with timers that no test has to wait for. */
export async function startEngine(options: Partial<EngineOptions> = {}, timers = quick): Promise<Engine> {
  Object.assign(sipTimers, timers);
  const engine = new Engine();
  await engine.start({ ipAddress: "127.0.0.1", userAgent: "tested", ...options });
  return engine;
}

/** Stops the engine; nothing of it may be left. */
export async function stopEngine(): Promise<void> {
  await new Engine().stop();
  Object.assign(sipTimers, { t1: 0, t2: 0, t4: 0, td: 0 });
  assertEquals(openedLibrary()?.sc_live_objects() ?? 0, 0, "objects are left");
}
