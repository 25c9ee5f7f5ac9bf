// SPDX-License-Identifier: GPL-2.0-or-later

/** Numbers that look random and are the same in every run (xorshift). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 to count - 1. */
  throw(count: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % count;
  }

  /** True in that many of a hundred cases. */
  percent(chance: number): boolean {
    return this.throw(100) < chance;
  }
}
