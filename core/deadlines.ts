// SPDX-License-Identifier: GPL-2.0-or-later
import { clearTimeout, setTimeout } from "node:timers";

/**
 * Many waits of the same length with one timer of the runtime's: to begin and to end one costs no more than an entry
 * of a map, where most end before their time.
 */
export class Deadlines<T extends object> {
  readonly #ring: (item: T) => void;
  /** When each is due, the next one first. */
  readonly #due = new Map<T, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ring: (item: T) => void) {
    this.#ring = ring;
  }

  /** Calls `ring` with the item in so many milliseconds: as many as were asked for with those before it, or more. */
  add(item: T, ms: number): void {
    this.#due.delete(item);
    this.#due.set(item, performance.now() + ms);
    if (this.#timer === undefined) this.#wait(ms);
    else if (this.#due.size === 1) this.#timer.ref();
  }

  /** The item waits no longer; quiet if it did not. */
  delete(item: T): void {
    if (!this.#due.delete(item) || this.#due.size > 0) return;
    // An idle program must be able to end. The next one may well need the timer, which is dearer to make.
    this.#timer?.unref();
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#passed(), ms);
  }

  #passed(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [item, due] of this.#due) {
      // A timer may be early by a part of a millisecond.
      if (due > now + 1) return this.#wait(due - now);
      this.#due.delete(item);
      this.#ring(item);
    }
  }
}
