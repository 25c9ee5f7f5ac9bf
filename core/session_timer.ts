// SPDX-License-Identifier: GPL-2.0-or-later
import type { Writer } from "../ffi/wire.ts";
import { checkInteger } from "./check_argument.ts";

/** A session timer (RFC 4028): a call whose peer is lost ends, because refreshes are missed. */
export interface SessionTimer {
  /** Seconds until the call ends without a refresh; at least minSe. Default 1800. */
  expires?: number;
  /** The least that we accept; at least 90, the default. */
  minSe?: number;
  /** Who refreshes: "uac" is who has sent the INVITE. Left out: the peer may choose. */
  refresher?: "uac" | "uas" | null;
}

/** A session timer with all its parts. */
export type CheckedSessionTimer = Readonly<Required<SessionTimer>>;

const refreshers = [null, "uac", "uas"] as const;

/** Throws TypeError and RangeError for a bad one; null for none. */
export function checkSessionTimer(timer: SessionTimer | null): CheckedSessionTimer | null {
  if (timer === null) return null;
  if (typeof timer !== "object") throw new TypeError("sessionTimer must be an object or null");
  const most = 2 ** 31 - 1;
  const minSe = checkInteger(timer.minSe ?? 90, "sessionTimer.minSe", 90, most);
  const expires = checkInteger(timer.expires ?? Math.max(1800, minSe), "sessionTimer.expires", minSe, most);
  const refresher = timer.refresher ?? null;
  if (!refreshers.includes(refresher)) {
    throw new RangeError('sessionTimer.refresher must be "uac", "uas" or null');
  }
  return Object.freeze({ expires, minSe, refresher });
}

/** As the border has it; 0 seconds are none. */
export function writeSessionTimer(writer: Writer, timer: CheckedSessionTimer | null): Writer {
  return writer.u32(timer?.expires ?? 0).u32(timer?.minSe ?? 0).u8(
    refreshers.indexOf(timer?.refresher ?? null),
  );
}
