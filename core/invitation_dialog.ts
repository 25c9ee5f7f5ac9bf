// SPDX-License-Identifier: GPL-2.0-or-later
import type { BaseSIPURI, FrozenSIPURI, TransportName } from "./uri.ts";
import { DialogID } from "./dialog_id.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { type FrozenContactHeader, FrozenFromHeader, FrozenToHeader } from "./headers.ts";
import type { AddressOptions } from "./headers/address_header.ts";
import { lazy } from "./lazy.ts";
import type { PeerMessage } from "./peer_message.ts";
import type { SIPMessage } from "./sip_message.ts";

export const nothing = (): null => null;

/** Who talks to whom in a call, as its messages tell it. What stands in them is parsed when somebody asks. */
export class InvitationDialog {
  readonly direction: "incoming" | "outgoing";
  requestUri: () => FrozenSIPURI | null = nothing;
  fromHeader: () => FrozenFromHeader | null = nothing;
  toHeader: () => FrozenToHeader | null = nothing;
  localContact: () => FrozenContactHeader | null = nothing;
  remoteContact: () => FrozenContactHeader | null = nothing;
  callId: string | null = null;
  localTag: string | null = null;
  remoteTag: () => string | null = nothing;
  transport: TransportName | null = null;
  remoteUserAgent: () => string | null = nothing;
  peerAddress: EndpointAddress | null = null;

  constructor(direction: "incoming" | "outgoing") {
    this.direction = direction;
  }

  get id(): DialogID | null {
    if (this.callId === null || this.localTag === null) return null;
    return new DialogID(this.callId, this.localTag, this.remoteTag());
  }

  /** Keeps where a message came from. */
  heard({ message, peerAddress, transport }: PeerMessage): SIPMessage | null {
    if (peerAddress) this.peerAddress = peerAddress;
    if (transport) this.transport = transport;
    this.callId ??= message?.headers.text("Call-ID") ?? null;
    return message;
  }

  /** The INVITE of an incoming call. */
  begin(message: SIPMessage): void {
    this.requestUri = () => message.requestUri;
    this.fromHeader = () => message.from;
    this.toHeader = () => message.to;
    this.remoteTag = () => message.from?.tag ?? null;
    this.learn(message);
  }

  /** What the attributes take from a message of the peer's that may refresh them. */
  learn(message: SIPMessage): void {
    const { headers } = message;
    if (headers.has("Contact")) {
      const before = this.remoteContact();
      this.remoteContact = lazy(() => message.contact ?? before);
    }
    const agent = headers.text("User-Agent") ?? headers.text("Server");
    if (agent !== null) this.remoteUserAgent = () => agent;
  }

  /** A response to our INVITE names the peer's side of the dialog. */
  learnTo(message: SIPMessage): void {
    const before = this.toHeader();
    this.toHeader = lazy(() => message.to ?? before);
  }

  /** The identity of ours carries the tag of the dialog. */
  name(): void {
    const [from, to, tag] = [this.fromHeader, this.toHeader, this.localTag];
    if (this.direction === "outgoing") this.fromHeader = lazy(() => tagged(FrozenFromHeader, from(), tag));
    else this.toHeader = lazy(() => tagged(FrozenToHeader, to(), tag));
  }
}

/** The header with the tag of a dialog. */
function tagged<H extends FrozenFromHeader | FrozenToHeader>(
  type: new (uri: BaseSIPURI, options: AddressOptions) => H,
  header: H | null,
  tag: string | null,
): H | null {
  if (header === null || tag === null) return header;
  const { uri, displayName, parameters } = header;
  return new type(uri, { displayName, parameters: new Map([...parameters, ["tag", tag]]) });
}
