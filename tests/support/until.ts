// SPDX-License-Identifier: GPL-2.0-or-later
import { delay } from "@std/async";

/** Resolves with the first value of `look` that is neither null nor false; rejects when `ms` pass without one. */
export async function until<T>(look: () => T | null | false, what: string, ms: number = 10_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const value = look();
    if (value !== null && value !== false) return value;
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await delay(5);
  }
}
