// SPDX-License-Identifier: GPL-2.0-or-later
import { pcmWake } from "../ffi/pcm_memory.ts";
import type { PCMRing } from "./pcm_ring.ts";

/** What a port's writing end needs of it. */
export interface PCMWriterOwner {
  /** Something is waited for that the ring has not come to. */
  waits(): void;
  /** Takes out of the ring what waits there; how many samples. */
  flush(): number;
  marked(name: string, reached: boolean): void;
}

/** A chunk whose `write()` was called, and that the stream has not handed on yet. */
interface Arrival {
  readonly samples: number;
  /** What the stream was told that it counts, in ms. */
  readonly charge: number;
  isFlushed: boolean;
}

/** The chunk that goes into the ring as room comes up. */
interface Current {
  readonly chunk: Int16Array;
  /** How many it had when it came; its buffer may have been transferred since. */
  readonly samples: number;
  readonly charge: number;
  at: number;
  settle: { resolve: () => void; reject: (reason: unknown) => void } | null;
}

interface Mark {
  readonly name: string;
  readonly at: number;
}

/**
 * The stream of what a port says. Its chunks count in ms, and a write is done once the last of its samples is in the
 * ring, where `capacity` ms may wait.
 */
export class PCMWriter {
  readonly stream: WritableStream<Int16Array>;
  readonly #owner: PCMWriterOwner;
  readonly #samplesPerMs: number;
  /** How many samples may wait in the ring. */
  readonly #room: number;
  #controller!: WritableStreamDefaultController;
  #ring: PCMRing | null = null;
  /** Read from `#nextArrival` on. */
  #arrivals: Arrival[] = [];
  #nextArrival = 0;
  #current: Current | null = null;
  /** How many samples were given to `write()` that are not in the ring yet. */
  #pending = 0;
  /** How many ms the stream counts. */
  #charged = 0;
  #marks: Mark[] = [];
  #closing: { resolve: () => void; reject: (reason: unknown) => void } | null = null;
  /** Why no more can be written. */
  #error: Error | null = null;
  #isLast = false;
  #flushed = 0;
  #flushedFromRing = 0;
  #playedAtEnd = 0;

