// SPDX-License-Identifier: GPL-2.0-or-later
import { SIPCoreInvalidStateError } from "./errors.ts";

interface Waiter<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One stream's two sides: what is pushed comes out of `next()` in the same order, each value once, for one reader.
 *
 * It never drops a value and never waits for the reader. The reader empties one array while the other fills, so a
 * push and a read cost the same however much is pending.
 */
export class Queue<T> {
  #filling: T[] = [];
  #draining: (T | undefined)[] = [];
  #position = 0;
  #waiter: Waiter<T> | null = null;
  #isOpen = true;
  #failure: { readonly error: unknown } | null = null;

  /** How many values have been pushed and not yet read. */
  get size(): number {
    return this.#filling.length + this.#draining.length - this.#position;
  }

  /** Adds a value; after the end it is ignored. */
  push(value: T): void {
    if (!this.#isOpen) return;
    if (this.#waiter !== null) this.#take(this.#waiter).resolve({ done: false, value });
    else this.#filling.push(value);
  }

  /** Ends the queue: what is pending can still be read, then the reader gets `done`. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#waiter !== null) this.#take(this.#waiter).resolve({ done: true, value: undefined });
  }

  /** Ends the queue with an error: what is pending can still be read, then one read rejects, then `done`. */
  fail(error: unknown): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#waiter !== null) this.#take(this.#waiter).reject(error);
    else this.#failure = { error };
  }

  /** Ends the queue at once and drops what is pending. */
  close(): void {
    this.end();
    this.#failure = null;
    this.#filling = [];
    this.#draining = [];
    this.#position = 0;
  }

  /**
   * The next value, or `done` after the end.
   *
   * Rejects with what {@linkcode Queue.fail} was given, and with SIPCoreInvalidStateError while another read waits.
   */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#waiter !== null) {
      return Promise.reject(
        new SIPCoreInvalidStateError("Cannot read a stream while another next() is waiting", "reading"),
      );
    }
    if (this.#position === this.#draining.length) {
      this.#draining = this.#filling;
      this.#filling = [];
      this.#position = 0;
    }
    if (this.#position < this.#draining.length) {
      const value = this.#draining[this.#position] as T;
      // A value that was read must not live until its whole batch is through.
      this.#draining[this.#position++] = undefined;
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure !== null) {
      const { error } = this.#failure;
      this.#failure = null;
      return Promise.reject(error);
    }
    if (!this.#isOpen) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  #take(waiter: Waiter<T>): Waiter<T> {
    this.#waiter = null;
    return waiter;
  }
}
