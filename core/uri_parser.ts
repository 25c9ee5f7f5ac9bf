// SPDX-License-Identifier: GPL-2.0-or-later
/** The text of sip and sips URIs (RFC 3261, section 25.1), for the classes of uri.ts. */
import { isIP } from "node:net";
import { checkPort, checkText } from "./check_argument.ts";
import type { ReadonlyParameters } from "./parameters.ts";
import { decodeEscapes, quotedAt, unquote } from "./sip_text.ts";

/** The components of a URI. */
export interface URIFields {
  host: string;
  user: string | null;
  password: string | null;
  port: number | null;
  display: string | null;
  secure: boolean;
  parameters: ReadonlyParameters;
  headers: ReadonlyParameters;
}

/** What the parser found. Its text may hold what arguments may not: %0D%0A is legal and stays escaped on the wire. */
export class ParsedURI implements URIFields {
  host = "";
  user: string | null = null;
  password: string | null = null;
  port: number | null = null;
  display: string | null = null;
  secure = false;
  parameters: Map<string, string | null> = new Map();
  headers: Map<string, string | null> = new Map();
}

/** Whether a host is an IPv4 or IPv6 address rather than a name. */
export function isIPLiteral(host: string): boolean {
  return isIP(host) !== 0;
}

/** Whether an IP address stands for all of them: 0.0.0.0 or ::. */
export function isAnyAddress(address: string): boolean {
  return /^[0.]+$|^[0:]+$/.test(address);
}

const HOST_NAME = /^[A-Za-z0-9._-]+$/;
// Loose on purpose: RFC 5118, section 4.10 asks that addresses with ":::" be tolerated.
const HOST_IPV6 = /^(?=.*:)[0-9A-Fa-f:.]+$/;

/** A host name, an IPv4 address, or an IPv6 address from which brackets are taken. */
export function checkHost(value: unknown, argument: string): string {
  const text = checkText(value, argument);
  const host = /^\[(.*:.*)\]$/.exec(text)?.[1] ?? text;
  if (!HOST_NAME.test(host) && !HOST_IPV6.test(host)) {
    throw new TypeError(`${argument} must be a host name or an IP address, got "${text}"`);
  }
  return host;
}

/** The pieces of `"display" <address>behind` or `address;behind`. */
export function splitNameAddress(text: string): { display: string | null; address: string; behind: string } {
  const trimmed = text.trim();
  const quoted = quotedAt(trimmed, 0);
  const open = trimmed.indexOf("<", quoted?.length ?? 0);
  if (open < 0) {
    const end = trimmed.indexOf(";");
    const address = end < 0 ? trimmed : trimmed.slice(0, end);
    return { display: null, address: address.trimEnd(), behind: end < 0 ? "" : trimmed.slice(end) };
  }
  const close = trimmed.indexOf(">", open);
  if (close < 0) throw new SyntaxError('"<" without ">"');
  const name = trimmed.slice(0, open).trim();
  if (name.startsWith('"') && name !== quoted) throw new SyntaxError("a quoted name without end");
  // Loose about other characters that want quotes; a colon would be a header's name or a second URI.
  if (quoted === null && name.includes(":")) throw new SyntaxError("a colon in a name without quotes");
  return {
    display: unquote(name) || null,
    address: trimmed.slice(open + 1, close),
    behind: trimmed.slice(close + 1).trimStart(),
  };
}

/** Parses a URI, bare or with a display name. */
export function parseNameAddress(text: string): ParsedURI {
  if (!text.includes("<")) return parseAddress(text.trim());
  const { display, address, behind } = splitNameAddress(text);
  if (behind !== "") throw new SyntaxError(`"${behind.slice(0, 40)}" behind ">"`);
  const parsed = parseAddress(address);
  if (display !== null) parsed.display = checkText(display, "display");
  return parsed;
}

export const SCHEME: RegExp = /^(sips?):/i;
const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]|([A-Za-z0-9._-]+))(?::([0-9]+))?/;
// deno-lint-ignore no-control-regex -- white space, controls and brackets, which must be escaped
const FORBIDDEN = /[\x00-\x20\x7f<>]/;

/** Parses a bare URI. */
export function parseAddress(text: string): ParsedURI {
  const uri = new ParsedURI();
  const scheme = SCHEME.exec(text);
  if (scheme === null) throw new SyntaxError("the scheme is neither sip nor sips");
  if (!text.isWellFormed()) throw new SyntaxError("a lone surrogate");
  uri.secure = scheme[1]!.length === 4;
  let rest = text.slice(scheme[0].length);
  const at = rest.indexOf("@");
  if (at >= 0) {
    parseUser(uri, rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  const place = HOST_AND_PORT.exec(rest);
  if (place === null) throw new SyntaxError("no host");
  uri.host = (place[1] ?? place[2])!;
  if (place[3] !== undefined) uri.port = checkPort(Number(place[3]), "port");
  parseTail(uri, rest.slice(place[0].length));
  return uri;
}

function parseUser(uri: ParsedURI, text: string): void {
  if (FORBIDDEN.test(text)) throw new SyntaxError("white space in the user");
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  if (user === "") throw new SyntaxError("an empty user");
  uri.user = decodeEscapes(user);
  if (colon >= 0) uri.password = decodeEscapes(text.slice(colon + 1));
}

/** Parses ";name=value…?name=value&…"; values may be quoted, as pjsip allows. */
function parseTail(uri: ParsedURI, text: string): void {
  const seen = new Set<string>();
  let rest = text;
  while (rest.startsWith(";")) {
    const name = /^;([^;?="]*)(=?)/.exec(rest)!;
    rest = rest.slice(name[0].length);
    let value = "";
    if (name[2] === "=") {
      const quoted = quotedAt(rest, 0);
      value = quoted ?? /^[^;?]*/.exec(rest)![0];
      rest = rest.slice(value.length);
      if (quoted === null && FORBIDDEN.test(value)) throw new SyntaxError("white space in a parameter");
    }
    const key = decodeEscapes(name[1]!);
    if (key === "" || FORBIDDEN.test(name[1]!)) throw new SyntaxError("a parameter without a name");
    if (seen.has(key.toLowerCase())) throw new SyntaxError(`two parameters "${key}"`);
    seen.add(key.toLowerCase());
    uri.parameters.set(key, name[2] === "=" ? decodeEscapes(value) : null);
  }
  if (rest === "") return;
  if (!rest.startsWith("?") || FORBIDDEN.test(rest)) {
    throw new SyntaxError(`"${rest.slice(0, 40)}" behind the host`);
  }
  for (const pair of rest.slice(1).split("&")) {
    const equal = pair.indexOf("=");
    const key = decodeEscapes(equal < 0 ? pair : pair.slice(0, equal));
    if (key === "") throw new SyntaxError("a header without a name");
    const value = equal < 0 ? null : decodeEscapes(pair.slice(equal + 1));
    const before = uri.headers.get(key);
    uri.headers.set(key, before === undefined ? value : `${before ?? ""},${value ?? ""}`);
  }
}
