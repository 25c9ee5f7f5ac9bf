// SPDX-License-Identifier: GPL-2.0-or-later

/** A function that calls `make` when it is first called itself, and gives the same value ever after. */
export function lazy<T>(make: () => T): () => T {
  let pending: (() => T) | null = make;
  let value: T;
  return () => {
    if (pending !== null) {
      value = pending();
      pending = null;
    }
    return value;
  };
}
