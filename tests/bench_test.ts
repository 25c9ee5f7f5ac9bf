// SPDX-License-Identifier: GPL-2.0-or-later
/** The pure parts of `npm run bench`: what it reads from its clients and from the kernel, and what it makes of it. */
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { Measurement } from "../scripts/bench/measurement.ts";
import { parseOptions } from "../scripts/bench/options.ts";
import { planParts } from "../scripts/bench/parts.ts";
import { parsePerfReport } from "../scripts/bench/pjsip-perf.ts";
import { alignColumns, formatTable, median, summarise } from "../scripts/bench/report.ts";
import { parseSippStatistics, parseSippTimes } from "../scripts/bench/sipp.ts";
import { cpuBetween, parsePs, parseStat, readUsage } from "../scripts/bench/usage.ts";
import process from "node:process";

function measured(values: Partial<Measurement>): Measurement {
  return { requests: 1000, lost: 0, resent: null, p99: null, rate: 1000, cpu: 50, rss: 40, ...values };
}

describe("parseOptions()", () => {
  it("parseOptions() takes everything by default", () => {
    assertEquals(parseOptions([]), {
      rounds: 3,
      parts: ["options", "invite", "open-loop", "message", "register", "media"],
      servers: ["c", "deno", "bun", "sip"],
      json: null,
      quick: false,
      help: false,
    });
    assertEquals(parseOptions(["--quick"]).rounds, 1);
    assertEquals(parseOptions(["--quick", "--rounds", "2"]).rounds, 2);
  });

  it("parseOptions() keeps the order of its own lists and drops repetitions", () => {
    const options = parseOptions(["--only", "open-loop, options,options", "--servers=sip,c"]);
    assertEquals(options.parts, ["options", "open-loop"]);
    assertEquals(options.servers, ["c", "sip"]);
  });

  it("parseOptions() refuses what it does not know", () => {
    for (const rounds of ["0", "-1", "1.5", "many", "", "99999"]) {
      assertThrows(() => parseOptions([`--rounds=${rounds}`]), Error, "--rounds takes a number");
    }
    assertThrows(() => parseOptions(["--servers", "c,asterisk"]), Error, `not "asterisk"`);
    assertThrows(() => parseOptions(["--only", ""]), Error, `not ""`);
    assertThrows(() => parseOptions(["--fast"]), Error, "--fast");
    assertThrows(() => parseOptions(["extra"]), Error, "extra");
  });

  it("planParts() gives the parts asked for, the open loop at two rates", () => {
    const all = planParts(parseOptions([]));
    assertEquals(all.map(({ name, count, rate }) => [name, count, rate]), [
      ["options", 10_000, null],
      ["invite", 20_000, null],
      ["open-loop", 3_000, 1_000],
      ["open-loop", 12_000, 4_000],
      ["message", 6_000, 2_000],
      ["register", 10_000, null],
      ["media", 200, 60],
    ]);
    assertEquals(planParts(parseOptions(["--only", "invite", "--quick"])).map(({ count }) => count), [2_000]);
  });
});

describe("parsePerfReport()", () => {
  const lines = [
    "Sending 5000 INVITE calls to 'sip:2@127.0.0.1:35060' with 100 maximum outstanding jobs, please wait..",
    "5000 jobs started, 4997 completed, waiting...",
    "done.",
    "Total 5000 INVITE calls sent in 2955 ms at rate of 1692/sec",
    "Total 4999 responses received in 3456 ms at rate of 1446/sec:",
    "Detailed responses received:",
    " - 200 responses:     4990     (OK)",
    " - 503 responses:        9     (Service Unavailable)",
    "                    ------",
    " TOTAL responses:     4999 (rate=1446/sec)",
  ];

  it("parsePerfReport() reads times and codes", () => {
    assertEquals(parsePerfReport(lines), {
      sent: 5000,
      sendMs: 2955,
      answerMs: 3456,
      codes: new Map([[200, 4990], [503, 9]]),
    });
  });

  it("parsePerfReport() says what it saw instead of a report", () => {
    assertThrows(() => parsePerfReport(lines.slice(0, 3)), Error, "it said last:");
    assertThrows(() => parsePerfReport([]), Error, "printed no report");
  });
});

describe("parseSippStatistics()", () => {
  const names = "StartTime;CurrentTime;ElapsedTime(C);TotalCallCreated;SuccessfulCall(P);SuccessfulCall(C);" +
    "FailedCall(C);Retransmissions(C);";
  const start = "2026-11-22\t21:13:00.946672\t1795381980.946672";
  const row = (seconds: number, created: number, good: number, bad: number, resent: number) =>
    `${start};2026-11-22\t21:13:00.0\t${
      1795381980.946672 + seconds
    };00:00:01;${created};7;${good};${bad};${resent};`;

  it("parseSippStatistics() takes the last line, cumulative columns and the fractions of a second", () => {
    const { elapsed, ...counts } = parseSippStatistics(
      [names, row(0, 0, 0, 0, 0), row(1, 4000, 3000, 1, 2), row(1.25, 4000, 3990, 10, 15), ""].join("\n"),
    );
    assertEquals(counts, { created: 4000, successful: 3990, failed: 10, resent: 15 });
    assert(Math.abs(elapsed - 1.25) < 0.001, `elapsed ${elapsed}`);
  });

  it("parseSippStatistics() refuses a file without values or without a column", () => {
    assertThrows(() => parseSippStatistics(""), Error, "no statistics");
    assertThrows(() => parseSippStatistics(`${names}\n`), Error, "no statistics");
    assertThrows(
      () => parseSippStatistics([names.replace("FailedCall(C)", "Other"), row(1, 1, 1, 0, 0)].join("\n")),
      Error,
      `no column "FailedCall(C)"`,
    );
  });
});

