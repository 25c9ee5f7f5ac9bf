// SPDX-License-Identifier: GPL-2.0-or-later
import { setTimeout as wait } from "node:timers/promises";
import type { Child } from "../../scripts/bench/child.ts";
import type { RuntimeName } from "../../scripts/demo/runtimes.ts";
import { startProgram } from "../support/program.ts";
import { RtpSender } from "../support/rtp_sender.ts";
import { type ICECredentials, RtpDatagrams } from "./rtp_datagrams.ts";

/** What came of it. */
export interface RtpAttackReport {
  readonly datagrams: number;
  readonly seconds: number;
  /** Of the sound of each listening, without ICE and with it. */
  readonly likeness: readonly (readonly number[])[];
  readonly residentBytes: number;
  /** RTP that its own peers have got through to each of the streams that are the attacker's. */
  readonly received: readonly number[];
  /** Whether the streams that are not are with their peers still. */
  readonly sources: readonly boolean[];
  readonly exceptions: readonly string[];
}

interface Places {
  readonly honest: readonly number[];
  readonly victims: readonly number[];
}

/** Datagrams one right after the other, and how long to wait then, in ms. */
const batch = 16;
const pause = 3;

/** A process with streams, and an attacker who is the peer of some of them. Ends by `await using`. */
export class RtpAttack implements AsyncDisposable {
  readonly #child: Child;
  readonly #senders: readonly RtpSender[];
  readonly #places: Places;
  /** Rejects when the process ends before it is told to, with its last words. */
  readonly crash: Promise<never>;
  #credentials: ICECredentials | null = null;
  #isEnding = false;

  private constructor(child: Child, senders: readonly RtpSender[], places: Places) {
    this.#child = child;
    this.#senders = senders;
    this.#places = places;
    const { promise, reject } = Promise.withResolvers<never>();
    this.crash = promise;
    promise.catch(() => {});
    child.ended.then(({ code, signal }) => {
      if (!this.#isEnding) reject(child.failure(`ended with ${signal ?? `status ${code}`}`));
    }, reject);
  }

  static async start(
    options: { readonly runtime?: RuntimeName; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<RtpAttack> {
    const [rtp, rtcp] = await openPair();
    // Somebody else altogether.
    const stranger = await RtpSender.open(0xbad0);
    const child = startProgram("rtp_target", [rtp.port], { ...options, isMeasured: true });
    await child.line(/^ready$/, 60_000);
    return new RtpAttack(child, [rtp, rtcp, stranger], await ask(child, "ports") as Places);
  }

  /** Sends so many datagrams, to all ports, while sound goes on between those that are not the attacker's. */
  async run(count: number, seed: number): Promise<RtpAttackReport> {
    return await Promise.race([this.#run(count, seed), this.crash]);
  }

  async #run(count: number, seed: number): Promise<RtpAttackReport> {
    const begun = performance.now();
    const likeness: number[][] = [];
    let isSent = false;
    this.#credentials = await ask(this.#child, "begin") as ICECredentials;
    const listening = (async () => {
      do {
        likeness.push((await ask(this.#child, "hear") as { likeness: number[] }).likeness);
        this.#credentials = await ask(this.#child, "begin") as ICECredentials;
      } while (!isSent);
    })();
    await this.#send(count, seed);
    const seconds = (performance.now() - begun) / 1000;
    isSent = true;
    await listening;
    const figures = await ask(this.#child, "figures") as Omit<RtpAttackReport, "likeness">;
    return { ...figures, datagrams: count, seconds, likeness };
  }

  async #send(count: number, seed: number): Promise<void> {
    const { honest, victims } = this.#places;
    const [rtp, rtcp, stranger] = this.#senders;
    const datagrams = new RtpDatagrams(seed);
    const bait = victims.at(-1)!;
    for (let index = 0; index < count; index++) {
      const toRtcp = index % 3 === 0;
      const isOwn = index % 2 === 0;
      const ports = isOwn ? victims : honest;
      const port = ports[Math.floor(index / 6) % ports.length]!;
      const sender = isOwn ? (toRtcp ? rtcp : rtp) : stranger;
      await sender!.send(datagrams.next(port === bait ? this.#credentials : null), port + (toRtcp ? 1 : 0));
      if (index % batch === 0) await wait(pause);
    }
  }

  /** Stops the engine. @throws Error when that is no clean end. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    this.#child.endInput();
    const code = await this.#child.end(30_000);
    if (code !== 0) throw this.#child.failure(`ended with status ${code}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sender of this.#senders) sender[Symbol.dispose]();
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#child.kill();
    await this.#child.ended.catch(() => {});
  }
}

/** Two ports, one after the other. */
async function openPair(): Promise<[RtpSender, RtpSender]> {
  for (;;) {
    const rtp = await RtpSender.open(0xbad0);
    try {
      return [rtp, await RtpSender.open(0xbad0, "127.0.0.1", rtp.port + 1)];
    } catch {
      rtp[Symbol.dispose]();
    }
  }
}

async function ask(child: Child, command: string): Promise<unknown> {
  const answer = child.line(/^\{.*\}$/, 60_000);
  child.write(`${command}\n`);
  return JSON.parse((await answer).match[0]);
}
