// SPDX-License-Identifier: GPL-2.0-or-later
/** SIP messages as the scripted peer sees them: text, apart from the library's own parser. */

const compactForms: Readonly<Record<string, string>> = {
  b: "referred-by",
  c: "content-type",
  e: "content-encoding",
  f: "from",
  i: "call-id",
  k: "supported",
  l: "content-length",
  m: "contact",
  o: "event",
  r: "refer-to",
  s: "subject",
  t: "to",
  u: "allow-events",
  v: "via",
  x: "session-expires",
};

/** One message, sent or received. */
export interface PeerMessage {
  readonly startLine: string;
  /** null in a response. */
  readonly method: string | null;
  readonly uri: string | null;
  /** null in a request. */
  readonly code: number | null;
  readonly reason: string | null;
  /** By name in lower case, compact forms written out; the values of one name in their order. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
  /** The whole message. */
  readonly text: string;
  /** Where it came from, or went to. */
  readonly address: string;
  readonly port: number;
}

/**
 * Reads a datagram.
 *
 * @throws Error when it is no SIP message.
 */
export function parseMessage(text: string, address: string, port: number): PeerMessage {
  const [, head = "", body = ""] = /^([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(text) ?? [];
  const [startLine = "", ...lines] = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const request = /^([A-Z]+) (\S+) SIP\/2\.0$/.exec(startLine);
  const response = /^SIP\/2\.0 ([1-6]\d\d) (.*)$/.exec(startLine);
  if (!request && !response) throw new Error(`No SIP message: ${JSON.stringify(text.slice(0, 80))}`);
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [, word = "", value = ""] = /^([^\s:]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    const name = compactForms[word.toLowerCase()] ?? word.toLowerCase();
    headers.set(name, [...headers.get(name) ?? [], value]);
  }
  return {
    startLine,
    method: request?.[1] ?? null,
    uri: request?.[2] ?? null,
    code: response ? Number(response[1]) : null,
    reason: response?.[2] ?? null,
    headers,
    body,
    text,
    address,
    port,
  };
}

/**
 * The first value of a header.
 *
 * @throws Error when the message has none.
 */
export function header(message: PeerMessage, name: string): string {
  const value = message.headers.get(name.toLowerCase())?.[0];
  if (value === undefined) throw new Error(`No ${name} in\n${message.text}`);
  return value;
}

/** The number and the method of CSeq. */
export function cseqOf(message: PeerMessage): { readonly number: number; readonly method: string } {
  const [number = "", method = ""] = header(message, "CSeq").split(/\s+/);
  return { number: Number(number), method };
}

/** The tag of a From or To value, or null. */
export function tagOf(value: string): string | null {
  return /;\s*tag=([^;\s]+)/i.exec(value.replace(/^.*>/, ""))?.[1] ?? null;
}

/** The URI in a From, To, Contact or Route value. */
export function uriOf(value: string): string {
  return /<([^>]*)>/.exec(value)?.[1] ?? value.split(";")[0]!.trim();
}

/** Writes a message, with a Content-Length that fits. */
export function printMessage(
  startLine: string,
  headers: readonly (readonly [name: string, value: string])[],
  body: string,
): string {
  const length = new TextEncoder().encode(body).length;
  const lines = [...headers, ["Content-Length", String(length)] as const].map(([name, value]) =>
    `${name}: ${value}`
  );
  return `${[startLine, ...lines].join("\r\n")}\r\n\r\n${body}`;
}
