// SPDX-License-Identifier: GPL-2.0-or-later
import { type PCMMemory, type PCMPlace, pcmWords } from "../ffi/pcm_memory.ts";

const {
  SC_PCM_HEARD: heard,
  SC_PCM_PLAYED: played,
  SC_PCM_UNDERRUNS: underruns,
  SC_PCM_SILENCE: silence,
  SC_PCM_WRITTEN: written,
  SC_PCM_WAKE: wake,
  SC_PCM_WAKE_AT: wakeAt,
} = pcmWords;

/** How a port's sound lies in its place. */
export interface PCMLayout {
  readonly frameSamples: number;
  /** How many frames of either direction may wait. */
  readonly capacity: number;
  /** How many frames and samples the rings hold; powers of two. */
  readonly frames: number;
  readonly samples: number;
}

/**
 * JavaScript's side of the two rings between a port and the media clock, which waits for nobody: it writes over the
 * oldest frames, and plays silence. Counters go round at 2^32; only their differences count.
 */
export class PCMRing {
  readonly #memory: PCMMemory;
  readonly #place: PCMPlace;
  readonly #layout: PCMLayout;
  /** Frames taken, or given up. */
  #taken = 0;
  #dropped = 0;
  #written = 0;
  #wake = 0;
  #wakeAt = 0;

  constructor(memory: PCMMemory, place: PCMPlace, layout: PCMLayout) {
    this.#memory = memory;
    this.#place = place;
    this.#layout = layout;
  }

  /** The next frame, a copy; null: it is not there yet. */
  take(): Int16Array<ArrayBuffer> | null {
    const { words, heard: frames } = this.#place;
    const { frameSamples, frames: count, capacity } = this.#layout;
    for (;;) {
      const there = Atomics.load(words, heard);
      const late = (there - this.#taken >>> 0) - capacity;
      if (late === -capacity) return null;
      if (late > 0) this.#drop(late);
      const start = (this.#taken & count - 1) * frameSamples;
      const frame = frames.slice(start, start + frameSamples);
      // While it was copied the clock may have begun to write over it.
      if ((Atomics.load(words, heard) - this.#taken >>> 0) < count) {
        this.#taken = this.#taken + 1 | 0;
        return frame;
      }
    }
  }

  #drop(count: number): void {
    this.#taken = this.#taken + count | 0;
    this.#dropped += count;
  }

  /** How many frames nobody took in time. */
  get dropped(): number {
    const late = (Atomics.load(this.#place.words, heard) - this.#taken >>> 0) - this.#layout.capacity;
    return this.#dropped + Math.max(0, late);
  }

  /** Writes as much of a chunk's part as there is room for; how many samples. `room`: how many samples may wait. */
  put(chunk: Int16Array, from: number, end: number, room: number): number {
    const count = Math.min(end - from, room - this.queued);
    if (count <= 0) return 0;
    const { words, said } = this.#place;
    const start = this.#written & said.length - 1;
    const first = Math.min(count, said.length - start);
    said.set(chunk.subarray(from, from + first), start);
    if (first < count) said.set(chunk.subarray(from + first, from + count), 0);
    this.#written += count;
    Atomics.store(words, written, this.#written | 0);
    this.#memory.changed();
    return count;
  }

  /** How many samples wait to be played. */
  get queued(): number {
    return (this.#written | 0) - Atomics.load(this.#place.words, played) >>> 0;
  }

  /** How many samples were ever written. */
  get written(): number {
    return this.#written;
  }

  /** How many of them were played, or flushed. */
  get played(): number {
    return this.#written - this.queued;
  }

  /** How often there was nothing to play. */
  get underruns(): number {
    return Atomics.load(this.#place.words, underruns) >>> 0;
  }

  /** How many ms of silence were played instead. */
  get silence(): number {
    return Atomics.load(this.#place.words, silence) >>> 0;
  }

  /**
   * What the clock is to tell of (bits of `pcmWake`), and at which sample. It may have come about just before; who waits
   * looks once more.
   */
  wakeOn(bits: number, sample: number): void {
    const at = sample | 0;
    if (bits === this.#wake && at === this.#wakeAt) return;
    this.#wake = bits;
    this.#wakeAt = at;
    Atomics.store(this.#place.words, wakeAt, at);
    Atomics.store(this.#place.words, wake, bits);
    this.#memory.changed();
  }
}
