// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInstance } from "../core/check_argument.ts";
import { endSender, post } from "../core/dispatch.ts";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import { type Note, notificationsOf } from "../core/notification.ts";
import type { NotificationStream } from "../core/notification_stream.ts";
import { release, track } from "../core/registry.ts";
import { check, create, running, runningOrNull } from "../core/running.ts";
import { records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader } from "../ffi/wire.ts";
import { AudioMixer, checkVolume, leaveMixer } from "./audio_mixer.ts";

/**
 * Two frequencies in Hz, and a time in ms. The second frequency 0: only the first sounds; the first 0: a pause.
 */
export type Tone = readonly [frequency1: number, frequency2: number, duration: number];

/** The notifications of ToneGenerator. */
export interface ToneGeneratorNotifications {
  /** All that was to be played has been played ("end"), or `stop()` was called before ("stopped"). */
  ToneGeneratorDidFinishPlaying: Note<ToneGenerator, { reason: "end" | "stopped" }>;
}

/** A day. */
const LONGEST = 24 * 3600 * 1000;

const LOW = [697, 770, 852, 941] as const;
const HIGH = [1209, 1336, 1477, 1633] as const;
/** ITU-T Q.23, row by row. */
const DIGITS = "123A456B789C*0#D";
const DIGIT_MS = 200;
const PAUSE_MS = 50;

/**
 * Plays tones of one or two frequencies into a mixer, one after the other, with a fade of 2 ms at both ends. A single
 * tone has a peak of -8.5 dBFS, each of a pair has half of it. It plays while it is connected to something. There may
 * be any number, on any number of mixers.
 *
 * @example
 * ```ts
 * import { AudioMixer, ToneGenerator } from "@sipcore/sipcore";
 *
 * // The ringing tone of Europe, twice, and resolves when it is over.
 * async function ring(mixer: AudioMixer, slot: number): Promise<void> {
 *   using tones = new ToneGenerator(mixer);
 *   tones.start();
 *   mixer.connectSlots(tones, slot);
 *   const finished = tones.notifications("ToneGeneratorDidFinishPlaying").next();
 *   tones.playTones([[425, 0, 1000], [0, 0, 4000], [425, 0, 1000]]);
 *   await finished;
 * }
 * ```
 */
export class ToneGenerator {
  /** @internal */
  readonly isLeaving = false;
  /** The mixer that it belongs to. */
  readonly mixer: AudioMixer;
  #serial: Serial<"tone_generator"> | null = null;
  #slot: number | null = null;
  #volume = 100;
  /** Of the last call that gave it something to play, and of the last one that is over. */
  #asked = 0;
  #played = 0;

  /** It takes a slot with `start()`. */
  constructor(mixer: AudioMixer) {
    this.mixer = checkInstance(mixer, AudioMixer, "mixer");
  }

  /** The slot in the mixer; null while it is not started. */
  get slot(): number | null {
    return this.#slot;
  }

  /** Whether it is started. */
  get isActive(): boolean {
    return this.#serial !== null;
  }

  /** Whether there is something that it plays, or will play once it is connected. */
  get isBusy(): boolean {
    return this.#played !== this.#asked;
  }

