// SPDX-License-Identifier: GPL-2.0-or-later
import type { FrozenRouteHeader } from "./headers.ts";
import type { Note } from "./notification.ts";
import type { Publication } from "./publication.ts";

/** A PUBLISH was answered with a 2xx. */
export interface PublicationSuccess {
  /** The code of the response. */
  code: number;
  /** The reason phrase, or what went wrong here. */
  reason: string;
  /** For how many seconds it holds. */
  expiresIn: number;
  /** The route over which it went. */
  routeHeader: FrozenRouteHeader;
}

/** A PUBLISH was refused, or not answered. */
export interface PublicationFailure {
  /** Of the response; 408 without one, 503 when the connection failed, 0 when it could not be sent. */
  code: number;
  /** The reason phrase, or what went wrong here. */
  reason: string;
  /** The route over which it went. */
  routeHeader: FrozenRouteHeader;
}

/** The notifications of Publication. */
export interface PublicationNotifications {
  /** `publish()` succeeded. */
  SIPPublicationDidSucceed: Note<Publication, PublicationSuccess>;
  /** `publish()` failed; what was published before holds all the same. After a 412 the body has to be given again. */
  SIPPublicationDidFail: Note<Publication, PublicationFailure>;
  /** What is published ends in `expires` seconds: time for `publish(null)`. */
  SIPPublicationWillExpire: Note<Publication, { expires: number }>;
  /** `end()` was called, and the PUBLISH that takes it back is sent. */
  SIPPublicationWillEnd: Note<Publication>;
  /** Taking it back failed: it holds until it expires. */
  SIPPublicationDidNotEnd: Note<Publication, { code: number; reason: string }>;
  /** It is published no more. `expired`: its time was over; false: it was taken back, or the engine has ended. */
  SIPPublicationDidEnd: Note<Publication, { expired: boolean }>;
}
