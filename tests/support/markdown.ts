// SPDX-License-Identifier: GPL-2.0-or-later
/** The blocks of code in the papers. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface CodeBlock {
  /** The paper, relative to the project. */
  readonly file: string;
  readonly line: number;
  /** What stands behind the three backticks: "ts", "sh". */
  readonly language: string;
  readonly text: string;
}

/** Every fenced block of a paper, in its order. */
export function codeBlocks(file: string): CodeBlock[] {
  const text = readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");
  return [...text.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm)].map(({ index, 1: language, 2: code }) => ({
    file,
    line: text.slice(0, index).split("\n").length,
    language: language!,
    text: code!,
  }));
}
