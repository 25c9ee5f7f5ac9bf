// SPDX-License-Identifier: GPL-2.0-or-later
/** Runs pjproject's system tests against the program that stands in for pjsua, several at a time. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Child } from "../../../scripts/bench/child.ts";
import { ROOT } from "../../../scripts/build/layout.ts";
import { runtimeCommand, type RuntimeName } from "../../../scripts/demo/runtimes.ts";
import { ownName } from "../program.ts";
import { argumentsOf, folder, type Kind } from "./scripts.ts";

/** Most of the time each of them waits. */
const crowd = 6;

/** The longest waits for two refreshes of a session timer. */
const mostTime = 150_000;

const program = fileURLToPath(new URL("../programs/pjsua.ts", import.meta.url));
const run = fileURLToPath(new URL("../../peers/pjsua_run.py", import.meta.url));

/**
 * Ports of the scripts, so many for each, below those that the system gives to whoever asks for any: they are bound some
 * time after they were chosen, and nobody else may be faster.
 */
const ports = { Deno: 10_000, Bun: 15_000, each: 20, scripts: 250 } as const;

let started = 0;

/** Another run of the tests may have the same ports. */
const mostTries = 3;

/**
 * Runs one of them; the program runs on `runtime`.
 *
 * @throws Error when it fails, with what it has said last.
 */
export async function runScript(kind: Kind, name: string, runtime: RuntimeName): Promise<void> {
  for (let tries = 1;; tries++) {
    const { failure, lacksPort } = await tryScript(kind, name, runtime);
    if (failure === null) return;
    if (!lacksPort || tries === mostTries) throw failure;
  }
}

async function tryScript(
  kind: Kind,
  name: string,
  runtime: RuntimeName,
): Promise<{ failure: Error | null; lacksPort: boolean }> {
  const [found, ...options] = runtimeCommand(runtime, ROOT);
  const words = [runtime === ownName ? process.execPath : found, ...options, program];
  const own = mkdtempSync(join(tmpdir(), "sipcore-pjsua-"));
  const args = [
    run,
    folder,
    String(ports[runtime] + ports.each * (started++ % ports.scripts)),
    words.map(quoted).join(" "),
    ...argumentsOf(kind, name),
  ];
  const child = new Child(`${kind}/${name} on ${runtime}`, "python3", args, {}, own);
  try {
    const status = await child.end(mostTime);
    return {
      failure: status === 0 ? null : child.failure(`ended with status ${status}`),
      lacksPort: child.output.some((line) => line.includes("Address already in use")),
    };
  } finally {
    await child.stop();
    rmSync(own, { recursive: true, force: true });
  }
}

/** For the shell that starts it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Starts all, so many at a time; the outcome of each by its index. */
export function startAll(tasks: readonly (() => Promise<void>)[]): Promise<void>[] {
  const outcomes = tasks.map(() => Promise.withResolvers<void>());
  let next = 0;
  const work = async () => {
    for (let index = next++; index < tasks.length; index = next++) {
      const { resolve, reject, promise } = outcomes[index]!;
      promise.catch(() => {});
      await tasks[index]!().then(resolve, reject);
    }
  };
  for (let count = 0; count < crowd; count++) work();
  return outcomes.map(({ promise }) => promise);
}
