// SPDX-License-Identifier: GPL-2.0-or-later
/** The checks that every argument passes before it is stored: each returns the value, or throws naming the argument. */

const BREAKS_LINES = /[\r\n\0]/;
const WHITE_SPACE = /[ \t]/;
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

/** A string that may reach the wire: without CR, LF, NUL and lone surrogates (which UTF-8 cannot carry). */
export function checkText(value: unknown, argument: string): string {
  if (typeof value !== "string") throw new TypeError(`${argument} must be a string, got ${describe(value)}`);
  if (BREAKS_LINES.test(value) || !value.isWellFormed()) {
    throw new TypeError(`${argument} must not contain CR, LF, NUL or a lone surrogate`);
  }
  return value;
}

/** The same; null and undefined are null. */
export function checkOptionalText(value: unknown, argument: string): string | null {
  return value === null || value === undefined ? null : checkText(value, argument);
}

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** A token of RFC 3261, section 25.1. */
export function checkToken(value: unknown, argument: string): string {
  const text = checkText(value, argument);
  if (!isToken(text)) throw new TypeError(`${argument} must be a token, got "${text}"`);
  return text;
}

/** Text of at least one character and without white space, as the fields of SDP lines are. */
export function checkWord(value: unknown, argument: string): string {
  const text = checkText(value, argument);
  if (text === "" || WHITE_SPACE.test(text)) {
    throw new TypeError(`${argument} must be a word without white space, got "${text}"`);
  }
  return text;
}

export function checkInteger(value: unknown, argument: string, least: number, most: number): number {
  if (typeof value !== "number") throw new TypeError(`${argument} must be a number, got ${describe(value)}`);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${argument} must be an integer from ${least} to ${most}, got ${value}`);
  }
  return value;
}

/** A port, or null; 0 and undefined are null: "not set". */
export function checkPort(value: unknown, argument: string): number | null {
  return value === null || value === undefined ? null : checkInteger(value, argument, 0, 65535) || null;
}

export function checkBoolean(value: unknown, argument: string): boolean {
  if (typeof value !== "boolean") {
    throw new TypeError(`${argument} must be a boolean, got ${describe(value)}`);
  }
  return value;
}

export function checkInstance<T>(
  value: unknown,
  type: abstract new (...args: never[]) => T,
  argument: string,
): T {
  if (!(value instanceof type)) {
    throw new TypeError(`${argument} must be a ${type.name}, got ${describe(value)}`);
  }
  return value;
}

/** For the constructors of base classes: `new BaseX()` is refused at run time too. */
export function checkConcrete(target: unknown, base: unknown): void {
  if (target === base) throw new TypeError("Illegal constructor");
}

function describe(value: unknown): string {
  return value === null ? "null" : typeof value;
}
