// SPDX-License-Identifier: GPL-2.0-or-later

/**
 * An array that never changes: writing to it throws a TypeError, `map`, `filter` and the like return plain arrays.
 *
 * @example
 * ```ts
 * import { FrozenList } from "@sipcore/sipcore";
 *
 * const formats = new FrozenList(["0", "8", "101"]);
 * formats.filter((format) => format !== "101"); // ["0", "8"], an Array
 * formats.equals(["0", "8", "101"]); // true
 * ```
 */
export class FrozenList<T> extends Array<T> {
  /** What `map()` and the like make: arrays that can be changed. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** A frozen list of these items. */
  static override from<T>(items: Iterable<T> | ArrayLike<T>): FrozenList<T>;
  /** A frozen list of these items. */
  static override from<T, U>(
    items: Iterable<T> | ArrayLike<T>,
    map: (item: T, index: number) => U,
  ): FrozenList<U>;
  static override from(
    items: Iterable<unknown> | ArrayLike<unknown>,
    map: (item: unknown, index: number) => unknown = (item) => item,
  ): FrozenList<unknown> {
    return new FrozenList(Array.from(items, map));
  }

  /** A frozen list of these items. */
  static override of<T>(...items: T[]): FrozenList<T> {
    return new FrozenList(items);
  }

  /** Copies `items`. */
  constructor(items: Iterable<T> = []) {
    const given = Array.isArray(items) ? items as readonly T[] : [...items];
    // Grown step by step it would take more memory, and an iterator makes an object for each item.
    super(given.length);
    for (let index = 0; index < given.length; index++) this[index] = given[index]!;
    Object.freeze(this);
  }

  /** Whether `other` is an array of equal items in the same order; items with `equals` are asked. */
  equals(other: unknown): boolean {
    return Array.isArray(other) && equalItems(this, other);
  }
}

/**
 * A map from strings that never changes.
 *
 * @example
 * ```ts
 * import { FrozenDict } from "@sipcore/sipcore";
 *
 * const parameters = new FrozenDict({ transport: "tcp", lr: null });
 * parameters.get("transport"); // "tcp"
 * parameters.equals(new Map([["lr", null], ["transport", "tcp"]])); // true
 * ```
 */
export class FrozenDict<V> implements ReadonlyMap<string, V> {
  readonly #items: Map<string, V>;

  /** Copies `items`: pairs, a map or a plain object. */
  constructor(items: Iterable<readonly [string, V]> | Readonly<Record<string, V>> = []) {
    this.#items = new Map(entriesOf(items));
    Object.freeze(this);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#items.size;
  }

  /** The value of that key; undefined when there is none. */
  get(key: string): V | undefined {
    return this.#items.get(key);
  }

  /** Whether there is an entry of that key. */
  has(key: string): boolean {
    return this.#items.has(key);
  }

  /** Calls the function with each value and its key. */
  forEach(call: (value: V, key: string, map: ReadonlyMap<string, V>) => void, thisArg?: unknown): void {
    for (const [key, value] of this.#items) call.call(thisArg, value, key, this);
  }

  /** Keys with their values. */
  entries(): MapIterator<[string, V]> {
    return this.#items.entries();
  }

  /** The keys. */
  keys(): MapIterator<string> {
    return this.#items.keys();
  }

  /** The values. */
  values(): MapIterator<V> {
    return this.#items.values();
  }

  /** Keys with their values. */
  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.#items.entries();
  }

  /** Whether `other` is a map with equal values under the same keys, in any order; values with `equals` are asked. */
  equals(other: unknown): boolean {
    if (!(other instanceof Map || other instanceof FrozenDict) || other.size !== this.size) return false;
    return this.#items.entries().every(([key, value]) => other.has(key) && equalItem(value, other.get(key)));
  }
}

/** The pairs of what constructors take for a map. */
export function entriesOf<V>(
  items: Iterable<readonly [string, V]> | Readonly<Record<string, V>>,
): Iterable<readonly [string, V]> {
  return Symbol.iterator in items ? items as Iterable<readonly [string, V]> : Object.entries(items);
}

export function equalItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => equalItem(item, b[index]));
}

/** Values with `equals` decide themselves, all others are compared as `Object.is` does. */
export function equalItem(a: unknown, b: unknown): boolean {
  if (typeof a === "object" && a !== null && "equals" in a && typeof a.equals === "function") {
    return a.equals(b) === true;
  }
  return Object.is(a, b);
}
