// SPDX-License-Identifier: GPL-2.0-or-later
/** Programs of the tests' own, each in a process of its own. */
import { basename } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Child } from "../../scripts/bench/child.ts";
import { runtimeCommand, type RuntimeName } from "../../scripts/demo/runtimes.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The runtime that runs this. */
export const ownName: RuntimeName = process.versions["deno"] !== undefined ? "Deno" : "Bun";

/** The runtime keeps little memory for later, so that what is lost shows; gc() is a global. */
const measuring: Readonly<Record<RuntimeName, { options: string[]; env: Record<string, string> }>> = {
  Deno: { options: ["--v8-flags=--expose-gc,--max-semi-space-size=1"], env: {} },
  Bun: { options: ["--smol", "--expose-gc"], env: { MIMALLOC_PURGE_DELAY: "0" } },
};

export interface ProgramOptions {
  /** Default: the one that runs this. */
  readonly runtime?: RuntimeName | undefined;
  /** Its memory is of interest. Default false. */
  readonly isMeasured?: boolean;
  /** Beside this process's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Starts tests/support/programs/NAME.ts. */
export function startProgram(
  name: string,
  args: readonly (string | number)[],
  options?: ProgramOptions,
): Child {
  return startScript(fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url)), args, options);
}

/** Starts a script by its path. */
export function startScript(
  script: string,
  args: readonly (string | number)[],
  { runtime = ownName, isMeasured = false, env = {} }: ProgramOptions = {},
): Child {
  const [found, ...run] = runtimeCommand(runtime, root);
  const measure = isMeasured ? measuring[runtime] : { options: [], env: {} };
  return new Child(
    `${basename(script, ".ts")} on ${runtime}`,
    runtime === ownName ? process.execPath : found,
    [...run, ...measure.options, script, ...args.map(String)],
    { ...measure.env, ...env },
  );
}

/** Collects garbage in a process that was started with `isMeasured`. */
export function collectGarbage(): void {
  (globalThis as unknown as { gc(): void }).gc();
}
