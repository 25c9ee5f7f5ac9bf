// SPDX-License-Identifier: GPL-2.0-or-later
import { ownRequest, type Request, type RequestOutcome } from "./request.ts";
import { runningOrNull } from "./running.ts";

/** Who keeps something at a server, and is told what becomes of it. `C` is what it has to know of each attempt. */
export interface SoftStateOwner<C> {
  succeeded(outcome: RequestOutcome, context: C): void;
  failed(outcome: RequestOutcome, context: C): void;
  willExpire(expires: number): void;
  /** It is kept no more: `expired`, or given up. */
  didEnd(expired: boolean): void;
  didNotEnd(outcome: RequestOutcome): void;
}

interface Attempt<C> {
  readonly request: Request;
  readonly context: C;
  /** It gives up what is kept. */
  readonly isEnd: boolean;
  readonly unlisten: () => void;
}

export interface AttemptOptions {
  readonly timeout: number | null;
  readonly signal: AbortSignal | null;
  /** What the signal does. */
  readonly abort: () => void;
}

/**
 * What a server keeps for a time only: asked for, renewed and given up by one request after the other, of which a later
 * one takes the place of one that is on its way.
 */
export class SoftState<C> {
  readonly #owner: SoftStateOwner<C>;
  /** The one that succeeded last; until it expires. */
  #kept: Attempt<C> | null = null;
  /** The one that is on its way. */
  #current: Attempt<C> | null = null;
  #last: Request | null = null;

  constructor(owner: SoftStateOwner<C>) {
    this.#owner = owner;
  }

  /** What the last success was about; null when nothing is kept. */
  get kept(): C | null {
    return this.#kept?.context ?? null;
  }

  /** What the attempt on its way is about; null when there is none. */
  get current(): C | null {
    return this.#current?.context ?? null;
  }

  /** Whether what is kept is being given up. */
  get isEnding(): boolean {
    return this.#current?.isEnd === true;
  }

  /** Whole seconds, 0 when nothing is kept. */
  get expiresIn(): number {
    return this.#kept?.request.expiresIn ?? 0;
  }

  /** The last request. */
  get last(): Request | null {
    return this.#last;
  }

  /** Sends a request, in place of the one that is on its way. */
  send(request: Request, context: C, options: AttemptOptions, isEnd: boolean = false): void {
    const { signal, abort, timeout } = options;
    const attempt: Attempt<C> = {
      request,
      context,
      isEnd,
      unlisten: () => signal?.removeEventListener("abort", abort),
    };
    ownRequest(request, {
      succeeded: (outcome) => this.#succeeded(attempt, outcome),
      failed: (outcome) => this.#failed(attempt, outcome),
      willExpire: (expires) => {
        if (attempt === this.#kept) this.#owner.willExpire(expires);
      },
      ended: () => this.#ended(attempt),
    });
    this.#preempt();
    request.send({ timeout });
    signal?.addEventListener("abort", abort, { once: true });
    this.#current = attempt;
    this.#last = request;
  }

  /** Nothing is kept, and nothing on its way; nobody is told. */
  forget(): void {
    this.#preempt();
    const kept = this.#kept;
    this.#kept = null;
    kept?.request.end();
  }

  #preempt(): void {
    const attempt = this.#current;
    this.#current = null;
    attempt?.unlisten();
    attempt?.request.end();
  }

  #succeeded(attempt: Attempt<C>, outcome: RequestOutcome): void {
    if (attempt !== this.#current) {
      // Its answer has crossed what took its place.
      attempt.request.end();
      return;
    }
    attempt.unlisten();
    this.#current = null;
    const before = this.#kept;
    this.#kept = attempt.isEnd ? null : attempt;
    if (attempt.isEnd) {
      this.#owner.didEnd(false);
      attempt.request.end();
    } else {
      this.#owner.succeeded(outcome, attempt.context);
    }
    before?.request.end();
  }

  #failed(attempt: Attempt<C>, outcome: RequestOutcome): void {
    if (attempt !== this.#current) return;
    attempt.unlisten();
    this.#current = null;
    if (attempt.isEnd) this.#owner.didNotEnd(outcome);
    else this.#owner.failed(outcome, attempt.context);
  }

  #ended(attempt: Attempt<C>): void {
    if (attempt !== this.#kept) return;
    this.#kept = null;
    // What was to give it up has nothing left to do.
    if (this.isEnding) this.#preempt();
    // When the engine ends the server still keeps it.
    this.#owner.didEnd(runningOrNull() !== null);
  }
}
