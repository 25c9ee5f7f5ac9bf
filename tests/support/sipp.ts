// SPDX-License-Identifier: GPL-2.0-or-later
/** SIPp as the other side of calls, with the scenarios in tests/peers/. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { delay } from "@std/async";
import { Child } from "../../scripts/bench/child.ts";
import { freePort } from "../../scripts/bench/port.ts";
import { parseSippStatistics, type SippStatistics } from "../../scripts/bench/sipp.ts";
import { inPath } from "../../scripts/build/debian.ts";

/** For the `skip` option of `describe` and `it`: false when SIPp is there, else the reason. */
export const skipWithoutSipp: string | false = inPath("sipp")
  ? false
  : "no sipp in PATH (Debian: sip-tester)";

export interface SippOptions {
  /** The name of a file in tests/peers/, without ".xml". */
  readonly scenario: string;
  /** Calls in all. */
  readonly count: number;
  /** Whom it calls; left out: it waits to be called. */
  readonly target?: { readonly port: number; readonly user?: string };
  /** Calls a second; default 20. */
  readonly rate?: number;
  /** How long `<pause/>` takes, in ms; default 0. */
  readonly pause?: number;
  /** What stands for `[key]` in the scenario. */
  readonly keys?: Readonly<Record<string, string | number>>;
  /** After so many seconds it gives up; default 30. */
  readonly timeout?: number;
}

/** A SIPp at work. Ends by `await using`. */
export class Sipp implements AsyncDisposable {
  /** Its UDP port on 127.0.0.1. */
  readonly port: number;
  readonly #child: Child;
  readonly #folder: string;
  readonly #timeout: number;

  private constructor(options: SippOptions, port: number) {
    const { scenario, count, target, rate = 20, pause = 0, keys = {}, timeout = 30 } = options;
    this.port = port;
    this.#timeout = timeout;
    this.#folder = mkdtempSync(join(tmpdir(), "sipcore-sipp-"));
    const file = fileURLToPath(new URL(`../peers/${scenario}.xml`, import.meta.url));
    this.#child = new Child(`SIPp (${scenario})`, "sipp", [
      ...(target ? [`127.0.0.1:${target.port}`, "-s", target.user ?? "sipcore"] : []),
      ...["-sf", file, "-i", "127.0.0.1", "-p", String(port), "-bind_local"],
      ...["-m", String(count), "-r", String(rate), "-l", String(count), "-d", String(pause)],
      ...Object.entries(keys).flatMap(([key, value]) => ["-key", key, String(value)]),
      ...["-trace_stat", "-stf", this.#statisticsFile, "-fd", "1"],
      ...["-trace_err", "-error_file", this.#errorFile],
      ...["-nostdin", "-deadcall_wait", "500", "-timeout", `${timeout}s`, "-timeout_error"],
    ]);
  }

  get #statisticsFile(): string {
    return join(this.#folder, "statistics.csv");
  }

  get #errorFile(): string {
    return join(this.#folder, "errors.log");
  }

  /** Resolves when it listens. */
  static async start(options: SippOptions): Promise<Sipp> {
    const sipp = new Sipp(options, await freePort());
    // It opens this file after its sockets. Should it end before, finish() has the reason.
    let hasEnded = false;
    sipp.#child.ended.finally(() => hasEnded = true).catch(() => {});
    while (!hasEnded && !existsSync(sipp.#statisticsFile)) await delay(5);
    return sipp;
  }

  /**
   * Waits for its end and gives what it has counted.
   *
   * @throws Error when a call has failed and none may, or time was out, with what SIPp says about it.
   */
  async finish({ mayFail = false }: { readonly mayFail?: boolean } = {}): Promise<SippStatistics> {
    const status = await this.#child.end((this.#timeout + 5) * 1000);
    const errors = existsSync(this.#errorFile) ? readFileSync(this.#errorFile, "utf8").slice(0, 3000) : "";
    if (status !== 0 && !(mayFail && status === 1)) {
      throw this.#child.failure(`ended with status ${status}: ${errors}`);
    }
    return parseSippStatistics(readFileSync(this.#statisticsFile, "utf8"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
