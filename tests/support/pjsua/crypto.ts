// SPDX-License-Identifier: GPL-2.0-or-later
/** Which a=crypto line of an offer is taken (RFC 4568): the program's own keying, for descriptions alone. */
import { randomBytes } from "node:crypto";
import type { BaseSDPMediaStream } from "../../../mod.ts";

/** Bytes of key and salt. */
const suites: Readonly<Record<string, number>> = {
  AES_256_CM_HMAC_SHA1_80: 46,
  AES_256_CM_HMAC_SHA1_32: 46,
  AES_CM_128_HMAC_SHA1_80: 30,
  AES_CM_128_HMAC_SHA1_32: 30,
};

/** A line that no honest peer writes. */
export class BadCrypto extends Error {}

/**
 * The value of our line; null when the offer has none that is known.
 *
 * @throws BadCrypto for a tag that is no number or stands twice, or a key that is missing or of another length.
 */
export function answerCrypto(offered: BaseSDPMediaStream): string | null {
  const lines = offered.attributes.getAll("crypto").map((value) => value.trim().split(/\s+/));
  const tags = lines.map(([tag = ""]) => tag);
  if (!tags.every((tag) => /^\d{1,9}$/.test(tag))) throw new BadCrypto("a tag is no number");
  if (new Set(tags).size !== tags.length) throw new BadCrypto("a tag stands twice");
  for (const [tag, suite = "", key = ""] of lines) {
    const size = suites[suite.toUpperCase()];
    if (size === undefined) continue;
    const [, text = ""] = key.match(/^inline:([^|\s]*)/i) ?? [];
    if (Buffer.from(text, "base64").length !== size) throw new BadCrypto("a key is too short or too long");
    return `${tag} ${suite.toUpperCase()} inline:${randomBytes(size).toString("base64")}`;
  }
  return null;
}
