// SPDX-License-Identifier: GPL-2.0-or-later
/** The longest that a timer of the runtime's can wait, in milliseconds. */
const longest = 0x7fffffff;

/** One timer, for any number of seconds. */
export class Alarm {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Whether it is set. */
  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  /** Calls `ring` in so many seconds, instead of what was set before. */
  set(seconds: number, ring: () => void): void {
    this.clear();
    this.#wait(performance.now() + seconds * 1000, ring);
  }

  /** Nothing rings any more. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(due: number, ring: () => void): void {
    const left = due - performance.now();
    this.#timer = setTimeout(() => {
      // A timer may be early by a part of a millisecond.
      if (due - performance.now() > 1) return this.#wait(due, ring);
      this.#timer = undefined;
      ring();
    }, Math.max(0, Math.min(left, longest)));
  }
}
