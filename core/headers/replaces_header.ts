// SPDX-License-Identifier: GPL-2.0-or-later
import { checkBoolean, checkConcrete, checkInstance, checkText, checkToken } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import {
  equalParameters,
  getTextParameter,
  type ParametersInit,
  type ReadonlyParameters,
} from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import {
  freezeHeader,
  ParameterHeader,
  type ParameterOptions,
  parseValueHeader,
  writeParameters,
} from "./parameter_header.ts";

/** What may be left out of {@linkcode ReplacesHeader}. */
export interface ReplacesOptions extends ParameterOptions {
  /** Replace the dialog only while it is early. Default false. */
  earlyOnly?: boolean;
}

/** What {@linkcode ReplacesHeader} is made from. */
export interface ReplacesHeaderInit extends ReplacesOptions {
  /** The Call-ID of the dialog that is to be replaced. */
  callId: string;
  /** The From tag of the dialog that is to be replaced. */
  fromTag: string;
  /** The To tag of the dialog that is to be replaced. */
  toTag: string;
}

type Fields = Required<Omit<ReplacesHeaderInit, "parameters">>;

let write: (header: BaseReplacesHeader, fields: Partial<Fields>) => void;

/** What {@linkcode ReplacesHeader} and {@linkcode FrozenReplacesHeader} share. */
export abstract class BaseReplacesHeader extends ParameterHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseReplacesHeader>(
    this: new (init: ReplacesHeaderInit) => T,
    other: BaseReplacesHeader,
  ): T {
    return new this(checkInstance(other, BaseReplacesHeader, "other"));
  }

  /**
   * Parses a Replaces header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text, and when a tag is missing.
   */
  static parse<T extends BaseReplacesHeader>(this: new (init: ReplacesHeaderInit) => T, text: string): T {
    return parsing("Replaces header", text, () => new this(parseReplaces(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseReplacesHeader>(
    this: new (init: ReplacesHeaderInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("Replaces header", text, () => new this(parseReplaces(text))));
  }

  static {
    write = (header, fields) => Object.assign(header.#fields, fields);
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(init: ReplacesHeaderInit) {
    super(init.parameters);
    checkConcrete(new.target, BaseReplacesHeader);
    this.#fields = {
      callId: checkCallId(init.callId),
      fromTag: checkToken(init.fromTag, "fromTag"),
      toTag: checkToken(init.toTag, "toTag"),
      earlyOnly: checkBoolean(init.earlyOnly ?? false, "earlyOnly"),
    };
    checkRest(this.parameters);
  }

  /** The name in front of the colon. */
  get name(): "Replaces" {
    return "Replaces";
  }

  /** The Call-ID of the dialog that is to be replaced. */
  get callId(): string {
    return this.#fields.callId;
  }

  /** The From tag of the dialog that is to be replaced. */
  get fromTag(): string {
    return this.#fields.fromTag;
  }

  /** The To tag of the dialog that is to be replaced. */
  get toTag(): string {
    return this.#fields.toTag;
  }

  /** Whether the dialog is to be replaced only while it is early. */
  get earlyOnly(): boolean {
    return this.#fields.earlyOnly;
  }

  /** The parameters beside the tags and early-only; null is a flag. */
  override get parameters(): ReadonlyMap<string, string | null> {
    return super.parameters;
  }

  /** Whether `other` is a Replaces header with equal components. */
  equals(other: unknown): boolean {
    return other instanceof BaseReplacesHeader &&
      this.callId === other.callId &&
      this.fromTag === other.fromTag &&
      this.toTag === other.toTag &&
      this.earlyOnly === other.earlyOnly &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    const { callId, fromTag, toTag, earlyOnly } = this.#fields;
    return `${callId};to-tag=${toTag};from-tag=${fromTag}${earlyOnly ? ";early-only" : ""}`;
  }
}

/**
 * A Replaces header (RFC 3891): the dialog that this INVITE takes the place of.
 *
 * @example
 * ```ts
 * import { ReplacesHeader } from "@sipcore/sipcore";
 *
 * const replaces = new ReplacesHeader("425928@bobster.example.org", "7743", "6472");
 * replaces.toString(); // "Replaces: 425928@bobster.example.org;to-tag=6472;from-tag=7743"
 * ```
 */
export class ReplacesHeader extends BaseReplacesHeader {
  /** From its parts, which are copied. */
  constructor(callId: string, fromTag: string, toTag: string, options?: ReplacesOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ReplacesHeaderInit);
  constructor(
    first: string | ReplacesHeaderInit,
    fromTag?: string,
    toTag?: string,
    options?: ReplacesOptions,
  ) {
    super(replacesInit(first, fromTag, toTag, options));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The Call-ID of the dialog that is to be replaced. */
  override get callId(): string {
    return super.callId;
  }
  override set callId(callId: string) {
    write(this, { callId: checkCallId(callId) });
  }

  /** The From tag of the dialog that is to be replaced. */
  override get fromTag(): string {
    return super.fromTag;
  }
  override set fromTag(fromTag: string) {
    write(this, { fromTag: checkToken(fromTag, "fromTag") });
  }

  /** The To tag of the dialog that is to be replaced. */
  override get toTag(): string {
    return super.toTag;
  }
  override set toTag(toTag: string) {
    write(this, { toTag: checkToken(toTag, "toTag") });
  }

  /** Whether only an early dialog may be replaced. */
  override get earlyOnly(): boolean {
    return super.earlyOnly;
  }
  override set earlyOnly(earlyOnly: boolean) {
    write(this, { earlyOnly: checkBoolean(earlyOnly, "earlyOnly") });
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }
}

/** A {@linkcode ReplacesHeader} that never changes. */
export class FrozenReplacesHeader extends BaseReplacesHeader {
  /** From its parts, which are copied. */
  constructor(callId: string, fromTag: string, toTag: string, options?: ReplacesOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ReplacesHeaderInit);
  constructor(
    first: string | ReplacesHeaderInit,
    fromTag?: string,
    toTag?: string,
    options?: ReplacesOptions,
  ) {
    super(replacesInit(first, fromTag, toTag, options));
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

function replacesInit(
  first: string | ReplacesHeaderInit,
  fromTag: string | undefined,
  toTag: string | undefined,
  options: ReplacesOptions | undefined,
): ReplacesHeaderInit {
  if (typeof first !== "string") return first;
  return {
    ...options,
    callId: first,
    fromTag: checkToken(fromTag, "fromTag"),
    toTag: checkToken(toTag, "toTag"),
  };
}

function checkCallId(value: unknown): string {
  const callId = checkText(value, "callId");
  if (!/^[^\s;,]+$/.test(callId)) {
    throw new TypeError(`callId must be a word without ";" and ",", got "${callId}"`);
  }
  return callId;
}

const OWN = ["to-tag", "from-tag", "early-only"];

function checkRest(parameters: ReadonlyParameters): void {
  const own = parameters.keys().find((name) => OWN.includes(name.toLowerCase()));
  if (own !== undefined) {
    throw new TypeError(`parameters must not hold "${own}", which is a property of its own`);
  }
}

function parseReplaces(text: string): ReplacesHeaderInit {
  const { value, parameters } = parseValueHeader(text, "Replaces");
  const toTag = getTextParameter(parameters, "to-tag");
  const fromTag = getTextParameter(parameters, "from-tag");
  if (toTag === null || fromTag === null) throw new SyntaxError("a tag is missing");
  const earlyOnly = parameters.keys().some((name) => name.toLowerCase() === "early-only");
  const rest = parameters.entries().filter(([name]) => !OWN.includes(name.toLowerCase()));
  return { callId: value, fromTag, toTag, earlyOnly, parameters: rest };
}
