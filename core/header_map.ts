// SPDX-License-Identifier: GPL-2.0-or-later
import { readAscii } from "../ffi/wire.ts";
import { decodeUtf8 } from "./body.ts";
import { FrozenList } from "./frozen.ts";
import {
  type BaseHeader,
  FrozenContactHeader,
  FrozenContentTypeHeader,
  FrozenEventHeader,
  FrozenFromHeader,
  type FrozenHeader,
  FrozenReasonHeader,
  FrozenRecordRouteHeader,
  FrozenReferredByHeader,
  FrozenReferToHeader,
  FrozenReplacesHeader,
  FrozenRetryAfterHeader,
  FrozenRouteHeader,
  FrozenSubjectHeader,
  FrozenSubscriptionStateHeader,
  FrozenToHeader,
  FrozenViaHeader,
  FrozenWarningHeader,
} from "./headers.ts";
import { receivedHeader } from "./headers/header.ts";
import { COLON, CR, LF, SP, TAB } from "./octets.ts";
import { splitOutside } from "./sip_text.ts";

/** The class of each header that has one, under its name and its compact form in lower case. */
export interface TypedHeaders {
  /** Contact. */
  "contact": FrozenContactHeader;
  /** The compact form of Contact. */
  "m": FrozenContactHeader;
  /** Content-Type. */
  "content-type": FrozenContentTypeHeader;
  /** The compact form of Content-Type. */
  "c": FrozenContentTypeHeader;
  /** Event. */
  "event": FrozenEventHeader;
  /** The compact form of Event. */
  "o": FrozenEventHeader;
  /** From. */
  "from": FrozenFromHeader;
  /** The compact form of From. */
  "f": FrozenFromHeader;
  /** Reason. */
  "reason": FrozenReasonHeader;
  /** Record-Route. */
  "record-route": FrozenRecordRouteHeader;
  /** Refer-To. */
  "refer-to": FrozenReferToHeader;
  /** The compact form of Refer-To. */
  "r": FrozenReferToHeader;
  /** Referred-By. */
  "referred-by": FrozenReferredByHeader;
  /** The compact form of Referred-By. */
  "b": FrozenReferredByHeader;
  /** Replaces. */
  "replaces": FrozenReplacesHeader;
  /** Retry-After. */
  "retry-after": FrozenRetryAfterHeader;
  /** Route. */
  "route": FrozenRouteHeader;
  /** Subject. */
  "subject": FrozenSubjectHeader;
  /** The compact form of Subject. */
  "s": FrozenSubjectHeader;
  /** Subscription-State. */
  "subscription-state": FrozenSubscriptionStateHeader;
  /** To. */
  "to": FrozenToHeader;
  /** The compact form of To. */
  "t": FrozenToHeader;
  /** Via. */
  "via": FrozenViaHeader;
  /** The compact form of Via. */
  "v": FrozenViaHeader;
  /** Warning. */
  "warning": FrozenWarningHeader;
}

/** Any header of a {@linkcode HeaderMap}. */
export type ReceivedHeader = FrozenHeader | TypedHeaders[keyof TypedHeaders];

/** The class of the header with this name, in any case. */
export type HeaderOf<N extends string> = string extends N ? ReceivedHeader
  : Lowercase<N> extends keyof TypedHeaders ? TypedHeaders[Lowercase<N>]
  : FrozenHeader;

/** The compact forms of header names (IANA, "Session Initiation Protocol Parameters"). */
const LONG_NAMES: Readonly<Record<string, string>> = {
  a: "Accept-Contact",
  b: "Referred-By",
  c: "Content-Type",
  d: "Request-Disposition",
  e: "Content-Encoding",
  f: "From",
  i: "Call-ID",
  j: "Reject-Contact",
  k: "Supported",
  l: "Content-Length",
  m: "Contact",
  n: "Identity-Info",
  o: "Event",
  r: "Refer-To",
  s: "Subject",
  t: "To",
  u: "Allow-Events",
  v: "Via",
  x: "Session-Expires",
  y: "Identity",
};

/** The character code of the compact form by the name in lower case. */
const SHORT_NAMES: ReadonlyMap<string, number> = new Map(
  Object.entries(LONG_NAMES).map(([short, long]) => [long.toLowerCase(), short.charCodeAt(0)]),
);

