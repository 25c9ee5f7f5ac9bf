// SPDX-License-Identifier: GPL-2.0-or-later
import type { Writer } from "../ffi/wire.ts";
import { checkInstance, checkText, isToken } from "./check_argument.ts";
import { BaseHeader, Header } from "./headers.ts";
import type { BaseSIPURI } from "./uri.ts";

/** The names of Contact, in lower case. */
export const contacts: readonly string[] = ["contact", "m"];

/** What the stack writes itself: a second one of the application's would contradict it. */
const forbidden: ReadonlySet<string> = new Set([
  "via",
  "v",
  "from",
  "f",
  "to",
  "t",
  "call-id",
  "i",
  "cseq",
  "max-forwards",
  "route",
  "record-route",
  ...contacts,
  "content-type",
  "c",
  "content-length",
  "l",
  "content-encoding",
  "e",
]);

/**
 * The headers as a list. Throws TypeError for what is no header, and for those that the stack writes itself; `others`:
 * what it writes here beside these, in lower case; `left`: what it leaves to the program here.
 */
export function checkExtraHeaders(
  headers: Iterable<BaseHeader> | undefined,
  others: readonly string[] = [],
  left: readonly string[] = [],
): readonly BaseHeader[] {
  if (headers === undefined) return none;
  const list = [...headers];
  let replaces = 0;
  list.forEach((header, index) => {
    const { name } = checkInstance(header, BaseHeader, `extraHeaders[${index}]`);
    const lowerName = name.toLowerCase();
    // What was received may hold what must not be sent.
    checkText(`${name}: ${header.body}`, `extraHeaders[${index}]`);
    if ((forbidden.has(lowerName) && !left.includes(lowerName)) || others.includes(lowerName)) {
      throw new TypeError(`extraHeaders[${index}] must not be a ${name} header: the stack writes it itself`);
    }
    if (lowerName === "replaces" && ++replaces > 1) {
      throw new TypeError(
        `extraHeaders[${index}] must not be a second Replaces header (RFC 3891, section 3)`,
      );
    }
  });
  return list;
}

const none: readonly BaseHeader[] = Object.freeze([]);

/**
 * What stands behind the "?" of a request URI becomes headers of the request (RFC 3261, section 19.1.5). Throws TypeError
 * for those that the stack writes itself, for what is no header, and for "body", which is none.
 */
export function checkUriHeaders({ headers }: BaseSIPURI): BaseHeader[] {
  return [...headers].map(([name, value]) => {
    if (forbidden.has(name.toLowerCase()) || name.toLowerCase() === "body" || !isToken(name)) {
      throw new TypeError(`requestUri must not have the header ${name}`);
    }
    return new Header(name, value ?? "");
  });
}

/** Writes them as the border has them: a list of name and value. */
export function writeHeaders(writer: Writer, headers: readonly BaseHeader[]): Writer {
  return writer.list(headers, (to, header) => to.text(header.name).text(header.body));
}
