// SPDX-License-Identifier: GPL-2.0-or-later

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { $, type ProcessPromise } from "zx";
import { BuildFailure } from "./failure.ts";

/** How a command is run; `what` names it in the sentence that is printed when it fails. */
export interface Command {
  readonly what: string;
  readonly cwd: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** Return on a bad exit status instead of failing. */
  readonly mayFail?: boolean;
}

/** The result of a command. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
}

/**
 * What the build tells: one line per step on the terminal, everything else in the log.
 * It also runs the commands, since their output belongs in that log.
 */
export class Report {
  readonly log: string;
  readonly #running: Set<ProcessPromise> = new Set();
  /** When each step began that goes on now. */
  readonly #steps: number[] = [];
  #stopped = false;

  constructor(log: string) {
    this.log = log;
    mkdirSync(dirname(log), { recursive: true });
    writeFileSync(log, `${new Date().toISOString()}\n`);
  }

  /** A remark that the user should see. */
  note(text: string): void {
    console.log(`  ${text}`);
    appendFileSync(this.log, `## ${text}\n`);
  }

  /** Does `work`, with a running clock on a terminal, and leaves one line with the time that it took. */
  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    appendFileSync(this.log, `\n# ${title}\n`);
    const start = performance.now();
    const seconds = (): string => `${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s`;
    const dots = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
    let turn = 0;
    this.#steps.push(start);
    const timer = process.stdout.isTTY
      ? setInterval(() => {
        // One line has room for one of several that go on at once.
        if (this.#steps.at(-1) === start) {
          process.stdout.write(`\r${dots[turn++ % dots.length]} ${title.padEnd(44)}${seconds()}`);
        }
      }, 100)
      : undefined;
    let done = false;
    try {
      const result = await work();
      done = true;
      return result;
    } finally {
      clearInterval(timer);
      this.#steps.splice(this.#steps.indexOf(start), 1);
      if (timer !== undefined) process.stdout.write("\r\x1b[K");
      console.log(`${done ? "  " : "! "}${title.padEnd(44)}${seconds()}`);
    }
  }

  /** Runs a command with its output in the log. A bad exit status is a BuildFailure that names the log. */
  async run(command: Command): Promise<Outcome> {
    const { what, cwd, args, env = {}, mayFail = false } = command;
    // What stop() has not seen would go on after it.
    if (this.#stopped) throw new BuildFailure(`The build was ended before: ${what}`);
    appendFileSync(this.log, `$ cd ${cwd} && ${args.join(" ")}\n`);
    // Detached: in a process group of its own, so that stop() reaches the compilers below make.
    const settings = { cwd, env: { ...process.env, LC_ALL: "C", ...env }, quiet: true, nothrow: true };
    const child = $({ ...settings, detached: true })`${args}`;
    this.#running.add(child);
    const keep = (chunk: unknown): void => appendFileSync(this.log, String(chunk));
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    const output = await child;
    this.#running.delete(child);
    const status = output.exitCode ?? 1;
    if (status !== 0 && !mayFail) throw new BuildFailure(this.#explain(what, status, output.stderr));
    return { status, stdout: output.stdout };
  }

  /** Ends what is running, with all its children; for Ctrl-C. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const ending = [...this.#running];
    for (const { pid } of ending) {
      try {
        if (pid !== undefined) process.kill(-pid, "SIGTERM");
      } catch {
        // It has ended by itself meanwhile.
      }
    }
    await Promise.allSettled(ending);
  }

  #explain(what: string, status: number, stderr: string): string {
    const full = /No space left on device|Disk quota exceeded/;
    if (full.test(stderr) || full.test(readFileSync(this.log, "utf8").slice(-20_000))) {
      return `${what} ran out of disk space; free some and run it again (details: ${this.log})`;
    }
    const telling =
      /error: (?!ld returned)|undefined reference|cannot find -l|recompile with|^E: |No rule to make/;
    const reason = stderr.split("\n").find((line) => telling.test(line))?.trim();
    return `${what} failed with status ${status}${
      reason ? ` (${reason})` : ""
    }; all its output is in ${this.log}`;
  }
}
