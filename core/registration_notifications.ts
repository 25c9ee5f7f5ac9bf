// SPDX-License-Identifier: GPL-2.0-or-later
import type { FrozenList } from "./frozen.ts";
import type { HeaderMap } from "./header_map.ts";
import type { FrozenContactHeader, FrozenRouteHeader } from "./headers.ts";
import type { Note } from "./notification.ts";
import type { Registration } from "./registration.ts";

/** A REGISTER was answered with a 2xx. */
export interface RegistrationSuccess {
  /** The code of the response. */
  code: number;
  /** The reason phrase, or what went wrong here. */
  reason: string;
  /** What was registered. */
  contactHeader: FrozenContactHeader;
  /** All that is registered for this address, ours among them. */
  contactHeaderList: FrozenList<FrozenContactHeader>;
  /** For how many seconds it holds. */
  expiresIn: number;
  /** The route over which it went. */
  routeHeader: FrozenRouteHeader;
}

/** A REGISTER was refused, or not answered. */
export interface RegistrationFailure {
  /** Of the response; 408 without one, 503 when the connection failed, 0 when it could not be sent. */
  code: number;
  /** The reason phrase, or what went wrong here. */
  reason: string;
  /** The route over which it went. */
  routeHeader: FrozenRouteHeader;
  /** The least `duration` that the registrar takes, in seconds (423); null when it says none. */
  minExpires: number | null;
  /** After how many seconds to try again; null when the registrar does not say. */
  retryAfter: number | null;
  /** Of the response; empty when there was none. */
  headers: HeaderMap;
  /** Whole seconds for which an earlier registration still holds; 0: there is none. */
  expiresIn: number;
  /** In how many seconds `autoRefresh` tries again; null: it does not. */
  willRetryIn: number | null;
}

/** The notifications of Registration. */
export interface RegistrationNotifications {
  /** `register()` succeeded. */
  SIPRegistrationDidSucceed: Note<Registration, RegistrationSuccess>;
  /** `register()` failed; an earlier registration holds all the same. */
  SIPRegistrationDidFail: Note<Registration, RegistrationFailure>;
  /** The registration ends in `expires` seconds: time to register again. */
  SIPRegistrationWillExpire: Note<Registration, { expires: number }>;
  /** `end()` was called, and the REGISTER that unregisters is sent. */
  SIPRegistrationWillEnd: Note<Registration>;
  /** Unregistering failed: the registration holds until it expires. */
  SIPRegistrationDidNotEnd: Note<Registration, { code: number; reason: string }>;
  /** It is registered no more. `expired`: its time was over; false: it was unregistered, or the engine has ended. */
  SIPRegistrationDidEnd: Note<Registration, { expired: boolean }>;
}
