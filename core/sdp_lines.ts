// SPDX-License-Identifier: GPL-2.0-or-later

/** One line of SDP: the letter before "=", and what stands behind it. */
export interface SDPLine {
  readonly type: string;
  readonly value: string;
}

/** More than any honest session needs, and little enough that no text costs noticeable time or memory. */
const LIMITS = { characters: 262_144, lines: 8_192 } as const;

/** The lines of SDP text, ended by CRLF or LF; empty ones are passed over. */
export function parseLines(text: string): SDPLine[] {
  if (text.length > LIMITS.characters) throw new SyntaxError(`more than ${LIMITS.characters} characters`);
  const lines: SDPLine[] = [];
  for (const ended of text.split("\n")) {
    const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
    if (line === "") continue;
    if (lines.length === LIMITS.lines) throw new SyntaxError(`more than ${LIMITS.lines} lines`);
    if (!/^[A-Za-z]=/.test(line)) throw new SyntaxError(`no "x=" in the line "${line.slice(0, 40)}"`);
    lines.push({ type: line[0]!, value: line.slice(2) });
  }
  return lines;
}

/** What stands behind the first "x=" of a section, undefined where there is none. */
export function firstValue(lines: readonly SDPLine[], type: string): string | undefined {
  return lines.find((line) => line.type === type)?.value;
}

/** What stands behind each "x=" of a section. */
export function allValues(lines: readonly SDPLine[], type: string): string[] {
  return lines.filter((line) => line.type === type).map((line) => line.value);
}
