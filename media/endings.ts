// SPDX-License-Identifier: GPL-2.0-or-later

/** What ends with something else. */
export interface Ending {
  stop(): void;
}

/** Who ends when their owner does. They are not held: what a program forgets is to be noticed. */
export class Endings {
  readonly #references = new Map<number, WeakRef<Ending>>();
  readonly #keys = new WeakMap<Ending, number>();
  readonly #forgotten = new FinalizationRegistry<number>((key) => this.#references.delete(key));
  #lastKey = 0;

  add(ending: Ending): void {
    const key = ++this.#lastKey;
    this.#references.set(key, new WeakRef(ending));
    this.#keys.set(ending, key);
    this.#forgotten.register(ending, key, ending);
  }

  delete(ending: Ending): void {
    const key = this.#keys.get(ending);
    if (key === undefined) return;
    this.#references.delete(key);
    this.#forgotten.unregister(ending);
  }

  /** Stops them all. */
  end(): void {
    for (const reference of [...this.#references.values()]) reference.deref()?.stop();
  }
}
