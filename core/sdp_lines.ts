// SPDX-License-Identifier: GPL-2.0-or-later
import { CR, EQUALS } from "./octets.ts";

/** One line of SDP: the letter before "=", and what stands behind it. */
export interface SDPLine {
  readonly type: string;
  readonly value: string;
}

/** More than any honest session needs, and little enough that no text costs noticeable time or memory. */
const LIMITS = { characters: 262_144, lines: 8_192 } as const;

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** The lines of SDP text, ended by CRLF or LF; empty ones are passed over. */
export function parseLines(text: string): SDPLine[] {
  if (text.length > LIMITS.characters) throw new SyntaxError(`more than ${LIMITS.characters} characters`);
  const lines: SDPLine[] = [];
  for (let start = 0, next: number; start < text.length; start = next + 1) {
    next = text.indexOf("\n", start);
    if (next < 0) next = text.length;
    const end = next > start && text.charCodeAt(next - 1) === CR ? next - 1 : next;
    if (end === start) continue;
    if (lines.length === LIMITS.lines) throw new SyntaxError(`more than ${LIMITS.lines} lines`);
    if (!isLetter(text.charCodeAt(start)) || end < start + 2 || text.charCodeAt(start + 1) !== EQUALS) {
      throw new SyntaxError(`no "x=" in the line "${text.slice(start, Math.min(end, start + 40))}"`);
    }
    lines.push({ type: text[start]!, value: text.slice(start + 2, end) });
  }
  return lines;
}

/** What stands behind the first "x=" of a section, undefined where there is none. */
export function firstValue(lines: readonly SDPLine[], type: string): string | undefined {
  return lines.find((line) => line.type === type)?.value;
}

/** What stands behind each "x=" of a section. */
export function allValues(lines: readonly SDPLine[], type: string): string[] {
  const values: string[] = [];
  for (const line of lines) if (line.type === type) values.push(line.value);
  return values;
}

const BLANKS = /[ \t]+/;

/** The words of a line. */
export function wordsOf(text: string): string[] {
  // Splitting at a string is much faster than at an expression, and nearly every line allows it.
  const words = text.split(" ");
  return words.every(isWord) ? words : text.split(BLANKS).filter(Boolean);
}

function isWord(text: string): boolean {
  return text !== "" && !text.includes("\t");
}
