// SPDX-License-Identifier: GPL-2.0-or-later
/** The terminal: lines that stay, one line at the bottom that changes, and colours where they are wanted. */

export type Paint = (style: Style, text: string) => string;

const styles = {
  bold: "1",
  dim: "2",
  red: "31",
  green: "32",
  yellow: "33",
  blue: "34",
  magenta: "35",
  cyan: "36",
} as const;

export type Style = keyof typeof styles;

/** Paints with the terminal's colours, or leaves every text as it is. */
export function painter(colour: boolean): Paint {
  return (style, text) => colour && text !== "" ? `\x1b[${styles[style]}m${text}\x1b[0m` : text;
}

/** The part of a writable terminal stream that is needed here; `process.stdout` is one. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Lines go to the output for good; on a terminal a status line stands below them. */
export class Screen {
  readonly paint: Paint;
  readonly #output: Output;
  readonly #live: boolean;
  #status = "";

  /** @param env where NO_COLOR and FORCE_COLOR are looked up. */
  constructor(output: Output, env: Readonly<Record<string, string | undefined>>) {
    this.#output = output;
    this.#live = output.isTTY === true && env["TERM"] !== "dumb";
    const forced = (env["FORCE_COLOR"] ?? "0") !== "0";
    this.paint = painter((env["NO_COLOR"] ?? "") === "" && (this.#live || forced));
  }

  /** Columns to draw in: the terminal's, or as many as are still easy to read. */
  get width(): number {
    return Math.max(40, Math.min(this.#output.columns || 100, 100));
  }

  line(text: string = ""): void {
    this.#output.write(this.#erase() + text + "\n" + this.#status);
  }

  /** Replaces the status line; an empty text removes it. Nothing where the output is no terminal. */
  status(text: string): void {
    if (!this.#live || text === this.#status) return;
    const erase = this.#erase();
    this.#status = text;
    this.#output.write(erase + text);
  }

  #erase(): string {
    return this.#status === "" ? "" : "\r\x1b[2K";
  }
}
