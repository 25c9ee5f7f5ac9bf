// SPDX-License-Identifier: GPL-2.0-or-later

/** When to look, in seconds; 0: not. */
export interface MediaWatchTimes {
  /** After the start; 0: never at all. */
  readonly first: number;
  /** From then on. */
  readonly interval: number;
}

/** Looks from time to time whether something has come, and tells when nothing has. */
export class MediaWatch {
  readonly #times: MediaWatchTimes;
  /** How many packets have come, ever. */
  readonly #received: () => number;
  readonly #onNothing: (gotAny: boolean) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #before = 0;
  #isFirst = true;

  constructor(times: MediaWatchTimes, received: () => number, onNothing: (gotAny: boolean) => void) {
    this.#times = times;
    this.#received = received;
    this.#onNothing = onNothing;
  }

  /** Begins, or begins anew after a pause: what has not come meanwhile does not count. */
  start(): void {
    this.stop();
    const { first, interval } = this.#times;
    const seconds = this.#isFirst ? first : interval;
    if (first === 0 || seconds === 0) return;
    this.#before = this.#received();
    this.#timer = setTimeout(() => this.#look(), seconds * 1000);
  }

  #look(): void {
    const before = this.#before;
    this.#isFirst = false;
    this.start();
    const received = this.#received();
    if (received === before) this.#onNothing(received > 0);
  }

  /** Pauses, or ends. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
