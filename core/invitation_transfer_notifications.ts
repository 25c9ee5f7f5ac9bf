// SPDX-License-Identifier: GPL-2.0-or-later
import type { Body } from "./body.ts";
import type { HeaderMap } from "./header_map.ts";
import type { FrozenContentTypeHeader, FrozenFromHeader, FrozenToHeader } from "./headers.ts";
import type { Invitation } from "./invitation.ts";
import type { Note } from "./notification.ts";
import type { FrozenSIPURI } from "./uri.ts";

/**
 * Where a transfer of a call stands; null before the first one. "SENT", "ACCEPTED", "PENDING": ours; "INCOMING": the
 * peer's; "ACTIVE" and "TERMINATED": either's.
 */
export type InvitationTransferState =
  | null
  | "SENT"
  | "ACCEPTED"
  | "PENDING"
  | "INCOMING"
  | "ACTIVE"
  | "TERMINATED";

/** A REFER, sent or received. */
export interface InvitationReferral {
  /** Always "REFER". */
  method: "REFER";
  /** The Request-URI; null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  /** Refer-To says where the call shall go, Referred-By who wants it. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
}

/** What the peer tells of the call that it was asked to make. */
export interface InvitationTransferNotify {
  /** The Request-URI; null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  /** The From header. */
  fromHeader: FrozenFromHeader | null;
  /** The To header. */
  toHeader: FrozenToHeader | null;
  /** All headers of the message; empty where there was none. */
  headers: HeaderMap;
  /** A status line of SIP, such as "SIP/2.0 180 Ringing". */
  body: Body | null;
  /** The content type; null when there is none. */
  contentType: FrozenContentTypeHeader | null;
  /** The event package; null when it is not named. */
  event: string | null;
}

/** The notifications of Invitation that tell of transfers. */
export interface InvitationTransferNotifications {
  /** The peer asks us to call somebody else. Its REFER was accepted; `notifyTransferProgress()` tells the outcome. */
  SIPInvitationTransferNewIncoming: Note<Invitation, InvitationReferral>;
  /** A REFER of ours has gone out. */
  SIPInvitationTransferNewOutgoing: Note<Invitation, InvitationReferral>;
  /** The REFER was accepted. */
  SIPInvitationTransferDidStart: Note<Invitation>;
  /** The call that was asked for came about. */
  SIPInvitationTransferDidEnd: Note<Invitation>;
  /** It did not; code 0: nobody will ever know. */
  SIPInvitationTransferDidFail: Note<Invitation, { code: number; reason: string }>;
  /** The peer tells how it goes. */
  SIPInvitationTransferGotNotify: Note<Invitation, InvitationTransferNotify>;
  /** The state of the transfer changed. */
  SIPInvitationTransferChangedState: Note<
    Invitation,
    { prevState: InvitationTransferState; state: InvitationTransferState }
  >;
}
