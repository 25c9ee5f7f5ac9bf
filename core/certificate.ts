// SPDX-License-Identifier: GPL-2.0-or-later
import { X509Certificate } from "node:crypto";

/** What a peer of a TLS connection showed of itself. */
export interface Certificate {
  /** The subject on one line: "C=DE, O=Example, CN=example.org". */
  subject: string;
  /** The subject by attribute; of an attribute that occurs twice the first. */
  subjectInfo: Readonly<Record<string, string>>;
  /** The issuer on one line. */
  issuer: string;
  /** The issuer by attribute. */
  issuerInfo: Readonly<Record<string, string>>;
  /** The version of X.509: 3, as a rule. */
  version: number | null;
  /** The serial number in hexadecimal. */
  serial: string;
  /** When it begins to be valid; null: no date that can be read. */
  notBefore: Date | null;
  /** When it ends to be valid. */
  notAfter: Date | null;
  /** The alternative names, each with its kind: "DNS:example.org", "IP Address:192.0.2.1", "URI:sip:example.org". */
  alternativeNames: readonly string[];
  /** All of it, as PEM. */
  pem: string;
}

function attributesOf(lines: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const line of lines.split("\n")) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(line) ?? [];
    if (name !== undefined && !Object.hasOwn(attributes, name)) attributes[name] = value!;
  }
  return attributes;
}

function dateOf(text: string): Date | null {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** "a, b" into its parts; a name with a comma or another odd character in it stands in quotes. */
function namesOf(text: string | undefined): string[] {
  return text?.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g)?.map((name) => name.trim()) ?? [];
}

/** The version stands behind the two outermost headers: [0] EXPLICIT INTEGER, 0 for the first. */
function versionOf(raw: Uint8Array): number | null {
  let at = 0;
  for (let level = 0; level < 2; level++) {
    if (raw[at] !== 0x30) return null;
    const length = raw[at + 1] ?? 0;
    at += 2 + (length > 0x80 ? length - 0x80 : 0);
  }
  return raw[at] === 0xa0 && raw[at + 2] === 0x02 && raw[at + 3] === 1 ? (raw[at + 4] ?? 0) + 1 : 1;
}

/** Reads a certificate; null for text that holds none. */
export function parseCertificate(pem: string): Certificate | null {
  if (pem === "") return null;
  try {
    const certificate = new X509Certificate(pem);
    const { subject, issuer } = certificate;
    return {
      subject: subject.replaceAll("\n", ", "),
      subjectInfo: attributesOf(subject),
      issuer: issuer.replaceAll("\n", ", "),
      issuerInfo: attributesOf(issuer),
      version: versionOf(certificate.raw),
      serial: certificate.serialNumber,
      notBefore: dateOf(certificate.validFrom),
      notAfter: dateOf(certificate.validTo),
      alternativeNames: namesOf(certificate.subjectAltName),
      pem,
    };
  } catch {
    // What OpenSSL took for one, the runtime's own parser does not.
    return null;
  }
}