const PARSERS: ReadonlyMap<string, (line: string) => ReceivedHeader | null> = new Map([
  ["contact", (line: string): ReceivedHeader | null => FrozenContactHeader.tryParse(line)],
  ["content-type", (line: string): ReceivedHeader | null => FrozenContentTypeHeader.tryParse(line)],
  ["event", (line: string): ReceivedHeader | null => FrozenEventHeader.tryParse(line)],
  ["from", (line: string): ReceivedHeader | null => FrozenFromHeader.tryParse(line)],
  ["reason", (line: string): ReceivedHeader | null => FrozenReasonHeader.tryParse(line)],
  ["record-route", (line: string): ReceivedHeader | null => FrozenRecordRouteHeader.tryParse(line)],
  ["refer-to", (line: string): ReceivedHeader | null => FrozenReferToHeader.tryParse(line)],
  ["referred-by", (line: string): ReceivedHeader | null => FrozenReferredByHeader.tryParse(line)],
  ["replaces", (line: string): ReceivedHeader | null => FrozenReplacesHeader.tryParse(line)],
  ["retry-after", (line: string): ReceivedHeader | null => FrozenRetryAfterHeader.tryParse(line)],
  ["route", (line: string): ReceivedHeader | null => FrozenRouteHeader.tryParse(line)],
  ["subject", (line: string): ReceivedHeader | null => FrozenSubjectHeader.tryParse(line)],
  [
    "subscription-state",
    (line: string): ReceivedHeader | null => FrozenSubscriptionStateHeader.tryParse(line),
  ],
  ["to", (line: string): ReceivedHeader | null => FrozenToHeader.tryParse(line)],
  ["via", (line: string): ReceivedHeader | null => FrozenViaHeader.tryParse(line)],
  ["warning", (line: string): ReceivedHeader | null => FrozenWarningHeader.tryParse(line)],
]);

/** The headers of which one line can hold several. */
const LISTS: ReadonlySet<string> = new Set(["contact", "record-route", "route", "via"]);

/** One header as it was received; `value` is made when it is first asked for. */
interface Entry {
  readonly key: string;
  readonly name: string;
  readonly text: string;
  value: ReceivedHeader | null;
}

/** What only this file can hand to the constructor. */
const ALLOWED = Symbol();

let create: (block: Uint8Array) => HeaderMap;

/**
 * The headers of a received message, in the order in which they stand there. Nothing is dropped: one line of Contact,
 * Route, Record-Route or Via with several elements gives a header for each; what has no class of its own, or
 * cannot be parsed by it, is a {@linkcode FrozenHeader}. Names have no case, and compact forms are known. The
 * lines are decoded when the first is asked for, each header when it is.
 *
 * It cannot be constructed: notifications bring it.
 *
 * @example
 * ```ts
 * import { NotificationCenter } from "@sipcore/sipcore";
 *
 * new NotificationCenter().addObserver(({ data }) => {
 *   console.log(data.headers.get("From")?.displayName, data.headers.text("Call-ID"));
 * }, { name: "SIPEngineGotMessage" });
 * ```
 */
export class HeaderMap implements Iterable<ReceivedHeader> {
  static {
    create = (block) => new HeaderMap(ALLOWED, block);
  }

  #block: Uint8Array | null;
  #decoded: Entry[] | null = null;
  /** Those that were asked for by name before all were decoded, and which of them are not there. */
  readonly #found: Entry[] = [];
  readonly #missing: string[] = [];

  private constructor(allowed: symbol, block: Uint8Array) {
    if (allowed !== ALLOWED) throw new TypeError("Illegal constructor");
    this.#block = block;
  }

  /** How many headers there are, each element of a list counted. */
  get size(): number {
    return this.#entries.length;
  }

  /** Whether there is a header of that name. */
  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /**
   * The first header of this name, null when there is none. A header that its class cannot parse (a From with a
   * tel URI, garbage) comes as a {@linkcode FrozenHeader}, against its type: whoever takes messages from
   * strangers asks `instanceof` first.
   */
  get<const N extends string>(name: N): HeaderOf<N> | null {
    const entry = this.#find(name);
    return entry === undefined ? null : valueOf(entry) as HeaderOf<N>;
  }

  /** All headers of this name. */
  getAll<const N extends string>(name: N): FrozenList<HeaderOf<N>> {
    const key = keyOf(name);
    const found = this.#entries.filter((entry) => entry.key === key);
    return FrozenList.from(found, (entry) => valueOf(entry) as HeaderOf<N>);
  }

  /** What stands on the wire behind the name of the first header of this name, unfolded; null when there is none. */
  text(name: string): string | null {
    return this.#find(name)?.text ?? null;
  }

  /** Every header, in the order of the wire. */
  *[Symbol.iterator](): Generator<ReceivedHeader, void, undefined> {
    for (const entry of this.#entries) yield valueOf(entry);
  }

  /** The headers as lines, lists one element a line. */
  toString(): string {
    return this.#entries.map(({ name, text }) => `${name}: ${text}\r\n`).join("");
  }

  get #entries(): readonly Entry[] {
    if (this.#decoded === null) {
      this.#decoded = decodeBlock(this.#block!);
      this.#block = null;
    }
    return this.#decoded;
  }

