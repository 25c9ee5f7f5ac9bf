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
 * @throws {Error} when the name has no address or the transport is another than UDP and TCP.
 */
export async function routeTo(uri: SIPURI, find: Lookup = lookup): Promise<RouteHeader> {
  const transport = (uri.parameters.get("transport") ?? "udp").toLowerCase();
  if (uri.secure || (transport !== "udp" && transport !== "tcp")) {
    throw new Error(`${uri} cannot be reached: the demo speaks UDP and TCP`);
  }
  const host = uri.host.replace(/^\[(.*)\]$/, "$1");
  return RouteHeader.to({
    address: isIP(host) !== 0 ? host : (await find(host)).address,
    port: uri.port || 5060,
    transport,
  });
}
