// SPDX-License-Identifier: GPL-2.0-or-later
import { type Body, decodeBody } from "./body.ts";
import { decodeText, emptyHeaderMap, type HeaderMap, headerMapFrom } from "./header_map.ts";
import { FrozenContactHeader, FrozenContentTypeHeader, FrozenFromHeader, FrozenToHeader } from "./headers.ts";
import { CR, LF, SP, TAB } from "./octets.ts";
import { FrozenSIPURI } from "./uri.ts";

/** The first line of a message. What is no such line at all has the method "". */
interface StartLine {
  readonly method: string | null;
  readonly requestUriText: string | null;
  readonly code: number | null;
  readonly reason: string | null;
}

/** A SIP message as it stood on the wire. Nothing is decoded before it is asked for, and no bytes make it throw. */
export class SIPMessage {
  /** The message in these bytes, which are kept: they must not change afterwards. */
  static decode(bytes: Uint8Array): SIPMessage {
    return new SIPMessage(bytes);
  }

  #bytes: Uint8Array;
  /** Where the start line begins and ends, where the headers end, and where the body begins. */
  #sections: readonly [number, number, number, number] | null = null;
  #start: StartLine | null = null;
  #requestUri: FrozenSIPURI | null | undefined;
  #headers: HeaderMap | null = null;
  #body: Body | null | undefined;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The message as it came. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get isRequest(): boolean {
    return !beginsAsResponse(this.#bytes);
  }

  /** The method of a request, null for a response. */
  get method(): string | null {
    return this.#startLine.method;
  }

  /** The request URI of a request, null for a response and for what is neither a sip nor a sips URI. */
  get requestUri(): FrozenSIPURI | null {
    if (this.#requestUri === undefined) {
      const text = this.requestUriText;
      this.#requestUri = text === null ? null : parseRequestUri(text);
    }
    return this.#requestUri;
  }

  /** The request URI of a request as it stood there, null for a response. */
  get requestUriText(): string | null {
    return this.#startLine.requestUriText;
  }

  /** The status code of a response, 0 when it is no number of three digits; null for a request. */
  get code(): number | null {
    return this.#startLine.code;
  }

  /** The reason phrase of a response, "" when it has none; null for a request. */
  get reason(): string | null {
    return this.#startLine.reason;
  }

  get headers(): HeaderMap {
    if (this.#headers === null) {
      const [, start, end] = this.#split();
      this.#headers = start < end ? headerMapFrom(this.#bytes.subarray(start, end)) : emptyHeaderMap;
    }
    return this.#headers;
  }

  /** The Content-Type header, null when there is none or it is malformed. */
  get contentType(): FrozenContentTypeHeader | null {
    const header = this.headers.get("Content-Type");
    return header instanceof FrozenContentTypeHeader ? header : null;
  }

  /** The From header, null when there is none or it is malformed. */
  get from(): FrozenFromHeader | null {
    const header = this.headers.get("From");
    return header instanceof FrozenFromHeader ? header : null;
  }

  /** The To header, null when there is none or it is malformed. */
  get to(): FrozenToHeader | null {
    const header = this.headers.get("To");
    return header instanceof FrozenToHeader ? header : null;
  }

  /** The first Contact header, null when there is none or it is malformed. */
  get contact(): FrozenContactHeader | null {
    const header = this.headers.get("Contact");
    return header instanceof FrozenContactHeader ? header : null;
  }

  /** The body as the application gets it, null when there is none. */
  get body(): Body | null {
    if (this.#body === undefined) {
      const [, , , start] = this.#split();
      if (start === this.#bytes.length) return this.#body = null;
      // The header's class is not needed for the type alone.
      const type = this.headers.text("Content-Type")?.replace(/;.*$/s, "").trim() ?? null;
      this.#body = decodeBody(this.bodyBytes, type);
    }
    return this.#body;
  }

  /** The body as it stood there: as much as Content-Length says, or all that there is. */
  get bodyBytes(): Uint8Array {
    const [, , , start] = this.#split();
    const rest = this.#bytes.subarray(start);
    const length = this.headers.text("Content-Length");
    return length !== null && /^[0-9]+$/.test(length) ? rest.subarray(0, Number(length)) : rest;
  }

  get #startLine(): StartLine {
    if (this.#start === null) {
      const [start, end] = this.#split();
      this.#start = startLineOf(this.#bytes, start, end);
    }
    return this.#start;
  }

