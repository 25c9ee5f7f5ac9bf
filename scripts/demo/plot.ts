// SPDX-License-Identifier: GPL-2.0-or-later
/** A picture of a call: how loud it was, its jitter and its loss over time, as SVG. */
import type { Side } from "./protocol.ts";

/** What one side measured at a moment of the call. */
export interface Sample {
  /** In milliseconds, of the clock that all samples have in common. */
  readonly at: number;
  /** How loud the other side is heard: 0 to 255. */
  readonly heard: number;
  /** Packets that came and that were lost, since the start. */
  readonly received: number;
  readonly lost: number;
  /** In milliseconds. */
  readonly jitter: number;
}

export type Samples = Readonly<Record<Side, readonly Sample[]>>;

interface Panel {
  readonly title: string;
  readonly unit: string;
  /** The least that the top stands for. */
  readonly top: number;
  readonly value: (sample: Sample, before: Sample) => number;
}

const panels: readonly Panel[] = [
  { title: "Level heard", unit: "%", top: 100, value: ({ heard }) => heard / 2.55 },
  { title: "Jitter", unit: "ms", top: 1, value: ({ jitter }) => jitter },
  { title: "Loss", unit: "%", top: 1, value: lossOf },
];

const colours: Readonly<Record<Side, string>> = { caller: "#0b6bcb", callee: "#c2410c" };
const sides = ["caller", "callee"] as const;

const WIDTH = 900;
const LEFT = 70;
const RIGHT = 24;
const TOP = 88;
const PANEL = 130;
const GAP = 44;
const HEIGHT = TOP + panels.length * (PANEL + GAP) + 20;
/** More points than this are no longer seen apart. */
const POINTS = 600;

/** Percent of the packets of this interval. */
function lossOf(sample: Sample, before: Sample): number {
  const lost = Math.max(0, sample.lost - before.lost);
  const received = Math.max(0, sample.received - before.received);
  return lost === 0 ? 0 : 100 * lost / (lost + received);
}

/** The text of an SVG file; a side without samples has no lines in it. */
export function plotCall(title: string, samples: Samples): string {
  const times = sides.flatMap((side) => samples[side].map(({ at }) => at));
  const start = times.reduce((least, at) => Math.min(least, at), Infinity);
  const end = times.reduce((most, at) => Math.max(most, at), -Infinity);
  const seconds = times.length === 0 ? 1 : Math.max(1, (end - start) / 1000);
  const x = (second: number): number => LEFT + second / seconds * (WIDTH - LEFT - RIGHT);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" ` +
    `font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="24" font-size="16" font-weight="bold">${escape(title)}</text>`,
    ...sides.map((side, index) =>
      `<text x="${LEFT + index * 170}" y="46" fill="${colours[side]}">■ what the ${side} receives</text>`
    ),
  ];
  for (const [index, panel] of panels.entries()) {
    const bottom = TOP + index * (PANEL + GAP) + PANEL;
    const curves = sides.map((side) => thin(valuesOf(panel, samples[side], start)));
    const top = niceTop(Math.max(panel.top, ...curves.flatMap((curve) => curve.map(({ value }) => value))));
    const y = (value: number): number => bottom - value / top * PANEL;
    lines.push(...frame(panel, top, y, x, seconds, bottom));
    for (const [at, curve] of curves.entries()) {
      if (curve.length === 0) continue;
      const points = curve.map(({ second, value }) => `${x(second).toFixed(1)},${y(value).toFixed(1)}`);
      lines.push(
        `<polyline fill="none" stroke="${colours[sides[at]!]}" stroke-width="1.5" points="${
          points.join(" ")
        }"/>`,
      );
    }
  }
  return [...lines, "</svg>", ""].join("\n");
}

interface Point {
  readonly second: number;
  readonly value: number;
}

function valuesOf({ value }: Panel, samples: readonly Sample[], start: number): Point[] {
  return samples.map((sample, index) => ({
    second: (sample.at - start) / 1000,
    value: value(sample, samples[index - 1] ?? sample),
  }));
}

/** Of many points that fall together the greatest: what one looks for are the peaks. */
function thin(points: readonly Point[]): readonly Point[] {
  if (points.length <= POINTS) return points;
  const size = points.length / POINTS;
  return Array.from({ length: POINTS }, (_, index) => {
    const bucket = points.slice(Math.floor(index * size), Math.floor((index + 1) * size));
    return bucket.reduce((most, point) => point.value > most.value ? point : most);
  });
}

/** The next of 1, 2, 5, 10 … */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value) ?? value;
}

function frame(
  { title, unit }: Panel,
  top: number,
  y: (value: number) => number,
  x: (second: number) => number,
  seconds: number,
  bottom: number,
): string[] {
  const right = WIDTH - RIGHT;
  const lines = [`<text x="${LEFT}" y="${bottom - PANEL - 8}" font-weight="bold">${title} (${unit})</text>`];
  for (const value of [0, top / 2, top]) {
    lines.push(
      `<line x1="${LEFT}" x2="${right}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`,
      `<text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${Number(value.toPrecision(3))}</text>`,
    );
  }
  const step = niceTop(seconds / 10);
  for (let second = 0; second <= seconds + step / 1000; second += step) {
    const at = x(second).toFixed(1);
    lines.push(
      `<line x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}" stroke="#888"/>`,
      `<text x="${at}" y="${bottom + 18}" text-anchor="middle">${Number(second.toPrecision(3))} s</text>`,
    );
  }
  return lines;
}

function escape(text: string): string {
  const safe = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
  return safe.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
