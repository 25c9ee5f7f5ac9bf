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
  requestUri: BaseSIPURI;
  fromHeader: BaseFromHeader;
  toHeader: BaseToHeader;
  /** Where the INVITE goes: an IP address, its port and transport. */
  routeHeader: BaseRouteHeader;
  /** Left out: our address towards the route, with the user of the From header, as sips where `requestUri` is. */
  contactHeader?: BaseContactHeader;
  /** The offer. */
  sdp: BaseSDPSession;
  credentials?: BaseCredentials | null;
  extraHeaders?: Iterable<BaseHeader>;
  /** Seconds to wait for a final response; then CANCEL, and "disconnected" with 408. */
  timeout?: number | null;
  /** Its abort does what `end()` does. */
  signal?: AbortSignal;
}

/** What `sendResponse()` takes beside the code. */
export interface ResponseOptions {
  /** The reason phrase; the code's own when left out. */
  reason?: string | null;
  contactHeader?: BaseContactHeader | null;
  /** The answer to the peer's offer. */
  sdp?: BaseSDPSession | null;
  extraHeaders?: Iterable<BaseHeader>;
}

/** What `end()` takes. */
export interface EndOptions {
  extraHeaders?: Iterable<BaseHeader>;
  /** Seconds to wait for the peer's answer; then "disconnected" with 408. Default 32. */
  timeout?: number;
}
