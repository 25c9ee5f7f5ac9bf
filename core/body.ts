// SPDX-License-Identifier: GPL-2.0-or-later

/** A message body: a string when its content type says text and the bytes are UTF-8, else bytes. Sending takes either. */
export type Body = string | Uint8Array;

const TEXT_TYPES =
  /^(?:text\/.+|.+\/(?:.+\+)?xml|.+\/json|application\/sdp|message\/sipfrag|application\/simple-message-summary)$/i;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Whether bodies of this content type ("type/subtype", without parameters) are given as strings. */
export function isTextType(contentType: string): boolean {
  return TEXT_TYPES.test(contentType.trim());
}

/** A received body as the application gets it: null when there are no bytes. The bytes are not copied. */
export function decodeBody(bytes: Uint8Array, contentType: string | null): Body | null {
  if (bytes.length === 0) return null;
  return contentType !== null && isTextType(contentType) ? decodeUtf8(bytes) ?? bytes : bytes;
}

/** The bytes that a body puts on the wire. A lone surrogate, which UTF-8 cannot carry, is a TypeError. */
export function encodeBody(body: Body, argument: string = "body"): Uint8Array {
  if (body instanceof Uint8Array) return body;
  if (typeof body !== "string") throw new TypeError(`${argument} must be a string or a Uint8Array`);
  if (!body.isWellFormed()) throw new TypeError(`${argument} must not contain a lone surrogate`);
  return encoder.encode(body);
}

/** The text that bytes spell in UTF-8, null when they spell none. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
