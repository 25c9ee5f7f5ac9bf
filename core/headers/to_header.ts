// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkToken } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import { getTextParameter, type ParametersInit, setParameter } from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import { BaseSIPURI, type FrozenSIPURI, SIPURI } from "../uri.ts";
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

/** What {@linkcode ToHeader} and {@linkcode FrozenToHeader} share. */
export abstract class BaseToHeader extends AddressHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseToHeader>(this: new (init: AddressInit) => T, other: BaseToHeader): T {
    return new this(checkInstance(other, BaseToHeader, "other"));
  }

  /**
   * Parses a To header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text and for URIs that are neither sip nor sips.
   */
  static parse<T extends BaseToHeader>(this: new (init: AddressInit) => T, text: string): T {
    return parsing("To header", text, () => new this(parseAddressHeader(text, "To", "t")));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseToHeader>(this: new (init: AddressInit) => T, text: string): T | null {
    return orNull(() => parsing("To header", text, () => new this(parseAddressHeader(text, "To", "t"))));
  }

  /** For the two twins alone. */
  constructor(uri: BaseSIPURI, options: AddressOptions) {
    super(uri, options);
    checkConcrete(new.target, BaseToHeader);
  }

  /** The name in front of the colon. */
  get name(): "To" {
    return "To";
  }

  /** The URI. */
  override get uri(): BaseSIPURI {
    return super.uri as BaseSIPURI;
  }

  /** The tag parameter, null when there is none. */
  get tag(): string | null {
    return getTextParameter(this.parameters, "tag");
  }
}

/**
 * A To header (RFC 3261, section 20.39): whom the request is for.
 *
 * @example
 * ```ts
 * import { ToHeader, SIPURI } from "@sipcore/sipcore";
 *
 * const to = new ToHeader(SIPURI.parse('"Bob" <sip:bob@example.com>'));
 * to.toString(); // 'To: "Bob" <sip:bob@example.com>'
 * ```
 */
export class ToHeader extends BaseToHeader {
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

  /** The tag parameter; null when there is none. */
  override get tag(): string | null {
    return super.tag;
  }
  /** null takes the parameter away. */
  override set tag(tag: string | null) {
    setParameter(this.parameters, "tag", tag === null ? undefined : checkToken(tag, "tag"));
  }
}

/** A {@linkcode ToHeader} that never changes. */
export class FrozenToHeader extends BaseToHeader {
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
