// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInteger, checkText } from "./check_argument.ts";

/** What {@linkcode MediaCodec} is made from. */
export interface MediaCodecInit {
  /** The name of the codec, as in "PCMU". */
  readonly name: string;
  /** Clock rate in Hz. */
  readonly rate: number;
}

/**
 * A codec as SDP names it. It never changes.
 *
 * @example
 * ```ts
 * import { MediaCodec } from "@sipcore/sipcore";
 *
 * const codec = new MediaCodec("PCMU", 8000);
 * codec.equals("pcmu"); // true
 * codec.equals("PCMU/16000"); // false
 * ```
 */
export class MediaCodec implements MediaCodecInit {
  /** The encoding name, as written. */
  readonly name: string;
  /** Clock rate in Hz. */
  readonly rate: number;

  /** From its parts, which are copied. */
  constructor(name: string, rate: number);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: MediaCodecInit);
  constructor(first: string | MediaCodecInit, rate?: number) {
    const init = typeof first === "string" ? { name: first, rate } : first;
    this.name = checkText(init.name, "name");
    this.rate = checkInteger(init.rate, "rate", 0, Number.MAX_SAFE_INTEGER);
    Object.freeze(this);
  }

  /** Whether `other`, a codec, "name" or "name/rate", has the same name, in any case, and the same rate if it has one. */
  equals(other: unknown): boolean {
    if (other instanceof MediaCodec) return this.equals(other.toString());
    if (typeof other !== "string") return false;
    const text = other.toLowerCase();
    return text === this.name.toLowerCase() || text === this.toString().toLowerCase();
  }

  /** "name/rate". */
  toString(): string {
    return `${this.name}/${this.rate}`;
  }
}
