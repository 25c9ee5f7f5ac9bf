// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Runs the code of the papers, in a network of its own where example.com is a Kamailio, bob@example.com answers, and
 * port 5060 of 127.0.0.1 is free. Its argument is a file of jobs; how each went is written to a file beside it, as a
 * line of JSON.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { Engine, NotificationCenter } from "../../../mod.ts";
import { killAll } from "../../../scripts/bench/child.ts";
import { startListening } from "../command_line.ts";
import { Kamailio } from "../kamailio.ts";

/** One block of code. */
export interface Job {
  readonly name: string;
  readonly language: string;
  /** The module; of a shell block the text. */
  readonly code: string;
  readonly args: readonly string[];
  readonly commands: readonly string[];
  /** What goes on beside it; left out or null: nothing. */
  readonly beside?: string | null;
}

/** How it went. */
export interface Outcome {
  readonly name: string;
  readonly error: string | null;
  readonly milliseconds: number;
}

/** Longer than any block may take. */
const patience = 15_000;

const [jobs, folder] = [process.argv[2]!, dirname(process.argv[2]!)];
const engine = new Engine();
const center = new NotificationCenter();

/** What a block has left behind. */
const observers: Disposable[] = [];
const addObserver = center.addObserver.bind(center);
NotificationCenter.prototype.addObserver = (...args) => {
  const observer = addObserver(...args);
  observers.push(observer);
  return observer;
};

/** So that claims are checked; see withClaims(). */
Object.assign(globalThis, {
  claim(value: unknown, claimed: unknown): void {
    const [is, should] = [value, claimed].map((each) => JSON.stringify(each));
    if (is !== should) throw new Error(`It is ${is}, and ${should} is claimed`);
  },
});

class Failed extends Error {}

function shell(command: string): { child: ChildProcess; ended: Promise<void>; said: () => string } {
  const child = spawn("sh", ["-e", "-c", command], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that a signal reaches all of it.
    detached: true,
  });
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (chunk) => said += String(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on(
      "close",
      (code) => code === 0 ? resolve() : reject(new Failed(`${command} ended with ${code}:\n${said}`)),
    );
  });
  ended.catch(() => {});
  return { child, ended, said: () => said };
}

async function runModule({ code, args, commands }: Job): Promise<void> {
  process.argv = [process.argv[0]!, code, ...args];
  const started = commands.length > 0 ? center.once("SIPEngineDidStart") : null;
  const body = import(code).then(() => {});
  body.catch(() => {});
  if (started !== null) {
    await Promise.race([started, body]);
    for (const command of commands) await shell(command).ended;
    // Whoever waits for calls ends with the engine; what has an end of its own comes to it.
    await Promise.race([body, wait(100)]);
    await engine.stop();
  }
  await body;
  await engine.stop();
}

async function runShell({ code, commands }: Job): Promise<void> {
  const { child, ended, said } = shell(code);
  if (commands.length === 0) return await ended;
  let isOver = false;
  ended.finally(() => isOver = true).catch(() => {});
  for (const command of commands) {
    for (let tries = 1;; tries++) {
      try {
        await Promise.race([shell(command).ended, ended.then(() => {})]);
        break;
      } catch (error) {
        // It may not be listening yet.
        if (tries === 20 || isOver) {
          throw new Failed(`${(error as Error).message}\nwhile it said:\n${said()}`);
        }
        await wait(100);
      }
    }
  }
  await Promise.race([ended, wait(100)]);
  if (isOver) return await ended;
  process.kill(-child.pid!, "SIGINT");
  // The shell itself may have died of it.
  await ended.catch(() => {});
}

/** What goes on beside the present block; the next one may want the same. */
let beside: { readonly command: string; readonly running: ReturnType<typeof shell> } | null = null;

async function putBeside(command: string | null): Promise<void> {
  if (beside !== null && beside.command !== command) {
    beside.running.child.kill("SIGINT");
    await beside.running.ended.catch(() => {});
    beside = null;
  }
  if (beside !== null || command === null) return;
  beside = { command, running: shell(`exec ${command}`) };
  const { said, ended } = beside.running;
  while (!said().includes("Listening")) await Promise.race([ended, wait(20)]);
}

async function perform(job: Job): Promise<Outcome> {
  const start = performance.now();
  const late = AbortSignal.timeout(patience);
  const { promise, reject } = Promise.withResolvers<never>();
  late.addEventListener("abort", () => reject(new Failed(`It had not ended after ${patience / 1000} s`)));
  let error: string | null = null;
  try {
    await Promise.race([promise, putBeside(job.beside ?? null)]);
    await Promise.race([promise, job.language === "sh" ? runShell(job) : runModule(job)]);
  } catch (thrown) {
    error = thrown instanceof Failed ? thrown.message : (thrown as Error)?.stack ?? String(thrown);
    await engine.stop();
  }
  promise.catch(() => {});
  for (const observer of observers.splice(0)) observer[Symbol.dispose]();
  return { name: job.name, error, milliseconds: Math.round(performance.now() - start) };
}

/** Ends the process also where a block has thrown outside of anybody's hands. */
process.on("unhandledRejection", (reason) => {
  console.error(reason);
});

mkdirSync(join(folder, "recordings"), { recursive: true });
{
  await using _kamailio = await Kamailio.start({ domain: "example.com", alsoAt: "127.0.0.2" });
  const bob = ["--from", "sip:bob@example.com", "--register", "sip:bob@example.com", "--password", "bobpw"];
  const { child } = await startListening([...bob, "--echo", "--hang-up", "0.6"]);
  await child.line(/"registered"/, 20_000);
  for (const job of JSON.parse(readFileSync(jobs, "utf8")) as Job[]) {
    appendFileSync(join(folder, "outcomes"), `${JSON.stringify(await perform(job))}\n`);
  }
  await putBeside(null);
  await child.stop();
}
killAll();
process.exit(0);
