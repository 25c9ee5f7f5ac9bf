// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInstance, checkInteger } from "../core/check_argument.ts";
import { endSender, post } from "../core/dispatch.ts";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import { type Note, notificationsOf } from "../core/notification.ts";
import type { NotificationStream } from "../core/notification_stream.ts";
import { release, track } from "../core/registry.ts";
import { check, create, running, runningOrNull } from "../core/running.ts";
import { errors } from "../ffi/bindings/records.ts";
import { pcmWake } from "../ffi/pcm_memory.ts";
import type { Serial } from "../ffi/types.ts";
import { readAnswer, type Reader } from "../ffi/wire.ts";
import { AudioMixer, leaveMixer } from "./audio_mixer.ts";
import { awaitNews, forgetNews, pcmMemory } from "./pcm_news.ts";
import { PCMReader } from "./pcm_reader.ts";
import { PCMRing } from "./pcm_ring.ts";
import { PCMWriter } from "./pcm_writer.ts";

/** A frame is 20 ms, as a tick of the mixer's clock. */
const framesPerSecond = 50;
const frameTime = 20;

/** What the constructor takes beside the mixer. */
export interface PCMPortOptions {
  /** Hz, of what is read and of what is written: a multiple of 50 from 8000 to 48000, or the mixer's, its default. */
  sampleRate?: number;
  /** How many ms of sound may wait in each direction, 20 to 60000. Default 400. */
  capacity?: number;
  /** Its abort is `stop()`. */
  signal?: AbortSignal;
}

/** What has become of the sound, in milliseconds since `start()`. */
export interface PCMStatistics {
  /** What was read. */
  read: number;
  /** What came and was not read within `capacity`: it is gone. */
  dropped: number;
  /** What was written and has been played. */
  played: number;
  /** What was written and then flushed. */
  flushed: number;
  /** How many times what was written had been played, and no more was there. A number, no time. */
  underruns: number;
  /** How long silence was played then, until more was written. */
  silence: number;
}

/** The notifications of PCMPort. */
export interface PCMPortNotifications {
  /** All that was written before `mark(name)` has been played; or, `reached` false, some of it never will be. */
  PCMPortDidReachMark: Note<PCMPort, { name: string; reached: boolean }>;
}

/**
 * A mixer's slot whose sound is the program's: what comes to it is read from `readable`, what is written to `writable`
 * is heard where it is connected to. Both carry 16-bit samples, mono, at `sampleRate`; the mixer resamples.
 * {@linkcode AudioTransport.pcm} makes one that is started and connected to a call.
 *
 * Nothing waits for the program: of what it does not read in time the oldest is dropped, for what it writes too late
 * there is silence, and `statistics` counts both. Silence that the program means looks the same; `mark()` tells when
 * something has been said.
 *
 * @example
 * ```ts
 * import { AudioMixer, Engine, PCMPort } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
 * using port = new PCMPort(mixer, { sampleRate: 24000 });
 * port.start();
 * mixer.connectSlots(port, port); // it hears what it says
 * const writer = port.writable.getWriter();
 * writer.write(new Int16Array(4800).fill(1000)); // 200 ms
 * for await (const chunk of port.readable) {
 *   console.log(chunk.length); // 480: 20 ms
 *   break;
 * }
 * ```
 */
export class PCMPort {
  /** @internal */
  readonly isLeaving = false;
  /** The mixer that it belongs to. */
  readonly mixer: AudioMixer;
  /** Hz, of what is read and of what is written. */
  readonly sampleRate: number;
  /** How many ms of sound may wait in each direction. */
  readonly capacity: number;
  readonly #reader: PCMReader;
  readonly #writer: PCMWriter;
  readonly #signal: AbortSignal | null;
  #ring: PCMRing | null = null;
  #serial: Serial<"pcm_port"> | null = null;
  #slot: number | null = null;
  #isOver = false;
  #ended: () => void = () => {};
  /** What the ring had counted in the end: its place is another port's then. */
  #last: { readonly underruns: number; readonly silence: number } | null = null;

