// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Makes one order out of what two parties report: by time, as each party has it, and a message is received
 * after it was sent. The clocks tick in milliseconds, the reports come through two pipes, and a party hears of
 * what its stack did a little later than of what it did itself, so that none of them comes in order.
 */
import type { PartyEvent, Side } from "./protocol.ts";

export interface Step {
  readonly side: Side;
  readonly event: PartyEvent;
}

interface Waiting extends Step {
  readonly arrived: number;
}

/** How long an event waits for earlier ones, in milliseconds. */
const GRACE = 60;
/** How long a received message waits for the report that it was sent. */
const PATIENCE = 500;

/** Times in `now` are milliseconds of any one clock. */
export class Merge {
  readonly #queues: Readonly<Record<Side, Waiting[]>> = { caller: [], callee: [] };
  readonly #sides: readonly Side[];
  /** Messages on their way: sent by this side, not yet received by the other, with how many of the same. */
  readonly #underway: Readonly<Record<Side, Map<string, number>>> = { caller: new Map(), callee: new Map() };

  /** @param sides who takes part; with one party alone nothing has to wait for the other. */
  constructor(sides: readonly Side[]) {
    this.#sides = sides;
  }

  /** How many messages this side sent that the other, if it takes part, did not report as received. */
  lost(side: Side): number {
    if (this.#sides.length < 2) return 0;
    let count = 0;
    for (const times of this.#underway[side].values()) count += times;
    return count;
  }

  push(side: Side, event: PartyEvent, now: number): void {
    const queue = this.#queues[side];
    const after = queue.findLastIndex((waiting) => waiting.event.at <= event.at);
    queue.splice(after + 1, 0, { side, event, arrived: now });
  }

  /**
   * The steps whose turn has come. A message appears once, as sent; as received only when it came from
   * somebody who does not take part.
   */
  take(now: number): Step[] {
    const steps: Step[] = [];
    for (let next = this.#next(now); next !== null; next = this.#next(now)) {
      this.#queues[next.side].shift();
      if (!this.#arrives(next)) steps.push({ side: next.side, event: next.event });
    }
    return steps;
  }

  /** All the rest, in the best order that there is. */
  drain(): Step[] {
    return this.take(Infinity);
  }

  #next(now: number): Waiting | null {
    const heads = this.#sides.map((side) => this.#queues[side][0]).filter((head) => head !== undefined);
    heads.sort((a, b) => a.event.at - b.event.at);
    const ready = heads.find((head) => !this.#isEarly(head, now) && now - head.arrived >= GRACE);
    // At the end a message that nobody sent must not hold up the other party's rest.
    return ready ?? (now === Infinity ? heads[0] ?? null : null);
  }

  /** A received message whose sending was not reported yet, though it can still be. */
  #isEarly(head: Waiting, now: number): boolean {
    if (head.event.type !== "trace" || !head.event.received || this.#sides.length < 2) return false;
    if (this.#underway[other(head.side)].has(head.event.text)) return false;
    return now === Infinity || now - head.arrived < PATIENCE;
  }

  /** Keeps the account of messages under way; true for one that was drawn when it was sent. */
  #arrives({ side, event }: Waiting): boolean {
    if (event.type !== "trace") return false;
    const account = this.#underway[event.received ? other(side) : side];
    const times = account.get(event.text) ?? 0;
    if (!event.received) account.set(event.text, times + 1);
    else if (times > 1) account.set(event.text, times - 1);
    else account.delete(event.text);
    return event.received && times > 0;
  }
}

export function other(side: Side): Side {
  return side === "caller" ? "callee" : "caller";
}
