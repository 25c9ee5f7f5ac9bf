// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkToken } from "../check_argument.ts";
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
import {
  freezeHeader,
  ParameterHeader,
  type ParameterOptions,
  parseValueHeader,
  writeParameters,
} from "./parameter_header.ts";

/** What {@linkcode SubscriptionStateHeader} is made from. */
export interface SubscriptionStateHeaderInit extends ParameterOptions {
  /** "active", "pending", "terminated", or another token. */
  state: string;
}

let write: (header: BaseSubscriptionStateHeader, state: string) => void;

/** What {@linkcode SubscriptionStateHeader} and {@linkcode FrozenSubscriptionStateHeader} share. */
export abstract class BaseSubscriptionStateHeader extends ParameterHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseSubscriptionStateHeader>(
    this: new (init: SubscriptionStateHeaderInit) => T,
    other: BaseSubscriptionStateHeader,
  ): T {
    return new this(checkInstance(other, BaseSubscriptionStateHeader, "other"));
  }

  /**
   * Parses a Subscription-State header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseSubscriptionStateHeader>(
    this: new (init: SubscriptionStateHeaderInit) => T,
    text: string,
  ): T {
    return parsing("Subscription-State header", text, () => new this(parseSubscriptionStateHeader(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSubscriptionStateHeader>(
    this: new (init: SubscriptionStateHeaderInit) => T,
    text: string,
  ): T | null {
    return orNull(() =>
      parsing("Subscription-State header", text, () => new this(parseSubscriptionStateHeader(text)))
    );
  }

  static {
    write = (header, state) => header.#state = state;
  }

  #state: string;

  /** For the two twins alone. */
  constructor(init: SubscriptionStateHeaderInit) {
    super(init.parameters);
    checkConcrete(new.target, BaseSubscriptionStateHeader);
    this.#state = checkToken(init.state, "state");
  }

  /** The name in front of the colon. */
  get name(): "Subscription-State" {
    return "Subscription-State";
  }

  /** "active", "pending", "terminated", or another token. */
  get state(): string {
    return this.#state;
  }

  /** Why the subscription ended, such as "timeout"; null when it is not said. */
  get reason(): string | null {
    return getTextParameter(this.parameters, "reason");
  }

  /** How many seconds the subscription still lasts, null when it is not said. */
  get expires(): number | null {
    return getIntegerParameter(this.parameters, "expires", MOST_SECONDS);
  }

  /** After how many seconds to subscribe again, null when it is not said. */
  get retryAfter(): number | null {
    return getIntegerParameter(this.parameters, "retry-after", MOST_SECONDS);
  }

  /** Whether `other` is a Subscription-State header with equal components. */
  equals(other: unknown): boolean {
    return other instanceof BaseSubscriptionStateHeader &&
      this.state === other.state &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    return this.#state;
  }
}

/**
 * A Subscription-State header (RFC 6665): how a subscription stands.
 *
 * @example
 * ```ts
 * import { SubscriptionStateHeader } from "@sipcore/sipcore";
 *
 * const header = new SubscriptionStateHeader("terminated");
 * header.reason = "timeout";
 * header.toString(); // "Subscription-State: terminated;reason=timeout"
 * ```
 */
export class SubscriptionStateHeader extends BaseSubscriptionStateHeader {
  /** From its parts, which are copied. */
  constructor(state: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SubscriptionStateHeaderInit);
  constructor(first: string | SubscriptionStateHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, state: first } : first);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The state: "active", "pending", "terminated" or another word. */
  override get state(): string {
    return super.state;
  }
  override set state(state: string) {
    write(this, checkToken(state, "state"));
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }

  /** The reason parameter; null when there is none. */
  override get reason(): string | null {
    return super.reason;
  }
  /** null takes the parameter away. */
  override set reason(reason: string | null) {
    setParameter(this.parameters, "reason", reason === null ? undefined : checkToken(reason, "reason"));
  }

  /** The expires parameter in seconds; null when there is none. */
  override get expires(): number | null {
    return super.expires;
  }
  /** null takes the parameter away. */
  override set expires(expires: number | null) {
    setIntegerParameter(this.parameters, "expires", expires, MOST_SECONDS);
  }

  /** The retry-after parameter in seconds; null when there is none. */
  override get retryAfter(): number | null {
    return super.retryAfter;
  }
  /** null takes the parameter away. */
  override set retryAfter(retryAfter: number | null) {
    setIntegerParameter(this.parameters, "retry-after", retryAfter, MOST_SECONDS, "retryAfter");
  }
}

/** A {@linkcode SubscriptionStateHeader} that never changes. */
export class FrozenSubscriptionStateHeader extends BaseSubscriptionStateHeader {
  /** From its parts, which are copied. */
  constructor(state: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SubscriptionStateHeaderInit);
  constructor(first: string | SubscriptionStateHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, state: first } : first);
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

function parseSubscriptionStateHeader(text: string): SubscriptionStateHeaderInit {
  const { value, parameters } = parseValueHeader(text, "Subscription-State");
  return { state: value, parameters };
}
