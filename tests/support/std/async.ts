// SPDX-License-Identifier: GPL-2.0-or-later
/** What the tests use of `@std/async`, with the same names and signatures, over `node:timers/promises`. */
import { setTimeout as wait } from "node:timers/promises";

export interface DelayOptions {
  signal?: AbortSignal;
  persistent?: boolean;
}

export async function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal, persistent = true } = options;
  signal?.throwIfAborted();
  try {
    await wait(ms, undefined, { ref: persistent, ...(signal ? { signal } : {}) });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Rejects with a TimeoutError when the promise has not settled within `ms`. */
export async function deadline<T>(p: Promise<T>, ms: number, options: DelayOptions = {}): Promise<T> {
  options.signal?.throwIfAborted();
  const timer = AbortSignal.timeout(ms);
  const signal = options.signal ? AbortSignal.any([timer, options.signal]) : timer;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  // AbortSignal.timeout does not keep a process alive; this interval does until the race is over.
  const keep = setInterval(() => {}, 1000);
  try {
    return await Promise.race([p, promise]);
  } finally {
    clearInterval(keep);
    signal.removeEventListener("abort", abort);
  }
}
