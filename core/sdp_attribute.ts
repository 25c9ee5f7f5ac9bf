// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkText } from "./check_argument.ts";
import { equalItems, FrozenList } from "./frozen.ts";
import { orNull, parsing } from "./parsing.ts";
import { remembered } from "./remembered.ts";

/** What {@linkcode SDPAttribute} is made from. */
export interface SDPAttributeInit {
  /** The name, in front of the colon. */
  name: string;
  /** "": a flag such as "sendrecv". */
  value: string;
}

let write: (attribute: BaseSDPAttribute, fields: Partial<SDPAttributeInit>) => void;

/** What {@linkcode SDPAttribute} and {@linkcode FrozenSDPAttribute} share. */
export abstract class BaseSDPAttribute {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseSDPAttribute>(
    this: new (init: SDPAttributeInit) => T,
    other: BaseSDPAttribute,
  ): T {
    return new this(checkInstance(other, BaseSDPAttribute, "other"));
  }

  /**
   * Parses an "a=" line, or what stands behind its "a=".
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseSDPAttribute>(this: new (init: SDPAttributeInit) => T, text: string): T {
    return parsing("SDP attribute", text, () => new this(parseAttribute(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSDPAttribute>(
    this: new (init: SDPAttributeInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("SDP attribute", text, () => new this(parseAttribute(text))));
  }

  static {
    write = (attribute, fields) => Object.assign(attribute.#fields, fields);
  }

  readonly #fields: SDPAttributeInit;

  /** For the two twins alone. */
  constructor(init: SDPAttributeInit) {
    checkConcrete(new.target, BaseSDPAttribute);
    // What another one holds has been checked.
    this.#fields = init instanceof BaseSDPAttribute
      ? { name: init.#fields.name, value: init.#fields.value }
      : { name: checkName(init.name), value: checkText(init.value, "value") };
  }

  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** The name, in front of the colon. */
  get name(): string {
    return this.#fields.name;
  }

  /** What stands behind the colon, "" for a flag. */
  get value(): string {
    return this.#fields.value;
  }

  /** Whether both components are equal. */
  equals(other: unknown): boolean {
    return other instanceof BaseSDPAttribute && this.name === other.name && this.value === other.value;
  }

  /** The line, without its end. */
  toString(): string {
    return this.value === "" ? `a=${this.name}` : `a=${this.name}:${this.value}`;
  }
}

/**
 * An "a=" line (RFC 8866, section 5.13).
 *
 * @example
 * ```ts
 * import { SDPAttribute } from "@sipcore/sipcore";
 *
 * new SDPAttribute("rtpmap", "0 PCMU/8000").toString(); // "a=rtpmap:0 PCMU/8000"
 * new SDPAttribute("sendrecv", "").toString(); // "a=sendrecv"
 * ```
 */
export class SDPAttribute extends BaseSDPAttribute {
  /** From its parts, which are copied. */
  constructor(name: string, value: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPAttributeInit);
  constructor(first: string | SDPAttributeInit, value?: string) {
    super(attributeInit(first, value));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The name, in front of the colon. */
  override get name(): string {
    return super.name;
  }
  override set name(name: string) {
    write(this, { name: checkName(name) });
  }

  /** What stands behind the colon; empty for a flag. */
  override get value(): string {
    return super.value;
  }
  override set value(value: string) {
    write(this, { value: checkText(value, "value") });
  }
}

/** A {@linkcode SDPAttribute} that never changes. */
export class FrozenSDPAttribute extends BaseSDPAttribute {
  /** From its parts, which are copied. */
  constructor(name: string, value: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPAttributeInit);
  constructor(first: string | SDPAttributeInit, value?: string) {
    super(attributeInit(first, value));
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }
}

function attributeInit(first: string | SDPAttributeInit, value: string | undefined): SDPAttributeInit {
  return typeof first === "string" ? { name: first, value: checkText(value, "value") } : first;
}

function checkName(value: unknown): string {
  const name = checkText(value, "name");
  if (name === "" || name.includes(":")) throw new TypeError(`name must be text without ":", got "${name}"`);
  return name;
}

/** What stands behind an "a=", as a value. */
export const frozenAttribute: (text: string) => FrozenSDPAttribute = remembered(
  (text) => new FrozenSDPAttribute(parseAttribute(text)),
);

/** What an "a=" line says, or what stands behind its "a=". */
export function parseAttribute(text: string): SDPAttributeInit {
  const line = text.startsWith("a=") ? text.slice(2) : text;
  const colon = line.indexOf(":");
  return colon < 0 ? { name: line, value: "" } : { name: line.slice(0, colon), value: line.slice(colon + 1) };
}

/**
 * The attributes of a session or a media stream: an array that can be asked by name.
 *
 * @example
 * ```ts
 * import { SDPAttribute, SDPAttributeList } from "@sipcore/sipcore";
 *
 * const attributes = new SDPAttributeList([new SDPAttribute("ptime", "20"), new SDPAttribute("sendrecv", "")]);
 * attributes.has("ptime"); // true
 * attributes.getFirst("ptime"); // "20"
 * attributes.getFirst("maxptime", "60"); // "60"
 * ```
 */
export class SDPAttributeList extends Array<SDPAttribute> {
  /** What `map()` and the like make: ordinary arrays. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** Copies `attributes`. */
  constructor(attributes: Iterable<BaseSDPAttribute> = []) {
    const given = Array.isArray(attributes) ? attributes as readonly BaseSDPAttribute[] : [...attributes];
    super(given.length);
    for (let index = 0; index < given.length; index++) this[index] = SDPAttribute.from(given[index]!);
  }

