// SPDX-License-Identifier: GPL-2.0-or-later
import type { Writer } from "../ffi/wire.ts";
import { checkText, checkToken } from "./check_argument.ts";

/** What `EngineOptions.events` takes: content types by event package. */
export type EventPackages =
  | ReadonlyMap<string, Iterable<string>>
  | Readonly<Record<string, Iterable<string>>>;

/** As they are kept: copied and checked. */
export type CheckedEventPackages = ReadonlyMap<string, readonly string[]>;

/** The packages that are known when nobody says otherwise. */
export const defaultEvents: CheckedEventPackages = new Map([
  ["conference", ["application/conference-info+xml"]],
  ["dialog", ["application/dialog-info+xml"]],
  ["dialog.winfo", ["application/watcherinfo+xml"]],
  ["message-summary", ["application/simple-message-summary"]],
  ["presence", ["multipart/related", "application/rlmi+xml", "application/pidf+xml"]],
  ["presence.winfo", ["application/watcherinfo+xml"]],
  ["refer", ["message/sipfrag;version=2.0"]],
  ["xcap-diff", ["application/xcap-diff+xml"]],
].map(([name, types]) => [name as string, Object.freeze(types as string[])]));

/** The name of a package, templates included. */
export function checkEventName(value: unknown, argument: string): string {
  const name = checkToken(value, argument);
  if (name.length > 63) throw new RangeError(`${argument} must not be longer than 63 characters`);
  return name;
}

/** The content types of a package: "type/subtype", parameters allowed. */
export function checkAcceptTypes(value: unknown, argument: string): readonly string[] {
  if (value === null || typeof value !== "object" || !(Symbol.iterator in value)) {
    throw new TypeError(`${argument} must be a list of content types`);
  }
  const types = [...value as Iterable<unknown>].map((type, index) => {
    const text = checkText(type, `${argument}[${index}]`);
    if (!/^[^\s/,;]+\/[^\s/,;]+(?:;[^,]*)?$/.test(text)) {
      throw new TypeError(`${argument}[${index}] must be a content type, got "${text}"`);
    }
    return text;
  });
  if (types.length === 0) throw new RangeError(`${argument} must hold at least one content type`);
  return Object.freeze(types);
}

/** Throws TypeError or RangeError. */
export function checkEvents(value: unknown): CheckedEventPackages {
  if (value === null || typeof value !== "object") throw new TypeError("events must be a Map or an object");
  const entries: Iterable<[unknown, unknown]> = value instanceof Map ? value : Object.entries(value);
  return new Map(
    Array.from(entries, ([name, types]) => {
      const event = checkEventName(name, "events");
      return [event, checkAcceptTypes(types, `events["${event}"]`)];
    }),
  );
}

/** Packages of which subscriptions may come in: each a known one. */
export function checkIncomingEvents(value: unknown, known: CheckedEventPackages): ReadonlySet<string> {
  if (value === null || typeof value !== "object" || !(Symbol.iterator in value)) {
    throw new TypeError("incomingEvents must be a list of event packages");
  }
  return new Set(
    [...value as Iterable<unknown>].map((name) => checkKnownEvent(name, known, "incomingEvents")),
  );
}

/** The name of a package that is known. */
export function checkKnownEvent(value: unknown, known: CheckedEventPackages, argument: string): string {
  const name = checkText(value, argument);
  if (!known.has(name)) throw new RangeError(`${argument} names the unknown event package "${name}"`);
  return name;
}

/** Appends a package to an argument block (shim/events.h). */
export function writeEvent(writer: Writer, [name, types]: readonly [string, readonly string[]]): Writer {
  return writer.text(name).list(types, (each, type) => each.text(type));
}
