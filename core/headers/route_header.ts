// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkText } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import type { ParametersInit } from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import { BaseSIPURI, type FrozenSIPURI, SIPURI, type TransportName } from "../uri.ts";
import { checkHost, isIPLiteral } from "../uri_parser.ts";
import {
  AddressHeader,
  type AddressInit,
  addressInit,
  type AddressOptions,
  freezeAddress,
  parseAddressHeader,
  writeDisplayName,
  writeUri,
} from "./address_header.ts";
import { writeParameters } from "./parameter_header.ts";

/** Where a route leads. */
export interface RouteTarget {
  /** An IPv4 or IPv6 address. */
  address: string;
  /** null: the transport's own port. */
  port?: number | null;
  /** Default "udp". */
  transport?: TransportName;
  /** The name that the TLS certificate must bear. It is also asked for (SNI), and stays out of the message. */
  tlsName?: string | null;
}

/** What {@linkcode RouteHeader} and {@linkcode FrozenRouteHeader} share. */
export abstract class BaseRouteHeader extends AddressHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseRouteHeader>(this: new (init: AddressInit) => T, other: BaseRouteHeader): T {
    return new this(checkInstance(other, BaseRouteHeader, "other"));
  }

  /**
   * Parses a Route header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text and for URIs that are neither sip nor sips.
   */
  static parse<T extends BaseRouteHeader>(this: new (init: AddressInit) => T, text: string): T {
    return parsing("Route header", text, () => new this(parseAddressHeader(text, "Route")));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseRouteHeader>(this: new (init: AddressInit) => T, text: string): T | null {
    return orNull(() => parsing("Route header", text, () => new this(parseAddressHeader(text, "Route"))));
  }

  /** For the two twins alone. */
  constructor(uri: BaseSIPURI, options: AddressOptions) {
    super(uri, options);
    checkConcrete(new.target, BaseRouteHeader);
  }

  /** The name in front of the colon. */
  get name(): "Route" {
    return "Route";
  }

  /** The URI. */
  override get uri(): BaseSIPURI {
    return super.uri as BaseSIPURI;
  }
}

/**
 * A Route header (RFC 3261, section 20.34). As an argument it says where a request goes first: address, port and
 * transport of its URI.
 *
 * @example
 * ```ts
 * import { RouteHeader } from "@sipcore/sipcore";
 *
 * const route = RouteHeader.to({ address: "192.0.2.1", transport: "tls", tlsName: "sip.example.com" });
 * route.toString(); // "Route: <sip:192.0.2.1;transport=tls;tlsName=sip.example.com>"
 * ```
 */
export class RouteHeader extends BaseRouteHeader {
  /**
   * The route to an IP address. The port is left out of the URI where it is the transport's own (5060, for TLS
   * 5061). `tlsName`, for TLS only, is the name that the certificate must bear.
   */
  static to(target: RouteTarget): RouteHeader {
    const { address, port = null, transport = "udp", tlsName = null } = target;
    if (!isIPLiteral(checkHost(address, "address"))) {
      throw new TypeError(`address must be an IP address, got "${address}"`);
    }
    if (!["udp", "tcp", "tls"].includes(checkText(transport, "transport"))) {
      throw new RangeError(`transport must be "udp", "tcp" or "tls", got "${transport}"`);
    }
    if (tlsName !== null && transport !== "tls") {
      throw new TypeError('tlsName must stand beside transport "tls"');
    }
    const uri = new SIPURI({
      host: address,
      port: port === (transport === "tls" ? 5061 : 5060) ? null : port,
    });
    uri.transport = transport;
    if (tlsName !== null) uri.parameters.set("tlsName", checkHost(tlsName, "tlsName"));
    return new RouteHeader(uri);
  }

  /** From its parts, which are copied. */
  constructor(uri: BaseSIPURI, options?: AddressOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: AddressInit);
  constructor(first: BaseSIPURI | AddressInit, options?: AddressOptions) {
    const init = addressInit<BaseSIPURI>(first, options);
    super(SIPURI.from(checkInstance(init.uri, BaseSIPURI, "uri")), init);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The URI. */
  override get uri(): SIPURI {
    return super.uri as SIPURI;
  }
  override set uri(uri: BaseSIPURI) {
    writeUri(this, checkInstance(uri, BaseSIPURI, "uri"));
  }

  /** The name before the URI, without quotes; null when there is none. */
  override get displayName(): string | null {
    return super.displayName;
  }
  override set displayName(displayName: string | null) {
    writeDisplayName(this, displayName);
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }
}

/** A {@linkcode RouteHeader} that never changes. */
export class FrozenRouteHeader extends BaseRouteHeader {
  /** From its parts, which are copied. */
  constructor(uri: BaseSIPURI, options?: AddressOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: AddressInit);
  constructor(first: BaseSIPURI | AddressInit, options?: AddressOptions) {
    const init = addressInit<BaseSIPURI>(first, options);
    super(checkInstance(init.uri, BaseSIPURI, "uri"), init);
    freezeAddress(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }

  /** The URI. */
  override get uri(): FrozenSIPURI {
    return super.uri as FrozenSIPURI;
  }

  /** The parameters, which never change. */
  override get parameters(): FrozenDict<string | null> {
    return super.parameters as FrozenDict<string | null>;
  }
}
