// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import {
  getIntegerParameter,
  getTextParameter,
  MOST_SECONDS,
  type ParametersInit,
  parseParameters,
  setIntegerParameter,
  setParameter,
} from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import { headerBody } from "../sip_text.ts";
import { BaseSIPURI, FrozenSIPURI, SIPURI } from "../uri.ts";
import {
  AddressHeader,
  addressInit,
  type AddressOptions,
  freezeAddress,
  parseAddressText,
  writeDisplayName,
  writeStar,
  writeUri,
} from "./address_header.ts";
import { writeParameters } from "./parameter_header.ts";

/** What {@linkcode ContactHeader} is made from. */
export interface ContactInit extends AddressOptions {
  /** null is "*": all contacts. */
  uri: BaseSIPURI | null;
}

/** What {@linkcode ContactHeader} and {@linkcode FrozenContactHeader} share. */
export abstract class BaseContactHeader extends AddressHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseContactHeader>(this: new (init: ContactInit) => T, other: BaseContactHeader): T {
    return new this(checkInstance(other, BaseContactHeader, "other"));
  }

  /**
   * Parses a Contact header, whole or its body alone. It must hold one contact.
   *
   * @throws SIPCoreError for malformed text and for URIs that are neither sip nor sips.
   */
  static parse<T extends BaseContactHeader>(this: new (init: ContactInit) => T, text: string): T {
    return parsing("Contact header", text, () => new this(parseContact(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseContactHeader>(this: new (init: ContactInit) => T, text: string): T | null {
    return orNull(() => parsing("Contact header", text, () => new this(parseContact(text))));
  }

  /** For the two twins alone. */
  constructor(uri: BaseSIPURI | null, options: AddressOptions) {
    super(uri, options);
    checkConcrete(new.target, BaseContactHeader);
  }

  /** The name in front of the colon. */
  get name(): "Contact" {
    return "Contact";
  }

  /** The q parameter, 0 to 1; null when there is none. */
  get q(): number | null {
    const text = getTextParameter(this.parameters, "q");
    return text !== null && /^(?:0(?:\.[0-9]*)?|1(?:\.0*)?)$/.test(text) ? Number(text) : null;
  }

  /** The expires parameter in seconds; null when there is none. */
  get expires(): number | null {
    return getIntegerParameter(this.parameters, "expires", MOST_SECONDS);
  }
}

/**
 * A Contact header (RFC 3261, section 20.10): where its sender can be reached. A URI of null is "*".
 *
 * @example
 * ```ts
 * import { ContactHeader, SIPURI } from "@sipcore/sipcore";
 *
 * const contact = new ContactHeader(SIPURI.parse("sip:alice@192.0.2.4:5060"));
 * contact.q = 0.7;
 * contact.toString(); // "Contact: <sip:alice@192.0.2.4:5060>;q=0.7"
 * new ContactHeader(null).toString(); // "Contact: *"
 * ```
 */
export class ContactHeader extends BaseContactHeader {
  /** From its parts, which are copied. */
  constructor(uri: BaseSIPURI | null, options?: AddressOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ContactInit);
  constructor(first: BaseSIPURI | null | ContactInit, options?: AddressOptions) {
    const init = addressInit<BaseSIPURI | null>(first, options);
    const uri = checkContact(init);
    super(uri && SIPURI.from(uri), init);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The URI. */
  override get uri(): SIPURI | null {
    return super.uri as SIPURI | null;
  }
  /** null takes the display name away too. */
  override set uri(uri: BaseSIPURI | null) {
    if (uri === null) writeStar(this);
    else writeUri(this, checkInstance(uri, BaseSIPURI, "uri"));
  }

  /** The name before the URI, without quotes; null when there is none. */
  override get displayName(): string | null {
    return super.displayName;
  }
  override set displayName(displayName: string | null) {
    checkContact({ uri: this.uri, displayName });
    writeDisplayName(this, displayName);
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }

  /** The q parameter, 0 to 1; null when there is none. */
  override get q(): number | null {
    return super.q;
  }
  /** Three decimals reach the wire; null takes the parameter away. */
  override set q(q: number | null) {
    if (q !== null && typeof q !== "number") throw new TypeError("q must be a number or null");
    if (q !== null && !(q >= 0 && q <= 1)) throw new RangeError(`q must be from 0 to 1, got ${q}`);
    setParameter(this.parameters, "q", q === null ? undefined : String(Math.round(q * 1000) / 1000));
  }

  /** The expires parameter in seconds; null when there is none. */
  override get expires(): number | null {
    return super.expires;
  }
  /** null takes the parameter away. */
  override set expires(expires: number | null) {
    setIntegerParameter(this.parameters, "expires", expires, MOST_SECONDS);
  }
}

/** A {@linkcode ContactHeader} that never changes. */
export class FrozenContactHeader extends BaseContactHeader {
  /** From its parts, which are copied. */
  constructor(uri: BaseSIPURI | null, options?: AddressOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ContactInit);
  constructor(first: BaseSIPURI | null | ContactInit, options?: AddressOptions) {
    const init = addressInit<BaseSIPURI | null>(first, options);
    super(checkContact(init), init);
    freezeAddress(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }

  /** The URI. */
  override get uri(): FrozenSIPURI | null {
    return super.uri as FrozenSIPURI | null;
  }

  /** The parameters, which never change. */
  override get parameters(): FrozenDict<string | null> {
    return super.parameters as FrozenDict<string | null>;
  }
}

function checkContact({ uri, displayName }: ContactInit): BaseSIPURI | null {
  if (uri === null && displayName) throw new TypeError("displayName must stand beside a URI");
  return uri && checkInstance(uri, BaseSIPURI, "uri");
}

function parseContact(text: string): ContactInit {
  const body = headerBody(text, ["Contact", "m"]);
  if (body.startsWith("*")) return { uri: null, parameters: parseParameters(body.slice(1)) };
  const { address, ...options } = parseAddressText(body);
  return { ...options, uri: FrozenSIPURI.parse(address) };
}
