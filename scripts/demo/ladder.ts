// SPDX-License-Identifier: GPL-2.0-or-later
/** Draws the ladder of a call: two lanes, an arrow for each SIP message, a line for each notification. */
import { clean, type Label, labelOf } from "./label.ts";
import type { Side } from "./protocol.ts";
import type { Paint, Style } from "./terminal.ts";

/** What stands above a lane, line by line. */
export type Heading = readonly string[];

export interface LadderOptions {
  readonly paint: Paint;
  /** Columns of the terminal, asked for each line: it may change during the call. */
  readonly width: () => number;
  readonly headings: Readonly<Record<Side, Heading>>;
}

const TIME = 10;
const arrowStyles: Readonly<Record<Label["kind"], Style>> = {
  request: "cyan",
  provisional: "yellow",
  success: "green",
  failure: "red",
};

/** Each method gives finished lines, without a line's end; times are milliseconds since 1970. */
export class Ladder {
  readonly #paint: Paint;
  readonly #width: () => number;
  readonly #headings: Readonly<Record<Side, Heading>>;
  #start: number | null = null;

  constructor(options: LadderOptions) {
    this.#paint = options.paint;
    this.#width = options.width;
    this.#headings = options.headings;
  }

  head(): string[] {
    const { caller, callee } = this.#headings;
    const lines: string[] = [];
    const room = this.#inner + 2;
    for (let row = 0; row < Math.max(caller.length, callee.length); row++) {
      const left = shorten(clean(caller[row] ?? ""), Math.floor(room / 2) - 1);
      const right = shorten(clean(callee[row] ?? ""), Math.floor(room / 2) - 1);
      const style = row === 0 ? "bold" : "dim";
      const gap = " ".repeat(room - columns(left) - columns(right));
      lines.push(
        `${" ".repeat(TIME)}${this.#paint(style, left)}${gap}${this.#paint(style, right)}`.trimEnd(),
      );
    }
    lines.push(`${" ".repeat(TIME)}${this.#lane()}${" ".repeat(this.#inner)}${this.#lane()}`);
    return lines;
  }

  /** The arrow of a SIP message; `from` sent it. */
  message(at: number, from: Side, message: string): string {
    const label = labelOf(message);
    const style = arrowStyles[label.kind];
    const text = ` ${shorten(label.text, this.#inner - 8)} `;
    const dashes = this.#inner - 1 - columns(text);
    const [before, after] = ["─".repeat(Math.floor(dashes / 2)), "─".repeat(Math.ceil(dashes / 2))];
    const middle = this.#paint(style, before) + this.#paint("bold", this.#paint(style, text)) +
      this.#paint(style, after);
    const [tail, tip] = [this.#lane(from === "caller" ? "├" : "┤"), this.#lane()];
    return this.#time(at) +
      (from === "caller"
        ? tail + middle + this.#paint(style, "▶") + tip
        : tip + this.#paint(style, "◀") + middle + tail);
  }

  /** A notification, beside the lane of the party that got it. */
  note(at: number, side: Side, name: string, text: string): string {
    const room = this.#inner - 3;
    const shownName = shorten(clean(name), room);
    const shownText = shorten(clean(text), Math.max(0, room - columns(shownName) - 1));
    const used = columns(shownName) + (shownText === "" ? 0 : 1 + columns(shownText));
    const gap = " ".repeat(room - used);
    const painted = this.#paint("dim", shownName) + (shownText === "" ? "" : ` ${shownText}`);
    const dot = this.#paint("magenta", "●");
    const inner = side === "caller" ? `${dot} ${painted}${gap} ` : ` ${gap}${painted} ${dot}`;
    return this.#time(at) + this.#lane() + inner + this.#lane();
  }

  /** The sound: a double line both ways. */
  sound(at: number, codec: string, sampleRate: number): string {
    const text = ` ♪ ${shorten(clean(`${codec} ${sampleRate} Hz`), this.#inner - 12)} ♪ `;
    const lines = this.#inner - 2 - columns(text);
    const arrow = `◀${"═".repeat(Math.floor(lines / 2))}${text}${"═".repeat(Math.ceil(lines / 2))}▶`;
    return this.#time(at) + this.#lane() + this.#paint("blue", arrow) + this.#lane();
  }

  get #inner(): number {
    return this.#width() - TIME - 3;
  }

  #lane(shape: string = "│"): string {
    return this.#paint("dim", shape);
  }

  #time(at: number): string {
    this.#start ??= at;
    const seconds = (Math.max(0, at - this.#start) / 1000).toFixed(3);
    return this.#paint("dim", `${seconds.padStart(TIME - 3)} s `);
  }
}

/** How many columns a text takes, one for each character: it holds nothing invisible. */
function columns(text: string): number {
  return [...text].length;
}

function shorten(text: string, room: number): string {
  if (columns(text) <= room) return text;
  return room < 1 ? "" : [...text].slice(0, room - 1).join("") + "…";
}
