// SPDX-License-Identifier: GPL-2.0-or-later
/** Runs the test files under one of the two runtimes. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../build/layout.ts";
import { type Ended, runCommand } from "./command.ts";
import { eventsVariable, readEvents, type TestEvent } from "./events.ts";
import { type Case, parseJunit } from "./junit.ts";
import type { Failure, Outcome, Skip } from "./outcome.ts";

/** Test files that look so closely at time, processors or memory that nothing else may run meanwhile. */
export const alone: ReadonlySet<string> = new Set(
  ["audio_loss", "endurance", "hostile", "subscription_mass"].map((word) => `tests/${word}_test.ts`),
);

export interface Suite {
  readonly runtime: "deno" | "bun";
  /** The runtime's binary. */
  readonly program: string;
  /** Paths of test files, relative to the project. */
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly log: string;
  /** In milliseconds, for all the files together. */
  readonly timeout: number;
}

/** A test that waits for something that does not come; Deno notices by itself where nothing is left to wait for. */
const testTimeout = 60_000;

function preload(runtime: Suite["runtime"]): string {
  return fileURLToPath(new URL(`./preload-${runtime}.ts`, import.meta.url));
}

function command({ runtime, program, files }: Suite, report: string): [string, ...string[]] {
  if (runtime === "deno") {
    // The types have been checked in a step of their own.
    const options = ["-A", "--no-prompt", "--no-check", `--preload=${preload("deno")}`];
    return [program, "test", ...options, `--junit-path=${report}`, ...files];
  }
  const options = [`--timeout=${testTimeout}`, `--preload=${preload("bun")}`];
  const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
  return [program, "test", ...options, ...reporter, ...files.map((file) => `./${file}`)];
}

/** Runs the files in one process, one after the other. */
export async function runSuite(suite: Suite): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "sipcore-test-"));
  try {
    const report = join(folder, "report.xml");
    const events = join(folder, "events");
    const ended = await runCommand({
      args: command(suite, report),
      cwd: ROOT,
      env: { ...suite.env, SIPCORE_RUNTIME: suite.runtime, [eventsVariable]: events },
      log: suite.log,
      timeout: suite.timeout,
    });
    return outcomeOf(suite, ended, {
      cases: readCases(report),
      events: existsSync(events) ? readEvents(events) : [],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** null: the runtime died before it could write its report. */
function readCases(report: string): Case[] | null {
  try {
    return parseJunit(readFileSync(report, "utf8"));
  } catch {
    return null;
  }
}

function outcomeOf(
  { runtime, files }: Suite,
  ended: Ended,
  told: { readonly cases: readonly Case[] | null; readonly events: readonly TestEvent[] },
): Outcome {
  const cases = told.cases ?? [];
  const failures: Failure[] = cases.flatMap(({ name, failure }) =>
    failure === null ? [] : [{ name: `${runtime}: ${name}`, text: failure }]
  );
  failures.push(...uncaught(runtime, ended.output));
  const begun = told.events.flatMap((event) => event.type === "file" ? [event.file] : []);
  const failed = ended.problem !== null || told.cases === null || ended.status !== 0;
  if (failed && (ended.problem !== null || failures.length === 0)) {
    const during = begun.length > 0 ? `during ${begun.at(-1)}` : "before the first file";
    const what = ended.problem ?? `ended with status ${ended.status}`;
    failures.push({ name: `${runtime}: the run ${what}, ${during}`, text: lastLines(ended.output) });
  }
  // A file that was named and never came to its first test would look like one without failures.
  const missing = failed ? [] : files.filter((file) => !begun.some((one) => file.endsWith(`/${one}`)));
  failures.push(...missing.map((file) => ({ name: `${runtime}: ${file} has no test`, text: "" })));
  const skips = skipsOf(runtime, told.events, cases);
  return {
    passed: cases.filter((one) => one.failure === null && !one.skipped).length,
    failures,
    skips,
  };
}

function skipsOf(runtime: string, events: readonly TestEvent[], cases: readonly Case[]): Skip[] {
  const told = events.flatMap((event) => event.type === "skip" ? [event] : []);
  const names = new Set(told.map(({ name }) => name));
  const untold = cases.filter(({ skipped, name }) => skipped && !names.has(name));
  return [
    ...told.map(({ file, name, reason }) => ({ name: `${runtime}: ${file}: ${name}`, reason })),
    ...untold.map(({ name }) => ({ name: `${runtime}: ${name}`, reason: "no reason given" })),
  ];
}

/** Errors outside any test, which no report has. */
function uncaught(runtime: Suite["runtime"], output: string): Failure[] {
  const pattern = runtime === "deno"
    ? /^(\S+_test\.ts) \(uncaught error\)\n(error[\s\S]*?)\n\n/gm
    : /^()# Unhandled error between tests\n-+\n([\s\S]*?)\n-{8,}$/gm;
  return [...output.matchAll(pattern)].map(([, file, text]) => ({
    name: `${runtime}: an error outside any test${file ? ` in ${file}` : ""}`,
    text: text!,
  }));
}

function lastLines(output: string): string {
  return output.trimEnd().split("\n").slice(-40).join("\n");
}
