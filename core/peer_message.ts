// SPDX-License-Identifier: GPL-2.0-or-later
import type { Reader } from "../ffi/wire.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { SIPMessage } from "./sip_message.ts";
import type { TransportName } from "./uri.ts";

const transportNames: ReadonlyMap<string, TransportName> = new Map([
  ["UDP", "udp"],
  ["UDP6", "udp"],
  ["TCP", "tcp"],
  ["TCP6", "tcp"],
  ["TLS", "tls"],
  ["TLS6", "tls"],
]);

/** PJSIP's name of a transport as the API has it. */
export function transportName(name: string): TransportName | null {
  return transportNames.get(name.toUpperCase()) ?? null;
}

/**
 * A SIP message in a record, with where it came from, each decoded when it is asked for; twin of sc_record_rdata() in
 * shim/sip_message.c.
 */
export class PeerMessage {
  readonly #fields: Reader;
  #message: SIPMessage | null | undefined;
  #peerAddress: EndpointAddress | null | undefined;
  #transport: TransportName | null | undefined;

  /** `fields` is a reader of its own. */
  constructor(fields: Reader) {
    this.#fields = fields;
  }

  /** null when the record had none. */
  get message(): SIPMessage | null {
    if (this.#message === undefined) {
      const bytes = this.#fields.fork().bytes();
      this.#message = bytes.length ? SIPMessage.decode(bytes) : null;
    }
    return this.#message;
  }

  /** null for a message that was sent. */
  get peerAddress(): EndpointAddress | null {
    if (this.#peerAddress === undefined) {
      const fields = this.#fields.fork().skip(1);
      const ip = fields.text();
      this.#peerAddress = ip ? { ip, port: fields.u32() } : null;
    }
    return this.#peerAddress;
  }

  get transport(): TransportName | null {
    if (this.#transport === undefined) {
      const fields = this.#fields.fork().skip(2);
      fields.u32();
      this.#transport = transportName(fields.text());
    }
    return this.#transport;
  }
}

/** Takes the fields of one message off the reader. */
export function readPeerMessage(reader: Reader): PeerMessage {
  const message = new PeerMessage(reader.fork());
  reader.skip(2).u32();
  reader.skip(1);
  return message;
}
