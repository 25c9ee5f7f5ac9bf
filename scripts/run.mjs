// SPDX-License-Identifier: GPL-2.0-or-later
// The way in: `npm run demo`, `deno task demo` and `bun run demo` all come here, on a machine that may have only
// one of the three. Plain JavaScript on node: modules alone, since nothing is installed yet when it runs. It
// installs the development packages, finds Deno and Bun, builds the library when that is missing or old, and
// runs the task.

import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/** What needs the library, with the options that it is built with, and what only needs the tools. */
const TASKS = {
  build: { script: "scripts/build-pjsip.ts" },
  package: { script: "scripts/package.ts", library: [] },
  sipcore: { script: "cli/main.ts", library: [] },
  demo: { script: "scripts/demo.ts", library: [] },
  "demo:compile": { script: "scripts/demo-compile.ts", library: [] },
  test: { script: "scripts/test.ts", library: [] },
  // It compares with pjproject's own load generator.
  bench: { script: "scripts/bench.ts", library: ["--samples"] },
  soak: { script: "scripts/soak.ts", library: [] },
  pcm: { script: "scripts/pcm.ts", library: [] },
  pjsua: { script: "scripts/pjsua.ts", library: [] },
  hostile: { script: "scripts/hostile.ts", library: [] },
  fmt: { commands: [["deno", "fmt"]] },
  lint: { commands: [["deno", "fmt", "--check"], ["deno", "lint"]] },
  check: { commands: [["deno", "check"], ["tsc", "-p", "tsconfig.json"]] },
  ok: { tasks: ["test"] },
};

/** A sentence for the user, without a stack. */
class Trouble extends Error {}

/** The programs that run now, so that a signal reaches them. */
const running = new Set();

/** Runs a program on this terminal and resolves with its exit status; a signal that ends it is 128 and more. */
function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: "inherit", env: { ...process.env, ...env } });
    running.add(child);
    child.on("error", (error) => reject(new Trouble(`${program} cannot be run: ${error.message}`)));
    child.on("exit", (status, signal) => {
      running.delete(child);
      resolve(status ?? 128 + (SIGNALS[signal] ?? 1));
    });
  });
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGABRT: 6, SIGTERM: 15 };

/** Signals go on to the child, and this process ends when the child has; none is left behind. */
function passSignals() {
  let stopped = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      stopped = SIGNALS[signal];
      // On a terminal Ctrl-C has reached the child already, being in the same group; twice would be a second one.
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      for (const child of running) child.kill(signal);
    });
  }
  return () => stopped;
}

/** The first program of that name in PATH; node_modules/.bin, which npm puts there, is not the user's. */
function inPath(name) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (!folder || folder.includes("node_modules")) continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Whether `program --version` says at least the version asked for. */
function isAtLeast(program, [major, minor]) {
  const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const found = /(\d+)\.(\d+)\.\d+/.exec(stdout ?? "");
  return status === 0 && found !== null &&
    (Number(found[1]) > major || (Number(found[1]) === major && Number(found[2]) >= minor));
}

/** The version that package.json asks for at least, "deno" of ">=2.9.0" as [2, 9]. */
function wanted(name) {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return engines[name].match(/\d+/g).slice(0, 2).map(Number);
}

/**
 * A runtime from its npm package. The binary lies in a package of the platform; a post-install script, which
 * npm may have been told not to run, moves it into the package of the name.
 */
function inPackages(name) {
  const manifest = join(ROOT, "node_modules", name, "package.json");
  if (!existsSync(manifest)) return undefined;
  const require = createRequire(manifest);
  const { optionalDependencies = {} } = JSON.parse(readFileSync(manifest, "utf8"));
  const candidates = name === "bun" ? [join(dirname(manifest), "bin", "bun.exe")] : [];
  for (const dependency of Object.keys(optionalDependencies)) {
    try {
      const folder = dirname(require.resolve(`${dependency}/package.json`));
      candidates.push(
        ...(name === "bun" ? ["bin/bun", "bin/bun.exe"] : ["deno"]).map((file) => join(folder, file)),
      );
    } catch {
      // A package of another platform.
    }
  }
  if (name === "deno") candidates.push(join(dirname(manifest), "deno"));
  // What the post-install script replaces is a stub of some hundred bytes.
  return candidates.find((path) => existsSync(path) && statSync(path).size > 1_000_000);
}

