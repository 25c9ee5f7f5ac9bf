// SPDX-License-Identifier: GPL-2.0-or-later
import { setImmediate } from "node:timers";
import { runtime } from "./runtime.ts";
import { Reader } from "./wire.ts";
import type { Bell } from "./types.ts";
import type { NativeLibrary } from "./library.ts";

/** length, kind, serial, time */
const headerSize = 24;

/** How many bytes of records make a turn; what comes later waits for the next. */
const turnSize = 32 * 1024;

/** What one record is given to. `time` is milliseconds since 1970, with fractions. */
export type RecordHandler = (kind: number, serial: number, time: number, reader: Reader) => void;

/** Bell, drain, hand on: carries the library's records to one handler on the JavaScript thread, in order. */
export class Pump {
  readonly #native: NativeLibrary;
  readonly #onRecord: RecordHandler;
  readonly #onError: (error: unknown) => void;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(256 * 1024);
  #bell: Bell | null = null;
  #busy = false;

  /** `onError` gets what `onRecord` throws; the pump goes on. */
  constructor(native: NativeLibrary, onRecord: RecordHandler, onError: (error: unknown) => void) {
    this.#native = native;
    this.#onRecord = onRecord;
    this.#onError = onError;
  }

  start(): void {
    this.#bell = runtime.onBell(this.#native, () => this.#wake());
  }

  stop(): void {
    this.#native.sc_bell_stop();
    this.#bell?.close();
    this.#bell = null;
  }

  #wake(): void {
    if (!this.#busy) this.#turn(this.#drain());
  }

  /** The number of bytes that wait in the buffer now. */
  #drain(): number {
    let size = this.#native.sc_ring_drain(this.#buffer, this.#buffer.length);
    while (size < 0) {
      this.#buffer = new Uint8Array(Math.max(-size, this.#buffer.length * 2));
      size = this.#native.sc_ring_drain(this.#buffer, this.#buffer.length);
    }
    return size;
  }

  /** Between two turns the program gets its own: its streams are read, its timers and sockets served. */
  #turn(size: number): void {
    this.#busy = true;
    let done = 0;
    let more = size;
    while (more && done < turnSize) {
      this.#dispatch(more);
      done += more;
      more = this.#bell ? this.#drain() : 0;
    }
    if (more) setImmediate(() => this.#turn(more));
    else this.#busy = false;
  }

  #dispatch(size: number): void {
    // One copy for all that came together: what is read later is read from there.
    const records = this.#buffer.slice(0, size);
    const view = new DataView(records.buffer);
    let at = 0;
    while (at < size) {
      const end = at + view.getUint32(at, true);
      const kind = view.getUint32(at + 4, true);
      const serial = view.getFloat64(at + 8, true);
      const time = view.getFloat64(at + 16, true);
      try {
        this.#onRecord(kind, serial, time, new Reader(records, view, at + headerSize, end));
      } catch (error) {
        this.#onError(error);
      }
      at = end;
    }
  }
}
