// SPDX-License-Identifier: GPL-2.0-or-later
import {
  checkBoolean,
  checkConcrete,
  checkInstance,
  checkOptionalText,
  checkPort,
  checkText,
} from "./check_argument.ts";
import type { FrozenDict } from "./frozen.ts";
import {
  copyParameters,
  equalParameters,
  freezeParameters,
  getParameter,
  type ParametersInit,
  type ReadonlyParameters,
  setParameter,
} from "./parameters.ts";
import { orNull, parsing } from "./parsing.ts";
import { decodeEscapes, encodeEscapes } from "./sip_text.ts";
import {
  checkHost,
  parseAddress,
  ParsedURI,
  parseNameAddress,
  SCHEME,
  type URIFields,
} from "./uri_parser.ts";

export { isIPLiteral } from "./uri_parser.ts";

/** How SIP messages travel. */
export type TransportName = "udp" | "tcp" | "tls";

/** What {@linkcode SIPURI} is made from. */
export interface SIPURIInit {
  /** A name or an IP address; IPv6 with or without brackets. */
  host: string;
  /** Without percent-escapes, as all text here; null or "": none. */
  user?: string | null;
  /** Only beside a user. */
  password?: string | null;
  /** 1 to 65535; null or 0: not set. */
  port?: number | null;
  /** The display name that stood before the URI. It is not printed and not compared. */
  display?: string | null;
  /** true: a sips URI. Default false. */
  secure?: boolean;
  /** The URI's parameters; null is a flag such as `;lr`. */
  parameters?: ParametersInit | null;
  /** The headers behind "?". */
  headers?: ParametersInit | null;
}

