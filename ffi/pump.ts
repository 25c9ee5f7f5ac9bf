// SPDX-License-Identifier: GPL-2.0-or-later
import { nextTick } from "node:process";
import { setImmediate } from "node:timers";
import { runtime } from "./runtime.ts";
import { Reader } from "./wire.ts";
import type { Bell } from "./types.ts";
import type { NativeLibrary } from "./library.ts";

/** length, kind, serial, time */
const headerSize = 24;

/** How many bytes of records make a turn; what comes later waits for the next. */
const turnSize = 32 * 1024;

/** Records are read where the library has put them, and what keeps one of them keeps so many bytes. */
const chunkSize = 8 * 1024;
/** With less room than this the next chunk is begun. */
const leastRoom = 2 * 1024;

/** What `sc_bell_linger` answers. */
const [nothing, something, turnFirst] = [0, 1, 2];

/** What one record is given to. `time` is milliseconds since 1970, with fractions. */
export type RecordHandler = (kind: number, serial: number, time: number, reader: Reader) => void;

/** Bell, drain, hand on: carries the library's records to one handler on the JavaScript thread, in order. */
export class Pump {
  readonly #native: NativeLibrary;
  readonly #onRecord: RecordHandler;
  readonly #onError: (error: unknown) => void;
  #chunk: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view: DataView<ArrayBuffer> = new DataView(this.#chunk.buffer);
  /** Behind what has been drained, and where that begins. */
  #end = 0;
  #begin = 0;
  #bell: Bell | null = null;
  #run = 0;
  #busy = false;
  /** It is about to ask whether more comes at once. */
  #lingers = false;

  /** `onError` gets what `onRecord` throws; the pump goes on. */
  constructor(native: NativeLibrary, onRecord: RecordHandler, onError: (error: unknown) => void) {
    this.#native = native;
    this.#onRecord = onRecord;
    this.#onError = onError;
  }

  start(): void {
    this.#run = this.#native.sc_bell_run();
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

  /** The number of bytes that wait in the chunk now. */
  #drain(): number {
    if (this.#chunk.length - this.#end < leastRoom) this.#beginChunk(chunkSize);
    let size = this.#fill();
    while (size < 0) {
      this.#beginChunk(Math.max(-size, chunkSize));
      size = this.#fill();
    }
    this.#begin = this.#end;
    this.#end += size;
    return size;
  }

  #fill(): number {
    const room = this.#chunk.subarray(this.#end);
    return this.#native.sc_ring_drain(room, room.length);
  }

  /** A chunk is never written over: who reads a record later reads it there. */
  #beginChunk(size: number): void {
    this.#chunk = new Uint8Array(size);
    this.#view = new DataView(this.#chunk.buffer);
    this.#end = 0;
  }

  /** Between two turns the program gets its own: its streams are read, its timers and sockets served. */
  #turn(size: number): void {
    this.#busy = true;
    let done = 0;
    let more = size;
    while (more && done < turnSize) {
      this.#dispatch();
      done += more;
      more = this.#bell ? this.#drain() : 0;
    }
    if (more) {
      setImmediate(() => this.#turn(more));
      return;
    }
    this.#busy = false;
    if (this.#lingers) return;
    this.#lingers = true;
    // When all promises have had their turn: what was handed on may still be in their hands.
    nextTick(() => this.#linger(false));
  }

  /**
   * The way through the bell costs two or three changes of threads. Where one message follows another at once, this
   * thread fetches them itself.
   */
  #linger(first: boolean): void {
    const found = this.#bell && !this.#busy ? this.#native.sc_bell_linger(this.#run, Number(first)) : nothing;
    if (found === turnFirst) {
      setImmediate(() => this.#linger(true));
      return;
    }
    this.#lingers = false;
    if (found === something) this.#turn(this.#drain());
  }

  #dispatch(): void {
    // While the records are handed on nothing is drained.
    const [chunk, view, behind] = [this.#chunk, this.#view, this.#end];
    for (let at = this.#begin; at < behind;) {
      const end = at + view.getUint32(at, true);
      const kind = view.getUint32(at + 4, true);
      const serial = view.getFloat64(at + 8, true);
      const time = view.getFloat64(at + 16, true);
      try {
        this.#onRecord(kind, serial, time, new Reader(chunk, view, at + headerSize, end));
      } catch (error) {
        this.#onError(error);
      }
      at = end;
    }
  }
}
