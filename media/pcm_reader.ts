// SPDX-License-Identifier: GPL-2.0-or-later
import type { PCMRing } from "./pcm_ring.ts";

/** The stream of what a port hears: a frame of 20 ms for each read, made when it is asked for. */
export class PCMReader {
  readonly stream: ReadableStream<Int16Array<ArrayBuffer>>;
  readonly #waits: () => void;
  #controller!: ReadableStreamDefaultController<Int16Array<ArrayBuffer>>;
  #ring: PCMRing | null = null;
  #isWaiting = false;
  #isOver = false;
  #frames = 0;
  #dropped = 0;

  /** `waits` is called when somebody wants a frame that is not there, and when nobody does any more. */
  constructor(waits: () => void) {
    this.#waits = waits;
    this.stream = new ReadableStream<Int16Array<ArrayBuffer>>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => {
        this.#finish();
        this.#waits();
      },
      // Nothing is read ahead: what nobody asks for stays in the ring, and gives way there.
    }, { highWaterMark: 0 });
  }

  /** Whether somebody waits for a frame. */
  get isWaiting(): boolean {
    return this.#isWaiting && this.#ring !== null;
  }

  /** How many frames were read. */
  get frames(): number {
    return this.#frames;
  }

  /** How many frames nobody fetched in time. */
  get dropped(): number {
    return this.#dropped + (this.#isOver ? 0 : this.#ring?.dropped ?? 0);
  }

  begin(ring: PCMRing): void {
    this.#ring = ring;
    if (this.#isWaiting) this.#waits();
  }

  #pull(): void {
    this.#isWaiting = true;
    if (!this.look()) this.#waits();
  }

  /** Hands on a frame if one is wanted and there; false when one is wanted that is not there. */
  look(): boolean {
    if (!this.#isWaiting || this.#isOver) return true;
    const frame = this.#ring?.take();
    if (!frame) return false;
    // The answer may be the next request.
    this.#isWaiting = false;
    this.#frames++;
    this.#controller.enqueue(frame);
    return !this.#isWaiting;
  }

  /** No more will come; what is there can still be read. */
  end(): void {
    if (this.#isOver) return;
    for (let frame; (frame = this.#ring?.take());) {
      this.#frames++;
      this.#controller.enqueue(frame);
    }
    this.#finish();
    this.#controller.close();
  }

  #finish(): void {
    this.#dropped = this.dropped;
    this.#isOver = true;
    this.#isWaiting = false;
  }
}
