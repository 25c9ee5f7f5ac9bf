// SPDX-License-Identifier: GPL-2.0-or-later
/** Digest authentication (RFC 7616, RFC 8760) apart from the library's own: the server's side, and the client's. */
import { createHash } from "node:crypto";

export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: "MD5" | "SHA-256" | "SHA-512-256";
  readonly qop?: boolean;
  readonly stale?: boolean;
}

/** The value of WWW-Authenticate or Proxy-Authenticate. */
export function challengeText({ realm, nonce, algorithm, qop = true, stale = false }: Challenge): string {
  return `Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, opaque="5ccc"` +
    `${qop ? ', qop="auth"' : ""}${stale ? ", stale=true" : ""}`;
}

/** The parameters of an Authorization or Proxy-Authorization value. */
export function digestParameters(value: string): Map<string, string> {
  return new Map(
    [...value.matchAll(/([a-z]+)=(?:"([^"]*)"|([^,\s]+))/gi)]
      .map(([, name, quoted, plain]) => [name!.toLowerCase(), quoted ?? plain ?? ""]),
  );
}

/** The hash of user, realm and password, which digest credentials hold instead of the password. */
export function ha1(
  algorithm: Challenge["algorithm"],
  user: string,
  realm: string,
  password: string,
): string {
  return hash(algorithm, `${user}:${realm}:${password}`);
}

/** Whether an Authorization value answers the challenge. */
export function answers(
  value: string,
  challenge: Challenge,
  { method, user, password }: { method: string; user: string; password: string },
): boolean {
  const given = digestParameters(value);
  const { algorithm, realm, nonce, qop = true } = challenge;
  const first = ha1(algorithm, user, realm, password);
  const second = hash(algorithm, `${method}:${given.get("uri")}`);
  const middle = qop ? `${nonce}:${given.get("nc")}:${given.get("cnonce")}:auth` : nonce;
  return given.get("response") === hash(algorithm, `${first}:${middle}:${second}`) &&
    given.get("username") === user && given.get("realm") === realm && given.get("nonce") === nonce &&
    given.get("opaque") === "5ccc" && (given.get("algorithm") ?? "MD5") === algorithm;
}

const hashes = { "MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" } as const;

/** Reads WWW-Authenticate or Proxy-Authenticate. */
export function readChallenge(value: string): Challenge {
  const given = digestParameters(value);
  return {
    realm: given.get("realm") ?? "",
    nonce: given.get("nonce") ?? "",
    algorithm: given.get("algorithm") === "SHA-256" ? "SHA-256" : "MD5",
    qop: given.has("qop"),
    stale: given.get("stale")?.toLowerCase() === "true",
  };
}

/** The value of Authorization or Proxy-Authorization that answers the challenge, for the first request with it. */
export function authorization(
  { algorithm, realm, nonce, qop = true }: Challenge,
  { method, uri, user, password }: { method: string; uri: string; user: string; password: string },
): string {
  const middle = qop ? `${nonce}:00000001:c0ffee:auth` : nonce;
  const response = hash(
    algorithm,
    `${ha1(algorithm, user, realm, password)}:${middle}:${hash(algorithm, `${method}:${uri}`)}`,
  );
  return `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", ` +
    `algorithm=${algorithm}${qop ? ', qop=auth, nc=00000001, cnonce="c0ffee"' : ""}`;
}

function hash(algorithm: Challenge["algorithm"], text: string): string {
  return createHash(hashes[algorithm]).update(text).digest("hex");
}
