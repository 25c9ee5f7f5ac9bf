// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { plotCall, type Sample } from "../scripts/demo/plot.ts";

/** Samples, five a second. */
function samples(count: number, of: (index: number) => Partial<Sample> = () => ({})): Sample[] {
  return Array.from(
    { length: count },
    (_, index) => ({
      at: 1000 + index * 200,
      heard: 0,
      received: index * 10,
      lost: 0,
      jitter: 0,
      ...of(index),
    }),
  );
}

/** The points of each line, and what the text says; every tag is closed. */
function read(svg: string): { lines: [number, number][][]; texts: string[] } {
  const open: string[] = [];
  for (const [, close, name, self] of svg.matchAll(/<(\/?)(\w+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (close) assertEquals(open.pop(), name);
    else if (!self) open.push(name!);
  }
  assertEquals(open, []);
  assertEquals(svg.includes("NaN") || svg.includes("Infinity"), false, svg);
  const lines = [...svg.matchAll(/points="([^"]*)"/g)].map(([, points]) =>
    points!.split(" ").map((point) => point.split(",").map(Number) as [number, number])
  );
  return { lines, texts: [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text!) };
}

describe("plotCall()", () => {
  it("plotCall() draws level, jitter and loss of both sides over time", () => {
    const caller = samples(26, (index) => ({
      heard: index === 10 ? 255 : 0,
      jitter: index === 5 ? 8 : 0,
      lost: index >= 20 ? 10 : 0,
    }));
    const { lines, texts } = read(plotCall("A call", { caller, callee: samples(11) }));
    assertEquals(lines.map((line) => line.length), [26, 11, 26, 11, 26, 11]);
    const [level, , jitter, , loss] = lines;
    // From the left to the right edge in 5 s; each peak in its place, on the scale beside it.
    assertEquals([level![0]![0], level!.at(-1)![0]], [70, 876]);
    const peak = (line: [number, number][]): number => line.indexOf(line.toSorted((a, b) => a[1] - b[1])[0]!);
    assertEquals([peak(level!), peak(jitter!), peak(loss!)], [10, 5, 20]);
    const height = (line: [number, number][]): number => line[0]![1] - Math.min(...line.map(([, y]) => y));
    assertEquals([height(level!), height(jitter!), height(loss!)], [130, 130 * 8 / 10, 130]);
    for (const text of ["A call", "Level heard (%)", "Jitter (ms)", "Loss (%)", "100", "50", "10", "5 s"]) {
      assert(texts.includes(text), text);
    }
  });

  it("plotCall() draws calls without samples, with one, and of an hour", () => {
    assertEquals(read(plotCall("Nothing", { caller: [], callee: [] })).lines, []);
    assertEquals(read(plotCall("One", { caller: samples(1), callee: [] })).lines.map((line) => line.length), [
      1,
      1,
      1,
    ]);
    const long = samples(18_000, (index) => ({ jitter: index === 12_345 ? 40 : 1 }));
    const { lines } = read(plotCall("Long", { caller: long, callee: [] }));
    assert(lines.every((line) => line.length === 600));
    // The one peak is still there: 40 of 50 ms.
    assertEquals(lines[1]!.filter(([, y]) => y < 330).length, 1);
  });

  it("plotCall() lets nobody write into the file", () => {
    const svg = plotCall('</title><script>alert(1)</script>&"\u0000', { caller: samples(3), callee: [] });
    assertEquals(svg.includes("<script"), false);
    assertMatch(
      svg,
      /<title>&#60;\/title&#62;&#60;script&#62;alert\(1\)&#60;\/script&#62;&#38;&#34;\ufffd<\/title>/,
    );
    read(svg);
  });
});
