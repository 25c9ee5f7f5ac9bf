// SPDX-License-Identifier: GPL-2.0-or-later
/** What is told of a call while it goes on, and in the end. */

/** What happens in a call. */
export type CallEvent =
  /** A notification, and what it says in a few words. */
  | { readonly type: "note"; readonly name: string; readonly text: string }
  /** Sound goes both ways now. */
  | { readonly type: "talk"; readonly codec: string; readonly sampleRate: number }
  /** How loud the party hears the other, 0 to 255; packets that came and were lost so far, and the jitter in ms. */
  | {
    readonly type: "level";
    readonly heard: number;
    readonly received: number;
    readonly lost: number;
    readonly jitter: number;
  }
  | { readonly type: "played" };

/** The packets of one direction. */
export interface StreamReport {
  readonly packets: number;
  readonly bytes: number;
  /** What became of them at the far end; null: of packets sent, when no RTCP told. */
  readonly arrival: Arrival | null;
}

export interface Arrival {
  readonly lost: number;
  /** Mean and greatest jitter, in milliseconds; null: it was not measured yet. */
  readonly jitter: { readonly mean: number; readonly max: number } | null;
}

/** One call, as one party saw it. */
export interface CallReport {
  readonly peer: string;
  /** The status that ended it, with its reason, and what the library says about why. */
  readonly code: number | null;
  readonly reason: string | null;
  readonly cause: string | null;
  readonly endedBy: "local" | "remote" | null;
  /** From the INVITE to the first ring and to the answer, and from there to the end; milliseconds, null: never. */
  readonly ringing: number | null;
  readonly setUp: number | null;
  readonly length: number | null;
  readonly codec: string | null;
  readonly sampleRate: number | null;
  readonly received: StreamReport | null;
  readonly sent: StreamReport | null;
  /** Where the recording is; null: nothing was recorded. */
  readonly recording: string | null;
}
