// SPDX-License-Identifier: GPL-2.0-or-later
import type { Reader } from "../ffi/wire.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { SIPMessage } from "./sip_message.ts";
import type { TransportName } from "./uri.ts";

/** A SIP message in a record, with where it came from; twin of sc_record_rdata() in shim/sip_message.c. */
export interface PeerMessage {
  /** null when the record had none. */
  readonly message: SIPMessage | null;
  /** null for a message that was sent. */
  readonly peerAddress: EndpointAddress | null;
  readonly transport: TransportName | null;
}

/** PJSIP's name of a transport ("UDP", "TCP6") as the API has it. */
export function transportName(name: string): TransportName | null {
  const plain = name.toLowerCase().replace(/6$/, "");
  return plain === "udp" || plain === "tcp" || plain === "tls" ? plain : null;
}

/** Reads the fields of one message. */
export function readPeerMessage(reader: Reader): PeerMessage {
  const bytes = reader.bytes();
  const ip = reader.text();
  const port = reader.u32();
  return {
    message: bytes.length ? SIPMessage.decode(bytes) : null,
    peerAddress: ip ? { ip, port } : null,
    transport: transportName(reader.text()),
  };
}
