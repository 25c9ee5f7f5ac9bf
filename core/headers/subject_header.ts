// SPDX-License-Identifier: GPL-2.0-or-later
import { checkConcrete, checkInstance, checkText } from "../check_argument.ts";
import { orNull, parsing } from "../parsing.ts";
import { headerBody } from "../sip_text.ts";
import { BaseHeader } from "./header.ts";

/** What {@linkcode SubjectHeader} is made from. */
export interface SubjectHeaderInit {
  /** White space around it does not count. */
  subject: string;
}

let write: (header: BaseSubjectHeader, subject: string) => void;

/** What {@linkcode SubjectHeader} and {@linkcode FrozenSubjectHeader} share. */
export abstract class BaseSubjectHeader extends BaseHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseSubjectHeader>(
    this: new (init: SubjectHeaderInit) => T,
    other: BaseSubjectHeader,
  ): T {
    return new this(checkInstance(other, BaseSubjectHeader, "other"));
  }

  /**
   * Parses a Subject header, whole or its body alone.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseSubjectHeader>(this: new (init: SubjectHeaderInit) => T, text: string): T {
    return parsing("Subject header", text, () => new this({ subject: headerBody(text, ["Subject", "s"]) }));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSubjectHeader>(
    this: new (init: SubjectHeaderInit) => T,
    text: string,
  ): T | null {
    return orNull(() => {
      return parsing("Subject header", text, () => new this({ subject: headerBody(text, ["Subject", "s"]) }));
    });
  }

  static {
    write = (header, subject) => header.#subject = subject;
  }

  #subject: string;

  /** For the two twins alone. */
  constructor(init: SubjectHeaderInit) {
    super();
    checkConcrete(new.target, BaseSubjectHeader);
    this.#subject = checkText(init.subject, "subject").trim();
  }

  /** The name in front of the colon. */
  get name(): "Subject" {
    return "Subject";
  }

  /** The subject. */
  get subject(): string {
    return this.#subject;
  }

  /** What stands behind the colon. */
  get body(): string {
    return this.#subject;
  }

  /** Whether `other` is a Subject header with the same text. */
  equals(other: unknown): boolean {
    return other instanceof BaseSubjectHeader && this.subject === other.subject;
  }
}

/**
 * A Subject header (RFC 3261, section 20.36): what a call is about.
 *
 * @example
 * ```ts
 * import { SubjectHeader } from "@sipcore/sipcore";
 *
 * new SubjectHeader("Need more boxes").toString(); // "Subject: Need more boxes"
 * ```
 */
export class SubjectHeader extends BaseSubjectHeader {
  /** From its parts, which are copied. */
  constructor(subject: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SubjectHeaderInit);
  constructor(first: string | SubjectHeaderInit) {
    super(typeof first === "string" ? { subject: first } : first);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The subject. */
  override get subject(): string {
    return super.subject;
  }
  override set subject(subject: string) {
    write(this, checkText(subject, "subject").trim());
  }
}

/** A {@linkcode SubjectHeader} that never changes. */
export class FrozenSubjectHeader extends BaseSubjectHeader {
  /** From its parts, which are copied. */
  constructor(subject: string);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SubjectHeaderInit);
  constructor(first: string | SubjectHeaderInit) {
    super(typeof first === "string" ? { subject: first } : first);
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }
}
