// SPDX-License-Identifier: GPL-2.0-or-later
/** The page that the demo ends with. */
import { clean } from "./label.ts";
import { other } from "./merge.ts";
import type { Arrival, CallReport, Side, StreamReport } from "./protocol.ts";
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
  return `${length}ended${who === null ? "" : ` by the ${who}`}${why(report)}`;
}

/** Why it ended, in brackets; nothing when somebody simply hung up. */
function why({ code, reason, cause }: CallReport): string {
  const failed = code !== null && code >= 300;
  const status = failed ? `${code} ${reason ?? ""}`.trimEnd() : "";
  const told = cause === null || cause === reason || cause === "user request" ? "" : cause;
  const parts = [status, told].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

/** A column of the table: the packets of one way, as both ends counted them. */
interface Way {
  readonly title: string;
  readonly sent: StreamReport | null;
  readonly received: StreamReport | null;
}

/** The packets each way; where one party alone is known, what it sent and what it received. */
function table({ caller, callee }: Reports, paint: Paint): string[] {
  if (caller !== undefined && callee !== undefined) {
    const ways = [
      { title: "caller → callee", sent: caller.sent, received: callee.received },
      { title: "callee → caller", sent: callee.sent, received: caller.received },
    ];
    return rows(ways, paint, [
      ["Packets sent", ({ sent }) => count(sent?.packets)],
      ["Packets received", ({ received }) => count(received?.packets)],
      ["Bytes sent", ({ sent }) => count(sent?.bytes)],
      ["Bytes received", ({ received }) => count(received?.bytes)],
    ]);
  }
  const known = caller ?? callee;
  const ways = [
    { title: "sent", sent: known?.sent ?? null, received: null },
    { title: "received", sent: null, received: known?.received ?? null },
  ];
  return rows(ways, paint, [
    ["Packets", ({ sent, received }) => count((sent ?? received)?.packets)],
    ["Bytes", ({ sent, received }) => count((sent ?? received)?.bytes)],
  ]);
}

type Row = readonly [name: string, cell: (way: Way) => string];

/** The table with these rows first. What the receiver did not tell itself it may have told by RTCP. */
function rows(ways: readonly Way[], paint: Paint, first: readonly Row[]): string[] {
  const arrival = ({ sent, received }: Way): Arrival | null => (received ?? sent)?.arrival ?? null;
  const all: readonly Row[] = [
    ...first,
    ["Lost", (way) => loss(arrival(way), (way.received ?? way.sent)?.packets ?? 0, way.received !== null)],
    ["Jitter, mean", (way) => milliseconds(arrival(way)?.jitter?.mean)],
    ["Jitter, at most", (way) => milliseconds(arrival(way)?.jitter?.max)],
  ];
  const line = (name: string, cells: readonly string[]): string =>
    "  " + name.padEnd(NAME) + cells.map((cell) => cell.padStart(COLUMN)).join("");
  return [
    paint("bold", line("", ways.map((way) => way.title))),
    ...all.map(([name, cell]) => line(name, ways.map(cell))),
  ];
}

function count(value: number | undefined): string {
  return value === undefined ? "-" : value.toLocaleString("en-US");
}

/** @param arrived whether `packets` were counted where they arrived, without those that were lost. */
function loss(arrival: Arrival | null, packets: number, arrived: boolean): string {
  if (arrival === null) return "-";
  const all = arrived ? packets + arrival.lost : packets;
  return `${arrival.lost} (${(all === 0 ? 0 : (arrival.lost / all) * 100).toFixed(1)} %)`;
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
