// SPDX-License-Identifier: GPL-2.0-or-later
import { deadline } from "@std/async";
import type { NotificationName, SIPNotification } from "../../mod.ts";

type Source<N extends NotificationName> = AsyncIterator<SIPNotification<N>>;

/** Reads what one object tells, from its making on; `first` was heard before. */
export class Notes<N extends NotificationName> {
  readonly told: SIPNotification<N>[] = [];
  readonly #stream: Source<N>;

  constructor(stream: Source<N>, ...first: SIPNotification<N>[]) {
    this.#stream = stream;
    this.told.push(...first);
  }

  /**
   * All that was read, in short: the names without what they have in common with each other; of changes the states,
   * of others the code and the reason, where they have one.
   */
  get short(): string[] {
    return this.told.map(({ name, data }) => {
      const noun = /^SIP(?:Incoming)?(?:Subscription|Referral)/.exec(name)?.[0] ?? "SIP";
      const word = name.slice(noun.length);
      const { prevState, state, code, reason } = data as unknown as Record<string, unknown>;
      if (word === "ChangedState") return `${prevState} -> ${state}`;
      const rest = [code, word === "DidEnd" || code === 0 ? reason : null]
        .filter((one) => one !== undefined && one !== null).join(" ");
      return rest === "" ? word : `${word} ${rest}`;
    });
  }

  async #next(): Promise<SIPNotification<N> | null> {
    const { done, value } = await this.#inTime(this.#stream.next(), "The next");
    if (done) return null;
    this.told.push(value);
    return value;
  }

  async #inTime<T>(promise: Promise<T>, what: string): Promise<T> {
    try {
      return await deadline(promise, 10_000);
    } catch (cause) {
      if (!(cause instanceof DOMException)) throw cause;
      throw new Error(`${what} has not come after ${JSON.stringify(this.short)}`, { cause });
    }
  }

  /** Reads on until one of that name, or one that fits. */
  async until<const M extends N>(
    name: M,
    fits: (note: SIPNotification<M>) => boolean = () => true,
  ): Promise<SIPNotification<M>> {
    for (;;) {
      const note = await this.#next();
      if (note === null) throw new Error(`It has ended after ${JSON.stringify(this.short)}`);
      if (note.name === name && fits(note as unknown as SIPNotification<M>)) {
        return note as unknown as SIPNotification<M>;
      }
    }
  }

  /** Reads to the end. All that was told, in short. */
  async end(): Promise<string[]> {
    while (await this.#next() !== null);
    return this.short;
  }
}
