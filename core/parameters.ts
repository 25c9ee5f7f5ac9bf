// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInteger, checkText, checkToken, isToken } from "./check_argument.ts";
import { entriesOf, FrozenDict } from "./frozen.ts";
import { isQuoted, quote, quotedAt, unquote } from "./sip_text.ts";

/** What constructors and setters take for parameters: pairs, a map, or a plain object; null is a flag such as `;lr`. */
export type ParametersInit =
  | Iterable<readonly [string, string | null]>
  | Readonly<Record<string, string | null>>;

/** Parameters as every value shows them, changeable or not. */
export type ReadonlyParameters = ReadonlyMap<string, string | null>;

/** A checked copy of what was given; `checkName` is stricter for headers than for URIs. */
export function copyParameters(
  init: ParametersInit | null | undefined,
  argument: string,
  checkName: (name: unknown, argument: string) => string = checkToken,
): Map<string, string | null> {
  const copy = new Map<string, string | null>();
  if (init === null || init === undefined) return copy;
  if (typeof init !== "object") throw new TypeError(`${argument} must be a map or an object`);
  for (const [name, value] of entriesOf(init)) {
    const key = checkName(name, `A name in ${argument}`);
    copy.set(key, value === null ? null : checkText(value, `"${key}" in ${argument}`));
  }
  return copy;
}

const NO_PARAMETERS: FrozenDict<string | null> = new FrozenDict();

export function freezeParameters(parameters: ReadonlyParameters): FrozenDict<string | null> {
  if (parameters.size === 0) return NO_PARAMETERS;
  return parameters instanceof FrozenDict ? parameters : new FrozenDict(parameters);
}

/** The key under which a parameter stands: names have no case (RFC 3261, section 7.3.1). */
function findKey(parameters: ReadonlyParameters, name: string): string | undefined {
  if (parameters.has(name)) return name;
  const wanted = name.toLowerCase();
  return parameters.keys().find((key) => key.toLowerCase() === wanted);
}

/** The value of a parameter in any spelling of its name, null for a flag, undefined where there is none. */
export function getParameter(parameters: ReadonlyParameters, name: string): string | null | undefined {
  const key = findKey(parameters, name);
  return key === undefined ? undefined : parameters.get(key);
}

/** Sets a parameter in whatever spelling it stands there; undefined takes it away. */
export function setParameter(
  parameters: Map<string, string | null>,
  name: string,
  value: string | null | undefined,
): void {
  const key = findKey(parameters, name) ?? name;
  if (value === undefined) parameters.delete(key);
  else parameters.set(key, value);
}

/** What a text parameter says, without its quotes; null where there is none. */
export function getTextParameter(parameters: ReadonlyParameters, name: string): string | null {
  const value = getParameter(parameters, name);
  return value === undefined || value === null ? null : unquote(value);
}

/** Sets a text parameter; null takes it away. */
export function setTextParameter(
  parameters: Map<string, string | null>,
  name: string,
  value: string | null,
  argument: string = name,
): void {
  setParameter(parameters, name, value === null ? undefined : printValue(checkText(value, argument)));
}

/** A parameter of digits as a number: null where there is none or it is no number, `most` where it is beyond. */
export function getIntegerParameter(
  parameters: ReadonlyParameters,
  name: string,
  most: number,
): number | null {
  const value = getParameter(parameters, name);
  return value && /^[0-9]+$/.test(value) ? Math.min(Number(value), most) : null;
}

/** Sets a parameter of digits; null takes it away. */
export function setIntegerParameter(
  parameters: Map<string, string | null>,
  name: string,
  value: number | null,
  most: number,
  argument: string = name,
): void {
  const text = value === null ? undefined : String(checkInteger(value, argument, 0, most));
  setParameter(parameters, name, text);
}

/** The largest delta-seconds (RFC 3261, section 20). */
export const MOST_SECONDS: number = 2 ** 32 - 1;

/** A value as it stands in a header: what is neither plain nor quoted is quoted. */
export function printValue(value: string): string {
  // deno-lint-ignore no-control-regex -- characters that end a value, or that only a quoted-string carries
  return /^[^\x00-\x20\x7f-\uffff",;<>]+$/.test(value) || isQuoted(value) ? value : quote(value);
}

/** ";name=value;flag" as it stands behind a header's value. */
export function printParameters(parameters: ReadonlyParameters): string {
  let text = "";
  for (const [name, value] of parameters) {
    // A changeable map is checked here, where what was put in reaches the wire.
    if (!isToken(name)) throw new TypeError(`A name in parameters must be a token, got "${name}"`);
    text += value === null
      ? `;${name}`
      : `;${name}=${printValue(checkText(value, `"${name}" in parameters`))}`;
  }
  return text;
}

/** Parses ";name=value;flag" to its end. */
export function parseParameters(text: string): Map<string, string | null> {
  const parameters = new Map<string, string | null>();
  const seen = new Set<string>();
  let rest = text.trim();
  while (rest !== "") {
    const head = /^;[ \t]*([^\s;=",<>]+)[ \t]*(=[ \t]*)?/.exec(rest);
    if (head === null) throw new SyntaxError(`no parameter at "${rest.slice(0, 40)}"`);
    const name = checkToken(head[1], "A parameter's name");
    rest = rest.slice(head[0].length);
    let value: string | null = null;
    if (head[2] !== undefined) {
      value = quotedAt(rest, 0) ?? /^[^;",<>]*/.exec(rest)![0];
      rest = rest.slice(value.length).trimStart();
      value = value.trim();
    }
    if (seen.has(name.toLowerCase())) throw new SyntaxError(`two parameters "${name}"`);
    seen.add(name.toLowerCase());
    parameters.set(name, value);
  }
  return parameters;
}

/** Equal when all say the same, in any order and spelling of the names. */
export function equalParameters(
  a: ReadonlyParameters,
  b: ReadonlyParameters,
  plain: (value: string) => string = unquote,
): boolean {
  if (a.size !== b.size) return false;
  const others = new Map(b.entries().map(([name, value]) => [name.toLowerCase(), value]));
  return a.entries().every(([name, value]) => {
    const other = others.get(name.toLowerCase());
    if (typeof value !== "string" || typeof other !== "string") return value === other;
    return plain(value) === plain(other);
  });
}