describe("readUsage()", () => {
  it("parseStat() adds user and system time whatever the command is called", () => {
    const rest = "S 1 2 3 0 -1 4194304 113996 0 5 0 80 173 0 0 20 0";
    assertEquals(parseStat(`42 (deno) ${rest}`), 2_530_000);
    assertEquals(parseStat(`42 (a) S 1 (b) ${rest}`), 2_530_000);
  });

  it("parsePs() reads every length of time", () => {
    assertEquals(parsePs("  0:01.23   2048\n"), { cpu: 1_230_000, threads: new Map(), rss: 2 });
    assertEquals(parsePs("01:00:02 1024").cpu, 3_602_000_000);
    assertEquals(parsePs("1-00:00:00 1024").cpu, 86_400_000_000);
    assertThrows(() => parsePs(""), Error, "Cannot read the answer of ps");
  });

  it("cpuBetween() is fine where the threads tell and coarse where one has ended", () => {
    const before = { cpu: 100_000, threads: new Map([["1", 80_100], ["2", 20_000]]), rss: 1 };
    const after = { cpu: 130_000, threads: new Map([["1", 95_123], ["2", 25_000], ["3", 1_000]]), rss: 1 };
    assertEquals(cpuBetween(before, after), 21_023);
    const ended = { cpu: 900_000, threads: new Map([["1", 95_123]]), rss: 1 };
    assertEquals(cpuBetween(before, ended), 800_000);
    assertEquals(cpuBetween({ ...before, threads: new Map() }, { ...after, threads: new Map() }), 30_000);
  });

  it("readUsage() sees the work of this process and its memory", async () => {
    const before = await readUsage(process.pid);
    const end = performance.now() + 60;
    let spins = 0;
    while (performance.now() < end) spins++;
    const after = await readUsage(process.pid);
    assert(spins > 0);
    assert(cpuBetween(before, after) > 0, "60 ms of work left no trace");
    assert(after.rss > 1, `${after.rss} MiB`);
  });
});

describe("parseSippTimes()", () => {
  it("parseSippTimes() gives the second column in order of size", () => {
    assertEquals(parseSippTimes("Date_ms;response_time_ms;rtd_no\n1;10;1\n2;2;1\n3;0.5;1\n"), [0.5, 2, 10]);
    assertEquals(parseSippTimes("Date_ms;response_time_ms;rtd_no\n"), []);
  });
});

describe("summarise()", () => {
  it("median() is the middle or the mean of the two in the middle, of any order", () => {
    assertEquals(median([3, 1, 2]), 2);
    assertEquals(median([4, 1, 3, 2]), 2.5);
    assertThrows(() => median([]), RangeError);
    fc.assert(fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values);
      const half = values.length / 2;
      return values.filter((value) => value < middle).length <= half &&
        values.filter((value) => value > middle).length <= half;
    }));
  });

  it("summarise() takes ratios within a round, so a slow machine cancels out", () => {
    const [c, deno] = summarise([
      { server: "c", label: "C", rounds: [100, 50, 10].map((rate) => measured({ rate, cpu: 1000 / rate })) },
      {
        server: "deno",
        label: "Deno",
        rounds: [90, 45, 9].map((rate) => measured({ rate, cpu: 1500 / rate })),
      },
    ]);
    assertEquals([c?.rateToC, c?.cpuToC, c?.rate], [1, 1, 50]);
    assertEquals([deno?.rateToC, deno?.rate], [0.9, 45]);
    assert(deno && deno.cpuToC !== null && Math.abs(deno.cpuToC - 1.666) < 0.001);
  });

  it("summarise() adds up what was lost and knows no ratio without C", () => {
    const rounds = [measured({ lost: 1, resent: 4 }), measured({ lost: 2, resent: 5 })];
    const [one] = summarise([{ server: "bun", label: "Bun", rounds }]);
    assertEquals([one?.lost, one?.resent, one?.rateToC, one?.cpuToC], [3, 9, null, null]);
    assertEquals(summarise([{ server: "bun", label: "Bun", rounds: [measured({})] }])[0]?.resent, null);
  });
});

describe("formatTable()", () => {
  it("formatTable() prints one line a server under the title", () => {
    const summaries = summarise([
      { server: "c", label: "pjsip-perf (C)", rounds: [measured({ resent: 0, p99: 2 })] },
      { server: "sip", label: "npm sip", rounds: [measured({ rate: 500, cpu: 150.04, lost: 12 })] },
    ]);
    const [title, head, first, second, ...more] = formatTable("OPTIONS", summaries).split("\n");
    assertEquals(title, "OPTIONS");
    assertMatch(
      head ?? "",
      /^ {2}server +rate\/s +CPU µs each +RSS MiB +rate \/ C +CPU \/ C +lost +resent +p99 ms$/,
    );
    assertMatch(first ?? "", /^ {2}pjsip-perf \(C\) +1000 +50\.0 +40 +1\.00 +1\.00 +0 +0 +2$/);
    assertMatch(second ?? "", /^ {2}npm sip +500 +150\.0 +40 +0\.50 +3\.00 +12 +- +-$/);
    assertEquals(more, []);
  });

  it("alignColumns() makes every line as long as the next", () => {
    const cell = fc.string({ unit: "grapheme-ascii", minLength: 1 }).map((text) => text.replaceAll(" ", "_"));
    fc.assert(fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1 }), (rows) => {
      const lines = alignColumns(rows).split("\n");
      return lines.length === rows.length && new Set(lines.map((line) => line.length)).size === 1;
    }));
  });
});
