// SPDX-License-Identifier: GPL-2.0-or-later
/** Single-file executables with the shared library inside. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { layoutOf, ROOT } from "../build/layout.ts";
import { runtimeCommand, type RuntimeName } from "../demo/runtimes.ts";

/** The command line, which the demo and the tests compile. */
export const commandLine: string = join(ROOT, "cli", "main.ts");

/** The command that compiles a program of the source tree into that file. */
export function compileCommand(
  runtime: RuntimeName,
  program: string,
  output: string,
): readonly [string, ...string[]] {
  const [command] = runtimeCommand(runtime, ROOT);
  if (runtime === "Bun") return [command, "build", "--compile", program, "--outfile", output];
  const options = ["--allow-all", "--no-check", "--include", layoutOf(false).library, "--output", output];
  return [command, "compile", ...options, program];
}

/** A first compilation may have something to fetch, in milliseconds. */
const patience = 120_000;

/** Compiles; null: it is done, else why it cannot be. */
export function compile(runtime: RuntimeName, program: string, output: string): string | null {
  const [command, ...args] = compileCommand(runtime, program, output);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: "utf8",
    timeout: patience,
    env: { ...process.env, NO_COLOR: "1" },
  });
  if (status === 0) return null;
  return error?.message ?? `${stdout}${stderr}`.trim();
}

/**
 * Why Deno cannot compile here; null: it can. It fetches the runtime of its executables (denort), once for each
 * version, where DENORT_BIN names none.
 */
export function whyDenoCannotCompile(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "sipcore-compile-"));
  try {
    const problem = compile("Deno", join(ROOT, "core", "version.ts"), join(folder, "program"));
    if (problem === null) return null;
    const reason = /error sending request for url \(([^)]*)\)/.exec(problem);
    return reason
      ? `deno compile cannot fetch ${reason[1]}; DENORT_BIN may name that file, unpacked`
      : `deno compile fails: ${problem.split("\n")[0]}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