  /** Gives it a memory of its own, where that is shared: it is to stay. */
  keep(): this {
    if (this.#bytes.length < this.#bytes.buffer.byteLength) this.#bytes = this.#bytes.slice();
    return this;
  }

  #split(): readonly [number, number, number, number] {
    if (this.#sections === null) {
      // What is read is often kept, and must not keep much more that came together with it.
      if (this.#bytes.length * mostShare < this.#bytes.buffer.byteLength) this.keep();
      this.#sections = splitMessage(this.#bytes);
    }
    return this.#sections;
  }
}

/** A message may keep so many times its own size alive. */
const mostShare = 32;

/** The last request URI: those of a server's requests are few, and values that never change can be shared. */
let lastUri: { readonly text: string; readonly uri: FrozenSIPURI | null } = { text: "", uri: null };

function parseRequestUri(text: string): FrozenSIPURI | null {
  if (text !== lastUri.text) {
    // In brackets or behind a name it would be a header's address, no request URI.
    lastUri = { text, uri: text.includes("<") ? null : FrozenSIPURI.tryParse(text) };
  }
  return lastUri.uri;
}

const S = 0x53;
const slash = 0x2f;

/** Whether the start line is a response's, without decoding it: "SIP/", in letters of either case. */
function beginsAsResponse(bytes: Uint8Array): boolean {
  let at = 0;
  while (bytes[at] === CR || bytes[at] === LF || bytes[at] === SP || bytes[at] === TAB) at++;
  // No method has a slash in this place that is no version of SIP.
  if ((bytes[at]! & 0xdf) !== S || bytes[at + 3] !== slash) return false;
  return /^SIP\/[0-9.]+(?:[ \t\r\n]|$)/i.test(ascii(bytes, at, Math.min(bytes.length, at + 16)));
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let index = start; index < end; index++) text += String.fromCharCode(bytes[index]!);
  return text;
}

function splitMessage(bytes: Uint8Array): readonly [number, number, number, number] {
  let start = 0;
  // Empty lines ahead of a message are no part of it (RFC 3261, section 7.5).
  while (bytes[start] === CR || bytes[start] === LF) start++;
  const first = lineEnd(bytes, start);
  let line = first;
  while (line < bytes.length) {
    const end = lineEnd(bytes, line);
    if (bytes[line] === LF || (bytes[line] === CR && bytes[line + 1] === LF)) {
      return [start, first, line, end];
    }
    line = end;
  }
  return [start, first, bytes.length, bytes.length];
}

/** The index behind the line that begins at `from`. */
function lineEnd(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(LF, from);
  return end < 0 ? bytes.length : end + 1;
}

/** Start lines that were read: the same ones come again, and to compare bytes is much less than to decode them. */
const starts: ({ readonly bytes: Uint8Array; readonly line: StartLine } | undefined)[] = new Array(32);

function startLineOf(bytes: Uint8Array, start: number, end: number): StartLine {
  const place = ((bytes[start] ?? 0) + end - start) % starts.length;
  const known = starts[place];
  if (known !== undefined && isSame(known.bytes, bytes, start, end)) return known.line;
  const own = bytes.slice(start, end);
  const line = parseStartLine(decodeText(own).trim());
  starts[place] = { bytes: own, line };
  return line;
}

function isSame(some: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (some.length !== end - start) return false;
  for (let index = 0; index < some.length; index++) {
    if (some[index] !== bytes[start + index]) return false;
  }
  return true;
}

function parseStartLine(line: string): StartLine {
  if (/^SIP\/[0-9.]+(?:[ \t]|$)/i.test(line)) {
    const [, code, reason] = /^[^ \t]+[ \t]+([0-9]{3})(?:[ \t]+(.*))?$/.exec(line) ?? [];
    return { method: null, requestUriText: null, code: Number(code ?? 0), reason: reason ?? "" };
  }
  const method = /^[^ \t]*/.exec(line)![0];
  const rest = line.slice(method.length).replace(/[ \t]SIP\/[0-9.]+$/i, "");
  return { method, requestUriText: rest.trim(), code: null, reason: null };
}
