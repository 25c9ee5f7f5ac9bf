// SPDX-License-Identifier: GPL-2.0-or-later
/** Waiting that ends: by the event, by the clock, or because the user has had enough. */

/** The time is up. */
export class PatienceError extends Error {
  override readonly name: string = "PatienceError";
}

/**
 * The result of `promise`, if it comes within `ms` milliseconds (null: however long it takes) and before
 * `signal` is aborted.
 *
 * @throws {PatienceError} when the time is up first, with the message `late`.
 * @throws what `signal` was aborted with, when that comes first.
 */
export async function within<T>(
  promise: Promise<T>,
  ms: number | null,
  late: string,
  signal: AbortSignal | null = null,
): Promise<T> {
  const end = Promise.withResolvers<never>();
  const timer = ms === null ? undefined : setTimeout(() => end.reject(new PatienceError(late)), ms);
  const abort = (): void => end.reject(signal?.reason);
  if (signal?.aborted === true) abort();
  else signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, end.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}