  constructor(owner: PCMWriterOwner, sampleRate: number, capacity: number) {
    this.#owner = owner;
    this.#samplesPerMs = sampleRate / 1000;
    this.#room = Math.floor(capacity * this.#samplesPerMs);
    this.stream = forgiving(
      new WritableStream<Int16Array>({
        start: (controller) => {
          this.#controller = controller;
          // The stream itself waits for the write under way before it tells of its end.
          controller.signal.addEventListener("abort", () => this.#abort());
        },
        write: (chunk) => this.#write(chunk),
        close: () => this.#close(),
      }, { highWaterMark: capacity, size: (chunk) => this.#arrive(chunk) }),
    );
  }

  /** How many ms wait to be played. */
  get queued(): number {
    return (this.#pending + (this.#ring?.queued ?? 0)) / this.#samplesPerMs;
  }

  /** How many ms were played. */
  get played(): number {
    return ((this.#ring?.played ?? this.#playedAtEnd) - this.#flushedFromRing) / this.#samplesPerMs;
  }

  /** How many ms were flushed. */
  get flushed(): number {
    return this.#flushed / this.#samplesPerMs;
  }

  /** What the clock is to tell of: bits of `pcmWake`. */
  get wake(): number {
    let bits = this.#isLast ? pcmWake.SC_PCM_LAST : 0;
    if (this.#current) bits |= pcmWake.SC_PCM_WAKE_ROOM;
    if (this.#marks.length > 0 || this.#closing) bits |= pcmWake.SC_PCM_WAKE_PLAYED;
    return bits;
  }

  /** The sample at which it is to tell. */
  get wakeAt(): number {
    return this.#marks[0]?.at ?? this.#ring?.written ?? 0;
  }

  begin(ring: PCMRing): void {
    this.#ring = ring;
    this.look();
  }

  /**
   * Called by the stream within `write()`: the chunk's size, and its place among flushes and marks.
   *
   * The size makes `desiredSize` say how much room there is, ring included: the stream forgets a chunk once that is
   * there, so the next one counts for it as well.
   */
  #arrive(chunk: unknown): number {
    if (this.#error) throw this.#error;
    if (!(chunk instanceof Int16Array)) throw new TypeError("A chunk must be an Int16Array");
    const { length: samples } = chunk;
    this.#pending += samples;
    const charge = Math.max(0, this.queued - this.#charged);
    this.#charged += charge;
    this.#arrivals.push({ samples, charge, isFlushed: false });
    return charge;
  }

  #nextOfArrivals(): Arrival {
    const arrival = this.#arrivals[this.#nextArrival++]!;
    if (this.#nextArrival === this.#arrivals.length) {
      this.#arrivals = [];
      this.#nextArrival = 0;
    }
    return arrival;
  }

  #write(chunk: Int16Array): Promise<void> | void {
    const { charge, samples, isFlushed } = this.#nextOfArrivals();
    if (isFlushed || samples === 0) {
      this.#charged -= charge;
      return;
    }
    const current: Current = { chunk, samples, charge, at: 0, settle: null };
    this.#current = current;
    if (this.#fill()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    current.settle = { resolve, reject };
    this.#wait();
    return promise;
  }

  /** True when nothing is left to be put into the ring. */
  #fill(): boolean {
    const current = this.#current;
    if (!current) return true;
    const { chunk, samples } = current;
    const end = Math.min(samples, chunk.length);
    const count = this.#ring?.put(chunk, current.at, end, this.#room) ?? 0;
    current.at += count;
    this.#pending -= count;
    if (current.at < end) return false;
    this.#pending -= samples - current.at;
    this.#finishCurrent();
    return true;
  }

  #finishCurrent(error?: Error): void {
    const current = this.#current;
    if (!current) return;
    this.#current = null;
    this.#charged -= current.charge;
    if (error) current.settle?.reject(error);
    else current.settle?.resolve();
  }

  /** It may have come about meanwhile: then the clock will not tell. */
  #wait(): void {
    this.#owner.waits();
    this.look();
  }

  /** Goes on with what has become possible. */
  look(): void {
    this.#fill();
    const played = this.#ring?.played ?? 0;
    let reached = 0;
    while (reached < this.#marks.length && this.#marks[reached]!.at <= played) reached++;
    for (const { name } of this.#marks.splice(0, reached)) this.#owner.marked(name, true);
    if (this.#closing && !this.#ring?.queued) {
      this.#closing.resolve();
      this.#closing = null;
    }
  }

  /** A name for the place behind all that was written so far. */
  mark(name: string): void {
    if (this.#error) throw this.#error;
    const at = (this.#ring?.written ?? 0) + this.#pending;
    if (this.queued === 0) {
      this.#owner.marked(name, true);
      return;
    }
    this.#marks.push({ name, at });
    this.#wait();
  }

  /** Drops all that waits, also what the stream holds; how many ms. */
  flush(): number {
    // What was reached before was reached.
    this.look();
    const fromRing = this.#owner.flush();
    const dropped = this.#pending + fromRing;
    this.#flushedFromRing += fromRing;
    this.#pending = 0;
    for (let i = this.#nextArrival; i < this.#arrivals.length; i++) this.#arrivals[i]!.isFlushed = true;
    this.#finishCurrent();
    this.#dropMarks();
    this.#flushed += dropped;
    this.#wait();
    return dropped / this.#samplesPerMs;
  }

  #dropMarks(): void {
    for (const { name } of this.#marks.splice(0)) this.#owner.marked(name, false);
  }

  /** All was written; done when all was played. */
  #close(): Promise<void> | void {
    // Arrivals without a write are those that came after close() and were refused.
    this.#arrivals = [];
    this.#nextArrival = this.#pending = this.#charged = 0;
    this.#isLast = true;
    if (!this.#ring?.queued) {
      this.#owner.waits();
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#closing = { resolve, reject };
    this.#wait();
    return promise;
  }

  #abort(): void {
    this.#isLast = true;
    this.flush();
    this.#owner.waits();
  }

  /** No more can be written: `error` says why. */
  end(error: Error): void {
    if (this.#error) return;
    this.look();
    this.#error = error;
    this.#playedAtEnd = this.#ring?.played ?? 0;
    this.#ring = null;
    this.#pending = 0;
    this.#dropMarks();
    this.#closing?.reject(error);
    this.#closing = null;
    this.#finishCurrent(error);
    this.#controller.error(error);
  }
}

/**
 * Where the promise of a write is not looked at, its rejection is no failure of the program: a call ends whenever the
 * other side wants, and its writer's `closed` says so.
 */
function forgiving(stream: WritableStream<Int16Array>): WritableStream<Int16Array> {
  const getWriter = () => {
    const writer = WritableStream.prototype.getWriter.call(stream) as WritableStreamDefaultWriter<Int16Array>;
    const write = (chunk: Int16Array) => {
      const written = WritableStreamDefaultWriter.prototype.write.call(writer, chunk);
      written.catch(() => {});
      return written;
    };
    Object.defineProperty(writer, "write", { value: write });
    return writer;
  };
  return Object.defineProperty(stream, "getWriter", { value: getWriter });
}
