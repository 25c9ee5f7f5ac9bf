// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the demo and its parties say to each other: one JSON object a line, commands on a party's standard
 * input, events on its standard output. When its input ends, a party hangs up and leaves.
 */

import type { CallEvent, CallReport } from "../../cli/call_report.ts";

export type { Arrival, CallReport, StreamReport } from "../../cli/call_report.ts";

/** Which end of the call: the caller stands left in the ladder, the callee right. */
export type Side = "caller" | "callee";

/** How a party is set up. */
export interface PartyOptions {
  readonly side: Side;
  /** Local address for SIP and sound; null: all of them. */
  readonly address: string | null;
  /** SIP port; 0: any free one. */
  readonly port: number;
  /** The only codec to offer or accept; null: all that the library has. */
  readonly codec: string | null;
  /** The WAV file to play, and the one to record to. */
  readonly play: string;
  readonly record: string;
  /** Plays the file over and over. */
  readonly loop: boolean;
  /** After the file, gives back what it hears. */
  readonly echo: boolean;
  /** Waits for further calls after the first one; each records to a file of its own. */
  readonly stay: boolean;
  /** Hangs up this many seconds after the answer; null: does not by itself. */
  readonly hangUpAfter: number | null;
}

export type PartyCommand =
  | { readonly type: "start"; readonly options: PartyOptions }
  | {
    readonly type: "call";
    readonly uri: string;
    readonly username: string | null;
    readonly password: string | null;
  }
  | { readonly type: "hangup" };

/** `at` is the time of the event in milliseconds since 1970. */
export type PartyEvent = { readonly at: number } & EventBody;

export type EventBody =
  | {
    readonly type: "ready";
    readonly runtime: string;
    readonly pjsip: string;
    readonly address: string;
    readonly port: number;
  }
  /** A SIP message, sent or received. */
  | { readonly type: "trace"; readonly received: boolean; readonly text: string }
  | CallEvent
  | { readonly type: "ended"; readonly report: CallReport }
  | { readonly type: "failed"; readonly message: string };

export type EventType = PartyEvent["type"];

const eventTypes: ReadonlySet<string> = new Set<EventType>(
  ["ready", "trace", "note", "talk", "level", "played", "ended", "failed"],
);

export function encodeLine(message: PartyCommand | PartyEvent): string {
  return JSON.stringify(message) + "\n";
}

/** The event in a line of a party's output; null: the line is something else that the party printed. */
export function decodeEvent(line: string): PartyEvent | null {
  const value = parse(line);
  if (value === null || typeof value["at"] !== "number") return null;
  return eventTypes.has(String(value["type"])) ? value as unknown as PartyEvent : null;
}

/**
 * The command in a line of a party's input.
 *
 * @throws {Error} when it is none: nobody but the demo writes there.
 */
export function decodeCommand(line: string): PartyCommand {
  const value = parse(line);
  switch (value?.["type"]) {
    case "start":
    case "call":
    case "hangup":
      return value as unknown as PartyCommand;
    default:
      throw new Error(`Not a command: ${line}`);
  }
}

function parse(line: string): Record<string, unknown> | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}
