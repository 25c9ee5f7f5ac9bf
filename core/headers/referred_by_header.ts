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

/** What {@linkcode ReferredByHeader} and {@linkcode FrozenReferredByHeader} share. */
export abstract class BaseReferredByHeader extends ReferHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseReferredByHeader>(
    this: new (init: ReferInit) => T,
    other: BaseReferredByHeader,
  ): T {
    return new this(checkInstance(other, BaseReferredByHeader, "other"));
  }

  /**
   * Parses a Referred-By header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseReferredByHeader>(this: new (init: ReferInit) => T, text: string): T {
    return parsing("Referred-By header", text, () => new this(parseReferHeader(text, "Referred-By", "b")));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseReferredByHeader>(this: new (init: ReferInit) => T, text: string): T | null {
    return orNull(() =>
      parsing("Referred-By header", text, () => new this(parseReferHeader(text, "Referred-By", "b")))
    );
  }

  /** For the two twins alone. */
  constructor(init: ReferInit) {
    super(init);
    checkConcrete(new.target, BaseReferredByHeader);
  }

  /** The name in front of the colon. */
  get name(): "Referred-By" {
    return "Referred-By";
  }
}

/**
 * A Referred-By header (RFC 3892): who asked for this request. Its URI may have any scheme.
 *
 * @example
 * ```ts
 * import { ReferredByHeader } from "@sipcore/sipcore";
 *
 * const header = new ReferredByHeader("sip:alice@example.com", { displayName: "Alice" });
 * header.toString(); // 'Referred-By: "Alice" <sip:alice@example.com>'
 * ```
 */
export class ReferredByHeader extends BaseReferredByHeader {
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

/** A {@linkcode ReferredByHeader} that never changes. */
export class FrozenReferredByHeader extends BaseReferredByHeader {
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
