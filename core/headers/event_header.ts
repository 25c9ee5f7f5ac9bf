// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkToken } from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import { equalParameters, getTextParameter, type ParametersInit, setParameter } from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import {
  freezeHeader,
  ParameterHeader,
  type ParameterOptions,
  parseValueHeader,
  writeParameters,
} from "./parameter_header.ts";

/** What {@linkcode EventHeader} is made from. */
export interface EventHeaderInit extends ParameterOptions {
  /** The event package, such as "presence". */
  event: string;
}

let write: (header: BaseEventHeader, event: string) => void;

/** What {@linkcode EventHeader} and {@linkcode FrozenEventHeader} share. */
export abstract class BaseEventHeader extends ParameterHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseEventHeader>(this: new (init: EventHeaderInit) => T, other: BaseEventHeader): T {
    return new this(checkInstance(other, BaseEventHeader, "other"));
  }

  /**
   * Parses an Event header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseEventHeader>(this: new (init: EventHeaderInit) => T, text: string): T {
    return parsing("Event header", text, () => new this(parseEventHeader(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseEventHeader>(this: new (init: EventHeaderInit) => T, text: string): T | null {
    return orNull(() => parsing("Event header", text, () => new this(parseEventHeader(text))));
  }

  static {
    write = (header, event) => header.#event = event;
  }

  #event: string;

  /** For the two twins alone. */
  constructor(init: EventHeaderInit) {
    super(init.parameters);
    checkConcrete(new.target, BaseEventHeader);
    this.#event = checkToken(init.event, "event");
  }

  /** The name in front of the colon. */
  get name(): "Event" {
    return "Event";
  }

  /** The event package, such as "presence". */
  get event(): string {
    return this.#event;
  }

  /** The id parameter, null when there is none. */
  get id(): string | null {
    return getTextParameter(this.parameters, "id");
  }

  /** Whether `other` is an Event header with equal components. */
  equals(other: unknown): boolean {
    return other instanceof BaseEventHeader &&
      this.event === other.event &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    return this.#event;
  }
}

/**
 * An Event header (RFC 6665): which event package a SUBSCRIBE, NOTIFY or PUBLISH is about.
 *
 * @example
 * ```ts
 * import { EventHeader } from "@sipcore/sipcore";
 *
 * new EventHeader("dialog", { parameters: { id: "7" } }).toString(); // "Event: dialog;id=7"
 * ```
 */
export class EventHeader extends BaseEventHeader {
  /** From its parts, which are copied. */
  constructor(event: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: EventHeaderInit);
  constructor(first: string | EventHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, event: first } : first);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The name of the event package. */
  override get event(): string {
    return super.event;
  }
  override set event(event: string) {
    write(this, checkToken(event, "event"));
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }

  /** The id parameter; null when there is none. */
  override get id(): string | null {
    return super.id;
  }
  /** null takes the parameter away. */
  override set id(id: string | null) {
    setParameter(this.parameters, "id", id === null ? undefined : checkToken(id, "id"));
  }
}

/** A {@linkcode EventHeader} that never changes. */
export class FrozenEventHeader extends BaseEventHeader {
  /** From its parts, which are copied. */
  constructor(event: string, options?: ParameterOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: EventHeaderInit);
  constructor(first: string | EventHeaderInit, options?: ParameterOptions) {
    super(typeof first === "string" ? { ...options, event: first } : first);
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

function parseEventHeader(text: string): EventHeaderInit {
  const { value, parameters } = parseValueHeader(text, "Event", "o");
  return { event: value, parameters };
}
