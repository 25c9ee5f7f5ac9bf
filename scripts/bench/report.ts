// SPDX-License-Identifier: GPL-2.0-or-later
/** From raw rounds to medians, ratios and a table. */
import type { Measurement } from "./measurement.ts";
import type { ServerName } from "./options.ts";

/** All rounds of one server in one part. */
export interface Series {
  server: ServerName;
  label: string;
  rounds: Measurement[];
}

/** Medians over the rounds; `lost` and `resent` are sums. */
export interface Summary {
  server: ServerName;
  label: string;
  rate: number;
  cpu: number;
  rss: number;
  /** Medians of the ratios to the C server of the same round, which cancels what the machine did meanwhile. */
  rateToC: number | null;
  cpuToC: number | null;
  requests: number;
  lost: number;
  resent: number | null;
  p99: number | null;
  script: number | null;
}

/** The middle value, or the mean of the two in the middle. @throws RangeError for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new RangeError("No median of no values");
  return (low + high) / 2;
}

export function summarise(all: readonly Series[]): Summary[] {
  const c = all.find(({ server }) => server === "c");
  return all.map(({ server, label, rounds }) => {
    const toC = (value: (one: Measurement) => number): number | null => {
      const ratios: number[] = [];
      rounds.forEach((round, i) => {
        const limit = c?.rounds[i];
        if (limit && value(limit) > 0) ratios.push(value(round) / value(limit));
      });
      return ratios.length > 0 ? median(ratios) : null;
    };
    const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
    const p99 = rounds.map((round) => round.p99).filter((value) => value !== null);
    const script = rounds.map((round) => round.script ?? null).filter((value) => value !== null);
    const resent = rounds.map((round) => round.resent).filter((value) => value !== null);
    return {
      server,
      label,
      rate: median(rounds.map((round) => round.rate)),
      cpu: median(rounds.map((round) => round.cpu)),
      rss: median(rounds.map((round) => round.rss)),
      rateToC: toC((one) => one.rate),
      cpuToC: toC((one) => one.cpu),
      requests: sum(rounds.map((round) => round.requests)),
      lost: sum(rounds.map((round) => round.lost)),
      resent: resent.length > 0 ? sum(resent) : null,
      p99: p99.length > 0 ? median(p99) : null,
      script: script.length > 0 ? median(script) : null,
    };
  });
}

/** The table of one part, under a line with its title. */
export function formatTable(title: string, summaries: readonly Summary[]): string {
  const ratio = (value: number | null): string => value === null ? "-" : value.toFixed(2);
  const hasScript = summaries.some(({ script }) => script !== null);
  return `${title}\n` + alignColumns([
    [
      ...["server", "rate/s", "CPU µs each", "RSS MiB", "rate / C", "CPU / C", "lost", "resent", "p99 ms"],
      ...(hasScript ? ["JS %"] : []),
    ],
    ...summaries.map((one) => [
      one.label,
      one.rate.toFixed(0),
      one.cpu.toFixed(1),
      one.rss.toFixed(0),
      ratio(one.rateToC),
      ratio(one.cpuToC),
      String(one.lost),
      one.resent === null ? "-" : String(one.resent),
      one.p99 === null ? "-" : String(one.p99),
      ...(hasScript ? [one.script === null ? "-" : one.script.toFixed(2)] : []),
    ]),
  ]);
}

/** Lines of cells under each other: the first column flush left, the others flush right. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  return rows.map((row) =>
    "  " +
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)).join("  ")
      .trimEnd()
  ).join("\n");
}
