// SPDX-License-Identifier: GPL-2.0-or-later
/** `npm test`: the checks, then the same test files under Deno and under Bun, at once; one count over everything. */
import { readdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { layoutOf, ROOT } from "./build/layout.ts";
import { Report } from "./build/report.ts";
import { runtimeCommand, type RuntimeName } from "./demo/runtimes.ts";
import { type Check, checks, runCheck } from "./test/checks.ts";
import { killAll } from "./test/command.ts";
import { parseOptions, type TestOptions, usage, UsageError } from "./test/options.ts";
import type { Failure, Outcome, Skip } from "./test/outcome.ts";
import { installPeers } from "./test/peers.ts";
import { sanitizedBuild, sanitizerEnvironment } from "./test/sanitizer.ts";
import { alone, runSuite } from "./test/suite.ts";

/** For all files under one runtime, in milliseconds. */
const suiteTimeout = 800_000;
/** How much longer that may take with the address sanitizer. */
const sanitizerFactor = 3;

/** Carries the failures of a step through the report, which marks a step that throws. */
class StepFailure extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super("The step has failures");
    this.outcome = outcome;
  }
}

interface Runtime {
  readonly name: RuntimeName;
  readonly runtime: "deno" | "bun";
}

const runtimes: readonly Runtime[] = [{ name: "Deno", runtime: "deno" }, { name: "Bun", runtime: "bun" }];

class Run {
  readonly #report: Report;
  readonly #options: TestOptions;
  readonly #skips: Skip[] = [];
  #passed = 0;
  #failed = 0;

  constructor(report: Report, options: TestOptions) {
    this.#report = report;
    this.#options = options;
  }

  /** Runs everything; true when nothing failed. */
  async run(): Promise<boolean> {
    const { parts, asan } = this.#options;
    if (parts.includes("static")) await this.#checks();
    if (parts.includes("deno") || parts.includes("bun")) {
      await installPeers(this.#report);
      if (asan) await this.#check(sanitizedBuild);
      await this.#suites(runtimes.filter(({ runtime }) => parts.includes(runtime)));
    }
    for (const { name, reason } of this.#skips) console.log(`skipped: ${name}: ${reason}`);
    if (this.#failed > 0) console.log(`All output is in ${this.#report.log} and those beside it`);
    console.log(`${this.#passed} passed, ${this.#failed} failed, ${this.#skips.length} skipped`);
    return this.#failed === 0;
  }

  async #checks(): Promise<void> {
    const deno = this.#program("Deno");
    if (deno === null) return;
    for (const check of checks(deno)) await this.#check(check);
  }

  async #check(check: Check): Promise<void> {
    await this.#step(check.title, () => runCheck(check, this.#report.log));
  }

  /** What measures has the machine to itself; the rest, which waits most of its time, runs under both at once. */
  async #suites(runtimes: readonly Runtime[]): Promise<void> {
    const files = readdirSync(join(ROOT, "tests"))
      .filter((file) => file.endsWith("_test.ts") && file.includes(this.#options.filter))
      .sort()
      .map((file) => `tests/${file}`);
    if (files.length === 0) {
      const name = `no test file has "${this.#options.filter}" in its name`;
      return this.#count({ passed: 0, failures: [{ name, text: "" }], skips: [] });
    }
    for (const { runtime } of runtimes) writeFileSync(this.#log(runtime), "");
    const together = files.filter((file) => !alone.has(file));
    await Promise.all(runtimes.map((runtime) => this.#suite(runtime, together, "")));
    const others = files.filter((file) => alone.has(file));
    for (const runtime of runtimes) await this.#suite(runtime, others, " alone");
  }

  async #suite({ name, runtime }: Runtime, files: readonly string[], how: string): Promise<void> {
    const program = files.length > 0 ? this.#program(name) : null;
    if (program === null) return;
    const { asan } = this.#options;
    await this.#step(`tests${how} on ${name} (${files.length} files)`, () =>
      runSuite({
        runtime,
        program,
        files,
        env: asan ? sanitizerEnvironment() : {},
        log: this.#log(runtime),
        timeout: suiteTimeout * (asan ? sanitizerFactor : 1),
      }));
  }

  /** Each runtime has one of its own: what two write at once nobody could read. */
  #log(runtime: string): string {
    return this.#report.log.replace(/\.log$/, `-${runtime}.log`);
  }

  /** The runtime's own binary, or null after its absence was counted as a failure. */
  #program(name: RuntimeName): string | null {
    try {
      return realpathSync(runtimeCommand(name, ROOT)[0]);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#count({ passed: 0, failures: [{ name: `no ${name}`, text }], skips: [] });
      return null;
    }
  }

  async #step(title: string, work: () => Promise<Outcome>): Promise<void> {
    try {
      await this.#report.step(title, async () => {
        const outcome = await work();
        if (outcome.failures.length > 0) throw new StepFailure(outcome);
        this.#count(outcome);
      });
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      this.#count(error.outcome);
    }
  }

  #count({ passed, failures, skips }: Outcome): void {
    this.#passed += passed;
    this.#failed += failures.length;
    this.#skips.push(...skips);
    for (const failure of failures) this.#show(failure);
  }

  #show({ name, text }: Failure): void {
    console.log(`\nFAILED ${name}`);
    if (text !== "") console.log(text.replace(/^/gm, "  "));
    console.log("");
  }
}

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options === null) {
      console.log(usage);
      return 0;
    }
    const report = new Report(join(layoutOf(false).folder, "test.log"));
    for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      process.once(signal, () => {
        killAll();
        process.exit(status);
      });
    }
    return await new Run(report, options).run() ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

process.exit(await main());
