// SPDX-License-Identifier: GPL-2.0-or-later
/** The clients that are measured against each other, with pjsip-perf as the server of all of them. */
import { Child } from "./child.ts";
import type { Measurement } from "./measurement.ts";
import { parsePerfReport } from "./pjsip-perf.ts";
import { type ClientCommand, type RunningServer, startServer } from "./servers.ts";
import type { ServerRecipe } from "./servers.ts";
import { cpuBetween, readUsage } from "./usage.ts";

/** Requests that wait for their answer at a time. */
const window = 100;
/** What a client has sent before it is measured: a compiler's work is none of a request's. */
const warmUp = 5000;

/** Sends so many REGISTERs and measures the process that sends them. */
export async function driveRegister(
  client: ClientCommand,
  server: ServerRecipe,
  count: number,
): Promise<Measurement> {
  const running = await startServer(server);
  try {
    return client.args === null
      ? await measurePerf(client.command, running, count)
      : await measureSipcore(client.command, client.args(running.port, window), count);
  } finally {
    await running.child.stop();
  }
}

async function measureSipcore(command: string, args: readonly string[], count: number): Promise<Measurement> {
  const child = new Child("The client of sipcore", command, args);
  try {
    await child.line(/^ready$/, 15_000);
    const send = async (requests: number) => {
      child.write(`${requests}\n`);
      const { match } = await child.line(/^completed (\d+) \d+$/, 60_000);
      return Number(match[1]);
    };
    await send(warmUp);
    const before = await readUsage(child.pid);
    const begun = performance.now();
    const good = await send(count);
    const seconds = (performance.now() - begun) / 1000;
    const after = await readUsage(child.pid);
    return {
      requests: count,
      lost: count - good,
      resent: null,
      p99: null,
      rate: good / seconds,
      cpu: cpuBetween(before, after) / count,
      rss: after.rss,
    };
  } finally {
    await child.stop();
  }
}

async function measurePerf(program: string, { port }: RunningServer, count: number): Promise<Measurement> {
  const child = new Child("The client pjsip-perf", program, [
    ...["--local-port=0", `--window=${window}`, `--count=${count}`, "--method=REGISTER", "--timeout=30"],
    `sip:1@127.0.0.1:${port}`,
  ]);
  try {
    await child.line(/^\d+ jobs started, \d+ completed(?:\.$|, waiting)/, 60_000);
    // It idles now, polling, for two seconds. All that it has used so far it has used for these.
    const { cpu, rss } = await readUsage(child.pid);
    await child.end(40_000);
    const report = parsePerfReport(child.output);
    const good = report.codes.get(200) ?? 0;
    const rate = good / (report.answerMs / 1000);
    return { requests: count, lost: count - good, resent: null, p99: null, rate, cpu: cpu / count, rss };
  } finally {
    await child.stop();
  }
}
