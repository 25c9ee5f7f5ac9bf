// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls with sound: the program that is measured has one end of each, the C program of media.c the other. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeSound } from "../make-sounds.ts";
import { writeWav } from "../wav.ts";
import { Child } from "./child.ts";
import type { Measurement } from "./measurement.ts";
import type { CallerCommand } from "./servers.ts";
import { cpuBetween, readThreadNames, readUsage, type Usage } from "./usage.ts";

/** Threads of C that work for the calls; all others are the runtime's. */
const threadsOfC: ReadonlySet<string> = new Set([
  "sc-sip",
  "sc-clock",
  "sc-bell",
  "media",
  "ev_thread",
  "clock",
]);

/** What a program has counted. */
interface Figures {
  ticks: number;
  late: number;
}

/** How long calls run before they are measured, in ms: jitter buffers settle, compilers finish. */
const settle = 5000;

/** Holds so many calls, and measures one end of them for so many seconds. */
export async function driveMedia(
  caller: CallerCommand,
  program: string,
  { calls, seconds }: { calls: number; seconds: number },
): Promise<Measurement> {
  const folder = await mkdtemp(join(tmpdir(), "sipcore-bench-media-"));
  const file = join(folder, "played");
  await writeWav(file, makeSound("caller", { sampleRate: 8000, seconds: 3 }));
  const measured = new Child("The program that is measured", caller.command, [
    ...caller.before,
    String(calls),
    file,
    folder,
  ]);
  const peer = new Child("The other end", program, [String(calls), file, "-"]);
  try {
    await connect([measured, peer]);
    await delay(settle);
    const [before, first] = [await readUsage(measured.pid), await figuresOf(measured)];
    await delay(seconds * 1000);
    const [last, after] = [await figuresOf(measured), await readUsage(measured.pid)];
    const ticks = last.ticks - first.ticks;
    return {
      requests: ticks * calls,
      lost: (last.late - first.late) * calls,
      resent: null,
      p99: null,
      rate: ticks * calls / seconds,
      cpu: cpuBetween(before, after) / (ticks * calls),
      script: caller.before.length > 0 ? await scriptShare(measured.pid, before, after) : null,
      rss: after.rss,
    };
  } finally {
    for (const child of [measured, peer]) child.endInput();
    await Promise.all([measured, peer].map((child) => child.end(10_000).catch(() => {})));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Each is told the ports of the other. */
async function connect(ends: readonly [Child, Child]): Promise<void> {
  const ports = await Promise.all(ends.map((child) => child.line(/^ports (.*)$/, 30_000)));
  const running = ends.map((child) => child.line(/^running$/, 30_000));
  ends.forEach((child, index) => child.write(`${ports[1 - index]!.match[1]}\n`));
  await Promise.all(running);
}

async function figuresOf(child: Child): Promise<Figures> {
  const line = child.line(/^figures (\d+) (\d+) /, 10_000);
  child.write("figures\n");
  const { match } = await line;
  return { ticks: Number(match[1]), late: Number(match[2]) };
}

/** Percent of the CPU time that threads took which are not C's. */
async function scriptShare(pid: number, before: Usage, after: Usage): Promise<number | null> {
  const names = await readThreadNames(pid);
  let [all, own] = [0, 0];
  for (const [id, time] of after.threads) {
    const used = time - (before.threads.get(id) ?? 0);
    all += used;
    if (!threadsOfC.has(names.get(id) ?? "")) own += used;
  }
  return all > 0 ? 100 * own / all : null;
}
