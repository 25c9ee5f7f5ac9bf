// SPDX-License-Identifier: GPL-2.0-or-later
/** pjproject's own benchmark as client: nearly lock-step, it sends the next request when one was answered. */
import { setTimeout as delay } from "node:timers/promises";
import { Child } from "./child.ts";
import type { Measurement } from "./measurement.ts";
import { cpuBetween, readUsage } from "./usage.ts";

export interface PerfReport {
  sent: number;
  /** From the first request to the last one sent, in ms. */
  sendMs: number;
  /** From the first request to the last completion, in ms. */
  answerMs: number;
  /** How many ended with which final code. */
  codes: Map<number, number>;
}

/** How long after the last request a healthy server may still be working off the answers, in ms. */
const settle = 250;

/** Runs pjsip-perf against `uri` and measures the server process meanwhile. */
export async function drivePjsipPerf(
  { program, uri, method, count, serverPid }: {
    program: string;
    uri: string;
    method: "OPTIONS" | "INVITE" | "MESSAGE";
    count: number;
    serverPid: number;
  },
): Promise<Measurement> {
  const before = await readUsage(serverPid);
  const client = new Child("The client pjsip-perf", program, [
    "--local-port=0",
    "--window=100",
    `--count=${count}`,
    `--method=${method}`,
    "--timeout=30",
    ...(method === "INVITE" ? ["--real-sdp"] : []),
    uri,
  ]);
  try {
    // "completed..." is its line of progress every two seconds; the last one ends otherwise.
    await client.line(/^\d+ jobs started, \d+ completed(?:\.$|, waiting)/, 40_000);
    // The client now idles for two seconds, and a server in C polls all that time: read early.
    await delay(settle);
    const settled = await readUsage(serverPid);
    await client.end(40_000);
    const after = await readUsage(serverPid);
    const report = parsePerfReport(client.output);
    const answered = report.codes.get(200) ?? 0;
    const late = report.answerMs - report.sendMs > settle;
    return {
      requests: count,
      lost: count - answered,
      resent: null,
      p99: null,
      rate: answered / (report.answerMs / 1000),
      cpu: cpuBetween(before, late ? after : settled) / count,
      rss: after.rss,
    };
  } finally {
    await client.stop();
  }
}

/**
 * Reads what pjsip-perf prints at the end.
 *
 * @throws Error when the lines hold no report.
 */
export function parsePerfReport(lines: readonly string[]): PerfReport {
  const report: PerfReport = { sent: 0, sendMs: 0, answerMs: 0, codes: new Map() };
  for (const line of lines) {
    const sent = line.match(/^Total (\d+) .* sent in (\d+) ms /);
    if (sent) [report.sent, report.sendMs] = [Number(sent[1]), Number(sent[2])];
    const received = line.match(/^Total \d+ responses received in (\d+) ms /);
    if (received) report.answerMs = Number(received[1]);
    const code = line.match(/^ - (\d{3}) responses: +(\d+) /);
    if (code) report.codes.set(Number(code[1]), Number(code[2]));
  }
  if (report.sent === 0 || report.answerMs === 0) {
    throw new Error(`pjsip-perf printed no report; it said last:\n  ${lines.slice(-12).join("\n  ")}`);
  }
  return report;
}
