// SPDX-License-Identifier: GPL-2.0-or-later
import { DialogID } from "./dialog_id.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { type FrozenContactHeader, FrozenFromHeader, FrozenToHeader } from "./headers.ts";
import type { AddressOptions } from "./headers/address_header.ts";
import { lazy } from "./lazy.ts";
import { tagged } from "./tagged.ts";
import type { PeerMessage } from "./peer_message.ts";
import type { SIPMessage } from "./sip_message.ts";
import type { BaseSIPURI, FrozenSIPURI, TransportName } from "./uri.ts";

export const nothing = (): null => null;

/** How many messages wait to be looked at; more would only hold memory. */
const mostNews = 8;

/** Who talks to whom in a call, as its messages tell it. What stands in them is parsed when somebody asks. */
export class InvitationDialog {
  readonly direction: "incoming" | "outgoing";
  requestUri: () => FrozenSIPURI | null = nothing;
  fromHeader: () => FrozenFromHeader | null = nothing;
  localContact: () => FrozenContactHeader | null = nothing;
  localTag: string | null = null;
  remoteTag: () => string | null = nothing;
  transport: TransportName | null = null;
  peerAddress: EndpointAddress | null = null;
  #callId: () => string | null = nothing;
  #toHeader: () => FrozenToHeader | null = nothing;
  #remoteContact: FrozenContactHeader | null = null;
  #remoteUserAgent: string | null = null;
  /** Messages of the peer's, the oldest first. */
  #news: SIPMessage[] = [];

  constructor(direction: "incoming" | "outgoing") {
    this.direction = direction;
  }

  get callId(): string | null {
    return this.#callId();
  }

  get id(): DialogID | null {
    const { callId, localTag } = this;
    return callId === null || localTag === null ? null : new DialogID(callId, localTag, this.remoteTag());
  }

  get toHeader(): () => FrozenToHeader | null {
    this.#read();
    return this.#toHeader;
  }
  set toHeader(toHeader: () => FrozenToHeader | null) {
    this.#toHeader = toHeader;
  }

  get remoteContact(): FrozenContactHeader | null {
    this.#read();
    return this.#remoteContact;
  }

  get remoteUserAgent(): string | null {
    this.#read();
    return this.#remoteUserAgent;
  }

  /** Keeps where a message came from. */
  heard({ message, peerAddress, transport }: PeerMessage): SIPMessage | null {
    if (peerAddress) this.peerAddress = peerAddress;
    if (transport) this.transport = transport;
    if (message && this.#callId === nothing) {
      message.keep();
      this.#callId = lazy(() => message.headers.text("Call-ID"));
    }
    return message;
  }

  /** The INVITE of an incoming call. */
  begin(message: SIPMessage): void {
    this.requestUri = () => message.requestUri;
    this.fromHeader = () => message.from;
    this.#toHeader = () => message.to;
    this.remoteTag = () => message.from?.tag ?? null;
    this.learn(message);
  }

  /** A message of the peer's that may refresh what is known of it. */
  learn(message: SIPMessage): void {
    if (this.#news.push(message.keep()) >= mostNews) this.#read();
  }

  #read(): void {
    if (this.#news.length === 0) return;
    const news = this.#news;
    this.#news = [];
    for (const message of news) {
      const { headers } = message;
      this.#remoteContact = message.contact ?? this.#remoteContact;
      this.#remoteUserAgent = headers.text("User-Agent") ?? headers.text("Server") ?? this.#remoteUserAgent;
      // A response to our INVITE names the peer's side of the dialog.
      if (this.direction === "outgoing" && !message.isRequest) {
        const { to } = message;
        if (to) this.#toHeader = () => to;
      }
    }
  }

  /** The identity of ours carries the tag of the dialog. */
  name(): void {
    const { localTag } = this;
    if (this.direction === "outgoing") {
      const from = this.fromHeader;
      this.fromHeader = lazy(() => withTag(FrozenFromHeader, from(), localTag));
    } else {
      const to = this.#toHeader;
      this.#toHeader = lazy(() => withTag(FrozenToHeader, to(), localTag));
    }
  }
}

/** The header with the tag of a dialog, where there are both. */
function withTag<H extends FrozenFromHeader | FrozenToHeader>(
  type: new (uri: BaseSIPURI, options: AddressOptions) => H,
  header: H | null,
  tag: string | null,
): H | null {
  return header === null || tag === null ? header : tagged(type, header, tag);
}
