// SPDX-License-Identifier: GPL-2.0-or-later
/** SIPp as client: open loop, it sends at a given rate whether or not answers come. */
import { mkdtempSync, rmSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { $, which } from "zx";
import { Child } from "./child.ts";
import type { Measurement } from "./measurement.ts";
import { cpuBetween, readUsage } from "./usage.ts";

const scenarios = {
  OPTIONS: fileURLToPath(new URL("./options.xml", import.meta.url)),
  MESSAGE: fileURLToPath(new URL("./message.xml", import.meta.url)),
} as const;

/**
 * The path of SIPp, which is installed first when it is missing and that is possible.
 *
 * @throws Error that says how to install it.
 */
export async function findSipp(): Promise<string> {
  const found = await which("sipp", { nothrow: true });
  if (found) return found;
  if (process.getuid?.() !== 0 || !(await which("apt-get", { nothrow: true }))) {
    throw new Error(
      "SIPp is missing: install it (Debian: apt-get install sip-tester, macOS: brew install sipp)",
    );
  }
  console.log("Installing Debian's sip-tester, which brings SIPp");
  const apt = $({ quiet: true, nothrow: true, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  const install = () => apt`apt-get install --yes --no-install-recommends sip-tester`;
  if ((await install()).exitCode !== 0) {
    await apt`apt-get update`;
    const { exitCode, stderr } = await install();
    if (exitCode !== 0) throw new Error(`Could not install sip-tester: ${stderr.trim().split("\n").at(-1)}`);
  }
  return await which("sipp");
}

/** What SIPp counted over a whole run. */
export interface SippStatistics {
  created: number;
  successful: number;
  failed: number;
  resent: number;
  /** In seconds, from SIPp's start to the last call's end. */
  elapsed: number;
}

/**
 * Reads the file that SIPp writes for -trace_stat: a line of names, then lines of values; the last one counts.
 *
 * @throws Error when there are no values or a column is missing.
 */
export function parseSippStatistics(text: string): SippStatistics {
  const lines = text.split("\n").filter((line) => line.includes(";"));
  const [head, last] = [lines[0], lines.length > 1 ? lines.at(-1) : undefined];
  if (!head || !last) throw new Error("SIPp wrote no statistics");
  const names = head.split(";");
  const values = last.split(";");
  const field = (name: string): string => {
    const value = values[names.indexOf(name)];
    if (value === undefined) throw new Error(`SIPp's statistics have no column "${name}"`);
    return value;
  };
  // A time is three tab-separated things, the last one in seconds since 1970; ElapsedTime has no fractions.
  const time = (name: string): number => Number(field(name).split("\t").at(-1));
  return {
    created: Number(field("TotalCallCreated")),
    successful: Number(field("SuccessfulCall(C)")),
    failed: Number(field("FailedCall(C)")),
    resent: Number(field("Retransmissions(C)")),
    elapsed: time("CurrentTime") - time("StartTime"),
  };
}

interface Load {
  program: string;
  /** The user part of the URI that is called. */
  user: string;
  port: number;
  count: number;
  /** Per second. */
  rate: number;
}

/** Sends requests at `rate` and measures the server process meanwhile. */
export async function driveSipp(
  load: Load & { serverPid: number; method: keyof typeof scenarios },
): Promise<Measurement> {
  const before = await readUsage(load.serverPid);
  const result = await run(load, [
    "-sf",
    scenarios[load.method],
    "-trace_rtt",
    "-rtt_freq",
    String(load.count),
  ]);
  const after = await readUsage(load.serverPid);
  return {
    requests: load.count,
    lost: load.count - result.successful,
    resent: result.resent,
    p99: await takePercentile(99),
    rate: result.successful / result.elapsed,
    cpu: cpuBetween(before, after) / load.count,
    rss: after.rss,
  };
}

/** Lets a server see some load of the kind that follows, so that compilers and pools are past their start. */
export async function warmUp(load: Load, method: "INVITE" | keyof typeof scenarios): Promise<void> {
  await run(load, method === "INVITE" ? ["-sn", "uac", "-d", "0"] : ["-sf", scenarios[method]]);
}

/** Reads the times that SIPp has written, and removes their file; null when it has written none. */
async function takePercentile(percent: number): Promise<number | null> {
  const name = (await readdir(scratchFolder())).find((one) => one.endsWith("_rtt.csv"));
  if (name === undefined) return null;
  const file = join(scratchFolder(), name);
  const times = parseSippTimes(await readFile(file, "utf8"));
  await rm(file);
  return times[Math.ceil(times.length * percent / 100) - 1] ?? null;
}

/** The response times in ms of a file of -trace_rtt, in order of size. */
export function parseSippTimes(text: string): number[] {
  const times = text.split("\n").slice(1).flatMap((line) => {
    const time = line.split(";")[1];
    return time === undefined ? [] : [Number(time)];
  });
  return times.sort((a, b) => a - b);
}

async function run(load: Load, scenario: readonly string[]): Promise<SippStatistics> {
  const file = join(scratchFolder(), "statistics.csv");
  await rm(file, { force: true });
  const seconds = Math.ceil(load.count / load.rate) + 15;
  const client = new Child(
    "The client SIPp",
    load.program,
    [
      `127.0.0.1:${load.port}`,
      ...scenario,
      ...["-s", load.user, "-i", "127.0.0.1", "-ci", "127.0.0.1", "-bind_local"],
      ...["-m", String(load.count), "-r", String(load.rate), "-rp", "1000", "-l", String(load.count)],
      ...["-trace_stat", "-stf", file, "-fd", "1", "-nostdin", "-deadcall_wait", "0"],
      ...["-timeout", `${seconds}s`, "-timeout_error"],
    ],
    {},
    scratchFolder(),
  ); // where it writes its times
  try {
    const code = await client.end((seconds + 10) * 1000);
    // 1: some calls failed, which the statistics tell; -timeout_error and everything else is trouble.
    if (code !== 0 && code !== 1) throw client.failure(`ended with status ${code}`);
    return parseSippStatistics(await readFile(file, "utf8"));
  } finally {
    await client.stop();
  }
}

let scratch: string | null = null;

/** One folder for the whole run, removed at exit, also at one by a signal. */
function scratchFolder(): string {
  if (scratch === null) {
    const folder = mkdtempSync(join(tmpdir(), "sipcore-bench-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    scratch = folder;
  }
  return scratch;
}
