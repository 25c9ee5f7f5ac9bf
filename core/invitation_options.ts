// SPDX-License-Identifier: GPL-2.0-or-later
import type { BaseCredentials } from "./credentials.ts";
import type {
  BaseContactHeader,
  BaseFromHeader,
  BaseHeader,
  BaseRouteHeader,
  BaseToHeader,
} from "./headers.ts";
import type { BaseSDPSession, FrozenSDPSession } from "./sdp_session.ts";
import type { SessionTimer } from "./session_timer.ts";
import type { BaseSIPURI } from "./uri.ts";

/** Offer and answer of a session; null where there is none. */
export interface InvitationSDP {
  /** The offer, or the answer, of ours that is being negotiated. */
  readonly proposedLocal: FrozenSDPSession | null;
  /** The offer of the peer's that is being negotiated. */
  readonly proposedRemote: FrozenSDPSession | null;
  /** What is in force on our side. */
  readonly activeLocal: FrozenSDPSession | null;
  /** What is in force on the peer's side. */
  readonly activeRemote: FrozenSDPSession | null;
}

/** What `sendInvite()` takes. */
export interface InviteOptions {
  /** The Request-URI: who is called. */
  requestUri: BaseSIPURI;
  /** Who calls. */
  fromHeader: BaseFromHeader;
  /** Who is called. */
  toHeader: BaseToHeader;
  /** Where the INVITE goes: an IP address, its port and transport. */
  routeHeader: BaseRouteHeader;
  /** Left out: our address towards the route, with the user of the From header, as sips where `requestUri` is. */
  contactHeader?: BaseContactHeader;
  /** The offer; null: the peer makes it in its 2xx, and `sendAck()` answers. */
  sdp: BaseSDPSession | null;
  /** What challenges are answered with; left out or null: nothing. */
  credentials?: BaseCredentials | null;
  /** A Require or Supported header with 100rel asks for reliable provisional responses (RFC 3262). */
  extraHeaders?: Iterable<BaseHeader>;
  /** Seconds to wait for a final response; then CANCEL, and "disconnected" with 408. */
  timeout?: number | null;
  /** Its abort does what `end()` does. */
  signal?: AbortSignal;
  /** Left out: the engine's option. null: none is asked for; one that the peer asks for is kept all the same. */
  sessionTimer?: SessionTimer | null;
}

/** What `sendResponse()` takes beside the code. */
export interface ResponseOptions {
  /** The reason phrase; the code's own when left out. */
  reason?: string | null;
  /** Our Contact; left out or null: our address towards that route. */
  contactHeader?: BaseContactHeader | null;
  /** The answer to the peer's offer, or our offer where the peer has made none. */
  sdp?: BaseSDPSession | null;
  /** A Require header with 100rel makes this provisional response and the later ones reliable (RFC 3262). */
  extraHeaders?: Iterable<BaseHeader>;
  /**
   * With the 2xx that takes a call: what we want, as far as the peer's INVITE lets us. Left out: the engine's option.
   * null: a timer is kept when the peer has asked for one.
   */
  sessionTimer?: SessionTimer | null;
}

/** What `sendReinvite()` takes. */
export interface ReinviteOptions {
  /** Left out: the Contact stays as it is. */
  contactHeader?: BaseContactHeader | null;
  /** The new offer. Left out: what is agreed on is offered again. null: the peer is to offer. */
  sdp?: BaseSDPSession | null;
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
}

/** What `sendMessage()` and `sendInfo()` take beside the body. */
export interface InvitationRequestOptions {
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
}

/** What `end()` takes. */
export interface EndOptions {
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
  /** Seconds to wait for the peer's answer; then "disconnected" with 408. Default 32. */
  timeout?: number;
}