  /**
   * A port that is not started yet.
   *
   * @throws TypeError, RangeError for bad arguments; SIPCoreInvalidStateError when the mixer is closed or the engine does
   * not run; the signal's reason when it has aborted.
   */
  constructor(mixer: AudioMixer, options: PCMPortOptions = {}) {
    this.mixer = checkInstance(mixer, AudioMixer, "mixer");
    this.sampleRate = checkRate(options.sampleRate ?? mixer.sampleRate, mixer);
    this.capacity = checkInteger(options.capacity ?? 400, "capacity", frameTime, 60_000);
    this.#signal = options.signal ? checkInstance(options.signal, AbortSignal, "signal") : null;
    this.#signal?.throwIfAborted();
    running();
    // A closed one throws.
    void mixer.serial;
    this.#reader = new PCMReader(() => this.#await());
    this.#writer = new PCMWriter(
      {
        waits: () => this.#await(),
        flush: () => this.#flushRing(),
        marked: (name, reached) => queueMicrotask(() => post("PCMPortDidReachMark", this, { name, reached })),
      },
      this.sampleRate,
      this.capacity,
    );
    mixer.endings.add(this);
    this.#signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.stop();

  /** The slot in the mixer; null while it is not active. */
  get slot(): number | null {
    return this.#slot;
  }

  /** Whether sound flows. */
  get isActive(): boolean {
    return this.#serial !== null;
  }

  /**
   * What comes to the slot, while something is connected to it: an Int16Array of 20 ms for each read, which is the
   * reader's own. It ends, after what waits, with `stop()`, and when the mixer or the engine ends. Cancelling it leaves
   * `writable` as it is.
   */
  get readable(): ReadableStream<Int16Array<ArrayBuffer>> {
    return this.#reader.stream;
  }

  /**
   * What the slot says, while it is connected to something: Int16Arrays of any length. A write is done once all of it
   * is among the `capacity` ms that may wait; `desiredSize` is in ms. `close()` is done when all was played; `abort()`
   * drops what waits, as `flush()` does. It fails with a SIPCoreInvalidStateError after `stop()`, and when the mixer or
   * the engine has ended. A chunk must not be changed before its write is done.
   */
  get writable(): WritableStream<Int16Array> {
    return this.#writer.stream;
  }

  /** How many ms were written and wait to be played. */
  get queued(): number {
    this.#refresh();
    return this.#isOver ? 0 : this.#writer.queued;
  }

  /** What was counted so far; after the end what had been. */
  get statistics(): PCMStatistics {
    this.#refresh();
    const { frames, dropped } = this.#reader;
    const { played, flushed } = this.#writer;
    const { underruns = 0, silence = 0 } = this.#last ?? this.#ring ?? {};
    return { read: frames * frameTime, dropped: dropped * frameTime, played, flushed, underruns, silence };
  }

