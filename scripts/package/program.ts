// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs that packaging needs. */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** Packaging cannot go on; the message is for the user. */
export class PackageFailure extends Error {}

/**
 * Runs a program and returns what it printed.
 *
 * @throws {PackageFailure} with its output when it fails or is missing.
 */
export function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  if (error) throw new PackageFailure(`${program} cannot be run: ${error.message}`);
  if (status !== 0) {
    throw new PackageFailure(`${program} ${args.join(" ")} failed:\n${`${stdout}${stderr}`.trim()}`);
  }
  return stdout;
}

/** Runs a script of node_modules on this runtime. */
export function runScript(script: string, args: readonly string[], cwd: string): string {
  const first = process.versions["deno"] ? ["run", "--allow-all", "--quiet"] : [];
  return run(process.execPath, [...first, script, ...args], cwd);
}
