// SPDX-License-Identifier: GPL-2.0-or-later
import { Alarm } from "./alarm.ts";

/** What an expiry tells. */
export interface ExpiryOptions {
  /** For how long it was granted, in seconds. */
  readonly seconds: number;
  /** When it was granted. */
  readonly since: Date;
  /** How long before the end the warning comes, in seconds; half of the time is left for it at least. */
  readonly warningTime: number;
  /** Soon it is over: in so many seconds. */
  readonly warn: (left: number) => void;
  readonly end: () => void;
}

/** The time for which a registrar or the like keeps something. */
export class Expiry {
  readonly #alarm: Alarm = new Alarm();
  readonly #end: number;

  constructor({ seconds, since, warningTime, warn, end }: ExpiryOptions) {
    const delay = Math.max(1, seconds - warningTime, seconds / 2);
    const left = Math.max(1, seconds - delay);
    // What the program was too busy to hear has gone by.
    const late = Math.min(Math.max(0, (Date.now() - since.getTime()) / 1000), seconds);
    const start = performance.now() / 1000 - late;
    this.#end = start + seconds;
    this.#alarm.set(delay - late, () => {
      this.#alarm.set(start + delay + left - performance.now() / 1000, end);
      warn(left);
    });
  }

  /** Whole seconds, 0 when it is over. */
  get left(): number {
    // Rounded to what a clock of milliseconds knows: 4 seconds are 4 in the step in which they were granted.
    return Math.max(0, Math.ceil(Math.round((this.#end - performance.now() / 1000) * 1000) / 1000));
  }

  /** Neither warning nor end comes any more. */
  clear(): void {
    this.#alarm.clear();
  }
}
