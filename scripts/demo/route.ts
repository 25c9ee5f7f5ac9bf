// SPDX-License-Identifier: GPL-2.0-or-later
/** Where a request to an address goes first. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { RouteHeader, type SIPURI } from "../../mod.ts";

/** Finds an address of a host's name. */
export type Lookup = (host: string) => Promise<{ readonly address: string }>;

/**
 * The route to the host of a URI: its address, the port and transport that the URI names or that are usual.
 *
 * @throws {Error} when the name has no address or the transport is none that SIP knows here.
 */
export async function routeTo(uri: SIPURI, find: Lookup = lookup): Promise<RouteHeader> {
  const transport = (uri.parameters.get("transport") ?? (uri.secure ? "tls" : "udp")).toLowerCase();
  if (transport !== "udp" && transport !== "tcp" && transport !== "tls") {
    throw new Error(`No transport for ${uri}: ${transport}`);
  }
  const host = uri.host.replace(/^\[(.*)\]$/, "$1");
  const literal = isIP(host) !== 0;
  return RouteHeader.to({
    address: literal ? host : (await find(host)).address,
    port: uri.port || (transport === "tls" ? 5061 : 5060),
    transport,
    ...(transport === "tls" && !literal && { tlsName: host }),
  });
}
