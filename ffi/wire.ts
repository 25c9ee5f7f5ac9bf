// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The bytes that cross the border: little-endian scalars, text and bytes with their size ahead (u32).
 * Twin of shim/wire.c: same words, same order.
 */
import type { CString } from "./types.ts";

const encoder = new TextEncoder();
// A byte order mark is part of the text.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** NUL-terminated UTF-8 for an argument of the word `text`. */
export function cstring(text: string): CString {
  return encoder.encode(`${text}\0`) as Uint8Array as CString;
}

/** Writes an argument block. */
export class Writer {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  #view: DataView = new DataView(this.#bytes.buffer);
  #size = 0;

  #reserve(size: number): number {
    const at = this.#size;
    if (at + size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(at + size, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#size = at + size;
    return at;
  }

  u8(value: number): this {
    // The view is another one once there was no room left.
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  i32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setInt32(at, value, true);
    return this;
  }

  f64(value: number): this {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
    return this;
  }

  text(value: string): this {
    if (value === "") return this.u32(0);
    // A UTF-16 unit never takes more than three bytes.
    const at = this.#reserve(4 + value.length * 3);
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(at + 4));
    this.#view.setUint32(at, written, true);
    this.#size = at + 4 + written;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.length);
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Its length ahead (u32), then what `write` says of each element. */
  list<T>(values: Iterable<T>, write: (writer: this, value: T) => void): this {
    const at = this.#reserve(4);
    let count = 0;
    for (const value of values) {
      write(this, value);
      count++;
    }
    this.#view.setUint32(at, count, true);
    return this;
  }

  /** Begins anew. */
  clear(): this {
    this.#size = 0;
    return this;
  }

  /** How many bytes were written. */
  get size(): number {
    return this.#size;
  }

  /** The block: at least one byte long, so that its address is never NULL. */
  get block(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }
}

const shared = new Writer();

/** An empty writer for one call, which reads the block before it returns. Another such call writes over it. */
export function argumentBlock(): Writer {
  return shared.clear();
}

/** Up to here a loop is faster than a decoder. */
const shortText = 40;

/** Short texts that were read: addresses, names and phrases come again and again. */
const texts: string[] = new Array(256).fill("");

/** Beyond this a decoder is faster, and a call has only so many arguments. */
const longText = 1024;

/** The text from there to there, null when it is very long or not all ASCII. */
export function readAscii(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start <= shortText) return ascii(bytes, start, end - start);
  if (end - start > longText) return null;
  const own = bytes.subarray(start, end);
  return own.some(isBeyondAscii) ? null : String.fromCharCode(...own);
}

/** The same for a short one. */
function ascii(bytes: Uint8Array, at: number, size: number): string | null {
  let place = size;
  for (let index = at; index < at + size; index++) place = place * 31 + bytes[index]! & 0xffffff;
  place = (place ^ place >>> 8) & texts.length - 1;
  const known = texts[place]!;
  if (isSame(known, bytes, at, size)) return known;
  const own = bytes.subarray(at, at + size);
  if (own.some(isBeyondAscii)) return null;
  return texts[place] = String.fromCharCode(...own);
}

function isSame(text: string, bytes: Uint8Array, at: number, size: number): boolean {
  if (text.length !== size) return false;
  for (let index = 0; index < size; index++) {
    // What is not ASCII is told from its bytes by this as well.
    if (text.charCodeAt(index) !== bytes[at + index]) return false;
  }
  return true;
}

function isBeyondAscii(code: number): boolean {
  return code > 0x7f;
}

/** Reads a record or an answer; text that is not UTF-8 keeps U+FFFD in the place of what is not. */
export class Reader {
  readonly #source: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  #at: number;
  readonly #end: number;

  /** `view` is of the same bytes as `source`. */
  constructor(source: Uint8Array<ArrayBuffer>, view: DataView<ArrayBuffer>, at: number, end: number) {
    this.#source = source;
    this.#view = view;
    this.#at = at;
    this.#end = end;
  }

  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#end) throw new RangeError("The record ends too early");
    this.#at = at + size;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  text(): string {
    const size = this.u32();
    const at = this.#take(size);
    if (size === 0) return "";
    const short = size <= shortText ? ascii(this.#source, at, size) : null;
    return short ?? decoder.decode(this.#source.subarray(at, at + size));
  }

  /** No copy: it keeps the whole source alive. */
  bytes(): Uint8Array<ArrayBuffer> {
    const size = this.u32();
    const at = this.#take(size);
    return this.#source.subarray(at, at + size);
  }

  /** Passes over so many texts, or bytes with their size ahead. */
  skip(count: number): this {
    for (; count > 0; count--) this.#take(this.u32());
    return this;
  }

  /** A reader of its own of what is left, for later. */
  fork(): Reader {
    return new Reader(this.#source, this.#view, this.#at, this.#end);
  }

  /** Whether there is anything left to read. */
  get done(): boolean {
    return this.#at >= this.#end;
  }
}

let answer: Uint8Array<ArrayBuffer> = new Uint8Array(16 * 1024);

/**
 * Calls a row that writes an answer, with a buffer that is large enough; null when it wrote nothing. The reader is
 * good until the next call.
 */
export function readAnswer(
  call: (buffer: Uint8Array<ArrayBuffer>, capacity: number) => number,
): Reader | null {
  let size = call(answer, answer.length);
  if (size < 0) {
    answer = new Uint8Array(-size);
    size = call(answer, answer.length);
  }
  return size > 0 ? new Reader(answer, new DataView(answer.buffer), 0, size) : null;
}
