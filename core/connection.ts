// SPDX-License-Identifier: GPL-2.0-or-later
/** The records of shim/connections.c. */
import type { Reader } from "../ffi/wire.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { transportName } from "./peer_message.ts";

/** A connection of a stream transport. */
export interface EngineTransportConnection {
  /** "tcp" or "tls". */
  transport: string;
  /** Our end, "ip:port". */
  localAddress: string;
  /** The peer's end, "ip:port". */
  remoteAddress: string;
}

/** What a TLS server showed when we connected to it. */
export interface EngineTransportCertificate extends EngineTransportConnection {
  /** The name that the certificate was to bear: the route's `tlsName`, else its address. */
  remoteHostname: string;
  /** The address that we connected to. */
  remoteIp: string;
  /** The cipher suite, as OpenSSL calls it. */
  tlsCipher: string;
  /** What is wrong with it as bits (`pj_ssl_cert_verify_flag_t`); 0: nothing. */
  verifyStatus: number;
  /** Null when it cannot be read. */
  certificate: Certificate | null;
}

function readEnds(reader: Reader): EngineTransportConnection {
  return {
    transport: transportName(reader.text()) ?? "tcp",
    localAddress: reader.text(),
    remoteAddress: reader.text(),
  };
}

/** A connection that was made, or is gone for a reason. */
export function readConnection(
  reader: Reader,
): { connected: boolean; connection: EngineTransportConnection; reason: string } {
  const connected = reader.u8() === 1;
  return { connected, connection: readEnds(reader), reason: reader.text() };
}

/** What a server showed, whether it was refused for it, and what is wrong with it. */
export function readCertificate(
  reader: Reader,
): { refused: boolean; shown: EngineTransportCertificate; errors: readonly string[] } {
  const refused = reader.u8() === 1;
  const ends = readEnds(reader);
  const remoteHostname = reader.text();
  const tlsCipher = reader.text();
  const verifyStatus = reader.u32();
  const errors = reader.text();
  const shown = {
    ...ends,
    remoteHostname,
    remoteIp: ends.remoteAddress.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""),
    tlsCipher,
    verifyStatus,
    certificate: parseCertificate(reader.text()),
  };
  return { refused, shown, errors: errors === "" ? [] : errors.split("\n") };
}
