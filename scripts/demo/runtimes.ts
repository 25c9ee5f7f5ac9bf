// SPDX-License-Identifier: GPL-2.0-or-later
/** Finds the two runtimes and starts scripts on them. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

export type RuntimeName = "Deno" | "Bun";

interface Place {
  readonly program: string;
  readonly variable: string;
  /** Path below node_modules, as the npm package brings it. */
  readonly packaged: readonly string[];
  /** Arguments before the script. */
  readonly run: readonly string[];
}

const places: Readonly<Record<RuntimeName, Place>> = {
  Deno: {
    program: "deno",
    variable: "SIPCORE_DENO",
    packaged: ["deno/deno", ".bin/deno"],
    run: ["run", "--quiet", "--allow-all"],
  },
  Bun: { program: "bun", variable: "SIPCORE_BUN", packaged: [".bin/bun"], run: ["run"] },
};

/** The name and version of the runtime that this script runs on, such as "Deno 2.9.6". */
export function ownRuntime(): string {
  const { deno, bun } = process.versions;
  if (deno !== undefined) return `Deno ${deno}`;
  return bun !== undefined ? `Bun ${bun}` : `Node ${process.versions.node}`;
}

/**
 * The command that runs a script on this runtime. The runtime is the one that the environment names
 * (SIPCORE_DENO, SIPCORE_BUN), else that of node_modules, else that on the PATH.
 *
 * @throws {Error} when there is none, with the places looked at.
 */
export function runtimeCommand(
  name: RuntimeName,
  root: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): readonly [command: string, ...args: string[]] {
  const { program, variable, packaged, run } = places[name];
  const named = env[variable];
  if (named !== undefined && named !== "") {
    if (!isProgram(named)) throw new Error(`${variable} names no program: ${named}`);
    return [named, ...run];
  }
  const candidates = [
    ...packaged.map((path) => join(root, "node_modules", path)),
    ...(env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "").map((f) => join(f, program)),
  ];
  const found = candidates.find(isProgram);
  if (found === undefined) {
    throw new Error(
      `${name} is not here; run npm install, or set ${variable}. Looked at:\n  ${candidates.join("\n  ")}`,
    );
  }
  return [found, ...run];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