// What stands unescaped in each component (RFC 3261, section 25.1).
const NOT_IN_USER = /[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/gu;
const NOT_IN_PASSWORD = /[^A-Za-z0-9\-_.!~*'()&=+$,]/gu;
const NOT_IN_PARAMETER = /[^A-Za-z0-9\-_.!~*'()[\]/:&+$]/gu;
const NOT_IN_HEADER = /[^A-Za-z0-9\-_.!~*'()[\]/?:+$]/gu;

let write: (uri: BaseSIPURI, fields: Partial<URIFields>) => void;

/** What {@linkcode SIPURI} and {@linkcode FrozenSIPURI} share. */
export abstract class BaseSIPURI {
  /** A copy of a URI, of the class on which it is called. */
  static from<T extends BaseSIPURI>(this: new (init: SIPURIInit) => T, other: BaseSIPURI): T {
    return new this(checkInstance(other, BaseSIPURI, "other"));
  }

  /**
   * Parses a sip or sips URI, bare or as in `"Alice" <sip:alice@example.com>` (the name becomes `display`).
   * Percent-escapes are decoded: `sip:al%20ice@host` has the user "al ice". A byte that is no UTF-8 is kept
   * as U+DC00 plus the byte, so that printing returns it.
   *
   * @throws SIPCoreError for malformed text, parameters given twice and other schemes.
   */
  static parse<T extends BaseSIPURI>(this: new (init: SIPURIInit) => T, text: string): T {
    return parsing("SIP URI", text, () => new this(parseNameAddress(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSIPURI>(this: new (init: SIPURIInit) => T, text: string): T | null {
    return orNull(() => parsing("SIP URI", text, () => new this(parseNameAddress(text))));
  }

  static {
    write = (uri, fields) => Object.assign(uri.#fields, fields);
  }

  readonly #fields: URIFields;

  /** For the two twins alone. */
  constructor(init: SIPURIInit) {
    checkConcrete(new.target, BaseSIPURI);
    if (init instanceof BaseSIPURI) {
      this.#fields = { ...init.#fields };
    } else if (init instanceof ParsedURI) {
      this.#fields = { ...init };
    } else {
      if (typeof init !== "object" || init === null) throw new TypeError("init must be an object");
      this.#fields = {
        host: checkHost(init.host, "host"),
        user: checkOptionalText(init.user, "user") || null,
        password: checkOptionalText(init.password, "password"),
        port: checkPort(init.port, "port"),
        display: checkOptionalText(init.display, "display"),
        secure: checkBoolean(init.secure ?? false, "secure"),
        parameters: copyParameters(init.parameters, "parameters", checkName),
        headers: copyParameters(init.headers, "headers", checkName),
      };
      if (this.user === null && this.password !== null) {
        throw new TypeError("password must stand beside a user");
      }
    }
  }

  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** A name or an IP address, IPv6 without its brackets. */
  get host(): string {
    return this.#fields.host;
  }

  /** The user part without escapes, null when there is none. */
  get user(): string | null {
    return this.#fields.user;
  }

  /** The password; null when there is none. */
  get password(): string | null {
    return this.#fields.password;
  }

  /** 1 to 65535, null when not set. */
  get port(): number | null {
    return this.#fields.port;
  }

  /** The display name found by `parse`: neither printed nor compared, the default display name of headers. */
  get display(): string | null {
    return this.#fields.display;
  }

  /** Whether this is a sips URI. */
  get secure(): boolean {
    return this.#fields.secure;
  }

  /** The URI's parameters, keys as written, null for flags such as `;lr`. */
  get parameters(): ReadonlyMap<string, string | null> {
    return this.#fields.parameters;
  }

  /** The headers behind "?", keys as written; one given twice has its values joined by commas. */
  get headers(): ReadonlyMap<string, string | null> {
    return this.#fields.headers;
  }

  /** The transport parameter in lower case, "udp" when there is none. */
  get transport(): string {
    return getParameter(this.parameters, "transport")?.toLowerCase() ?? "udp";
  }

  /**
   * Whether the components that `address` names are among those of this URI. It is written
   * `[scheme:]user[@host[:port]][;parameters][?headers]`; what is left out matches anything. An address without
   * "@" is a user, or the host of a URI without user.
   */
  matches(address: string): boolean {
    return matches(this, checkText(address, "address"));
  }

  /** Whether all components but `display` are equal; only the host and the names of parameters have no case. */
  equals(other: unknown): boolean {
    return other instanceof BaseSIPURI &&
      this.host.toLowerCase() === other.host.toLowerCase() &&
      this.user === other.user &&
      this.password === other.password &&
      this.port === other.port &&
      this.secure === other.secure &&
      equalParameters(this.parameters, other.parameters, String) &&
      equalParameters(this.headers, other.headers, String);
  }

  /** The URI as it stands on the wire, each component escaped by RFC 3261, without `display`. */
  toString(): string {
    const { host, user, password, port, secure, parameters, headers } = this.#fields;
    let text = secure ? "sips:" : "sip:";
    if (user !== null) {
      text += encodeEscapes(user, NOT_IN_USER);
      if (password !== null) text += `:${encodeEscapes(password, NOT_IN_PASSWORD)}`;
      text += "@";
    }
    text += host.includes(":") ? `[${host}]` : host;
    if (port !== null) text += `:${port}`;
    for (const [name, value] of parameters) text += `;${printPair(name, value, NOT_IN_PARAMETER)}`;
    const pairs = Array.from(headers, ([name, value]) => printPair(name, value, NOT_IN_HEADER));
    return pairs.length > 0 ? `${text}?${pairs.join("&")}` : text;
  }
}

/**
 * A sip or sips URI (RFC 3261, section 19.1). Its properties hold plain text; escapes and the brackets of IPv6
 * exist only in what `parse` reads and `toString` prints.
 *
 * @example
 * ```ts
 * import { SIPURI } from "@sipcore/sipcore";
 *
 * const uri = new SIPURI({ user: "alice", host: "example.com", parameters: { lr: null } });
 * uri.transport = "tcp";
 * uri.toString(); // "sip:alice@example.com;lr;transport=tcp"
 * SIPURI.parse("sip:al%20ice@[::1]:5070").user; // "al ice"
 * ```
 */
export class SIPURI extends BaseSIPURI {
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SIPURIInit) {
    super(init);
    write(this, { parameters: new Map(super.parameters), headers: new Map(super.headers) });
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The host: a name or an IP address, IPv6 without brackets. */
  override get host(): string {
    return super.host;
  }
  override set host(host: string) {
    write(this, { host: checkHost(host, "host") });
  }

  /** The user; null when there is none. */
  override get user(): string | null {
    return super.user;
  }
  /** null takes the password away too. */
  override set user(value: string | null) {
    const user = checkOptionalText(value, "user") || null;
    write(this, user === null ? { user, password: null } : { user });
  }

  /** The password; null when there is none. */
  override get password(): string | null {
    return super.password;
  }
  override set password(value: string | null) {
    const password = checkOptionalText(value, "password");
    if (this.user === null && password !== null) throw new TypeError("password must stand beside a user");
    write(this, { password });
  }

  /** The port; null when there is none. */
  override get port(): number | null {
    return super.port;
  }
  override set port(port: number | null) {
    write(this, { port: checkPort(port, "port") });
  }

  /** The display name that it was parsed with; null when there was none. */
  override get display(): string | null {
    return super.display;
  }
  override set display(display: string | null) {
    write(this, { display: checkOptionalText(display, "display") });
  }

  /** Whether it is a sips URI. */
  override get secure(): boolean {
    return super.secure;
  }
  override set secure(secure: boolean) {
    write(this, { secure: checkBoolean(secure, "secure") });
  }

  /** The parameters; what is changed in this map changes the URI. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    write(this, { parameters: copyParameters(parameters, "parameters", checkName) });
  }

  /** What stands behind the "?"; what is changed here changes the URI. */
  override get headers(): Map<string, string | null> {
    return super.headers as Map<string, string | null>;
  }
  override set headers(headers: ParametersInit) {
    write(this, { headers: copyParameters(headers, "headers", checkName) });
  }

  /** The transport parameter; what the URI leaves to the default without it. */
  override get transport(): string {
    return super.transport;
  }
  /** "udp" takes the parameter away. */
  override set transport(transport: string) {
    const value = checkText(transport, "transport").toLowerCase();
    setParameter(this.parameters, "transport", value === "udp" ? undefined : value);
  }
}

/** A {@linkcode SIPURI} that never changes. */
export class FrozenSIPURI extends BaseSIPURI {
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SIPURIInit) {
    super(init);
    write(this, { parameters: freezeParameters(super.parameters), headers: freezeParameters(super.headers) });
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }

  /** The parameters, which never change. */
  override get parameters(): FrozenDict<string | null> {
    return super.parameters as FrozenDict<string | null>;
  }

  /** What stands behind the "?". */
  override get headers(): FrozenDict<string | null> {
    return super.headers as FrozenDict<string | null>;
  }
}

function printPair(name: string, value: string | null, reserved: RegExp): string {
  const key = encodeEscapes(name, reserved);
  return value === null ? key : `${key}=${encodeEscapes(value, reserved)}`;
}

function checkName(value: unknown, argument: string): string {
  const name = checkText(value, argument);
  if (name === "") throw new TypeError(`${argument} must not be empty`);
  return name;
}

function matches(uri: BaseSIPURI, address: string): boolean {
  const text = address.trim();
  const scheme = SCHEME.exec(text)?.[0] ?? "";
  if (scheme !== "" && (scheme.length === 5) !== uri.secure) return false;
  const rest = text.slice(scheme.length);
  // Without "@" the first piece is a user, which a URI without user has not: there it is the host.
  const lone = rest.includes("@") || uri.user === null ? null : /^[^;?]*/.exec(rest)![0];
  const pattern = orNull(() => {
    return parsing(
      "SIP URI",
      text,
      () => parseAddress(`sip:${lone === null ? rest : `x${rest.slice(lone.length)}`}`),
    );
  });
  if (pattern === null) return false;
  if (lone !== null) {
    if (decodeEscapes(lone) !== uri.user) return false;
  } else {
    if (pattern.user !== uri.user || pattern.host.toLowerCase() !== uri.host.toLowerCase()) return false;
    if (pattern.password !== null && pattern.password !== uri.password) return false;
    if (pattern.port !== null && pattern.port !== uri.port) return false;
  }
  return holds(uri.parameters, pattern.parameters) && holds(uri.headers, pattern.headers);
}

function holds(all: ReadonlyParameters, some: ReadonlyParameters): boolean {
  return some.entries().every(([name, value]) => getParameter(all, name) === value);
}
