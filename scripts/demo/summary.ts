// SPDX-License-Identifier: GPL-2.0-or-later
/** The page that the demo ends with. */
import { clean } from "./label.ts";
import { other } from "./merge.ts";
import type { CallReport, Side, StreamReport } from "./protocol.ts";
import type { Paint } from "./terminal.ts";
import { passes, THRESHOLD, type Verdict } from "./verdict.ts";

export type Reports = Readonly<Partial<Record<Side, CallReport>>>;

const NAME = 18;
const COLUMN = 20;

/** How the call went: one or both parties' reports, as lines. */
export function callLines(reports: Reports, paint: Paint): string[] {
  const side: Side = reports.caller === undefined ? "callee" : "caller";
  const report = reports[side];
  if (report === undefined) return ["  There was no call."];
  const fact = (name: string, text: string): string => `  ${paint("bold", name.padEnd(NAME))}${clean(text)}`;
  const lines = [fact("Set-up", setUp(report)), fact("Call", ending(side, report))];
  if (report.codec !== null) lines.push(fact("Codec", `${report.codec}, ${report.sampleRate} Hz`));
  if (report.sent !== null || report.received !== null) lines.push("", ...table(reports, paint));
  return lines;
}

function setUp({ ringing, setUp }: CallReport): string {
  const rang = ringing === null ? "" : `ringing after ${Math.round(ringing)} ms, `;
  return rang + (setUp === null ? "not answered" : `answered after ${Math.round(setUp)} ms`);
}

function ending(side: Side, report: CallReport): string {
  const who = report.endedBy === null ? null : report.endedBy === "local" ? side : other(side);
  const length = report.length === null ? "" : `${(report.length / 1000).toFixed(1)} s, `;
  const status = [report.code, report.reason].filter((part) => part !== null && part !== "").join(" ");
  const why = [status, report.cause].filter((part) => part !== null && part !== "").join(", ");
  return `${length}ended${who === null ? "" : ` by the ${who}`}${why === "" ? "" : ` (${why})`}`;
}

interface Way {
  readonly from: Side;
  readonly sent: StreamReport | null;
  readonly received: StreamReport | null;
}

/** Packets each way. What the far end did not tell itself it may have told by RTCP. */
function table(reports: Reports, paint: Paint): string[] {
  const ways = (["caller", "callee"] as const).map((from): Way => ({
    from,
    sent: reports[from]?.sent ?? null,
    received: reports[other(from)]?.received ?? null,
  }));
  const row = (name: string, cell: (way: Way) => string): string =>
    "  " + name.padEnd(NAME) + ways.map((way) => cell(way).padStart(COLUMN)).join("");
  const count = (value: number | undefined): string =>
    value === undefined ? "-" : value.toLocaleString("en-US");
  return [
    paint("bold", row("", ({ from }) => `${from} → ${other(from)}`)),
    row("Packets sent", (way) => count(way.sent?.packets)),
    row("Packets received", (way) => count(way.received?.packets)),
    row("Bytes sent", (way) => count(way.sent?.bytes)),
    row("Bytes received", (way) => count(way.received?.bytes)),
    row("Lost", (way) => loss(way.received ?? way.sent)),
    row("Jitter, mean", (way) => milliseconds((way.received ?? way.sent)?.jitter.mean)),
    row("Jitter, at most", (way) => milliseconds((way.received ?? way.sent)?.jitter.max)),
  ];
}

function loss(stream: StreamReport | null): string {
  if (stream === null) return "-";
  const all = stream.packets + stream.lost;
  return `${stream.lost} (${(all === 0 ? 0 : (stream.lost / all) * 100).toFixed(1)} %)`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "-" : `${value.toFixed(1)} ms`;
}

/** How well each recording matches, and where it is; `show` makes a path readable. */
export function verdictLines(
  verdicts: readonly Verdict[],
  paint: Paint,
  show: (path: string) => string,
): string[] {
  return verdicts.map((verdict) => {
    const mark = passes(verdict) ? paint("green", "✔") : paint("red", "✘");
    const result = verdict.match === null ? "not measured" : `match ${verdict.match.toFixed(3)}`;
    const problem = verdict.problem === null ? "" : `\n    ${clean(verdict.problem)}`;
    return `  ${mark} what the ${verdict.listener} heard: ${result}   ${show(verdict.recording)}${problem}`;
  });
}

/** The last line of the loopback call. */
export function resultLine(verdicts: readonly Verdict[], paint: Paint): string {
  const good = verdicts.length === 2 && verdicts.every(passes);
  return good
    ? paint("green", "  The call works: both recordings match what was played.")
    : paint("red", `  The call does not work: both recordings must match above ${THRESHOLD}.`);
}
