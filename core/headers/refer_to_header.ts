// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import type { ParametersInit } from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import type { BaseSIPURI } from "../uri.ts";
import { addressInit, type AddressOptions } from "./address_header.ts";
import { freezeHeader, writeParameters } from "./parameter_header.ts";
import {
  parseReferHeader,
  ReferHeader,
  type ReferInit,
  writeReferName,
  writeReferUri,
} from "./refer_header.ts";

/** What {@linkcode ReferToHeader} and {@linkcode FrozenReferToHeader} share. */
export abstract class BaseReferToHeader extends ReferHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseReferToHeader>(this: new (init: ReferInit) => T, other: BaseReferToHeader): T {
    return new this(checkInstance(other, BaseReferToHeader, "other"));
  }

  /**
   * Parses a Refer-To header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseReferToHeader>(this: new (init: ReferInit) => T, text: string): T {
    return parsing("Refer-To header", text, () => new this(parseReferHeader(text, "Refer-To", "r")));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseReferToHeader>(this: new (init: ReferInit) => T, text: string): T | null {
    return orNull(() =>
      parsing("Refer-To header", text, () => new this(parseReferHeader(text, "Refer-To", "r")))
    );
  }

  /** For the two twins alone. */
  constructor(init: ReferInit) {
    super(init);
    checkConcrete(new.target, BaseReferToHeader);
  }

  /** The name in front of the colon. */
  get name(): "Refer-To" {
    return "Refer-To";
  }
}

/**
 * A Refer-To header (RFC 3515): where the other side shall go. Its URI may have any scheme.
 *
 * @example
 * ```ts
 * import { ReferToHeader, SIPURI } from "@sipcore/sipcore";
 *
 * const uri = SIPURI.parse("sip:carol@example.com");
 * new ReferToHeader(uri).toString(); // "Refer-To: <sip:carol@example.com>"
 * new ReferToHeader("tel:+1-201-555-0123").uri; // "tel:+1-201-555-0123"
 * ```
 */
export class ReferToHeader extends BaseReferToHeader {
  /** From its parts, which are copied. */
  constructor(uri: BaseSIPURI | string, options?: AddressOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ReferInit);
  constructor(first: BaseSIPURI | string | ReferInit, options?: AddressOptions) {
    super(addressInit<BaseSIPURI | string>(first, options));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The URI. */
  override get uri(): string {
    return super.uri;
  }
  override set uri(uri: BaseSIPURI | string) {
    writeReferUri(this, uri);
  }

  /** The name before the URI, without quotes; null when there is none. */
  override get displayName(): string | null {
    return super.displayName;
  }
  override set displayName(displayName: string | null) {
    writeReferName(this, displayName);
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }
}

/** A {@linkcode ReferToHeader} that never changes. */
export class FrozenReferToHeader extends BaseReferToHeader {
  /** From its parts, which are copied. */
  constructor(uri: BaseSIPURI | string, options?: AddressOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ReferInit);
  constructor(first: BaseSIPURI | string | ReferInit, options?: AddressOptions) {
    super(addressInit<BaseSIPURI | string>(first, options));
    freezeHeader(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }

  /** The parameters, which never change. */
  override get parameters(): FrozenDict<string | null> {
    return super.parameters as FrozenDict<string | null>;
  }
}
