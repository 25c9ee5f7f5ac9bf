// SPDX-License-Identifier: GPL-2.0-or-later
import { errors } from "../ffi/bindings/records.ts";
import { type NativeLibrary, openedLibrary } from "../ffi/library.ts";
import { readAnswer } from "../ffi/wire.ts";
import { PJSIPError, SIPCoreInvalidStateError } from "./errors.ts";

let library: NativeLibrary | null = null;

let ends = 0;

/** Set by the engine while it runs. */
export function setRunning(native: NativeLibrary | null): void {
  library = native;
  if (native === null) ends++;
}

/** How many times the engine has ended: an object that was made at another count has ended with it. */
export function endCount(): number {
  return ends;
}

/** The library of the running engine. Throws SIPCoreInvalidStateError "ENGINE_NOT_RUNNING". */
export function running(): NativeLibrary {
  if (library === null) {
    throw new SIPCoreInvalidStateError("The engine is not running", null, "ENGINE_NOT_RUNNING");
  }
  return library;
}

/** The library while the engine runs, else null. */
export function runningOrNull(): NativeLibrary | null {
  return library;
}

/** PJSIP's text for a status. */
export function statusText(status: number): string {
  const native = library ?? openedLibrary();
  const text = native && readAnswer((buffer, capacity) => native.sc_status_text(status, buffer, capacity));
  return text?.text() ?? `status ${status}`;
}

/** The one place where a status becomes an exception; `what` failed ("Could not send INVITE"). */
export function check(status: number, what: string): void {
  if (status === 0) return;
  if (status === errors.SC_EGONE) throw new SIPCoreInvalidStateError(`${what}: it has ended`, null);
  throw new PJSIPError(what, status, statusText(status));
}

const status = new Int32Array(1);

/** Calls a creator: the serial that it gives. Throws as {@linkcode check} does. */
export function create<S extends number>(what: string, call: (status: Int32Array<ArrayBuffer>) => S): S {
  const serial = call(status);
  if (serial === 0) check(status[0]!, what);
  return serial;
}
