// SPDX-License-Identifier: GPL-2.0-or-later
import { checkBoolean, checkInstance, checkText } from "../core/check_argument.ts";
import { endSender, post } from "../core/dispatch.ts";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import { type Note, notificationsOf } from "../core/notification.ts";
import type { NotificationStream } from "../core/notification_stream.ts";
import { release, track } from "../core/registry.ts";
import { check, create, running, runningOrNull } from "../core/running.ts";
import { records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { cstring, type Reader } from "../ffi/wire.ts";
import { AudioMixer, checkVolume, leaveMixer } from "./audio_mixer.ts";

/** The notifications of WaveFile. */
export interface WaveFileNotifications {
  /** It plays no more: the file came to its end, or `stop()` was called. It can be started again. */
  WaveFileDidFinishPlaying: Note<WaveFile, { reason: "end" | "stopped" }>;
}

/**
 * Plays a WAV file into a mixer: 16-bit PCM, A-law or µ-law, 20 ms at least; of two channels the mean. It plays while
 * it is connected to something. One that is cut short meanwhile ends, or begins again, where it was cut.
 *
 * @example
 * ```ts
 * import { AudioMixer, WaveFile } from "@sipcore/sipcore";
 *
 * function play(mixer: AudioMixer, filename: string, slot: number): WaveFile {
 *   const file = new WaveFile(mixer, filename);
 *   file.start();
 *   mixer.connectSlots(file, slot);
 *   return file;
 * }
 * ```
 */
export class WaveFile {
  /** @internal */
  readonly isLeaving = false;
  /** The mixer that it belongs to. */
  readonly mixer: AudioMixer;
  /** The file, as it was given. */
  readonly filename: string;
  /** Whether it begins again at its end. */
  readonly loop: boolean;
  #serial: Serial<"wave_file"> | null = null;
  #slot: number | null = null;
  #volume = 100;

  /** A file to be played; it is opened by `start()`. */
  constructor(mixer: AudioMixer, filename: string, options: { loop?: boolean } = {}) {
    this.mixer = checkInstance(mixer, AudioMixer, "mixer");
    this.filename = checkText(filename, "filename");
    this.loop = checkBoolean(options.loop ?? false, "loop");
  }

  /** The slot in the mixer; null while it does not play. */
  get slot(): number | null {
    return this.#slot;
  }

  /** Whether it plays. */
  get isActive(): boolean {
    return this.#serial !== null;
  }

  /** Percent; above 100 amplifies. */
  get volume(): number {
    return this.#volume;
  }
  set volume(value: number) {
    const volume = checkVolume(value, "volume");
    if (this.#serial !== null) {
      check(running().sc_wave_file_set_volume(this.#serial, volume), "Could not set the volume");
    }
    this.#volume = volume;
  }

  /**
   * Starts at the beginning of the file.
   *
   * @throws PJSIPError when the file is missing or no such WAV file, or the mixer is full; SIPCoreInvalidStateError
   * when it plays already, or the engine does not run.
   */
  start(): void {
    const native = running();
    if (this.#serial !== null) throw new SIPCoreInvalidStateError("The wave file plays already", null);
    const filename = cstring(this.filename);
    const serial = create(
      `Could not play ${this.filename}`,
      (status) => native.sc_wave_file_create(this.mixer.serial, filename, this.loop ? 1 : 0, status),
    );
    this.#serial = serial;
    this.#slot = native.sc_wave_file_slot(serial);
    track(serial, this);
    this.mixer.enter();
    this.mixer.endings.add(this);
    if (this.#volume !== 100) this.volume = this.#volume;
  }

  /** Stops playing. Quiet when it does not play. */
  stop(): void {
    if (this.#serial !== null) this.#finish("stopped");
  }

  #finish(reason: "end" | "stopped", timestamp: Date = new Date()): void {
    runningOrNull()?.sc_wave_file_close(this.#serial!);
    this.#leave();
    const told = () => post("WaveFileDidFinishPlaying", this, { reason }, { timestamp });
    if (reason === "end") told();
    else queueMicrotask(told);
  }

  #leave(): void {
    release(this.#serial!, this);
    if (this.#slot !== null) leaveMixer(this.mixer, this.#slot);
    this.mixer.endings.delete(this);
    this.#serial = null;
    this.#slot = null;
  }

  /** `stop()`, for good. */
  [Symbol.dispose](): void {
    this.stop();
    queueMicrotask(() => endSender(this));
  }

  /** The stream of this object's notifications. */
  notifications<const N extends keyof WaveFileNotifications = keyof WaveFileNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** @internal */
  receive(kind: number, time: Date, _reader: Reader): void {
    if (kind === records.SC_RECORD_WAVE_FILE_END && this.#serial !== null) this.#finish("end", time);
  }

  /** @internal */
  engineStopping(): void {
    // It plays on until the calls have ended.
  }

  /** @internal */
  engineStopped(): void {
    if (this.#serial === null) return;
    this.#leave();
    post("WaveFileDidFinishPlaying", this, { reason: "stopped" });
    endSender(this);
  }
}
