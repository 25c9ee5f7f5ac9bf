// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInstance } from "./check_argument.ts";
import { SIPCoreError } from "./errors.ts";
import { RouteHeader } from "./headers.ts";
import { hostName, Names, nameSettings, type NAPTRRecord } from "./names.ts";
import { getParameter } from "./parameters.ts";
import { orderRecords } from "./srv_record.ts";
import { BaseSIPURI, isIPLiteral, type TransportName } from "./uri.ts";

/** How much of what name servers answer is followed. No honest domain has more; a hostile one has thousands. */
const most = { services: 8, records: 16, places: 32, routes: 64 } as const;

const transports: readonly string[] = ["udp", "tcp", "tls"] satisfies TransportName[];

/** The services of NAPTR records (RFC 3263, section 4.1) and the names of SRV records (section 4.2). */
const naptrServices: ReadonlyMap<string, TransportName> = new Map([
  ["SIP+D2U", "udp"],
  ["SIP+D2T", "tcp"],
  ["SIPS+D2T", "tls"],
]);
const srvPrefix: Readonly<Record<TransportName, string>> = {
  udp: "_sip._udp",
  tcp: "_sip._tcp",
  tls: "_sips._tcp",
};

/** Whom the request is to reach. */
interface Target {
  /** An IP address, or a name that can be asked for. */
  readonly host: string;
  readonly port: number | null;
  /** null: the URI leaves it open. */
  readonly transport: TransportName | null;
  readonly secure: boolean;
  /** The name of the domain, which certificates must bear (RFC 5922, section 7.2). */
  readonly domain: string;
}

/** A service to be looked up. */
interface Service {
  readonly transport: TransportName;
  /** Where its SRV records stand. */
  readonly name: string;
}

/** A server whose addresses are to be looked up. */
interface Place {
  readonly transport: TransportName;
  readonly host: string;
  readonly port: number;
}

/**
 * Finds where a request to this URI can be sent (RFC 3263, section 4): by NAPTR records the transports, by SRV records
 * the servers, by A and AAAA records their addresses. It needs no engine.
 *
 * The routes come in the order in which to try them: section 4.3 asks to go on with the next one after a 503, a
 * timeout or a failure of the transport. There is at least one and there are at most 64, none twice. A server's IPv4
 * addresses stand before its IPv6 addresses, servers of one priority in the order of a lot by their weights. All
 * transports are listed that the domain and the URI allow, whether the engine has them on or not:
 * `routes.filter(({ uri }) => uri.transport !== "tls")` leaves one out. Routes by TLS carry as `tlsName` the domain of
 * the URI, whatever the server is called (RFC 5922).
 *
 * - A sips URI leads to TLS only; the parameter `transport` says which one, else NAPTR records do, else the SRV
 *   records of UDP and TCP, else it is UDP.
 * - An IP address or a port in the URI leaves no question but that for the address. The parameter `maddr` takes the
 *   host's place.
 * - The system's own names are asked of the system, without NAPTR and SRV: those in its hosts file and those without
 *   a dot, such as `localhost`. For all others its name servers are asked, by absolute names, and where they know no
 *   address of a name that ends in ".local", the system.
 * - Each of the three kinds of question waits 5 seconds at most: silent name servers take 15, for a ".local" name 20.
 *
 * Under Deno it wants `--allow-net`, and `--allow-read=/etc/hosts` for the hosts file.
 *
 * @throws SIPCoreError "NOT_FOUND" when the host has no address, declines the service, or the URI names a transport
 * that is none of ours; "NAME_SERVER" when nothing was found and a name server gave no answer (Deno takes a server's
 * failure for a name that does not exist); TypeError for bad arguments; the signal's reason when it has aborted: no
 * question to a name server is on its way then.
 *
 * @example
 * ```ts
 * import { resolve, SIPURI } from "@sipcore/sipcore";
 *
 * for (const route of await resolve(SIPURI.parse("sip:bob@localhost;transport=tcp"))) {
 *   console.log(`${route}`); // "Route: <sip:127.0.0.1;transport=tcp>"
 * }
 * ```
 */
export async function resolve(
  uri: BaseSIPURI,
  options: { signal?: AbortSignal } = {},
): Promise<RouteHeader[]> {
  checkInstance(uri, BaseSIPURI, "uri");
  const { signal } = options;
  if (signal !== undefined) checkInstance(signal, AbortSignal, "signal");
  signal?.throwIfAborted();
  const target = targetOf(uri);
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal!.reason);
  signal?.addEventListener("abort", abort, { once: true });
  // Leaving disposes of it, which cancels what is still on its way.
  using names = new Names(target.host);
  try {
    const routes = await Promise.race([findRoutes(target, names), aborted.promise]);
    if (routes.length > 0) return routes;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
  const cause = names.failure;
  if (cause === null) throw new SIPCoreError(`There is no route to "${target.host}"`, "NOT_FOUND");
  const message = `Could not find a route to "${target.host}": ${cause.message}`;
  throw new SIPCoreError(message, "NAME_SERVER", { cause });
}

