// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run pcm`: how fast and how cheap the sound of calls is in the hands of a program, under each runtime. The latency
 * between program and wire comes from stamps in the samples, at 20 ms a packet and with empty queues; what many calls
 * cost, from a second process that talks to this one through G.711. The machine should have nothing else to do.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Latencies, quantile } from "../tests/support/pcm_latency.ts";
import { startProgram } from "../tests/support/program.ts";
import type { Child } from "./bench/child.ts";
import type { RuntimeName } from "./demo/runtimes.ts";
import { makeSound } from "./make-sounds.ts";
import { writeWav } from "./wav.ts";
import { runMain } from "./run-main.ts";

const usage = `npm run pcm -- [options]

  --calls N        how many calls at a time (default 100)
  --seconds N      how long they go on (default 60)
  --count N        how many times each latency is measured (default 100)
  --runtime NAME   deno or bun instead of both
  --copied         as where the runtime may not look at memory (Deno with --allow-ffi=PATH)
  --help           this text`;

/** The most that may be, in ms; of the flush all. */
const limits = {
  writeToWire: { median: 35, p99: 60 },
  wireToRead: { median: 45, p99: 80 },
  flushToSilence: { median: 60, p99: 60 },
} as const;

const mostLost = 0.0001;
const mostCore = 0.35;
const mostWakeUps = 60;

interface Latency extends Latencies {
  readonly mixerRate: number;
  readonly sampleRate: number;
}

interface Cost {
  readonly readPart: number;
  readonly playedPart: number;
  readonly droppedPart: number;
  readonly silencePart: number;
  readonly core: number;
  readonly wakeUpsPerSecond: number;
}

function verdict(isGood: boolean): string {
  return isGood ? "" : "  BAD";
}

/** The line of JSON that the program prints next; it may have ended before. */
async function answers<T>(program: Child, count: number, ms: number): Promise<T[]> {
  const found: T[] = [];
  for (let i = 0; i < count; i++) {
    const { match } = await program.line(/^\{.*\}$/, ms);
    found.push(JSON.parse(match[0]) as T);
  }
  return found;
}

async function latency(runtime: RuntimeName, count: number): Promise<boolean> {
  const program = startProgram("pcm_latency", [count], { runtime });
  let isGood = true;
  for (const result of await answers<Latency>(program, 3, 30_000 + count * 1000)) {
    console.log(`  port at ${result.sampleRate} Hz, mixer at ${result.mixerRate} Hz, G.711:`);
    for (const name of Object.keys(limits) as (keyof typeof limits)[]) {
      const [median, p99] = [quantile(result[name], 0.5), quantile(result[name], 0.99)];
      const fits = median <= limits[name].median && p99 <= limits[name].p99;
      isGood = isGood && fits;
      console.log(
        `    ${name.padEnd(16)} median ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms${verdict(fits)}`,
      );
    }
  }
  await program.end(10_000);
  return isGood;
}

async function cost(
  runtime: RuntimeName,
  sound: string,
  options: { calls: number; seconds: number; isCopied: boolean },
): Promise<boolean> {
  const { calls, seconds, isCopied } = options;
  const farEnd = startProgram("pcm_far_end", [sound], { runtime: "Bun" });
  try {
    const { match } = await farEnd.line(/^port (\d+)$/, 20_000);
    const args = [match[1]!, calls, seconds, ...isCopied ? ["copied"] : []];
    const program = startProgram("pcm_calls", args, { runtime });
    const [result] = await answers<Cost>(program, 1, 60_000 + seconds * 1000);
    await program.end(10_000);
    const { readPart, playedPart, droppedPart, silencePart, core, wakeUpsPerSecond } = result!;
    const percent = (part: number) => `${(part * 100).toFixed(3)} %`;
    const flows = Math.min(readPart, playedPart) > 0.99;
    console.log(`  ${calls} calls for ${seconds} s, each at 24000 Hz both ways:`);
    console.log(`    read ${percent(readPart)}, played ${percent(playedPart)} of the time${verdict(flows)}`);
    const [heard, said] = [droppedPart <= mostLost, silencePart <= mostLost];
    console.log(`    dropped ${percent(droppedPart)}${verdict(heard)}`);
    console.log(`    late ${percent(silencePart)}${verdict(said)}`);
    console.log(`    JavaScript ${percent(core)} of a core${verdict(core <= mostCore)}`);
    const isCalm = wakeUpsPerSecond <= mostWakeUps;
    console.log(`    ${wakeUpsPerSecond.toFixed(1)} wake-ups a second${verdict(isCalm)}`);
    return flows && heard && said && core <= mostCore && isCalm;
  } finally {
    farEnd.endInput();
    await farEnd.end(10_000);
  }
}

function count(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new Error(`--${name} wants a number above 0, not "${value}"`);
  return number;
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    options: {
      calls: { ...text, default: "100" },
      seconds: { ...text, default: "60" },
      count: { ...text, default: "100" },
      runtime: text,
      copied: flag,
      help: flag,
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const all: RuntimeName[] = ["Deno", "Bun"];
  const runtimes = all.filter((name) =>
    values.runtime === undefined || name.toLowerCase() === values.runtime
  );
  if (runtimes.length === 0) throw new Error(`--runtime knows deno and bun, not "${values.runtime}"`);
  const options = {
    calls: count("calls", values.calls),
    seconds: count("seconds", values.seconds),
    isCopied: values.copied,
  };
  const times = count("count", values.count);
  const folder = await mkdtemp(join(tmpdir(), "sipcore-pcm-"));
  let isGood = true;
  try {
    const sound = join(folder, "sound.wav");
    await writeWav(sound, makeSound("callee", { sampleRate: 8000, seconds: 4 }));
    for (const runtime of runtimes) {
      console.log(`${runtime}:`);
      if (!options.isCopied) isGood = await latency(runtime, times) && isGood;
      isGood = await cost(runtime, sound, options) && isGood;
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return isGood ? 0 : 1;
}

await runMain(main);
