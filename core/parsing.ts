// SPDX-License-Identifier: GPL-2.0-or-later
import { SIPCoreError } from "./errors.ts";

/**
 * Runs the parser of one kind of value. Whatever a piece of the text violates, also when a constructor found
 * it, becomes the one error that `parse` throws.
 */
export function parsing<T>(kind: string, text: string, parse: () => T): T {
  if (typeof text !== "string") throw new TypeError(`text must be a string, got ${typeof text}`);
  try {
    return parse();
  } catch (error) {
    const malformed = [SIPCoreError, SyntaxError, TypeError, RangeError].some((type) =>
      error instanceof type
    );
    if (!malformed || !(error instanceof Error)) throw error;
    const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    throw new SIPCoreError(`Cannot parse ${kind} ${JSON.stringify(shown)}: ${error.message}`, "PARSE", {
      cause: error,
    });
  }
}

/** For `tryParse`: null where `parse` throws for the text. */
export function orNull<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SIPCoreError && error.code === "PARSE") return null;
    throw error;
  }
}