function targetOf(uri: BaseSIPURI): Target {
  const maddr = getParameter(uri.parameters, "maddr");
  const text = maddr === undefined ? uri.host : (maddr ?? "").replace(/^\[(.*)\]$/, "$1");
  const host = isIPLiteral(text) ? text : hostName(text);
  if (host === null) {
    throw new SIPCoreError(`There is no route to "${text}": it is no host`, "NOT_FOUND");
  }
  return {
    host,
    port: uri.port,
    transport: transportOf(uri),
    secure: uri.secure,
    domain: uri.host.replace(/\.$/, ""),
  };
}

/** The transport that the URI asks for. */
function transportOf(uri: BaseSIPURI): TransportName | null {
  const { secure } = uri;
  const text = getParameter(uri.parameters, "transport")?.toLowerCase();
  if (text === undefined) return null;
  // That of a sips URI is below TLS (RFC 3261, section 26.2.2).
  const transport = secure && text === "tcp" ? "tls" : text;
  if (!transports.includes(transport) || (secure && transport !== "tls")) {
    const scheme = secure ? "a sips" : "a sip";
    const message = `There is no route to "${uri.host}": transport "${text}" is none of ${scheme} URI`;
    throw new SIPCoreError(message, "NOT_FOUND");
  }
  return transport as TransportName;
}

async function findRoutes(target: Target, names: Names): Promise<RouteHeader[]> {
  const places = await findPlaces(target, names);
  const addresses = await Promise.all(places.map(({ host }) => names.addresses(host)));
  const routes = new Map<string, RouteHeader>();
  for (const [index, { transport, port }] of places.entries()) {
    for (const address of addresses[index]!) {
      const key = `${transport} ${address} ${port}`;
      if (routes.size < most.routes && !routes.has(key)) {
        // Where the host is an address the certificate must bear that, which needs no saying.
        const tlsName = transport === "tls" && address !== target.domain ? target.domain : null;
        routes.set(key, RouteHeader.to({ address, port, transport, tlsName }));
      }
    }
  }
  return [...routes.values()];
}

async function findPlaces(target: Target, names: Names): Promise<Place[]> {
  const { host, port, secure, transport } = target;
  const usual = transport ?? (secure ? "tls" : "udp");
  const itself: Place = { host, port: port ?? (usual === "tls" ? 5061 : 5060), transport: usual };
  if (isIPLiteral(host) || await names.isOwn(host) || port !== null) return [itself];
  if (transport === null) {
    const { places } = await findServers(servicesOf(await names.naptr(host), secure), names);
    if (places.length > 0) return places;
  }
  const usable: TransportName[] = transport !== null ? [transport] : secure ? ["tls"] : ["udp", "tcp"];
  const services = usable.map((one) => ({ transport: one, name: `${srvPrefix[one]}.${host}` }));
  const { places, exist } = await findServers(services, names);
  return exist ? places : [itself];
}

/** The services that NAPTR records offer and we can use, in their order. */
function servicesOf(records: readonly NAPTRRecord[], secure: boolean): Service[] {
  return records
    .toSorted((a, b) => a.order - b.order || a.preference - b.preference)
    .flatMap((record) => {
      const transport = naptrServices.get(record.service.toUpperCase());
      const name = hostName(record.replacement);
      const fits = /^s$/i.test(record.flags) && record.regexp === "" && (!secure || transport === "tls");
      return fits && transport !== undefined && name !== null ? [{ transport, name }] : [];
    })
    .slice(0, most.services);
}

/**
 * The servers that the SRV records of these services name, in the order to be tried. `exist`: there are records, also
 * if they name no server: one with the target "." says that there is no such service (RFC 2782).
 */
async function findServers(
  services: readonly Service[],
  names: Names,
): Promise<{ places: Place[]; exist: boolean }> {
  const answers = await Promise.all(services.map(({ name }) => names.srv(name)));
  const places = answers.flatMap((records, index) => {
    const { transport } = services[index]!;
    const usable = records.flatMap((record) => {
      const name = hostName(record.name);
      return name !== null && record.port > 0 ? [{ ...record, name }] : [];
    });
    return orderRecords(usable, most.records, nameSettings.random)
      .map(({ name, port }): Place => ({ transport, host: name, port }));
  });
  return { places: places.slice(0, most.places), exist: answers.some(({ length }) => length > 0) };
}
