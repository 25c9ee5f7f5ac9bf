// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkText, isToken } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import { equalParameters, type ParametersInit } from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import {
  freezeHeader,
  ParameterHeader,
  type ParameterOptions,
  parseValueHeader,
  writeParameters,
} from "./parameter_header.ts";

/** What {@linkcode ContentTypeHeader} is made from. */
export interface ContentTypeHeaderInit extends ParameterOptions {
  /** "type/subtype", without parameters. */
  contentType: string;
}

let write: (header: BaseContentTypeHeader, contentType: string) => void;

/** What {@linkcode ContentTypeHeader} and {@linkcode FrozenContentTypeHeader} share. */
export abstract class BaseContentTypeHeader extends ParameterHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseContentTypeHeader>(
    this: new (init: ContentTypeHeaderInit) => T,
    other: BaseContentTypeHeader,
  ): T {
    return new this(checkInstance(other, BaseContentTypeHeader, "other"));
  }

  /**
   * Parses a Content-Type header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseContentTypeHeader>(
    this: new (init: ContentTypeHeaderInit) => T,
    text: string,
  ): T {
    return parsing("Content-Type header", text, () => new this(parseContentTypeHeader(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseContentTypeHeader>(
    this: new (init: ContentTypeHeaderInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("Content-Type header", text, () => new this(parseContentTypeHeader(text))));
  }

  static {
    write = (header, contentType) => header.#contentType = contentType;
  }

  #contentType: string;

  /** For the two twins alone. */
  constructor(init: ContentTypeHeaderInit) {
    super(init.parameters);
    checkConcrete(new.target, BaseContentTypeHeader);
    this.#contentType = checkContentType(init.contentType, "contentType");
  }

  /** The name in front of the colon. */
  get name(): "Content-Type" {
    return "Content-Type";
  }

  /** "type/subtype", without parameters. */
  get contentType(): string {
    return this.#contentType;
  }

  /** What stands before the slash. */
  get type(): string {
    return this.#contentType.slice(0, this.#contentType.indexOf("/"));
  }

  /** What stands behind the slash. */
  get subtype(): string {
    return this.#contentType.slice(this.#contentType.indexOf("/") + 1);
  }

  /** Whether `other` is a Content-Type header with equal components. */
  equals(other: unknown): boolean {
    return other instanceof BaseContentTypeHeader &&
      this.contentType.toLowerCase() === other.contentType.toLowerCase() &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    return this.#contentType;
  }
}

/**
 * A Content-Type header (RFC 3261, section 20.15): what a body is.
 *
 * @example
 * ```ts
 * import { ContentTypeHeader } from "@sipcore/sipcore";
 *
 * const header = new ContentTypeHeader("text/plain", { parameters: { charset: "utf-8" } });
 * header.toString(); // "Content-Type: text/plain;charset=utf-8"
 * header.subtype; // "plain"
 * ```
 */
export class ContentTypeHeader extends BaseContentTypeHeader {
  /** From its parts, which are copied. */
  constructor(contentType: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ContentTypeHeaderInit);
  constructor(first: string | ContentTypeHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, contentType: first } : first);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** Type and subtype, as in "application/sdp". */
  override get contentType(): string {
    return super.contentType;
  }
  override set contentType(contentType: string) {
    write(this, checkContentType(contentType, "contentType"));
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }
}

/** A {@linkcode ContentTypeHeader} that never changes. */
export class FrozenContentTypeHeader extends BaseContentTypeHeader {
  /** From its parts, which are copied. */
  constructor(contentType: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ContentTypeHeaderInit);
  constructor(first: string | ContentTypeHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, contentType: first } : first);
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

function parseContentTypeHeader(text: string): ContentTypeHeaderInit {
  const { value, parameters } = parseValueHeader(text, "Content-Type", "c");
  return { contentType: value.replace(/\s*\/\s*/, "/"), parameters };
}

function checkContentType(value: unknown, argument: string): string {
  const contentType = checkText(value, argument);
  const [type = "", subtype = "", ...more] = contentType.split("/");
  if (!isToken(type) || !isToken(subtype) || more.length > 0) {
    throw new TypeError(`${argument} must be "type/subtype", got "${contentType}"`);
  }
  return contentType;
}
