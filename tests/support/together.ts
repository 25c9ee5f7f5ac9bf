// SPDX-License-Identifier: GPL-2.0-or-later
import { before, it } from "node:test";

interface Started {
  readonly work: () => Promise<void>;
  outcome: Promise<void> | null;
}

/**
 * Tests of one `describe` that spend their time waiting, for timers or for sound to be played, and wait together: all of
 * them begin with the first. Where the `describe` has a `before`, this stands behind it.
 */
export class Together {
  readonly #all: Started[] = [];

  constructor() {
    before(() => {
      for (const each of this.#all) {
        each.outcome = each.work();
        // Its own test tells of it.
        each.outcome.catch(() => {});
      }
    });
  }

  it(title: string, work: () => Promise<void>, options: { readonly skip?: string | false } = {}): void {
    const each: Started = { work, outcome: null };
    if (!options.skip) this.#all.push(each);
    it(title, options, () => each.outcome!);
  }
}
