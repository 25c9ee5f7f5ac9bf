// SPDX-License-Identifier: GPL-2.0-or-later
/** One wake-up a tick of the media clock, for all ports that wait for something. */
import { onBirth } from "../core/registry.ts";
import { records } from "../ffi/bindings/records.ts";
import type { NativeLibrary } from "../ffi/library.ts";
import { PCMMemory } from "../ffi/pcm_memory.ts";

/** Who waits for sound, or for room. */
export interface PCMWaiter {
  /** Takes what has come about, and says whether it waits for more. */
  look(): void;
}

/** What waits is held: a program may have nothing of it in hand but the promise of a read. */
const waiters = new Set<PCMWaiter>();

let memory: PCMMemory | null = null;
let wakeUps = 0;

/** The memory of all ports; of the process, as the library is. */
export function pcmMemory(native: NativeLibrary): PCMMemory {
  return memory ??= new PCMMemory(native, lookAround);
}

/** For tests: ports that start from now on use a copy of the memory, as where looking at it is forbidden. */
export function copyPCMMemory(native: NativeLibrary, isCopied: boolean): void {
  memory = new PCMMemory(native, lookAround, !isCopied);
}

/** How many wake-ups there were, and how many ports wait for one. */
export function pcmFigures(): { wakeUps: number; waiting: number } {
  return { wakeUps, waiting: waiters.size };
}

export function awaitNews(waiter: PCMWaiter): void {
  waiters.add(waiter);
}

export function forgetNews(waiter: PCMWaiter): void {
  waiters.delete(waiter);
}

function lookAround(): void {
  for (const waiter of waiters) waiter.look();
}

onBirth(records.SC_RECORD_PCM_NEWS, () => {
  wakeUps++;
  memory?.refresh();
  lookAround();
});
