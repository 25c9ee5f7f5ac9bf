// SPDX-License-Identifier: GPL-2.0-or-later
/** Child processes of the bench: their lines, their end, and that none of them outlives it. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import process from "node:process";

const running = new Set<Child>();

/** How long the output of a process that is gone is waited for, in ms: a child of its own may hold it, for ever. */
const lastWords = 5000;

/** Output kept for error messages. A client built with debug logging writes megabytes before it settles. */
const keptLines = 200;

export class Child {
  /** Resolves when the process is gone and its output read, with its exit status (null: a signal, named). */
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  readonly #name: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();

  /** Starts `command`; `name` is what error messages call it. Its stdin stays open until `stop()`. */
  constructor(
    name: string,
    command: string,
    args: readonly string[],
    env: Record<string, string> = {},
    cwd?: string,
  ) {
    this.#name = name;
    const child = spawn(command, [...args], { stdio: "pipe", env: { ...process.env, ...env }, cwd });
    this.#process = child;
    running.add(this);
    // A child that ends early makes the next write fail; that it ended is reported by `ended`.
    child.stdin.on("error", () => {});
    const { promise, resolve, reject } = Promise.withResolvers<
      { code: number | null; signal: string | null }
    >();
    this.ended = promise;
    promise.catch(() => {});
    child.on("error", (cause) => {
      running.delete(this);
      reject(new Error(`Could not start ${name}: ${cause.message}`, { cause }));
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    child.on("exit", (code, signal) => {
      running.delete(this);
      timer = setTimeout(() => resolve({ code, signal }), lastWords);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal });
    });
    for (const stream of [child.stdout, child.stderr]) this.#read(stream);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The last lines of stdout and stderr, in the order of arrival. */
  get output(): readonly string[] {
    return this.#lines;
  }

  /**
   * Waits for the next line that matches and returns the match with the time of its arrival (performance.now()).
   *
   * @throws Error when the process ends first or `ms` pass; its last output is in the message.
   */
  async line(pattern: RegExp, ms: number): Promise<{ match: RegExpMatchArray; at: number }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ match: RegExpMatchArray; at: number }>();
    const listener = (line: string): void => {
      const match = line.match(pattern);
      if (match) resolve({ match, at: performance.now() });
    };
    this.#listeners.add(listener);
    const timer = setTimeout(() => reject(this.failure(`said nothing like ${pattern} for ${ms} ms`)), ms);
    this.ended.then(
      ({ code, signal }) => reject(this.failure(`ended with ${signal ?? `status ${code}`}`)),
      reject,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(listener);
    }
  }

  /** Waits for the end. After `ms` the process is killed and an Error thrown. */
  async end(ms: number): Promise<number | null> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.kill();
      reject(this.failure(`had not ended after ${ms} ms`));
    }, ms);
    try {
      return (await Promise.race([this.ended, promise])).code;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks the process to end and waits for it; after two and a half seconds it is killed. Quiet when it has ended. */
  async stop(): Promise<void> {
    if (!running.has(this)) return;
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.kill(), 2500);
    try {
      await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Writes to its stdin. */
  write(text: string): void {
    this.#process.stdin.write(text);
  }

  /** Closes its stdin. */
  endInput(): void {
    this.#process.stdin.end();
  }

  kill(): void {
    this.signal("SIGKILL");
  }

  signal(name: "SIGINT" | "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.#process;
    if (pid === undefined || !running.has(this)) return;
    try {
      // Deno's own kill() makes of any later exit one by that signal.
      process.kill(pid, name);
    } catch {
      // It ends in this moment.
    }
  }

  failure(what: string): Error {
    const said = this.#lines.slice(-12).join("\n  ");
    return new Error(`${this.#name} ${what}${said ? `; it said last:\n  ${said}` : ""}`);
  }

  #read(stream: NodeJS.ReadableStream): void {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      // pjsip-perf and SIPp rewrite their line of progress with a bare carriage return.
      const parts = (rest + chunk).split(/[\r\n]+/);
      rest = parts.pop() ?? "";
      for (const line of parts) this.#take(line);
    });
    stream.on("end", () => this.#take(rest));
  }

  #take(line: string): void {
    if (line.trim() === "") return;
    this.#lines.push(line);
    if (this.#lines.length > keptLines) this.#lines.splice(0, this.#lines.length - keptLines);
    for (const listener of this.#listeners) listener(line);
  }
}

/** Kills what is still running. */
export function killAll(): void {
  for (const child of running) child.kill();
}
