// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkInteger, checkText } from "../check_argument.ts";
import { orNull, parsing } from "../parsing.ts";
import { headerBody, isQuoted, quote, unquote } from "../sip_text.ts";
import { BaseHeader } from "./header.ts";

/** What {@linkcode WarningHeader} is made from. */
export interface WarningHeaderInit {
  /** 100 to 999; the registered ones begin with 3. */
  code: number;
  /** The host, or a pseudonym for it, that warns. */
  agent: string;
  /** The warning in words, without quotes. */
  text: string;
}

let write: (header: BaseWarningHeader, fields: Partial<WarningHeaderInit>) => void;

/** What {@linkcode WarningHeader} and {@linkcode FrozenWarningHeader} share. */
export abstract class BaseWarningHeader extends BaseHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseWarningHeader>(
    this: new (init: WarningHeaderInit) => T,
    other: BaseWarningHeader,
  ): T {
    return new this(checkInstance(other, BaseWarningHeader, "other"));
  }

  /**
   * Parses a Warning header, whole or its body alone. It must hold one warning.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseWarningHeader>(this: new (init: WarningHeaderInit) => T, text: string): T {
    return parsing("Warning header", text, () => new this(parseWarning(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseWarningHeader>(
    this: new (init: WarningHeaderInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("Warning header", text, () => new this(parseWarning(text))));
  }

  static {
    write = (header, fields) => Object.assign(header.#fields, fields);
  }

  readonly #fields: WarningHeaderInit;

  /** For the two twins alone. */
  constructor(init: WarningHeaderInit) {
    super();
    checkConcrete(new.target, BaseWarningHeader);
    this.#fields = {
      code: checkCode(init.code),
      agent: checkAgent(init.agent),
      text: checkText(init.text, "text"),
    };
  }

  /** The name in front of the colon. */
  get name(): "Warning" {
    return "Warning";
  }

  /** The code of the warning, 300 to 399. */
  get code(): number {
    return this.#fields.code;
  }

  /** The host, or a pseudonym for it, that warns. */
  get agent(): string {
    return this.#fields.agent;
  }

  /** The warning in words, without quotes. */
  get text(): string {
    return this.#fields.text;
  }

  /** What stands behind the colon. */
  get body(): string {
    return `${this.code} ${this.agent} ${quote(this.text)}`;
  }

  /** Whether `other` is a Warning header with equal components. */
  equals(other: unknown): boolean {
    return other instanceof BaseWarningHeader &&
      this.code === other.code &&
      this.agent === other.agent &&
      this.text === other.text;
  }
}

/**
 * A Warning header (RFC 3261, section 20.43): more about the status of a response.
 *
 * @example
 * ```ts
 * import { WarningHeader } from "@sipcore/sipcore";
 *
 * const warning = new WarningHeader(370, "example.com", "Choose a bigger pipe");
 * warning.toString(); // 'Warning: 370 example.com "Choose a bigger pipe"'
 * ```
 */
export class WarningHeader extends BaseWarningHeader {
  /** From its parts, which are copied. */
  constructor(code: number, agent: string, text: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: WarningHeaderInit);
  constructor(first: number | WarningHeaderInit, agent?: string, text?: string) {
    super(warningInit(first, agent, text));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The code of the warning, 300 to 399. */
  override get code(): number {
    return super.code;
  }
  override set code(code: number) {
    write(this, { code: checkCode(code) });
  }

  /** Who warns: a host or a name. */
  override get agent(): string {
    return super.agent;
  }
  override set agent(agent: string) {
    write(this, { agent: checkAgent(agent) });
  }

  /** The text for people. */
  override get text(): string {
    return super.text;
  }
  override set text(text: string) {
    write(this, { text: checkText(text, "text") });
  }
}

/** A {@linkcode WarningHeader} that never changes. */
export class FrozenWarningHeader extends BaseWarningHeader {
  /** From its parts, which are copied. */
  constructor(code: number, agent: string, text: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: WarningHeaderInit);
  constructor(first: number | WarningHeaderInit, agent?: string, text?: string) {
    super(warningInit(first, agent, text));
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }
}

function warningInit(
  first: number | WarningHeaderInit,
  agent: string | undefined,
  text: string | undefined,
): WarningHeaderInit {
  if (typeof first !== "number") return first;
  return { code: first, agent: checkAgent(agent), text: checkText(text, "text") };
}

function checkCode(value: unknown): number {
  return checkInteger(value, "code", 100, 999);
}

function checkAgent(value: unknown): string {
  const agent = checkText(value, "agent");
  if (!/^[^\s",;<>]+$/.test(agent)) throw new TypeError(`agent must be a host or a token, got "${agent}"`);
  return agent;
}

function parseWarning(text: string): WarningHeaderInit {
  const parts = /^([0-9]{3})[ \t]+([^\s"]+)[ \t]+(".*)$/.exec(headerBody(text, ["Warning"]));
  if (parts === null || !isQuoted(parts[3]!)) throw new SyntaxError('no code, agent and "text"');
  return { code: Number(parts[1]), agent: parts[2]!, text: unquote(parts[3]!) };
}
