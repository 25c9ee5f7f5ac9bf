// SPDX-License-Identifier: GPL-2.0-or-later
import type { Body } from "./body.ts";
import type { HeaderMap } from "./header_map.ts";
import type { Invitation } from "./invitation.ts";
import type { InvitationTransferNotifications } from "./invitation_transfer_notifications.ts";
import type { Note } from "./notification.ts";
import type { FrozenSDPSession } from "./sdp_session.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** The states of an Invitation; null before anything was sent. */
export type InvitationState =
  | null
  | "incoming"
  | "outgoing"
  | "early"
  | "connecting"
  | "connected"
  | "disconnecting"
  | "disconnected";

/**
 * What a "connected" Invitation is at; null in every other state. "received_proposal": an offer of the peer's waits for
 * our answer; "received_proposal_request": the peer's re-INVITE waits for our offer.
 */
export type InvitationSubState =
  | null
  | "normal"
  | "sent_proposal"
  | "received_proposal"
  | "received_proposal_request";

/** Who caused a change; null: a timer, or the last step of something that was told before. */
export type InvitationOriginator = "local" | "remote" | null;

/** A change of state, with the message that caused it. */
export interface InvitationStateChange {
  /** The state before. */
  prevState: InvitationState;
  /** The state now. */
  state: InvitationState;
  /** The sub-state before. */
  prevSubState: InvitationSubState;
  /** The sub-state now. */
  subState: InvitationSubState;
  /** Which side has caused it; null: nobody did. */
  originator: InvitationOriginator;
  /** Of the request that caused it. */
  method: string | null;
  /** Of the request that caused it. */
  requestUri: FrozenSIPURI | null;
  /** Of the response, or the local failure, that caused it. */
  code: number | null;
  /** Of the response, or the local failure, that caused it. */
  reason: string | null;
  /** All headers of the message; empty where there was none. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
  /** Why it ended; only in the change to "disconnected". */
  disconnectReason: string | null;
}

/** What came of a negotiation (RFC 3264). */
export type SDPUpdate =
  | { succeeded: true; localSdp: FrozenSDPSession; remoteSdp: FrozenSDPSession; error: null }
  | { succeeded: false; localSdp: null; remoteSdp: null; error: string };

/** A request of the peer's within the call, answered 200 already. */
export interface InvitationRequest {
  /** The method of the request. */
  method: string;
  /** The Request-URI; null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  /** All headers of the message; empty where there was none. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
}

/** The notifications of Invitation. */
export interface InvitationNotifications extends InvitationTransferNotifications {
  /** The state changed; a change to "early" comes with every provisional response. */
  SIPInvitationChangedState: Note<Invitation, InvitationStateChange>;
  /** Offer and answer were negotiated: start, change or stop the media. */
  SIPInvitationGotSDPUpdate: Note<Invitation, SDPUpdate>;
  /** A MESSAGE within the call (RFC 3428). */
  SIPInvitationGotMessage: Note<Invitation, InvitationRequest>;
  /** An INFO within the call (RFC 6086), such as DTMF of the type application/dtmf-relay. */
  SIPInvitationGotInfo: Note<Invitation, InvitationRequest>;
}