  /** Percent; above 100 amplifies. */
  get volume(): number {
    return this.#volume;
  }
  set volume(value: number) {
    const volume = checkVolume(value, "volume");
    if (this.#serial !== null) {
      check(running().sc_tone_generator_set_volume(this.#serial, volume), "Could not set the volume");
    }
    this.#volume = volume;
  }

  /**
   * Takes a slot. It can be started again after `stop()`.
   *
   * @throws PJSIPError when the mixer is full; SIPCoreInvalidStateError when it is started already, the mixer is
   * closed, or the engine does not run.
   */
  start(): void {
    const native = running();
    if (this.#serial !== null) {
      throw new SIPCoreInvalidStateError("The tone generator is started already", null);
    }
    const serial = create(
      "Could not start the tone generator",
      (status) => native.sc_tone_generator_create(this.mixer.serial, status),
    );
    this.#serial = serial;
    this.#slot = native.sc_tone_generator_slot(serial);
    track(serial, this);
    this.mixer.enter();
    this.mixer.endings.add(this);
    if (this.#volume !== 100) this.volume = this.#volume;
  }

  /** Ends what it plays and gives the slot back. Quiet when it is not started. */
  stop(): void {
    if (this.#serial === null) return;
    runningOrNull()?.sc_tone_generator_close(this.#serial);
    if (this.#leave()) queueMicrotask(() => this.#tell("stopped"));
  }

  /**
   * Plays these after what it plays already.
   *
   * @throws RangeError for a frequency that the mixer cannot carry (half its rate or more), a time that is not above 0
   * (a day at most), and for none; SIPCoreInvalidStateError when it is not started; PJSIPError when more than 10,000
   * tones would wait.
   */
  playTones(tones: Iterable<Tone>): void {
    this.#play(checkTones(tones, this.mixer.sampleRate / 2));
  }

  /**
   * Plays the two frequencies of one DTMF digit for 200 ms, and a pause of 50 ms: "0" to "9", "*", "#", "A" to "D".
   * Digits of one call go by `AudioTransport.sendDtmf()`, which every gateway understands.
   *
   * @throws RangeError for another; otherwise as `playTones()`.
   */
  playDtmf(digit: string): void {
    if (typeof digit !== "string") throw new TypeError("digit must be a string");
    const at = digit.length === 1 ? DIGITS.indexOf(digit.toUpperCase()) : -1;
    if (at < 0) throw new RangeError(`digit must be one of 0-9*#A-D, got ${JSON.stringify(digit)}`);
    this.playTones([[LOW[at >> 2]!, HIGH[at & 3]!, DIGIT_MS], [0, 0, PAUSE_MS]]);
  }

  #play(tones: readonly Tone[]): void {
    if (this.#serial === null) {
      throw new SIPCoreInvalidStateError("The tone generator is not started", null);
    }
    const number = (this.#asked + 1) >>> 0;
    const args = argumentBlock().u32(number).list(tones, (writer, [first, second, duration]) => {
      writer.f64(first).f64(second).f64(duration);
    });
    check(
      running().sc_tone_generator_play(this.#serial, args.block, args.size),
      "Could not play the tones",
    );
    this.#asked = number;
  }

  #tell(reason: "end" | "stopped", timestamp: Date = new Date()): void {
    post("ToneGeneratorDidFinishPlaying", this, { reason }, { timestamp });
  }

  /** True when it was busy. */
  #leave(): boolean {
    const wasBusy = this.isBusy;
    this.#played = this.#asked;
    release(this.#serial!, this);
    if (this.#slot !== null) leaveMixer(this.mixer, this.#slot);
    this.mixer.endings.delete(this);
    this.#serial = null;
    this.#slot = null;
    return wasBusy;
  }

  /** `stop()`, for good. */
  [Symbol.dispose](): void {
    this.stop();
    queueMicrotask(() => endSender(this));
  }

  /** The stream of this object's notifications. */
  notifications<const N extends keyof ToneGeneratorNotifications = keyof ToneGeneratorNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** @internal */
  receive(kind: number, time: Date, reader: Reader): void {
    if (kind !== records.SC_RECORD_TONE_GENERATOR_END) return;
    // More may have been asked for before this came up.
    if (reader.u32() !== this.#asked) return;
    this.#played = this.#asked;
    this.#tell("end", time);
  }

  /** @internal */
  engineStopping(): void {
    // It plays on until the calls have ended.
  }

  /** @internal */
  engineStopped(): void {
    if (this.#serial === null) return;
    if (this.#leave()) this.#tell("stopped");
    endSender(this);
  }
}

function checkTones(tones: unknown, limit: number): Tone[] {
  if (typeof tones !== "object" || tones === null || !(Symbol.iterator in tones)) {
    throw new TypeError("tones must be a list of [frequency1, frequency2, duration]");
  }
  const checked: Tone[] = [];
  for (const tone of tones as Iterable<unknown>) {
    const name = `tones[${checked.length}]`;
    if (!Array.isArray(tone) || tone.length !== 3) {
      throw new TypeError(`${name} must be [frequency1, frequency2, duration]`);
    }
    const [first, second] = [tone[0], tone[1]].map((one, index) =>
      checkFrequency(one, `${name}[${index}]`, limit)
    );
    checked.push([first!, second!, checkDuration(tone[2], `${name}[2]`)]);
    if (checked.length > 10_000) throw new RangeError("tones must be 10000 at most");
  }
  if (checked.length === 0) throw new RangeError("tones must not be empty");
  return checked;
}

/** Hz. */
function checkFrequency(value: unknown, argument: string, limit: number): number {
  if (typeof value !== "number") throw new TypeError(`${argument} must be a number`);
  if (!(value >= 0 && value < limit)) {
    throw new RangeError(`${argument} must be a frequency from 0 to below ${limit} Hz, got ${value}`);
  }
  return value;
}

/** Milliseconds. */
function checkDuration(value: unknown, argument: string): number {
  if (typeof value !== "number") throw new TypeError(`${argument} must be a number`);
  if (!(value > 0 && value <= LONGEST)) {
    throw new RangeError(`${argument} must be a time above 0 ms, a day at most, got ${value}`);
  }
  return value;
}
