// SPDX-License-Identifier: GPL-2.0-or-later
/** Where PCM ports and the media clock exchange sound, as shim/pcm_memory.c lays it out. */
import { setImmediate } from "node:timers";
import type { NativeLibrary } from "./library.ts";
import { runtime } from "./runtime.ts";

/** What the two sides tell each other, ahead of the sound: the places of words, twin of `enum sc_pcm_word`. */
export const pcmWords = {
  /** The media clock's: frames put there, samples played, how often there were none, ms of silence instead. */
  SC_PCM_HEARD: 0,
  SC_PCM_PLAYED: 1,
  SC_PCM_UNDERRUNS: 2,
  SC_PCM_SILENCE: 3,
  /** Ours: samples written, when to be told, and at which sample. */
  SC_PCM_WRITTEN: 16,
  SC_PCM_WAKE: 17,
  SC_PCM_WAKE_AT: 18,
  /** How many there are. */
  SC_PCM_WORDS: 32,
} as const;

/** Bits of `SC_PCM_WAKE`, twin of `enum sc_pcm_wake`. */
export const pcmWake = {
  SC_PCM_WAKE_HEARD: 1,
  SC_PCM_WAKE_ROOM: 2,
  SC_PCM_WAKE_PLAYED: 4,
  SC_PCM_LAST: 8,
} as const;

/** What a port's part of the memory consists of. */
export interface PCMPlace {
  readonly words: Int32Array<ArrayBuffer>;
  /** Frames, to us. */
  readonly heard: Int16Array<ArrayBuffer>;
  /** Samples, from us. */
  readonly said: Int16Array<ArrayBuffer>;
}

/**
 * The memory of all ports. Where the runtime may look at it this is the memory itself, and nothing is called. Where it
 * may not (Deno with `--allow-ffi=PATH`) this is a copy, exchanged by one call for all ports: when the clock has news,
 * and once for all that a turn of the event loop has changed.
 */
export class PCMMemory {
  readonly #native: NativeLibrary;
  readonly #exchanged: () => void;
  readonly #segments: (ArrayBuffer | null)[] = [];
  readonly #mayMap: boolean;
  #isMapped = true;
  #isDue = false;

  /**
   * @param exchanged called when a copy has become fresh by itself.
   * @param mayMap false: a copy, also where the runtime may look at the memory.
   */
  constructor(native: NativeLibrary, exchanged: () => void, mayMap: boolean = true) {
    this.#native = native;
    this.#exchanged = exchanged;
    this.#mayMap = mayMap;
  }

  /** Whether this is the memory itself. */
  get isMapped(): boolean {
    return this.#isMapped;
  }

  place(segment: number, offset: number, heardSamples: number, saidSamples: number): PCMPlace {
    // The first one has what concerns all ports.
    this.#segment(0);
    const buffer = this.#segment(segment);
    const words = new Int32Array(buffer, offset, pcmWords.SC_PCM_WORDS);
    if (!this.#isMapped) words.fill(0);
    const heard = new Int16Array(buffer, offset + words.byteLength, heardSamples);
    const said = new Int16Array(buffer, heard.byteOffset + heard.byteLength, saidSamples);
    return { words, heard, said };
  }

  #segment(index: number): ArrayBuffer {
    const known = this.#segments[index];
    if (known) return known;
    const size = this.#native.sc_pcm_memory_size(index);
    const memory = this.#native.sc_pcm_memory_segment(index);
    if (memory === null) throw new Error(`There is no segment ${index}`);
    const mapped = this.#mayMap ? runtime.map(memory, size) : null;
    this.#isMapped = mapped !== null;
    return this.#segments[index] = mapped ?? new ArrayBuffer(size);
  }

  /** Before one looks for news: what comes from now on is told again. */
  refresh(): void {
    const first = this.#segments[0];
    if (this.#isMapped) {
      if (first) Atomics.store(new Int32Array(first, 0, 1), 0, 0);
      return;
    }
    for (const [index, copy] of this.#segments.entries()) {
      if (copy) this.#native.sc_pcm_memory_sync(index, new Uint8Array(copy), copy.byteLength);
    }
  }

  /** Something of ours has changed. */
  changed(): void {
    if (this.#isMapped || this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.refresh();
      this.#exchanged();
    });
  }

  /** The clock must see it now. */
  exchange(): void {
    if (!this.#isMapped) this.refresh();
  }
}
