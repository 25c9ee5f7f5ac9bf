// SPDX-License-Identifier: GPL-2.0-or-later
import type { Child } from "../../scripts/bench/child.ts";
import type { RuntimeName } from "../../scripts/demo/runtimes.ts";
import { startProgram } from "../support/program.ts";
import type { CertifiedKey } from "../support/certificates.ts";

/** What the engine under attack counts. */
export interface Figures {
  readonly requests: number;
  readonly invitations: number;
  readonly exceptions: number;
  readonly exceptionTexts: readonly string[];
  readonly residentBytes: number;
}

/** The same when all transactions have ended. */
export interface QuietFigures extends Figures {
  readonly poolBytes: number;
  readonly liveObjects: number;
  /** Which of them JavaScript knows. */
  readonly left: readonly string[];
}

export interface Ports {
  readonly udp: number;
  readonly tcp: number;
  readonly tls: number | null;
}

export interface TargetOptions {
  readonly runtime?: RuntimeName;
  readonly env?: Readonly<Record<string, string>>;
  /** For TLS. */
  readonly certificate?: CertifiedKey;
}

/** An engine in a process of its own, to be attacked (tests/support/programs/target.ts). */
export class Target implements AsyncDisposable {
  readonly ports: Ports;
  readonly #child: Child;
  /** Rejects when the process ends before it is told to, with its last words. */
  readonly crash: Promise<never>;
  #isEnding = false;

  private constructor(child: Child, ports: Ports) {
    this.#child = child;
    this.ports = ports;
    const { promise, reject } = Promise.withResolvers<never>();
    this.crash = promise;
    promise.catch(() => {});
    child.ended.then(({ code, signal }) => {
      if (!this.#isEnding) reject(child.failure(`ended with ${signal ?? `status ${code}`}`));
    }, reject);
  }

  static async start({ runtime, env, certificate }: TargetOptions = {}): Promise<Target> {
    const args = certificate ? [certificate.cert, certificate.key] : [];
    const child = startProgram("target", args, { runtime, env, isMeasured: true });
    await child.line(/^ready$/, 60_000);
    return new Target(child, await ask(child, "ports") as Ports);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** What it counts at this moment. */
  async now(): Promise<Figures> {
    return await ask(this.#child, "now") as Figures;
  }

  /** What it counts when all has come to its end. */
  async figures(): Promise<QuietFigures> {
    return await ask(this.#child, "figures") as QuietFigures;
  }

  /** A call with sound both ways, of the engine to itself. */
  async call(): Promise<void> {
    await ask(this.#child, "call");
  }

  /** Makes it call a UDP port of this machine's so many times, and hang up soon. */
  async dial(port: number, count: number): Promise<void> {
    await ask(this.#child, `dial ${port} ${count}`);
  }

  /** Stops the engine. @throws Error when that is no clean end. */
  async stop(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#child.endInput();
    const code = await this.#child.end(30_000);
    if (code !== 0) throw this.#child.failure(`ended with status ${code}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#child.kill();
    await this.#child.ended.catch(() => {});
  }
}

async function ask(child: Child, command: string): Promise<unknown> {
  const answer = child.line(/^\{.*\}$/, 60_000);
  child.write(`${command}\n`);
  return JSON.parse((await answer).match[0]);
}
