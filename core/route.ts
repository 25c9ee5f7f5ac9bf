// SPDX-License-Identifier: GPL-2.0-or-later
import type { BaseRouteHeader } from "./headers.ts";
import { isIPLiteral } from "./uri_parser.ts";
import { SIPURI, type TransportName } from "./uri.ts";

/** Where a route leads, for the shim. */
export interface CheckedRoute {
  /** Without brackets. */
  readonly address: string;
  readonly transport: TransportName;
  /** The name that the certificate must bear; empty: the address. */
  readonly tlsName: string;
  /** The body of the Route header that steers PJSIP and never reaches the wire (`hide`). */
  readonly body: string;
}

/** Throws TypeError for a route that PJSIP could not follow without asking a name server. */
export function checkRoute(route: BaseRouteHeader): CheckedRoute {
  const { host } = route.uri;
  if (!isIPLiteral(host)) throw new TypeError(`The host of routeHeader must be an IP address, got "${host}"`);
  const uri = SIPURI.from(route.uri);
  uri.display = null;
  const tlsName = uri.parameters.get("tlsName") ?? "";
  uri.parameters.delete("tlsName");
  uri.parameters.set("lr", null);
  uri.parameters.set("hide", null);
  return {
    address: host.replace(/^\[|\]$/g, ""),
    transport: uri.transport as TransportName,
    tlsName,
    body: `<${uri}>`,
  };
}
