// SPDX-License-Identifier: GPL-2.0-or-later
import { Engine } from "./engine.ts";
import { type BaseFromHeader, type BaseRouteHeader, FrozenContactHeader } from "./headers.ts";
import type { BaseSIPURI } from "./uri.ts";

/**
 * The Contact of a request for which the caller gives none: our address towards the route, with the user of From. It
 * is a sips URI where the request's is (RFC 3261, section 8.1.1.8).
 */
export function ownContact(
  requestUri: BaseSIPURI,
  fromHeader: BaseFromHeader,
  routeHeader: BaseRouteHeader,
): FrozenContactHeader {
  const uri = new Engine().contactUri(routeHeader, { user: fromHeader.uri.user });
  uri.secure = requestUri.secure;
  return new FrozenContactHeader(uri);
}
