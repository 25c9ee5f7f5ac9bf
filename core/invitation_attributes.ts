// SPDX-License-Identifier: GPL-2.0-or-later
import type { FrozenCredentials } from "./credentials.ts";
import type { DialogID } from "./dialog_id.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import type { FrozenContactHeader, FrozenFromHeader, FrozenRouteHeader, FrozenToHeader } from "./headers.ts";
import type { InvitationDialog } from "./invitation_dialog.ts";
import { InvitationOffers } from "./invitation_offers.ts";
import type { InvitationSDP } from "./invitation_options.ts";
import type { FrozenSIPURI, TransportName } from "./uri.ts";

/** What the attributes of a call are made of: its methods write here. */
export interface InvitationParts {
  credentials: FrozenCredentials | null;
  routeHeader: FrozenRouteHeader | null;
  dialog: InvitationDialog | null;
  readonly offers: InvitationOffers;
}

/** For the class that extends it alone. */
export let partsOf: (invitation: InvitationAttributes) => InvitationParts;

/** The attributes of an Invitation: who talks to whom, and about what. */
export abstract class InvitationAttributes {
  readonly #parts: InvitationParts = {
    credentials: null,
    routeHeader: null,
    dialog: null,
    offers: new InvitationOffers(),
  };

  static {
    partsOf = (invitation) => invitation.#parts;
  }

  /** Who sent the INVITE; null before there is one. */
  get direction(): "incoming" | "outgoing" | null {
    return this.#parts.dialog?.direction ?? null;
  }

  /** What an outgoing call authenticates with. */
  get credentials(): FrozenCredentials | null {
    return this.#parts.credentials;
  }

  /** The request URI of the INVITE. */
  get requestUri(): FrozenSIPURI | null {
    return this.#parts.dialog?.requestUri() ?? null;
  }

  /** The From header of the INVITE, with its tag. */
  get fromHeader(): FrozenFromHeader | null {
    return this.#parts.dialog?.fromHeader() ?? null;
  }

  /** The To header of the INVITE; with the tag once the call is answered. */
  get toHeader(): FrozenToHeader | null {
    return this.#parts.dialog?.toHeader() ?? null;
  }

  /** From or To, whichever is ours. */
  get localIdentity(): FrozenFromHeader | FrozenToHeader | null {
    return this.direction === "incoming" ? this.toHeader : this.fromHeader;
  }

  /** From or To, whichever is the peer's. */
  get remoteIdentity(): FrozenFromHeader | FrozenToHeader | null {
    return this.direction === "incoming" ? this.fromHeader : this.toHeader;
  }

  /** The route of an outgoing call. */
  get routeHeader(): FrozenRouteHeader | null {
    return this.#parts.routeHeader;
  }

  /** The Contact that we gave last. */
  get localContactHeader(): FrozenContactHeader | null {
    return this.#parts.dialog?.localContact() ?? null;
  }

  /** The Contact that the peer gave last. */
  get remoteContactHeader(): FrozenContactHeader | null {
    return this.#parts.dialog?.remoteContact ?? null;
  }

  /** The Call-ID, readable after the end too. */
  get callId(): string | null {
    return this.#parts.dialog?.callId ?? null;
  }

  /** The dialog; null before there is one. */
  get dialogId(): DialogID | null {
    return this.#parts.dialog?.id ?? null;
  }

  /** What carries the call. */
  get transport(): TransportName | null {
    return this.#parts.dialog?.transport ?? null;
  }

  /** What User-Agent or Server of the peer said. */
  get remoteUserAgent(): string | null {
    return this.#parts.dialog?.remoteUserAgent ?? null;
  }

  /** Where the peer's last message came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    const address = this.#parts.dialog?.peerAddress;
    return address ? { ...address } : null;
  }

  /** Offer and answer as they stand now. */
  get sdp(): InvitationSDP {
    return this.#parts.offers.view;
  }
}
