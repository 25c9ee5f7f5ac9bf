// SPDX-License-Identifier: GPL-2.0-or-later
/** What a process has used: CPU time of all its threads, and memory. From /proc on Linux, from `ps` elsewhere. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import process from "node:process";
import { promisify } from "node:util";

/** One reading; two of them make a difference. */
export interface Usage {
  /** CPU time of the process since its start, user and system, in µs, as fine as the kernel's ticks. */
  readonly cpu: number;
  /** CPU time in µs by thread, exact; empty where the kernel does not tell. Threads that ended are not in it. */
  readonly threads: ReadonlyMap<string, number>;
  /** Resident memory in MiB. */
  readonly rss: number;
}

/** The kernel prints CPU times in hundredths of a second on every platform that Deno and Bun run on. */
const tick = 10_000;

/** @throws Error when there is no such process. */
export async function readUsage(pid: number): Promise<Usage> {
  if (process.platform !== "linux") {
    const { stdout } = await promisify(execFile)("ps", ["-o", "time=,rss=", "-p", String(pid)]);
    return parsePs(stdout);
  }
  const folder = `/proc/${pid}`;
  const [stat, status, threads] = await Promise.all([
    readFile(`${folder}/stat`, "utf8"),
    readFile(`${folder}/status`, "utf8"),
    readThreads(`${folder}/task`),
  ]);
  return {
    cpu: parseStat(stat),
    threads,
    rss: Number(status.match(/^VmRSS:\s*(\d+) kB$/m)?.[1] ?? 0) / 1024,
  };
}

/** The CPU time in µs used between two readings of the same process. */
export function cpuBetween(before: Usage, after: Usage): number {
  const coarse = after.cpu - before.cpu;
  let fine = 0;
  for (const [id, time] of after.threads) fine += time - (before.threads.get(id) ?? 0);
  // The fine sum misses a thread that ended in between; the coarse one is at most one tick off at either end.
  return Math.abs(fine - coarse) <= 2 * tick ? fine : coarse;
}

/** User plus system time in µs from the text of /proc/PID/stat. */
export function parseStat(text: string): number {
  // The command in the second field may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tick;
}

/** A reading from `ps -o time=,rss=`: [[days-]hours:]minutes:seconds and KiB. */
export function parsePs(text: string): Usage {
  const match = text.trim().match(/^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)\s+(\d+)$/);
  if (!match) throw new Error(`Cannot read the answer of ps: "${text.trim()}"`);
  const [days, hours, minutes, seconds, kib] = match.slice(1).map((part) => Number(part ?? 0));
  const time = (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
  return { cpu: Math.round(time * 1_000_000), threads: new Map(), rss: (kib ?? 0) / 1024 };
}

/** The names of the threads that are alive, by their numbers as in `Usage.threads`. Empty elsewhere than on Linux. */
export async function readThreadNames(pid: number): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  if (process.platform !== "linux") return names;
  for (const id of await readdir(`/proc/${pid}/task`)) {
    try {
      names.set(id, (await readFile(`/proc/${pid}/task/${id}/comm`, "utf8")).trim());
    } catch {
      // It has ended meanwhile.
    }
  }
  return names;
}

async function readThreads(folder: string): Promise<Map<string, number>> {
  const threads = new Map<string, number>();
  await Promise.all((await readdir(folder)).map(async (id) => {
    try {
      const [time] = (await readFile(`${folder}/${id}/schedstat`, "utf8")).split(" ");
      threads.set(id, Number(time) / 1000);
    } catch {
      // The thread ended meanwhile, or the kernel keeps no such file: the coarse time has it.
    }
  }));
  return threads;
}
