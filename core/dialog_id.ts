// SPDX-License-Identifier: GPL-2.0-or-later
import { checkOptionalText, checkText } from "./check_argument.ts";

/** What {@linkcode DialogID} is made from. */
export interface DialogIDInit {
  /** The Call-ID. */
  readonly callId: string;
  /** Our tag. */
  readonly localTag: string;
  /** null while the other side has not given its tag. */
  readonly remoteTag: string | null;
}

/**
 * What names a dialog (RFC 3261, section 12). It never changes.
 *
 * @example
 * ```ts
 * import { DialogID } from "@sipcore/sipcore";
 *
 * const id = new DialogID("3848276298220188511@example.com", "kjh34asd", "9fxced76sl");
 * id.equals(new DialogID({ ...id })); // true
 * ```
 */
export class DialogID implements DialogIDInit {
  /** The Call-ID. */
  readonly callId: string;
  /** Our tag. */
  readonly localTag: string;
  readonly remoteTag: string | null;

  /** From its parts, which are copied. */
  constructor(callId: string, localTag: string, remoteTag: string | null);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: DialogIDInit);
  constructor(first: string | DialogIDInit, localTag?: string, remoteTag?: string | null) {
    const init = typeof first === "string" ? { callId: first, localTag, remoteTag } : first;
    this.callId = checkText(init.callId, "callId");
    this.localTag = checkText(init.localTag, "localTag");
    this.remoteTag = checkOptionalText(init.remoteTag, "remoteTag");
    Object.freeze(this);
  }

  /** Whether all three parts are equal. */
  equals(other: unknown): boolean {
    return other instanceof DialogID &&
      this.callId === other.callId &&
      this.localTag === other.localTag &&
      this.remoteTag === other.remoteTag;
  }

  /** The three parts as a Replaces header of the other side would have them (RFC 3891). */
  toString(): string {
    const remote = this.remoteTag === null ? "" : `;to-tag=${this.remoteTag}`;
    return `${this.callId}${remote};from-tag=${this.localTag}`;
  }
}