  /** Most readers want a header or two: those are looked for without making an entry of every line. */
  #find(name: string): Entry | undefined {
    const key = keyOf(name);
    for (const entry of this.#found) if (entry.key === key) return entry;
    if (this.#missing.includes(key)) return undefined;
    const entry = this.#search(key);
    if (entry === undefined) this.#missing.push(key);
    else this.#found.push(entry);
    return entry;
  }

  #search(key: string): Entry | undefined {
    if (this.#decoded === null) {
      const found = firstLine(this.#block!, key);
      if (found !== null) return found;
    }
    return this.#entries.find((entry) => entry.key === key);
  }
}

/** The headers in a block of header lines. The bytes are kept until they are decoded and must not change. */
export function headerMapFrom(block: Uint8Array): HeaderMap {
  return create(block);
}

/** What `headers` is where there was no message. */
export const emptyHeaderMap: HeaderMap = headerMapFrom(new Uint8Array());

function longName(name: string): string {
  return name.length === 1 ? LONG_NAMES[name.toLowerCase()] ?? name : name;
}

function keyOf(name: string): string {
  return longName(String(name)).toLowerCase();
}

function valueOf(entry: Entry): ReceivedHeader {
  const parse = PARSERS.get(entry.key);
  return entry.value ??= parse?.(`${entry.name}: ${entry.text}`) ?? receivedHeader(entry.name, entry.text);
}

function isBlank(code: number | undefined): boolean {
  return code === SP || code === TAB;
}

/** The first header of this name in plain lines; undefined: there is none; null: the lines are not plain enough. */
function firstLine(block: Uint8Array, key: string): Entry | undefined | null {
  if (key === "" || isBlank(block[0])) return null;
  const initial = key.charCodeAt(0) | 0x20;
  const compact = SHORT_NAMES.get(key);
  for (let start = 0; start < block.length;) {
    let end = start;
    let colon = -1;
    for (let code; end < block.length && (code = block[end]) !== CR && code !== LF; end++) {
      if (code === COLON && colon < 0) colon = end;
    }
    if (block[end] !== CR || block[end + 1] !== LF) return null;
    const first = block[start]! | 0x20;
    if (colon > start && (first === initial || first === compact)) {
      const name = readAscii(block, start, colon);
      if (name === null) return null;
      const long = longName(name.trim());
      if (long.toLowerCase() === key) {
        const value = isBlank(block[end + 2]) ? null : readAscii(block, colon + 1, end)?.trim();
        if (value == null || (LISTS.has(key) && value.includes(","))) return null;
        return { key, name: long, text: value, value: null };
      }
    }
    start = end + 2;
  }
  return undefined;
}

/** The same header, of the class of its name, as one that never changes. */
export function frozenHeader(header: BaseHeader): BaseHeader {
  if (header.frozen) return header;
  return PARSERS.get(keyOf(header.name))?.(String(header)) ?? receivedHeader(header.name, header.body);
}

function decodeBlock(block: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  for (const line of unfold(linesOf(block))) {
    const colon = line.indexOf(":");
    // A line without a colon is no header, and yet nothing is dropped.
    const name = longName(colon < 0 ? "" : line.slice(0, colon).trim());
    const text = line.slice(colon + 1).trim();
    const key = name.toLowerCase();
    const elements = LISTS.has(key) && text.includes(",") ? splitOutside(text, ",", true) : [text];
    for (const element of elements) entries.push({ key, name, text: element.trim(), value: null });
  }
  return entries;
}

/** Joins continuation lines to what they continue (RFC 3261, section 7.3.1). */
function unfold(lines: readonly string[]): string[] {
  const unfolded: string[] = [];
  for (const line of lines) {
    if (line === "") continue;
    const continues = line.startsWith(" ") || line.startsWith("\t");
    if (continues && unfolded.length > 0) unfolded.push(`${unfolded.pop()} ${line.trim()}`);
    else unfolded.push(line);
  }
  return unfolded;
}

const END_OF_LINE = /\r\n?|\n/;
const ODD_END_OF_LINE = /\r(?!\n)|(?<!\r)\n/;

function splitLines(text: string): string[] {
  // Splitting at a string is much faster than at an expression, and nearly every message allows it.
  return text.split(ODD_END_OF_LINE.test(text) ? END_OF_LINE : "\r\n");
}

function linesOf(block: Uint8Array): string[] {
  const text = decodeUtf8(block);
  if (text !== null) return splitLines(text);
  // Some line is no UTF-8: each is decoded by itself, so that the others do not suffer.
  return splitLines(decodeLatin1(block)).map((line) => {
    return decodeText(Uint8Array.from(line, (character) => character.charCodeAt(0)));
  });
}

/** Bytes of a header as text: UTF-8, or else Latin-1, which every byte sequence is. */
export function decodeText(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? decodeLatin1(bytes);
}

/** Not by TextDecoder, whose "latin1" is windows-1252. */
function decodeLatin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