/** The binary of "deno" or "bun": the user's own when it is new enough, else the one of the packages. */
function findRuntime(name) {
  const named = process.env[`SIPCORE_${name.toUpperCase()}`];
  if (named) return named;
  const own = inPath(name);
  return own && isAtLeast(own, wanted(name)) ? own : inPackages(name);
}

/** Whether node_modules has the packages that package.json names, in these versions. */
function isInstalled() {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return Object.entries(devDependencies).every(([name, version]) => {
    try {
      const manifest = readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8");
      return JSON.parse(manifest).version === version;
    } catch {
      return false;
    }
  });
}

/** Installs the development packages with the tool that is there. */
async function install() {
  if (isInstalled()) return;
  const ways = {
    npm: ["npm", ["ci", "--no-audit", "--no-fund"]],
    deno: ["deno", ["install"]],
    bun: ["bun", ["install", "--no-save"]],
  };
  // The tool that this very script came in by knows best which registry the user has.
  const own = process.versions.deno ? "deno" : process.versions.bun ? "bun" : "npm";
  const found = [own, "npm", "deno", "bun"].find((name) => name === own && name !== "npm" || inPath(name));
  if (!found) throw new Trouble("None of npm, deno and bun is in PATH; install one of them");
  const [program, args] = ways[found];
  console.log(`sipcore: installing the development packages (${program} ${args[0]})`);
  const path = found === own && found !== "npm" ? process.execPath : inPath(program);
  const status = await run(path, args);
  if (status !== 0) {
    throw new Trouble(
      `${program} ${args[0]} failed with status ${status}; is the package registry reachable?`,
    );
  }
}

/** How a TypeScript file is run: under Deno where there is one, else under Bun. */
function command(runtimes, script, args) {
  const path = join(ROOT, script);
  if (!existsSync(path)) throw new Trouble(`${script} is missing: this checkout is not whole`);
  if (runtimes.deno) return [runtimes.deno, ["run", "-A", "--no-prompt", path, ...args]];
  return [runtimes.bun, ["run", path, ...args]];
}

async function perform(name, args, runtimes, wasStopped) {
  const task = TASKS[name];
  const env = {
    ...(runtimes.deno ? { SIPCORE_DENO: runtimes.deno } : {}),
    ...(runtimes.bun ? { SIPCORE_BUN: runtimes.bun } : {}),
  };
  for (const part of task.tasks ?? []) {
    const status = await perform(part, [], runtimes, wasStopped);
    if (status !== 0) return status;
  }
  for (const [program, ...rest] of task.commands ?? []) {
    const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    // TypeScript's compiler runs on whatever runs this script.
    const self = [process.execPath, ...(process.versions.deno ? ["run", "-A"] : []), tsc];
    const [path, ...first] = program === "tsc" ? self : [runtimes[program]];
    if (!path) {
      throw new Trouble(`The task "${name}" needs ${program}, and neither PATH nor node_modules has it`);
    }
    const status = await run(path, [...first, ...rest, ...args], env);
    if (status !== 0) return status;
  }
  if (!task.script) return 0;
  // Who names a library of their own gets that one.
  if (task.library && !process.env.SIPCORE_LIBRARY) {
    const status = await run(...command(runtimes, TASKS.build.script, task.library), env);
    if (status !== 0 || wasStopped()) return status || 128 + wasStopped();
  }
  return await run(...command(runtimes, task.script, args), env);
}

async function main() {
  const [name = "", ...args] = process.argv.slice(2);
  if (!Object.hasOwn(TASKS, name)) {
    throw new Trouble(`There is no task "${name}"; there are ${Object.keys(TASKS).join(", ")}`);
  }
  const wasStopped = passSignals();
  await install();
  const runtimes = { deno: findRuntime("deno"), bun: findRuntime("bun") };
  if (!runtimes.deno && !runtimes.bun) {
    throw new Trouble("There is neither Deno nor Bun for this platform; install one of them");
  }
  return await perform(name, args, runtimes, wasStopped);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Trouble)) throw error;
  console.error(`sipcore: ${error.message}`);
  process.exitCode = 1;
}
