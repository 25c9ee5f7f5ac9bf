// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkInteger, checkOptionalText } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import {
  equalParameters,
  getIntegerParameter,
  MOST_SECONDS,
  type ParametersInit,
  parseParameters,
  setIntegerParameter,
} from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import { headerBody } from "../sip_text.ts";
import { freezeHeader, ParameterHeader, type ParameterOptions, writeParameters } from "./parameter_header.ts";

/** What may be left out of {@linkcode RetryAfterHeader}. */
export interface RetryAfterOptions extends ParameterOptions {
  /** Why, without parentheses; "" and null are none. */
  comment?: string | null;
}

/** What {@linkcode RetryAfterHeader} is made from. */
export interface RetryAfterHeaderInit extends RetryAfterOptions {
  /** After how many seconds to try again. */
  seconds: number;
}

interface Fields {
  seconds: number;
  comment: string | null;
}

let write: (header: BaseRetryAfterHeader, fields: Partial<Fields>) => void;

/** What {@linkcode RetryAfterHeader} and {@linkcode FrozenRetryAfterHeader} share. */
export abstract class BaseRetryAfterHeader extends ParameterHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseRetryAfterHeader>(
    this: new (init: RetryAfterHeaderInit) => T,
    other: BaseRetryAfterHeader,
  ): T {
    return new this(checkInstance(other, BaseRetryAfterHeader, "other"));
  }

  /**
   * Parses a Retry-After header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseRetryAfterHeader>(this: new (init: RetryAfterHeaderInit) => T, text: string): T {
    return parsing("Retry-After header", text, () => new this(parseRetryAfter(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseRetryAfterHeader>(
    this: new (init: RetryAfterHeaderInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("Retry-After header", text, () => new this(parseRetryAfter(text))));
  }

  static {
    write = (header, fields) => Object.assign(header.#fields, fields);
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(init: RetryAfterHeaderInit) {
    super(init.parameters);
    checkConcrete(new.target, BaseRetryAfterHeader);
    this.#fields = {
      seconds: checkInteger(init.seconds, "seconds", 0, MOST_SECONDS),
      comment: checkOptionalText(init.comment, "comment") || null,
    };
  }

  /** The name in front of the colon. */
  get name(): "Retry-After" {
    return "Retry-After";
  }

  /** After how many seconds to try again. */
  get seconds(): number {
    return this.#fields.seconds;
  }

  /** Why, without parentheses; null when there is none. */
  get comment(): string | null {
    return this.#fields.comment;
  }

  /** For how many seconds the other side can then be reached, null when it is not said. */
  get duration(): number | null {
    return getIntegerParameter(this.parameters, "duration", MOST_SECONDS);
  }

  /** Whether `other` is a Retry-After header with equal components. */
  equals(other: unknown): boolean {
    return other instanceof BaseRetryAfterHeader &&
      this.seconds === other.seconds &&
      this.comment === other.comment &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    return this.comment === null ? String(this.seconds) : `${this.seconds} (${escapeComment(this.comment)})`;
  }
}

/**
 * A Retry-After header (RFC 3261, section 20.33): when to try again.
 *
 * @example
 * ```ts
 * import { RetryAfterHeader } from "@sipcore/sipcore";
 *
 * const header = new RetryAfterHeader(120, { comment: "I'm in a meeting" });
 * header.toString(); // "Retry-After: 120 (I'm in a meeting)"
 * ```
 */
export class RetryAfterHeader extends BaseRetryAfterHeader {
  /** From its parts, which are copied. */
  constructor(seconds: number, options?: RetryAfterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: RetryAfterHeaderInit);
  constructor(first: number | RetryAfterHeaderInit, options?: RetryAfterOptions) {
    super(typeof first === "number" ? { ...options, seconds: first } : first);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** After how many seconds to try again. */
  override get seconds(): number {
    return super.seconds;
  }
  override set seconds(seconds: number) {
    write(this, { seconds: checkInteger(seconds, "seconds", 0, MOST_SECONDS) });
  }

  /** The comment in brackets; null when there is none. */
  override get comment(): string | null {
    return super.comment;
  }
  override set comment(comment: string | null) {
    write(this, { comment: checkOptionalText(comment, "comment") || null });
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }

  /** The duration parameter in seconds; null when there is none. */
  override get duration(): number | null {
    return super.duration;
  }
  /** null takes the parameter away. */
  override set duration(duration: number | null) {
    setIntegerParameter(this.parameters, "duration", duration, MOST_SECONDS);
  }
}

/** A {@linkcode RetryAfterHeader} that never changes. */
export class FrozenRetryAfterHeader extends BaseRetryAfterHeader {
  /** From its parts, which are copied. */
  constructor(seconds: number, options?: RetryAfterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: RetryAfterHeaderInit);
  constructor(first: number | RetryAfterHeaderInit, options?: RetryAfterOptions) {
    super(typeof first === "number" ? { ...options, seconds: first } : first);
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

/** A backslash before whatever a comment cannot hold by itself; parentheses may stand there in pairs. */
function escapeComment(comment: string): string {
  let depth = 0;
  const paired = Array.from(comment).every((c) => (depth += c === "(" ? 1 : c === ")" ? -1 : 0) >= 0) &&
    depth === 0;
  // deno-lint-ignore no-control-regex -- controls stand in a comment only behind a backslash
  return comment.replace(paired ? /[\\\x00-\x08\x0a-\x1f\x7f]/g : /[\\()\x00-\x08\x0a-\x1f\x7f]/g, "\\$&");
}

function parseRetryAfter(text: string): RetryAfterHeaderInit {
  const body = headerBody(text, ["Retry-After"]);
  const digits = /^[0-9]+[ \t]*/.exec(body)?.[0];
  if (digits === undefined) throw new SyntaxError("no number of seconds");
  const rest = body.slice(digits.length);
  const end = rest.startsWith("(") ? commentEnd(rest) : 0;
  return {
    seconds: Number(digits),
    comment: rest.slice(1, Math.max(end - 1, 1)).replace(/\\(.)/g, "$1"),
    parameters: parseParameters(rest.slice(end)),
  };
}

/** The index behind the parenthesis that closes the one at 0. */
function commentEnd(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return i + 1;
  }
  throw new SyntaxError("a comment without end");
}
