// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run soak`: what only shows in long runs. Under each runtime: processes that end while the engine runs, starts
 * and stops of the engine, and calls in sequence, all with the programs that the tests run for seconds.
 */
import { parseArgs } from "node:util";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { leave, waysToLeave } from "../tests/support/leaving.ts";
import { startProgram } from "../tests/support/program.ts";
import { killAll } from "./bench/child.ts";
import type { RuntimeName } from "./demo/runtimes.ts";

const usage = `npm run soak -- [options]

  --minutes N      how long the calls go on, per runtime and kind of call, about (default 5)
  --exits N        how many processes leave in each way (default 50)
  --cycles N       how many times the engine starts and stops (default 500)
  --held N         how many calls are held at once, for a minute (default 2000)
  --runtime NAME   deno or bun instead of both
  --help           this text`;

/** Calls between two looks at the memory, and how many seconds they take, about. */
const kinds = {
  incoming: { calls: 5000, seconds: 14 },
  outgoing: { calls: 5000, seconds: 14 },
  talking: { calls: 500, seconds: 25 },
  requests: { calls: 20_000, seconds: 8 },
} as const;

/** In these rounds the runtimes compile and grow; after them this is the most that may stay, in bytes. */
const firstRounds = 3;
const mostPerCall = 1024;
const mostPerCycle = 32 * 1024;

/** The most that a call may take which is held, in bytes, and how long that is, in seconds. */
const mostPerHeld = 80_000;
const heldSeconds = 60;

/** Processes that run at the same time. */
const crowd = 4;

interface Figures {
  readonly liveObjects: number;
  readonly residentBytes: number;
  readonly poolBytes?: number;
  readonly heapBytes?: number;
  readonly files?: number;
}

function say(text: string): void {
  console.log(text);
}

/** Every way to leave so many times; how many went wrong. */
async function soakExits(runtime: RuntimeName, times: number): Promise<number> {
  let failures = 0;
  for (const way of waysToLeave.filter(({ only = runtime }) => only === runtime)) {
    let left = times;
    let bad = 0;
    const work = async () => {
      while (left-- > 0) {
        try {
          await leave(way, runtime);
        } catch (error) {
          bad++;
          say(`  ${error instanceof Error ? error.message : error}`);
        }
      }
    };
    await Promise.all(Array.from({ length: crowd }, work));
    say(`  ${way.name}: ${times - bad} of ${times} ended with status ${way.status}`);
    failures += bad;
  }
  return failures;
}

/** Runs a program that prints figures, and shows them as they come. */
async function watch(
  name: string,
  args: readonly (string | number)[],
  runtime: RuntimeName,
  show: (figures: Figures, round: number) => string,
): Promise<Figures[]> {
  const all: Figures[] = [];
  const program = startProgram(name, args, { runtime, isMeasured: true });
  let hasEnded = false;
  const ended = program.ended.finally(() => hasEnded = true);
  ended.catch(() => {});
  while (!hasEnded) {
    await Promise.race([ended, delay(1000)]);
    // It prints less than the number of lines that are kept.
    for (const line of program.output.slice(all.length)) {
      if (!line.startsWith("{")) break;
      const figures = JSON.parse(line) as Figures;
      say(show(figures, all.push(figures)));
    }
  }
  const { code, signal } = await ended;
  if (code !== 0) throw program.failure(`ended with ${signal ?? `status ${code}`}`);
  return all;
}

const mebibytes = (bytes: number = 0): string => (bytes / 2 ** 20).toFixed(1).padStart(7);

/** What stays of each call or cycle after the first rounds; true when that is little enough. */
function judge(all: readonly Figures[], perRound: number, most: number): boolean {
  const [before, later] = [all[firstRounds - 1], all.at(-1)];
  const rounds = all.length - firstRounds;
  if (!before || !later || rounds < 1) throw new Error(`Only ${all.length} rounds: too few to judge`);
  const each = (later.residentBytes - before.residentBytes) / (rounds * perRound);
  const isGood = each <= most && all.every(({ liveObjects }) => liveObjects === 0);
  say(`  ${isGood ? "good" : "BAD"}: ${Math.round(each)} bytes stay of each, ${most} may`);
  return isGood;
}

