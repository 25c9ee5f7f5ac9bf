// SPDX-License-Identifier: GPL-2.0-or-later

/** Who ends when their owner does. They are not held: what a program forgets is to be noticed. */
export class Endings {
  readonly #references = new Map<number, WeakRef<Disposable>>();
  readonly #keys = new WeakMap<Disposable, number>();
  readonly #forgotten = new FinalizationRegistry<number>((key) => this.#references.delete(key));
  #lastKey = 0;

  add(ending: Disposable): void {
    const key = ++this.#lastKey;
    this.#references.set(key, new WeakRef(ending));
    this.#keys.set(ending, key);
    this.#forgotten.register(ending, key, ending);
  }

  delete(ending: Disposable): void {
    const key = this.#keys.get(ending);
    if (key === undefined) return;
    this.#references.delete(key);
    this.#forgotten.unregister(ending);
  }

  /** Disposes of them all, which never throws. */
  end(): void {
    for (const reference of [...this.#references.values()]) reference.deref()?.[Symbol.dispose]();
  }
}
