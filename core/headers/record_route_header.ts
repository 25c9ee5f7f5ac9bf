// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import type { ParametersInit } from "../parameters.ts";
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

/** What {@linkcode RecordRouteHeader} and {@linkcode FrozenRecordRouteHeader} share. */
export abstract class BaseRecordRouteHeader extends AddressHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseRecordRouteHeader>(
    this: new (init: AddressInit) => T,
    other: BaseRecordRouteHeader,
  ): T {
    return new this(checkInstance(other, BaseRecordRouteHeader, "other"));
  }

  /**
   * Parses a Record-Route header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text and for URIs that are neither sip nor sips.
   */
  static parse<T extends BaseRecordRouteHeader>(this: new (init: AddressInit) => T, text: string): T {
    return parsing("Record-Route header", text, () => new this(parseAddressHeader(text, "Record-Route")));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseRecordRouteHeader>(
    this: new (init: AddressInit) => T,
    text: string,
  ): T | null {
    return orNull(() =>
      parsing("Record-Route header", text, () => new this(parseAddressHeader(text, "Record-Route")))
    );
  }

  /** For the two twins alone. */
  constructor(uri: BaseSIPURI, options: AddressOptions) {
    super(uri, options);
    checkConcrete(new.target, BaseRecordRouteHeader);
  }

  /** The name in front of the colon. */
  get name(): "Record-Route" {
    return "Record-Route";
  }

  /** The URI. */
  override get uri(): BaseSIPURI {
    return super.uri as BaseSIPURI;
  }
}

/**
 * A Record-Route header (RFC 3261, section 20.30): a proxy that stays in the path of a dialog.
 *
 * @example
 * ```ts
 * import { RecordRouteHeader, SIPURI } from "@sipcore/sipcore";
 *
 * const header = new RecordRouteHeader(SIPURI.parse("sip:proxy.example.com;lr"));
 * header.toString(); // "Record-Route: <sip:proxy.example.com;lr>"
 * ```
 */
export class RecordRouteHeader extends BaseRecordRouteHeader {
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

/** A {@linkcode RecordRouteHeader} that never changes. */
export class FrozenRecordRouteHeader extends BaseRecordRouteHeader {
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