async function soakCycles(runtime: RuntimeName, times: number): Promise<boolean> {
  const step = Math.max(1, Math.floor(times / 10));
  const all = await watch(
    "cycles",
    [times, step],
    runtime,
    (figures, round) =>
      `  ${String(round * step).padStart(7)} cycles ${mebibytes(figures.residentBytes)} MiB, ` +
      `${figures.files} open files`,
  );
  return judge(all, step, mostPerCycle);
}

interface HeldFigures {
  readonly lost: number;
  readonly heldBytes: number;
  readonly heldPoolBytes: number;
  readonly heldHeapBytes: number;
  readonly leftObjects: number;
}

/** Calls held at once and then ended, none of them lost. */
async function soakHeld(runtime: RuntimeName, kind: string, count: number): Promise<boolean> {
  const program = startProgram("held", [kind, count, heldSeconds], { runtime, isMeasured: true });
  const { match } = await program.line(/^{.*}$/, (heldSeconds + 180) * 1000);
  const figures = JSON.parse(match[0]) as HeldFigures;
  if (await program.end(20_000) !== 0) throw program.failure("failed");
  const { lost, heldBytes, heldPoolBytes, heldHeapBytes, leftObjects } = figures;
  const isGood = lost === 0 && leftObjects === 0 && heldBytes <= mostPerHeld;
  say(
    `  ${isGood ? "good" : "BAD"}: ${count} held for ${heldSeconds} s and ended, ${lost} lost; ` +
      `each held ${Math.round(heldBytes)} bytes (${Math.round(heldPoolBytes)} of PJSIP's, ` +
      `${Math.round(heldHeapBytes)} of JavaScript's), ${mostPerHeld} may`,
  );
  return isGood;
}

async function soakCalls(runtime: RuntimeName, kind: keyof typeof kinds, minutes: number): Promise<boolean> {
  const { calls, seconds } = kinds[kind];
  const rounds = Math.max(firstRounds + 2, Math.round((minutes * 60) / seconds));
  const args = [kind, ...Array<number>(rounds).fill(calls)];
  const all = await watch(
    "sequence",
    args,
    runtime,
    (figures, round) =>
      `  ${String(round * calls).padStart(7)} of them ${mebibytes(figures.residentBytes)} MiB, ` +
      `heap ${mebibytes(figures.heapBytes)}, pools ${mebibytes(figures.poolBytes)}`,
  );
  return judge(all, calls, mostPerCall);
}

interface Counts {
  readonly minutes: number;
  readonly exits: number;
  readonly cycles: number;
  readonly held: number;
}

async function soak(runtime: RuntimeName, counts: Counts) {
  let isGood = true;
  say(`${runtime}: processes that end while the engine runs`);
  isGood = await soakExits(runtime, counts.exits) === 0 && isGood;
  say(`${runtime}: starts and stops`);
  isGood = await soakCycles(runtime, counts.cycles) && isGood;
  for (const kind of ["incoming", "outgoing"]) {
    say(`${runtime}: calls held, ${kind}`);
    isGood = await soakHeld(runtime, kind, counts.held) && isGood;
  }
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    say(`${runtime}: ${kind === "requests" ? kind : `calls, ${kind}`}`);
    isGood = await soakCalls(runtime, kind, counts.minutes) && isGood;
  }
  return isGood;
}

function count(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new Error(`--${name} wants a number above 0, not "${value}"`);
  return number;
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      minutes: { ...text, default: "5" },
      exits: { ...text, default: "50" },
      cycles: { ...text, default: "500" },
      held: { ...text, default: "2000" },
      runtime: text,
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    say(usage);
    return 0;
  }
  const all: RuntimeName[] = ["Deno", "Bun"];
  const runtimes = all.filter((name) =>
    values.runtime === undefined || name.toLowerCase() === values.runtime
  );
  if (runtimes.length === 0) throw new Error(`--runtime knows deno and bun, not "${values.runtime}"`);
  const counts = {
    minutes: count("minutes", values.minutes),
    exits: count("exits", values.exits),
    cycles: count("cycles", values.cycles),
    held: count("held", values.held),
  };
  let isGood = true;
  for (const runtime of runtimes) isGood = await soak(runtime, counts) && isGood;
  return isGood ? 0 : 1;
}

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.once(signal, () => {
    killAll();
    process.exit(status);
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
