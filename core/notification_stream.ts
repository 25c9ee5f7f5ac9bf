// SPDX-License-Identifier: GPL-2.0-or-later
import { postWarning, subscribe, type Subscription, unsubscribe } from "./dispatch.ts";
import type { NotificationName, SIPNotification, StreamFilter } from "./notification.ts";
import { Queue } from "./queue.ts";

/** Over this many pending, a stream is reported as slow. */
const SLOW_MARK = 10_000;

/**
 * The notifications that fit a filter, from its making on, in the order in which they were posted. Nothing is lost,
 * however slow the reader.
 *
 * `NotificationCenter.stream()` and the `notifications()` of every object make one. It ends
 * - after the last notification of its filter's sender, at once if that has ended already;
 * - after SIPEngineDidEnd, or the SIPEngineDidFail of a failed start; what is pending can still be read;
 * - with the error that its filter's `where` threw, behind what is pending;
 * - at once, dropping what is pending, by `break`, `return()`, `throw()`, `await using` or the filter's signal.
 *
 * It has one reader. With more than 10,000 pending, SIPEngineGotWarning of kind "slow-stream" is posted, again only
 * after the reader had caught up.
 *
 * @example
 * ```ts
 * import { Engine, NotificationCenter } from "@sipcore/sipcore";
 *
 * const stream = new NotificationCenter().stream({ name: ["SIPEngineDidStart", "SIPEngineDidEnd"] });
 * const engine = new Engine();
 * await engine.start();
 * await engine.stop();
 * for await (const { name, data } of stream) console.log(name, data.timestamp);
 * ```
 */
export class NotificationStream<N extends NotificationName = NotificationName>
  implements AsyncIterableIterator<SIPNotification<N>, undefined, undefined>, AsyncDisposable {
  readonly #queue: Queue<SIPNotification<N>> = new Queue();
  readonly #subscription: Subscription;
  #isSlow = false;

  /** The same as `NotificationCenter.stream()`. */
  constructor(filter: StreamFilter<N> = {}) {
    this.#subscription = subscribe(filter, {
      survivesEngine: false,
      // The filter lets nothing but its names pass.
      deliver: (notification) => this.#push(notification as SIPNotification<N>),
      failed: (error) => {
        unsubscribe(this.#subscription);
        this.#queue.fail(error);
      },
      ended: () => this.#queue.end(),
      aborted: () => this.#queue.close(),
    });
  }

  /** How many notifications have arrived and were not read yet. */
  get pending(): number {
    return this.#queue.size;
  }

  /**
   * The next notification, or `done` after the end.
   *
   * Rejects with what the filter's `where` threw, and with SIPCoreInvalidStateError while another `next()` waits.
   */
  next(): Promise<IteratorResult<SIPNotification<N>, undefined>> {
    const result = this.#queue.next();
    if (this.#queue.size === 0) this.#isSlow = false;
    return result;
  }

  /** Ends the stream at once and drops what is pending; a waiting `next()` gets `done`. May be repeated. */
  return(): Promise<IteratorResult<SIPNotification<N>, undefined>> {
    unsubscribe(this.#subscription);
    this.#queue.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the stream like {@linkcode NotificationStream.return} and rejects with the error. */
  throw(error?: unknown): Promise<IteratorResult<SIPNotification<N>, undefined>> {
    unsubscribe(this.#subscription);
    this.#queue.close();
    return Promise.reject(error);
  }

  /** The stream itself: it can be read only once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the stream at once and drops what is pending. May be repeated. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #push(notification: SIPNotification<N>): void {
    this.#queue.push(notification);
    const count = this.#queue.size;
    if (count <= SLOW_MARK || this.#isSlow) return;
    this.#isSlow = true;
    const names = this.#subscription.names?.join(", ") ?? "all notifications";
    postWarning(
      "slow-stream",
      count,
      `The stream of ${names} has ${count} pending: its reader is behind or gone`,
    );
  }
}
