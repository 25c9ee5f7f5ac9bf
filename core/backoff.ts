// SPDX-License-Identifier: GPL-2.0-or-later
const [least, most] = [1, 120];

/** How long to wait after one failure more: 1 to 120 seconds, doubling, and of each time the half or more, by chance. */
export class Backoff {
  #failures = 0;

  /** In seconds, to the millisecond. */
  next(): number {
    this.#failures++;
    const longest = Math.min(most, 2 * least * 2 ** (this.#failures - 1));
    return Math.round(longest * (0.5 + Math.random() / 2) * 1000) / 1000;
  }

  /** There was a success. */
  reset(): void {
    this.#failures = 0;
  }
}