  /** Whether there is an attribute of this name, or one equal to this attribute. */
  has(nameOrAttribute: string | BaseSDPAttribute): boolean {
    return has(this, nameOrAttribute);
  }

  /** The values of all attributes of this name. */
  getAll(name: string): string[] {
    return valuesOf(this, name);
  }

  /** The value of the first attribute of this name, `missing` when there is none. */
  getFirst(name: string): string | null;
  /** The value of the first attribute of that name; `missing` when there is none. */
  getFirst<D>(name: string, missing: D): string | D;
  getFirst(name: string, missing: unknown = null): unknown {
    return firstOf(this, name) ?? missing;
  }

  /** Whether `other` is an array of equal attributes in the same order. */
  equals(other: unknown): boolean {
    return Array.isArray(other) && equalItems(this, other);
  }
}

/** A {@linkcode SDPAttributeList} that never changes. */
export class FrozenSDPAttributeList extends FrozenList<FrozenSDPAttribute> {
  /** Copies `attributes`. */
  constructor(attributes: Iterable<BaseSDPAttribute> = []) {
    super([...attributes].map(freezeAttribute));
  }

  /** Whether there is an attribute of this name, or one equal to this attribute. */
  has(nameOrAttribute: string | BaseSDPAttribute): boolean {
    return has(this, nameOrAttribute);
  }

  /** The values of all attributes of this name. */
  getAll(name: string): string[] {
    return valuesOf(this, name);
  }

  /** The value of the first attribute of this name, `missing` when there is none. */
  getFirst(name: string): string | null;
  /** The value of the first attribute of that name; `missing` when there is none. */
  getFirst<D>(name: string, missing: D): string | D;
  getFirst(name: string, missing: unknown = null): unknown {
    return firstOf(this, name) ?? missing;
  }
}

function freezeAttribute(attribute: BaseSDPAttribute): FrozenSDPAttribute {
  return attribute instanceof FrozenSDPAttribute ? attribute : FrozenSDPAttribute.from(attribute);
}

function has(list: readonly BaseSDPAttribute[], item: string | BaseSDPAttribute): boolean {
  return list.some((one) => typeof item === "string" ? one.name === item : one.equals(item));
}

function valuesOf(list: readonly BaseSDPAttribute[], name: string): string[] {
  return list.filter((one) => one.name === name).map((one) => one.value);
}

function firstOf(list: readonly BaseSDPAttribute[], name: string): string | undefined {
  return list.find((one) => one.name === name)?.value;
}
