// SPDX-License-Identifier: GPL-2.0-or-later
/** The most that a timer of the runtime's can wait, in seconds. */
const longest = 0x7fffffff / 1000;

/** A timeout in seconds, fractions allowed; null: none. Throws TypeError or RangeError. */
export function checkTimeout(value: unknown): number | null {
  if (value === null) return null;
  if (typeof value !== "number") {
    throw new TypeError(`timeout must be a number of seconds, got ${typeof value}`);
  }
  if (!(value > 0 && value <= longest)) {
    throw new RangeError(`timeout must be more than 0 and at most ${longest} seconds, got ${value}`);
  }
  return value;
}
