// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkWord } from "./check_argument.ts";
import { orNull, parsing } from "./parsing.ts";
import { remembered } from "./remembered.ts";
import { wordsOf } from "./sdp_lines.ts";

/** What may be left out of {@linkcode SDPConnection}. */
export interface SDPConnectionOptions {
  /** Default "IN". */
  netType?: string;
  /** Default "IP6" when the address has a colon, else "IP4". */
  addressType?: string;
}

/** What {@linkcode SDPConnection} is made from. */
export interface SDPConnectionInit extends SDPConnectionOptions {
  /** An address; one for multicast may be followed by "/ttl" and "/count". */
  address: string;
}

type Fields = Required<SDPConnectionInit>;

let write: (connection: BaseSDPConnection, fields: Partial<Fields>) => void;

/** What {@linkcode SDPConnection} and {@linkcode FrozenSDPConnection} share. */
export abstract class BaseSDPConnection {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseSDPConnection>(
    this: new (init: SDPConnectionInit) => T,
    other: BaseSDPConnection,
  ): T {
    return new this(checkInstance(other, BaseSDPConnection, "other"));
  }

  /**
   * Parses a "c=" line, or what stands behind its "c=".
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseSDPConnection>(this: new (init: SDPConnectionInit) => T, text: string): T {
    return parsing("SDP connection", text, () => new this(parseConnection(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSDPConnection>(
    this: new (init: SDPConnectionInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("SDP connection", text, () => new this(parseConnection(text))));
  }

  static {
    write = (connection, fields) => Object.assign(connection.#fields, fields);
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(init: SDPConnectionInit) {
    checkConcrete(new.target, BaseSDPConnection);
    const address = checkWord(init.address, "address");
    this.#fields = {
      address,
      netType: checkWord(init.netType ?? "IN", "netType"),
      addressType: checkWord(init.addressType ?? addressTypeOf(address), "addressType"),
    };
  }

  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** The address. */
  get address(): string {
    return this.#fields.address;
  }

  /** The type of the network: "IN". */
  get netType(): string {
    return this.#fields.netType;
  }

  /** The type of the address: "IP4" or "IP6". */
  get addressType(): string {
    return this.#fields.addressType;
  }

  /** Whether all components are equal. */
  equals(other: unknown): boolean {
    return other instanceof BaseSDPConnection &&
      this.address === other.address &&
      this.netType === other.netType &&
      this.addressType === other.addressType;
  }

  /** The line, without its end. */
  toString(): string {
    return `c=${this.netType} ${this.addressType} ${this.address}`;
  }
}

/**
 * A "c=" line (RFC 8866, section 5.7): where media is to be sent.
 *
 * @example
 * ```ts
 * import { SDPConnection } from "@sipcore/sipcore";
 *
 * new SDPConnection("2001:db8::1").toString(); // "c=IN IP6 2001:db8::1"
 * ```
 */
export class SDPConnection extends BaseSDPConnection {
  /** From its parts, which are copied. */
  constructor(address: string, options?: SDPConnectionOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPConnectionInit);
  constructor(first: string | SDPConnectionInit, options?: SDPConnectionOptions) {
    super(typeof first === "string" ? { ...options, address: first } : first);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The address. */
  override get address(): string {
    return super.address;
  }
  /** The address type stays as it is. */
  override set address(address: string) {
    write(this, { address: checkWord(address, "address") });
  }

  /** The type of the network: "IN". */
  override get netType(): string {
    return super.netType;
  }
  override set netType(netType: string) {
    write(this, { netType: checkWord(netType, "netType") });
  }

  /** The type of the address: "IP4" or "IP6". */
  override get addressType(): string {
    return super.addressType;
  }
  override set addressType(addressType: string) {
    write(this, { addressType: checkWord(addressType, "addressType") });
  }
}

/** A {@linkcode SDPConnection} that never changes. */
export class FrozenSDPConnection extends BaseSDPConnection {
  /** From its parts, which are copied. */
  constructor(address: string, options?: SDPConnectionOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPConnectionInit);
  constructor(first: string | SDPConnectionInit, options?: SDPConnectionOptions) {
    super(typeof first === "string" ? { ...options, address: first } : first);
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }
}

/** The address type that goes with an address. */
export function addressTypeOf(address: string): "IP4" | "IP6" {
  return address.includes(":") ? "IP6" : "IP4";
}

function parseConnection(text: string): SDPConnectionInit {
  const [netType, addressType, address, ...rest] = wordsOf(text.startsWith("c=") ? text.slice(2) : text);
  if (address === undefined || rest.length > 0) throw new SyntaxError("not three words");
  return { netType: netType!, addressType: addressType!, address };
}

/** What stands behind a "c=", as a value. */
export const frozenConnection: (text: string) => FrozenSDPConnection = remembered(
  (text) => FrozenSDPConnection.parse(text),
);
