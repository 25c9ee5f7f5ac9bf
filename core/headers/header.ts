// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkText, checkToken } from "../check_argument.ts";
import { orNull, parsing } from "../parsing.ts";

/** What every header is: a name and a body. */
export abstract class BaseHeader {
  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** The name as it stands on the wire, in its long form. */
  abstract get name(): string;

  /** What stands on the wire behind "Name: ". */
  abstract get body(): string;

  /** Whether `other` is a header of the same kind with equal components. */
  abstract equals(other: unknown): boolean;

  /** The whole header: "Name: body". */
  toString(): string {
    return `${this.name}: ${this.body}`;
  }
}

/** What {@linkcode Header} is made from. */
export interface HeaderInit {
  /** A token; its case is kept but not compared. */
  name: string;
  /** White space around it does not count. */
  body: string;
}

/** A header as it was received, whose name and body are taken as they are. */
class Received implements HeaderInit {
  constructor(readonly name: string, readonly body: string) {}
}

let write: (header: BaseGenericHeader, fields: Partial<HeaderInit>) => void;

/** What {@linkcode Header} and {@linkcode FrozenHeader} share. */
export abstract class BaseGenericHeader extends BaseHeader {
  /** A header of the class on which it is called, with the name and body of any header. */
  static from<T extends BaseGenericHeader>(this: new (init: HeaderInit) => T, other: BaseHeader): T {
    checkInstance(other, BaseHeader, "other");
    return new this(new Received(other.name, other.body));
  }

  /**
   * Parses "Name: body".
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseGenericHeader>(this: new (init: HeaderInit) => T, text: string): T {
    return parsing("header", text, () => new this(parseHeader(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseGenericHeader>(this: new (init: HeaderInit) => T, text: string): T | null {
    return orNull(() => parsing("header", text, () => new this(parseHeader(text))));
  }

  static {
    write = (header, fields) => Object.assign(header.#fields, fields);
  }

  readonly #fields: HeaderInit;

  /** For the two twins alone. */
  constructor(init: HeaderInit) {
    super();
    checkConcrete(new.target, BaseGenericHeader);
    const { name, body } = init;
    this.#fields = init instanceof Received
      ? { name, body }
      : { name: checkToken(name, "name"), body: checkText(body, "body").trim() };
  }

  /** The name in front of the colon. */
  get name(): string {
    return this.#fields.name;
  }

  /** What stands behind the colon. */
  get body(): string {
    return this.#fields.body;
  }

  /** Whether the names, in any case, and the bodies are equal. */
  equals(other: unknown): boolean {
    return other instanceof BaseGenericHeader &&
      this.name.toLowerCase() === other.name.toLowerCase() &&
      this.body === other.body;
  }
}

/**
 * Any header that has no class of its own.
 *
 * @example
 * ```ts
 * import { Header } from "@sipcore/sipcore";
 *
 * new Header("X-Call-Kind", "emergency").toString(); // "X-Call-Kind: emergency"
 * ```
 */
export class Header extends BaseGenericHeader {
  /** From its parts, which are copied. */
  constructor(name: string, body: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: HeaderInit);
  constructor(first: string | HeaderInit, body?: string) {
    super(headerInit(first, body));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The name in front of the colon. */
  override get name(): string {
    return super.name;
  }
  override set name(name: string) {
    write(this, { name: checkToken(name, "name") });
  }

  /** What stands behind the colon. */
  override get body(): string {
    return super.body;
  }
  override set body(body: string) {
    write(this, { body: checkText(body, "body").trim() });
  }
}

/** A {@linkcode Header} that never changes. */
export class FrozenHeader extends BaseGenericHeader {
  /** From its parts, which are copied. */
  constructor(name: string, body: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: HeaderInit);
  constructor(first: string | HeaderInit, body?: string) {
    super(headerInit(first, body));
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }
}

/** A header of a received message, whatever its name and body contain. */
export function receivedHeader(name: string, body: string): FrozenHeader {
  return new FrozenHeader(new Received(name, body));
}

function headerInit(first: string | HeaderInit, body: string | undefined): HeaderInit {
  return typeof first === "string" ? { name: first, body: checkText(body, "body") } : first;
}

function parseHeader(text: string): HeaderInit {
  const unfolded = text.replace(/\r?\n[ \t]+/g, " ");
  const colon = unfolded.indexOf(":");
  if (colon < 0) throw new SyntaxError("no colon");
  return { name: unfolded.slice(0, colon).trim(), body: unfolded.slice(colon + 1) };
}
