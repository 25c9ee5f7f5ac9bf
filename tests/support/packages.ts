// SPDX-License-Identifier: GPL-2.0-or-later
/** The npm packages, made once for all test files of a source tree, and projects that have them installed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { inPath } from "../../scripts/build/debian.ts";
import { layoutOf } from "../../scripts/build/layout.ts";
import { ownName } from "./program.ts";

/** For the `skip` option of `describe` and `it`. */
export const skipWithoutNpm: string | false = inPath("npm") ? false : "there is no npm";

const script = fileURLToPath(new URL("../../scripts/package.ts", import.meta.url));

/** Runs a program to its end and returns what it printed on standard output. */
export function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): string {
  const { status, signal, stdout, stderr, error } = spawnSync(program, [...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", ...env },
    maxBuffer: 64 << 20,
  });
  if (status !== 0) {
    const what = error ? error.message : `ended with ${signal ?? `status ${status}`}`;
    throw new Error(`${program} ${args.join(" ")} ${what}\n${stdout}${stderr}`);
  }
  return stdout;
}

/** The words that run a script on this runtime, with these permissions under Deno. */
export function runtimeArgs(script: string, permissions: readonly string[] = ["--allow-all"]): string[] {
  return ownName === "Deno" ? ["run", "--quiet", ...permissions, script] : ["run", script];
}

export interface Packages {
  readonly folder: string;
  /** Paths of the two tarballs: what programs import, and the shared library. */
  readonly tarballs: readonly [string, string];
}

/** Makes the packages, or takes those that the other runtime's tests have made of the same sources. */
export function makePackages(): Packages {
  const folder = join(layoutOf(false).folder, "packages");
  run(process.execPath, [...runtimeArgs(script), "--output", folder], folder.replace(/\/packages$/, ""));
  const { version } = JSON.parse(readFileSync(join(folder, "sipcore", "package.json"), "utf8")) as {
    version: string;
  };
  const platform = `${process.platform}-${process.arch}`;
  return {
    folder,
    tarballs: [
      join(folder, `sipcore-sipcore-${version}.tgz`),
      join(folder, `sipcore-${platform}-${version}.tgz`),
    ],
  };
}

/** Makes an empty project and installs the packages there, without any network. */
export function installPackages(project: string, { tarballs }: Packages): void {
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "package.json"), `{ "name": "project", "private": true, "type": "module" }\n`);
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", ...tarballs], project);
}

/** The files in a tarball, without the folder that npm puts around them. */
export function filesIn(tarball: string): string[] {
  return run("tar", ["-tf", tarball], "/").trim().split("\n").map((path) => path.replace(/^package\//, ""))
    .sort();
}
