// SPDX-License-Identifier: GPL-2.0-or-later
/** Runs a command of a test run: its output goes to the log, and it is killed when it takes too long. */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import process from "node:process";

export interface Command {
  readonly args: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly log: string;
  /** In milliseconds. */
  readonly timeout: number;
}

export interface Ended {
  /** null: it was killed, or could not be started. */
  readonly status: number | null;
  /** Why there is no status. */
  readonly problem: string | null;
  /** stdout and stderr as they came. */
  readonly output: string;
}

/** The process groups that run now. */
const groups = new Set<number>();

/** Ends what is running, with all its children. */
export function killAll(): void {
  for (const pid of groups) killGroup(pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** Runs a command to its end. */
export async function runCommand({ args, cwd, env = {}, log, timeout }: Command): Promise<Ended> {
  appendFileSync(log, `$ cd ${cwd} && ${args.join(" ")}\n`);
  const [program, ...rest] = args;
  const { promise, resolve } = Promise.withResolvers<Omit<Ended, "output">>();
  const child = spawn(program, rest, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, so that what a test has started ends with it.
    detached: true,
  });
  const { pid } = child;
  if (pid !== undefined) groups.add(pid);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      output += chunk;
      appendFileSync(log, chunk);
    });
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (pid !== undefined) killGroup(pid);
  }, timeout);
  child.on("error", (error) => resolve({ status: null, problem: `cannot be started: ${error.message}` }));
  child.on("exit", () => {
    // What it has left running would keep its output open.
    if (pid !== undefined) killGroup(pid);
  });
  child.on("close", (status, signal) => {
    const problem = late ? `had not ended after ${timeout / 1000} s` : signal ? `died of ${signal}` : null;
    resolve({ status: problem === null ? status : null, problem });
  });
  const ended = await promise;
  clearTimeout(timer);
  if (pid !== undefined) groups.delete(pid);
  return { ...ended, output };
}
