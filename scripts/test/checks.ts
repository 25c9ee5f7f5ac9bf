// SPDX-License-Identifier: GPL-2.0-or-later
/** What is checked without running anything: format, lint rules, types. */
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../build/layout.ts";
import { runCommand } from "./command.ts";
import type { Outcome } from "./outcome.ts";

/** In milliseconds; the longest is a build from nothing. */
const checkTimeout = 900_000;

export interface Check {
  readonly title: string;
  readonly args: readonly [string, ...string[]];
}

/** The checks in their order; each counts as one test. */
export function checks(deno: string): Check[] {
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  // TypeScript's compiler runs on whatever runs this script.
  const self = process.versions["deno"] ? ["run", "-A", tsc] : [tsc];
  return [
    { title: "format: deno fmt --check", args: [deno, "fmt", "--check"] },
    { title: "lint rules: deno lint", args: [deno, "lint"] },
    { title: "types: deno check", args: [deno, "check", "--quiet"] },
    { title: "types: tsc", args: [process.execPath, ...self, "-p", join(ROOT, "tsconfig.json")] },
  ];
}

export async function runCheck({ title, args }: Check, log: string): Promise<Outcome> {
  const { status, problem, output } = await runCommand({ args, cwd: ROOT, log, timeout: checkTimeout });
  if (status === 0) return { passed: 1, failures: [], skips: [] };
  return {
    passed: 0,
    failures: [{ name: title, text: `${output.trimEnd()}\n${problem ?? ""}`.trim() }],
    skips: [],
  };
}
