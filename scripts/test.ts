// SPDX-License-Identifier: GPL-2.0-or-later
/** `npm test`: the checks, then the same test files under Deno and under Bun; one count over everything. */
import { readdirSync, realpathSync } from "node:fs";
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
import { runSuite } from "./test/suite.ts";

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
      if (parts.includes("deno")) await this.#suite("Deno", "deno");
      if (parts.includes("bun")) await this.#suite("Bun", "bun");
    }
    for (const { name, reason } of this.#skips) console.log(`skipped: ${name}: ${reason}`);
    if (this.#failed > 0) console.log(`All output is in ${this.#report.log}`);
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

  async #suite(name: RuntimeName, runtime: "deno" | "bun"): Promise<void> {
    const program = this.#program(name);
    if (program === null) return;
    const { asan, filter } = this.#options;
    const files = readdirSync(join(ROOT, "tests"))
      .filter((file) => file.endsWith("_test.ts") && file.includes(filter))
      .sort()
      .map((file) => `tests/${file}`);
    if (files.length === 0) {
      return this.#count({
        passed: 0,
        failures: [{ name: `no test file has "${filter}" in its name`, text: "" }],
        skips: [],
      });
    }
    await this.#step(`tests on ${name} (${files.length} files)`, () =>
      runSuite({
        runtime,
        program,
        files,
        env: asan ? sanitizerEnvironment() : {},
        log: this.#report.log,
        timeout: suiteTimeout * (asan ? sanitizerFactor : 1),
      }));
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
