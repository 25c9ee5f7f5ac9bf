// SPDX-License-Identifier: GPL-2.0-or-later
/** A network between two UDP ports on loopback that loses, repeats, delays and swaps datagrams. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { Dice } from "./dice.ts";

/** Chances are whole percents of the datagrams either way; 0 when left out. */
export interface LossyPathOptions {
  /** The ports on 127.0.0.1 that it joins. The same twice: somebody who talks to himself. */
  readonly ends: readonly [first: number, second: number];
  readonly loss?: number;
  readonly duplicates?: number;
  /** These come later than the others, so that others overtake them. */
  readonly late?: number;
  /** How much later at most, in ms; default 50. */
  readonly lateness?: number;
  /** How long every datagram takes, in ms; default 0. */
  readonly delay?: number;
  /** Two paths with the same seed do the same to the same sequence of datagrams; default 1. */
  readonly seed?: number;
}

/** What became of the datagrams of one direction. */
export interface LossyPathCounts {
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly late: number;
}

/** One of its two sides: what comes in here goes to the end behind the other. */
class Side {
  readonly socket: Socket = createSocket({ type: "udp4", recvBufferSize: 2 ** 21 });
  readonly counts = { received: 0, lost: 0, duplicated: 0, late: 0 };
  /** Sending is asynchronous: without a queue datagrams would overtake each other on a good path as well. */
  #sending: Promise<void> = Promise.resolve();

  async open(): Promise<void> {
    const listening = once(this.socket, "listening");
    this.socket.bind(0, "127.0.0.1");
    await listening;
  }

  send(data: Uint8Array, port: number): void {
    this.#sending = this.#sending.then(() => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.socket.send(data, port, "127.0.0.1", () => resolve());
      return promise;
    });
  }

  async close(): Promise<void> {
    await this.#sending;
    const closed = once(this.socket, "close");
    this.socket.close();
    await closed;
  }
}

/**
 * One path. Each end sends to its own of the two `ports`, and hears from there what the other end has sent to the
 * other one; for SIP that wants a Contact with that port.
 *
 * ```ts
 * await using path = await LossyPath.open({ ends: [ourPort, theirPort], loss: 10 });
 * const routeHeader = RouteHeader.to({ address: "127.0.0.1", port: path.ports[0] });
 * ```
 */
export class LossyPath implements AsyncDisposable {
  readonly #sides: readonly [Side, Side] = [new Side(), new Side()];
  readonly #options: Required<LossyPathOptions>;
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();
  #isClosed = false;

  private constructor(options: LossyPathOptions) {
    this.#options = { loss: 0, duplicates: 0, late: 0, lateness: 50, delay: 0, seed: 1, ...options };
    for (const index of [0, 1] as const) {
      // Dice of its own, so that what one direction does not depend on how much there is in the other.
      const dice = new Dice(this.#options.seed * 2 + index);
      this.#sides[index].socket.on("message", (data) => this.#take(data, index, dice));
    }
  }

  static async open(options: LossyPathOptions): Promise<LossyPath> {
    const path = new LossyPath(options);
    for (const side of path.#sides) await side.open();
    return path;
  }

  /** Where the first end reaches the second, and the second the first. */
  get ports(): readonly [number, number] {
    const [first, second] = this.#sides;
    return [first.socket.address().port, second.socket.address().port];
  }

  /** What became of the datagrams of the first end, and of those of the second. */
  get counts(): readonly [LossyPathCounts, LossyPathCounts] {
    const [first, second] = this.#sides;
    return [{ ...first.counts }, { ...second.counts }];
  }

  #take(data: Uint8Array, index: 0 | 1, dice: Dice): void {
    const { loss, duplicates, late, lateness, delay } = this.#options;
    const { counts } = this.#sides[index];
    counts.received++;
    if (dice.percent(loss)) return void counts.lost++;
    const times = dice.percent(duplicates) ? 2 : 1;
    if (times === 2) counts.duplicated++;
    for (let time = 0; time < times; time++) {
      const isLate = dice.percent(late);
      if (isLate) counts.late++;
      this.#forward(data, index, delay + (isLate ? 1 + dice.throw(lateness) : 0));
    }
  }

  #forward(data: Uint8Array, index: 0 | 1, ms: number): void {
    const send = () => {
      if (!this.#isClosed) this.#sides[1 - index]!.send(data, this.#options.ends[1 - index]!);
    };
    if (ms === 0) return send();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      send();
    }, ms);
    this.#timers.add(timer);
  }

  /** What is under way is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const side of this.#sides) await side.close();
  }
}
