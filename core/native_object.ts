// SPDX-License-Identifier: GPL-2.0-or-later
import type { Reader } from "../ffi/wire.ts";

/** What the engine tells before and when it ends. */
export interface EngineBound {
  /** The engine is about to stop and can still send: say goodbye. */
  engineStopping(): void;
  /** Whether it waits for an answer to its goodbye. */
  readonly isLeaving: boolean;
  /** The engine has stopped: come to the last state, post what is owed. */
  engineStopped(): void;
}

/** What has another half in C: records of its serial come to it. */
export interface NativeObject extends EngineBound {
  /** A record of this object. Its own state first, then the notification. */
  receive(kind: number, time: Date, reader: Reader): void;
}
