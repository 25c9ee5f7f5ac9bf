// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkText, checkToken } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import {
  equalParameters,
  getIntegerParameter,
  getTextParameter,
  MOST_SECONDS,
  type ParametersInit,
  setIntegerParameter,
  setParameter,
} from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import { quote } from "../sip_text.ts";
import {
  freezeHeader,
  ParameterHeader,
  type ParameterOptions,
  parseValueHeader,
  writeParameters,
} from "./parameter_header.ts";

/** What {@linkcode ReasonHeader} is made from. */
export interface ReasonHeaderInit extends ParameterOptions {
  /** What `cause` is a code of: "SIP", "Q.850", or another token. */
  protocol: string;
}

let write: (header: BaseReasonHeader, protocol: string) => void;

/** What {@linkcode ReasonHeader} and {@linkcode FrozenReasonHeader} share. */
export abstract class BaseReasonHeader extends ParameterHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseReasonHeader>(
    this: new (init: ReasonHeaderInit) => T,
    other: BaseReasonHeader,
  ): T {
    return new this(checkInstance(other, BaseReasonHeader, "other"));
  }

  /**
   * Parses a Reason header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseReasonHeader>(this: new (init: ReasonHeaderInit) => T, text: string): T {
    return parsing("Reason header", text, () => new this(parseReasonHeader(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseReasonHeader>(
    this: new (init: ReasonHeaderInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("Reason header", text, () => new this(parseReasonHeader(text))));
  }

  static {
    write = (header, protocol) => header.#protocol = protocol;
  }

  #protocol: string;

  /** For the two twins alone. */
  constructor(init: ReasonHeaderInit) {
    super(init.parameters);
    checkConcrete(new.target, BaseReasonHeader);
    this.#protocol = checkToken(init.protocol, "protocol");
  }

  /** The name in front of the colon. */
  get name(): "Reason" {
    return "Reason";
  }

  /** What `cause` is a code of: "SIP", "Q.850", or another token. */
  get protocol(): string {
    return this.#protocol;
  }

  /** The code, null when there is none. */
  get cause(): number | null {
    return getIntegerParameter(this.parameters, "cause", MOST_SECONDS);
  }

  /** The reason in words, without quotes; null when there is none. */
  get text(): string | null {
    return getTextParameter(this.parameters, "text");
  }

  /** Whether `other` is a Reason header with equal components. */
  equals(other: unknown): boolean {
    return other instanceof BaseReasonHeader &&
      this.protocol === other.protocol &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    return this.#protocol;
  }
}

/**
 * A Reason header (RFC 3326): why a request was sent. It holds one reason.
 *
 * @example
 * ```ts
 * import { ReasonHeader } from "@sipcore/sipcore";
 *
 * const reason = new ReasonHeader("SIP");
 * reason.cause = 200;
 * reason.text = "Call completed elsewhere";
 * reason.toString(); // 'Reason: SIP;cause=200;text="Call completed elsewhere"'
 * ```
 */
export class ReasonHeader extends BaseReasonHeader {
  /** From its parts, which are copied. */
  constructor(protocol: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ReasonHeaderInit);
  constructor(first: string | ReasonHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, protocol: first } : first);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The protocol, such as "SIP" or "Q.850". */
  override get protocol(): string {
    return super.protocol;
  }
  override set protocol(protocol: string) {
    write(this, checkToken(protocol, "protocol"));
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }

  /** The cause parameter; null when there is none. */
  override get cause(): number | null {
    return super.cause;
  }
  /** null takes the parameter away. */
  override set cause(cause: number | null) {
    setIntegerParameter(this.parameters, "cause", cause, MOST_SECONDS);
  }

  /** The text parameter; null when there is none. */
  override get text(): string | null {
    return super.text;
  }
  /** null takes the parameter away. */
  override set text(text: string | null) {
    setParameter(this.parameters, "text", text === null ? undefined : quote(checkText(text, "text")));
  }
}

/** A {@linkcode ReasonHeader} that never changes. */
export class FrozenReasonHeader extends BaseReasonHeader {
  /** From its parts, which are copied. */
  constructor(protocol: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ReasonHeaderInit);
  constructor(first: string | ReasonHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, protocol: first } : first);
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

function parseReasonHeader(text: string): ReasonHeaderInit {
  const { value, parameters } = parseValueHeader(text, "Reason");
  return { protocol: value, parameters };
}
