// SPDX-License-Identifier: GPL-2.0-or-later
import { checkBoolean, checkText } from "../core/check_argument.ts";

/** How the two ends agree on keys: in their session descriptions (RFC 4568), or by a handshake (RFC 5763). */
export type SRTPKeying = "sdes" | "dtls";

/** The suites of SRTP, by their names in session descriptions (RFC 4568, RFC 6188, RFC 7714). */
export type SRTPCipher =
  | "AEAD_AES_256_GCM"
  | "AEAD_AES_128_GCM"
  | "AES_256_CM_HMAC_SHA1_80"
  | "AES_256_CM_HMAC_SHA1_32"
  | "AES_CM_128_HMAC_SHA1_80"
  | "AES_CM_128_HMAC_SHA1_32";

/** What RTPTransport's constructor takes about encryption. */
export interface SRTPOptions {
  /** Whether to speak SRTP with a peer that does. Default false. */
  useSrtp?: boolean;
  /**
   * Whether a peer without SRTP is refused: offers say RTP/SAVP or UDP/TLS/RTP/SAVP, and no sound goes in clear. Default
   * false: offers are RTP/AVP with keys in them (RFC 8643), and a peer that has none is spoken to in clear.
   */
  srtpForced?: boolean;
  /** What is offered first and what is understood. An offer has the first only; an answer follows the offer. Default ["sdes"]. */
  srtpKeying?: readonly SRTPKeying[];
  /**
   * The suites that are offered and understood, in order of preference; SDES takes some 95 bytes of an offer for each.
   * Default: AEAD_AES_256_GCM, AES_256_CM_HMAC_SHA1_80 and AES_CM_128_HMAC_SHA1_80 are offered, all are understood. DTLS
   * knows those of GCM and AES_CM_128.
   */
  srtpCiphers?: readonly SRTPCipher[];
}

/** The same, complete and checked. */
export interface CheckedSRTPOptions {
  readonly useSrtp: boolean;
  readonly srtpForced: boolean;
  readonly srtpKeying: readonly SRTPKeying[];
  readonly srtpCiphers: readonly SRTPCipher[];
  /** How many of the suites are offered. */
  readonly offered: number;
}

const keyings = ["sdes", "dtls"] as const satisfies readonly SRTPKeying[];

/** In the default order; so many of them are offered then. */
const ciphers = [
  "AEAD_AES_256_GCM",
  "AES_256_CM_HMAC_SHA1_80",
  "AES_CM_128_HMAC_SHA1_80",
  "AEAD_AES_128_GCM",
  "AES_256_CM_HMAC_SHA1_32",
  "AES_CM_128_HMAC_SHA1_32",
] as const satisfies readonly SRTPCipher[];
const offeredByDefault = 3;

/** OpenSSL knows no AES_256_CM profile (RFC 5764 has none). */
const dtlsCiphers: ReadonlySet<SRTPCipher> = new Set(ciphers.filter((name) => !name.startsWith("AES_256")));

/** @throws TypeError, RangeError naming the option. */
export function checkSRTPOptions(given: SRTPOptions): CheckedSRTPOptions {
  const srtpKeying = given.srtpKeying === undefined
    ? keyings.slice(0, 1)
    : checkNames(given.srtpKeying, "srtpKeying", keyings);
  const srtpCiphers = given.srtpCiphers === undefined
    ? ciphers
    : checkNames(given.srtpCiphers, "srtpCiphers", ciphers);
  if (srtpKeying.includes("dtls") && !srtpCiphers.some((name) => dtlsCiphers.has(name))) {
    throw new RangeError("srtpCiphers holds none that DTLS knows");
  }
  return {
    useSrtp: checkBoolean(given.useSrtp ?? false, "useSrtp"),
    srtpForced: checkBoolean(given.srtpForced ?? false, "srtpForced"),
    srtpKeying: Object.freeze(srtpKeying),
    srtpCiphers: Object.freeze(srtpCiphers),
    offered: given.srtpCiphers === undefined ? offeredByDefault : srtpCiphers.length,
  };
}

function checkNames<N extends string>(value: unknown, argument: string, known: readonly N[]): readonly N[] {
  if (!Array.isArray(value)) throw new TypeError(`${argument} must be a list of names`);
  const names = value.map((item, index) => {
    const text = checkText(item, `${argument}[${index}]`);
    const name = known.find((one) => one === text);
    if (name === undefined) throw new RangeError(`${argument} knows ${known.join(", ")}, not "${text}"`);
    return name;
  });
  if (names.length === 0) throw new RangeError(`${argument} must not be empty`);
  if (new Set(names).size < names.length) throw new RangeError(`${argument} holds a name twice`);
  return names;
}
