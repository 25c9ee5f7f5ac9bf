// SPDX-License-Identifier: GPL-2.0-or-later
/** What the notification center tells of requests and of what is made of them, whoever sends it. */
import { NotificationCenter, type NotificationName, type SIPNotification } from "../../mod.ts";

interface Waiter {
  readonly isMet: () => boolean;
  readonly resolve: () => void;
}

/** Records from its making on. Ends by `using`. */
export class Told<const N extends NotificationName> implements Disposable {
  readonly notes: SIPNotification<N>[] = [];
  /** When each was heard, in seconds. */
  readonly times: number[] = [];
  readonly #observer: Disposable;
  readonly #waiters: Set<Waiter> = new Set();

  constructor(...name: readonly N[]) {
    this.#observer = new NotificationCenter().addObserver<N>((note) => {
      this.notes.push(note);
      this.times.push(performance.now() / 1000);
      for (const waiter of this.#waiters) if (waiter.isMet()) waiter.resolve();
    }, { name });
  }

  /** The names, without "SIP". */
  get names(): string[] {
    return this.notes.map(({ name }) => name.replace(/^SIP/, ""));
  }

  /** All of one name. */
  of<const M extends N>(name: M): SIPNotification<M>[] {
    return this.notes.filter((note) => note.name === name) as unknown as SIPNotification<M>[];
  }

  /** The count-th of this name, waiting for it if need be. */
  async until<const M extends N>(
    name: M,
    count: number = 1,
    ms: number = 10_000,
  ): Promise<SIPNotification<M>> {
    const isMet = () => this.of(name).length >= count;
    if (!isMet()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiter = { isMet, resolve };
      this.#waiters.add(waiter);
      const timer = setTimeout(
        () => reject(new Error(`No ${count}. ${name} within ${ms} ms; told were: ${this.names.join(", ")}`)),
        ms,
      );
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      }
    }
    return this.of(name)[count - 1]!;
  }

  /** How long after the first of `from` the first of `to` was heard, in seconds. */
  between(from: N, to: N): number {
    const at = (wanted: N) => this.times[this.notes.findIndex(({ name }) => name === wanted)]!;
    return at(to) - at(from);
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/** The notifications of Request. */
export const requestNames = [
  "SIPRequestGotProvisionalResponse",
  "SIPRequestDidSucceed",
  "SIPRequestDidFail",
  "SIPRequestWillExpire",
  "SIPRequestDidEnd",
] as const;
