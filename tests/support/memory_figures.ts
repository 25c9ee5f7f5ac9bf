// SPDX-License-Identifier: GPL-2.0-or-later
/** What a process holds in memory, once it has come to rest. */
import process from "node:process";
import { delay } from "@std/async";
import { openedLibrary } from "../../ffi/library.ts";
import { residentBytes } from "./process_figures.ts";
import { collectGarbage } from "./program.ts";

export interface MemoryFigures {
  readonly liveObjects: number;
  readonly poolBytes: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** Waits until no transaction is left: their memory comes back to the pools one by one. */
async function quiet(
  native: NonNullable<ReturnType<typeof openedLibrary>>,
  longest: number,
): Promise<number> {
  let poolBytes = native.sc_pool_bytes();
  for (let ms = 0; ms < longest; ms += 50) {
    await delay(50);
    if (native.sc_pool_bytes() === poolBytes) continue;
    poolBytes = native.sc_pool_bytes();
    ms = 0;
  }
  return poolBytes;
}

/**
 * For a process that was started with `isMeasured`.
 *
 * @param longest In ms: when no memory has come back for so long, all transactions are gone.
 */
export async function memoryFigures(longest: number): Promise<MemoryFigures> {
  const native = openedLibrary()!;
  const poolBytes = await quiet(native, longest);
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await delay(20);
  }
  native.sc_trim();
  return {
    liveObjects: native.sc_live_objects(),
    poolBytes,
    heapBytes: process.memoryUsage().heapUsed,
    residentBytes: residentBytes(),
  };
}
