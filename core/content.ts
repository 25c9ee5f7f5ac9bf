// SPDX-License-Identifier: GPL-2.0-or-later
import { type Body, encodeBody } from "./body.ts";
import { checkText } from "./check_argument.ts";
import { FrozenContentTypeHeader } from "./headers.ts";

/** What a message carries, as the wire has it. */
export interface Content {
  /** "type/subtype", and the parameters; "" for nothing at all. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

const nothing: Content = { type: "", bytes: new Uint8Array() };

/** A content type, with parameters or without, as the wire has it. Throws TypeError naming the argument. */
export function checkContentType(value: unknown, argument: string = "contentType"): string {
  const text = checkText(value, argument);
  const header = FrozenContentTypeHeader.tryParse(text);
  if (header === null) throw new TypeError(`${argument} must be "type/subtype", got "${text}"`);
  return header.body;
}

/** Throws TypeError for a body without contentType, and for the reverse; neither is nothing. */
export function checkContent(
  contentType: string | null | undefined,
  body: Body | null | undefined,
): Content {
  if ((contentType ?? null) === null && (body ?? null) === null) return nothing;
  if ((contentType ?? null) === null || (body ?? null) === null) {
    throw new TypeError("contentType and body must be given together");
  }
  return { type: checkContentType(contentType), bytes: encodeBody(body!) };
}
