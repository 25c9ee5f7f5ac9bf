// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkInteger, checkWord } from "./check_argument.ts";
import { orNull, parsing } from "./parsing.ts";

/** What {@linkcode SDPBandwidthInfo} is made from. */
export interface SDPBandwidthInfoInit {
  /** What the value is a limit of: "CT", "AS" (kbit/s), "TIAS" (bit/s), "RS", "RR" … */
  modifier: string;
  /** The limit, in the unit of the modifier. */
  value: number;
}

let write: (info: BaseSDPBandwidthInfo, fields: Partial<SDPBandwidthInfoInit>) => void;

/** What {@linkcode SDPBandwidthInfo} and {@linkcode FrozenSDPBandwidthInfo} share. */
export abstract class BaseSDPBandwidthInfo {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseSDPBandwidthInfo>(
    this: new (init: SDPBandwidthInfoInit) => T,
    other: BaseSDPBandwidthInfo,
  ): T {
    return new this(checkInstance(other, BaseSDPBandwidthInfo, "other"));
  }

  /**
   * Parses a "b=" line, or what stands behind its "b=".
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseSDPBandwidthInfo>(this: new (init: SDPBandwidthInfoInit) => T, text: string): T {
    return parsing("SDP bandwidth", text, () => new this(parseBandwidth(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSDPBandwidthInfo>(
    this: new (init: SDPBandwidthInfoInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("SDP bandwidth", text, () => new this(parseBandwidth(text))));
  }

  static {
    write = (info, fields) => Object.assign(info.#fields, fields);
  }

  readonly #fields: SDPBandwidthInfoInit;

  /** For the two twins alone. */
  constructor(init: SDPBandwidthInfoInit) {
    checkConcrete(new.target, BaseSDPBandwidthInfo);
    this.#fields = { modifier: checkModifier(init.modifier), value: checkValue(init.value) };
  }

  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** What the value is a limit of: "AS" (kbit/s), "TIAS" (bit/s) … */
  get modifier(): string {
    return this.#fields.modifier;
  }

  /** The limit, in the unit of the modifier. */
  get value(): number {
    return this.#fields.value;
  }

  /** Whether all components are equal. */
  equals(other: unknown): boolean {
    return other instanceof BaseSDPBandwidthInfo &&
      this.modifier === other.modifier &&
      this.value === other.value;
  }

  /** The line, without its end. */
  toString(): string {
    return `b=${this.modifier}:${this.value}`;
  }
}

/**
 * A "b=" line (RFC 8866, section 5.8): a limit of bandwidth.
 *
 * @example
 * ```ts
 * import { SDPBandwidthInfo } from "@sipcore/sipcore";
 *
 * new SDPBandwidthInfo("AS", 128).toString(); // "b=AS:128"
 * ```
 */
export class SDPBandwidthInfo extends BaseSDPBandwidthInfo {
  /** From its parts, which are copied. */
  constructor(modifier: string, value: number);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPBandwidthInfoInit);
  constructor(first: string | SDPBandwidthInfoInit, value?: number) {
    super(bandwidthInit(first, value));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** What the limit is for: "AS", "CT", "TIAS". */
  override get modifier(): string {
    return super.modifier;
  }
  override set modifier(modifier: string) {
    write(this, { modifier: checkModifier(modifier) });
  }

  /** The limit, in the unit of the modifier. */
  override get value(): number {
    return super.value;
  }
  override set value(value: number) {
    write(this, { value: checkValue(value) });
  }
}

/** A {@linkcode SDPBandwidthInfo} that never changes. */
export class FrozenSDPBandwidthInfo extends BaseSDPBandwidthInfo {
  /** From its parts, which are copied. */
  constructor(modifier: string, value: number);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPBandwidthInfoInit);
  constructor(first: string | SDPBandwidthInfoInit, value?: number) {
    super(bandwidthInit(first, value));
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }
}

function bandwidthInit(
  first: string | SDPBandwidthInfoInit,
  value: number | undefined,
): SDPBandwidthInfoInit {
  return typeof first === "string" ? { modifier: first, value: checkValue(value) } : first;
}

function checkModifier(value: unknown): string {
  const modifier = checkWord(value, "modifier");
  if (modifier.includes(":")) throw new TypeError(`modifier must not contain ":", got "${modifier}"`);
  return modifier;
}

function checkValue(value: unknown): number {
  return checkInteger(value, "value", 0, Number.MAX_SAFE_INTEGER);
}

function parseBandwidth(text: string): SDPBandwidthInfoInit {
  const parts = /^(?:b=)?([^\s:]+):[ \t]*([0-9]+)[ \t]*$/.exec(text);
  if (parts === null) throw new SyntaxError("not modifier:number");
  return { modifier: parts[1]!, value: Number(parts[2]) };
}