  /** While nothing is waited for a copy of the memory grows old. */
  #refresh(): void {
    const native = this.#ring === null ? null : runningOrNull();
    if (native !== null) pcmMemory(native).exchange();
  }

  /**
   * Takes a slot. Once only.
   *
   * @throws SIPCoreInvalidStateError when it was started or stopped before, or mixer or engine have ended; PJSIPError
   * when the mixer is full.
   */
  start(): void {
    const native = running();
    if (this.#isOver || this.#serial !== null) {
      throw new SIPCoreInvalidStateError("The PCM port was started before, or has ended", null);
    }
    const capacity = Math.ceil(this.capacity / frameTime);
    const serial = create(
      "Could not start the PCM port",
      (status) => native.sc_pcm_port_create(this.mixer.serial, this.sampleRate, capacity, status),
    );
    const info = readAnswer((buffer, size) => native.sc_pcm_port_info(serial, buffer, size));
    if (!info) check(errors.SC_EGONE, "Could not start the PCM port");
    this.#serial = serial;
    track(serial, this);
    this.mixer.enter();
    this.#begin(info!, capacity);
  }

  #begin(info: Reader, capacity: number): void {
    this.#slot = info.u32();
    const [segment, offset, frames, samples] = [info.u32(), info.u32(), info.u32(), info.u32()];
    const frameSamples = this.sampleRate / framesPerSecond;
    const memory = pcmMemory(running());
    const place = memory.place(segment, offset, frames * frameSamples, samples);
    this.#ring = new PCMRing(memory, place, { frameSamples, capacity, frames, samples });
    this.#writer.begin(this.#ring);
    this.#reader.begin(this.#ring);
  }

  /** From now on the clock tells of what is wanted. */
  #await(): void {
    if (this.#ring === null) return;
    const bits = this.#writer.wake | (this.#reader.isWaiting ? pcmWake.SC_PCM_WAKE_HEARD : 0);
    this.#ring.wakeOn(bits, this.#writer.wakeAt);
    if (bits & ~pcmWake.SC_PCM_LAST) awaitNews(this);
    else forgetNews(this);
  }

  /** Not for programs: what has come about meanwhile. */
  look(): void {
    this.#reader.look();
    this.#writer.look();
    this.#await();
  }

  /**
   * Drops what waits to be played and every chunk whose `write()` was called before, so that there is silence with the
   * next tick: somebody has begun to speak. The promises of those writes resolve. What pipes into `writable` goes on.
   *
   * @returns how many ms were dropped.
   */
  flush(): number {
    return this.#isOver ? 0 : this.#writer.flush();
  }

  /** How many samples. */
  #flushRing(): number {
    if (this.#serial === null || this.#ring === null) return 0;
    const native = running();
    const memory = pcmMemory(native);
    memory.exchange();
    const dropped = native.sc_pcm_port_flush(this.#serial);
    memory.exchange();
    return Math.max(0, dropped);
  }

  /**
   * Stands behind all that was written so far: PCMPortDidReachMark tells when that has been played, or that it was
   * flushed. Several may have one name.
   *
   * @throws SIPCoreInvalidStateError when the port has ended.
   */
  mark(name: string): void {
    if (typeof name !== "string") throw new TypeError("name must be a string");
    if (this.#isOver) throw ended();
    this.#writer.mark(name);
  }

  /** Ends both streams and gives the slot back, for good. Quiet the second time. */
  stop(): void {
    if (this.#isOver) return;
    if (this.#serial !== null) {
      this.#refresh();
      runningOrNull()?.sc_pcm_port_close(this.#serial);
    }
    this.#finish();
    queueMicrotask(() => endSender(this));
  }

  #finish(): void {
    this.#isOver = true;
    this.#reader.end();
    this.#writer.end(ended());
    if (this.#ring) this.#last = { underruns: this.#ring.underruns, silence: this.#ring.silence };
    this.#ring = null;
    forgetNews(this);
    this.mixer.endings.delete(this);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    if (this.#serial !== null) {
      release(this.#serial, this);
      leaveMixer(this.mixer, this.#slot!);
      this.#serial = null;
      this.#slot = null;
    }
    this.#ended();
  }

  /** `stop()`. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /**
   * What is called once when it has ended.
   * @internal
   */
  whenEnded(ended: () => void): void {
    this.#ended = ended;
  }

  /** The stream of this object's notifications. */
  notifications<const N extends keyof PCMPortNotifications = keyof PCMPortNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** @internal */
  receive(_kind: number, _time: Date, _reader: Reader): void {
    // What the clock tells, it tells to all ports at once.
  }

  /** @internal */
  engineStopping(): void {
    // Its sound goes on until the calls have ended.
  }

  /** @internal */
  engineStopped(): void {
    this.stop();
  }
}

function ended(): SIPCoreInvalidStateError {
  return new SIPCoreInvalidStateError("The PCM port has ended", null);
}

function checkRate(value: unknown, mixer: AudioMixer): number {
  if (value === mixer.sampleRate) return mixer.sampleRate;
  const rate = checkInteger(value, "sampleRate", 8000, 48000);
  if (rate % framesPerSecond !== 0) throw new RangeError(`sampleRate must be a multiple of 50, got ${rate}`);
  return rate;
}
