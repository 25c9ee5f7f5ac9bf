// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Descriptions that can be parsed later, without the risk that they cannot be parsed at all: nearly all, and to look
 * at the bytes costs a tenth of parsing them.
 */
import { COLON, CR, EQUALS, LF, SP, ZERO } from "./octets.ts";

/** In bytes; so long a one is not worth the wait. */
const most = 16_384;

/**
 * Whether `FrozenSDPSession.parse()` surely takes this description. False says nothing: what is rare is not looked at
 * more closely.
 */
export function isPlainSdp(bytes: Uint8Array): boolean {
  if (bytes.length > most) return false;
  let lines = 0;
  for (let start = 0, end: number; start < bytes.length; start = end + 2) {
    end = endOfLine(bytes, start);
    if (bytes[end] !== CR || bytes[end + 1] !== LF || bytes[start + 1] !== EQUALS) return false;
    if (!isPlainLine(bytes, start, end, lines++)) return false;
  }
  return lines >= 2;
}

/** Where the printable ASCII ends. */
function endOfLine(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at]! >= SP && bytes[at]! < 0x7f) at++;
  return at;
}

function isPlainLine(bytes: Uint8Array, start: number, end: number, index: number): boolean {
  const value = start + 2;
  if (index === 0) return bytes[start] === letter("v") && end === value + 1 && bytes[value] === ZERO;
  if (index === 1) {
    return bytes[start] === letter("o") && countWords(bytes, value, end) === 6 &&
      isNumber(bytes, word(bytes, value, end, 1), end) && isNumber(bytes, word(bytes, value, end, 2), end);
  }
  switch (bytes[start]) {
    case letter("c"):
      return countWords(bytes, value, end) === 3;
    case letter("t"):
      return countWords(bytes, value, end) === 2 && isNumber(bytes, value, end) &&
        isNumber(bytes, word(bytes, value, end, 1), end);
    case letter("a"):
      return value < end && bytes[value] !== COLON;
    case letter("b"): {
      const colon = bytes.indexOf(COLON, value);
      return colon > value && countWords(bytes, value, end) === 1 && isNumber(bytes, colon + 1, end);
    }
    case letter("m"):
      return countWords(bytes, value, end) >= 3 && isPort(bytes, word(bytes, value, end, 1), end);
    case letter("s"):
    case letter("i"):
      return true;
    default:
      return false;
  }
}

function letter(text: string): number {
  return text.charCodeAt(0);
}

/** Of words with one blank between each two; 0 where it is not so. */
function countWords(bytes: Uint8Array, start: number, end: number): number {
  let count = 1;
  let isIn = false;
  for (let at = start; at < end; at++) {
    if (bytes[at] !== SP) {
      isIn = true;
    } else {
      if (!isIn) return 0;
      isIn = false;
      count++;
    }
  }
  return isIn ? count : 0;
}

/** Where the word of that index begins. */
function word(bytes: Uint8Array, start: number, end: number, index: number): number {
  let at = start;
  for (let blanks = 0; blanks < index && at < end; at++) if (bytes[at] === SP) blanks++;
  return at;
}

/** The value of the word of 1 to 15 digits that begins there, -1 for any other. */
function numberAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let at = start;
  for (; at < end && bytes[at] !== SP; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return at > start && at <= start + 15 ? value : -1;
}

function isNumber(bytes: Uint8Array, start: number, end: number): boolean {
  return numberAt(bytes, start, end) >= 0;
}

function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  const port = numberAt(bytes, start, end);
  return port >= 0 && port <= 65535;
}
