// SPDX-License-Identifier: GPL-2.0-or-later
/** Certificates made on the spot with the command `openssl`: a good one, and each kind of bad one. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Says why tests with certificates cannot run here; false when they can. */
export const skipWithoutOpenssl: string | false = spawnSync("openssl", ["version"]).status === 0
  ? false
  : "the command openssl is not installed";

/** The name that the good certificate bears, beside 127.0.0.1 and ::1. */
export const goodName = "test.local";

export interface CertifiedKey {
  readonly cert: string;
  readonly key: string;
}

interface Wanted {
  readonly name?: string;
  /** An extension in openssl's words. */
  readonly alternativeNames?: string;
  /** The authority that signs; "self": none. */
  readonly by?: "ca" | "other" | "self";
  /** First and last day, yyyymmddhhmmssZ. */
  readonly valid?: readonly [from: string, to: string];
  readonly newKey?: readonly string[];
  readonly digest?: string;
}

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const goodNames = `DNS:${goodName},IP:127.0.0.1,IP:::1`;

/** A DNS name with a NUL in it, which openssl's own words cannot say: DER of a GeneralNames with one [2]. */
function namesWithNul(name: string): string {
  const bytes = [0x82, name.length, ...new TextEncoder().encode(name)];
  return "DER:" + [0x30, bytes.length, ...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

const kinds = {
  good: {},
  sip: { name: "other", alternativeNames: `URI:sip:${goodName}` },
  wildcard: { name: "other", alternativeNames: `DNS:*.${goodName}` },
  expired: { valid: ["20200101000000Z", "20200201000000Z"] },
  notYetValid: { valid: ["20480101000000Z", "20490101000000Z"] },
  wrongName: { name: "evil.example", alternativeNames: "DNS:evil.example" },
  untrusted: { by: "other" },
  selfSigned: { by: "self" },
  weak: { newKey: ["-newkey", "rsa:1024"], digest: "-sha1" },
  nul: { name: "evil.example", alternativeNames: namesWithNul(`${goodName}\0.evil.example`) },
  partialWildcard: { name: "evil.example", alternativeNames: "DNS:te*.local" },
} as const satisfies Record<string, Wanted>;

export type CertificateKind = keyof typeof kinds;

/** A folder with an authority, its certificates made when they are asked for. */
export class Certificates {
  readonly #folder: string = mkdtempSync(join(tmpdir(), "sipcore-certificates-"));
  readonly #made = new Map<CertificateKind, CertifiedKey>();

  constructor() {
    for (const name of ["ca", "other"]) {
      const { cert, key } = this.#paths(name);
      const use = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign"];
      this.#openssl("req", "-x509", ...curve, "-nodes", "-subj", `/CN=${name}`, "-days", "365", ...use)(
        "-keyout",
        key,
        "-out",
        cert,
      );
    }
  }

  /** The file of the authority that signs all but one. */
  get caFile(): string {
    return this.#paths("ca").cert;
  }

  get(kind: CertificateKind): CertifiedKey {
    const made = this.#made.get(kind) ?? this.#make(kind, kinds[kind]);
    this.#made.set(kind, made);
    return made;
  }

  /** A file of this text. */
  file(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #make(kind: string, wanted: Wanted): CertifiedKey {
    const { name = goodName, alternativeNames = goodNames, by = "ca", newKey = curve, digest = "-sha256" } =
      wanted;
    const made = this.#paths(kind);
    const request = this.file(`${kind}.csr`, "");
    this.#openssl("req", ...newKey, "-nodes", "-subj", `/CN=${name}`)("-keyout", made.key, "-out", request);
    const extensions = this.file(
      `${kind}.ext`,
      `[e]\nsubjectAltName=${alternativeNames}\nbasicConstraints=CA:FALSE\n`,
    );
    if (wanted.valid) {
      const config = this.file(
        "ca.conf",
        `[ca]\ndefault_ca=c\n[c]\ndatabase=${this.file("index", "")}\nserial=${
          this.file("serial", "10\n")
        }\n` +
          `new_certs_dir=${this.#folder}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n`,
      );
      const [from, to] = wanted.valid;
      const { cert, key } = this.#paths("ca");
      this.#openssl("ca", "-batch", "-config", config, "-extfile", extensions, "-extensions", "e")(
        ...[
          "-cert",
          cert,
          "-keyfile",
          key,
          "-startdate",
          from,
          "-enddate",
          to,
          "-in",
          request,
          "-out",
          made.cert,
        ],
        "-notext",
      );
      return made;
    }
    const signer = by === "self"
      ? ["-signkey", made.key]
      : ["-CA", this.#paths(by).cert, "-CAkey", this.#paths(by).key, "-CAcreateserial"];
    this.#openssl("x509", "-req", digest, "-days", "30", "-extfile", extensions, "-extensions", "e")(
      ...signer,
      "-in",
      request,
      "-out",
      made.cert,
    );
    return made;
  }

  #paths(name: string): CertifiedKey {
    return { cert: join(this.#folder, `${name}.crt`), key: join(this.#folder, `${name}.key`) };
  }

  #openssl(...what: string[]): (...files: string[]) => void {
    return (...files) => void execFileSync("openssl", [...what, ...files], { stdio: "pipe" });
  }
}
