// SPDX-License-Identifier: GPL-2.0-or-later
import { delay } from "@std/async";

/** Counts to `count`, one every so many ms; a late one does not delay those after it. */
export async function* every(ms: number, count: number): AsyncGenerator<number, void, void> {
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    const wait = start + index * ms - performance.now();
    if (wait > 0) await delay(wait);
    yield index;
  }
}
