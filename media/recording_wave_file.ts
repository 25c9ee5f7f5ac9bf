// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInstance, checkText } from "../core/check_argument.ts";
import { postException } from "../core/dispatch.ts";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import { release, track } from "../core/registry.ts";
import { check, create, running, runningOrNull } from "../core/running.ts";
import type { Serial } from "../ffi/types.ts";
import { cstring } from "../ffi/wire.ts";
import { AudioMixer, leaveMixer } from "./audio_mixer.ts";

/**
 * Records what is connected to its slot to a WAV file: 16-bit PCM, mono, at the mixer's rate. While nothing is
 * connected nothing is recorded, not even silence. The file is whole when `stop()` returns; that of a process that is
 * killed lacks its last second at most.
 *
 * @example
 * ```ts
 * import { AudioMixer, RecordingWaveFile } from "@sipcore/sipcore";
 *
 * function record(mixer: AudioMixer, filename: string, slot: number): RecordingWaveFile {
 *   const file = new RecordingWaveFile(mixer, filename);
 *   file.start();
 *   mixer.connectSlots(slot, file);
 *   return file;
 * }
 * ```
 */
export class RecordingWaveFile {
  /** @internal */
  readonly isLeaving = false;
  /** The mixer that it belongs to. */
  readonly mixer: AudioMixer;
  /** The file, as it was given. */
  readonly filename: string;
  #serial: Serial<"recording_wave_file"> | null = null;
  #slot: number | null = null;
  #isStarted = false;

  /** A file to be recorded to; it is made by `start()`. */
  constructor(mixer: AudioMixer, filename: string) {
    this.mixer = checkInstance(mixer, AudioMixer, "mixer");
    this.filename = checkText(filename, "filename");
  }

  /** The slot in the mixer; null while it does not record. */
  get slot(): number | null {
    return this.#slot;
  }

  /** Whether it records. */
  get isActive(): boolean {
    return this.#serial !== null;
  }

  /**
   * Creates the file, or empties it, and records from now on. Once only.
   *
   * @throws PJSIPError when the file cannot be written, or the mixer is full; SIPCoreInvalidStateError when it was
   * started before, or the engine does not run.
   */
  start(): void {
    const native = running();
    if (this.#isStarted) throw new SIPCoreInvalidStateError("The recording was started before", null);
    const filename = cstring(this.filename);
    const serial = create(
      `Could not record to ${this.filename}`,
      (status) => native.sc_recording_wave_file_create(this.mixer.serial, filename, status),
    );
    this.#isStarted = true;
    this.#serial = serial;
    this.#slot = native.sc_recording_wave_file_slot(serial);
    track(serial, this);
    this.mixer.enter();
    this.mixer.endings.add(this);
  }

  /**
   * Ends the recording; the file is whole when this returns. Quiet when it does not record.
   *
   * @throws PJSIPError when not every sample could be written.
   */
  stop(): void {
    if (this.#serial === null) return;
    const status = runningOrNull()?.sc_recording_wave_file_close(this.#serial) ?? 0;
    this.engineStopped();
    check(status, `Could not write all of ${this.filename}`);
  }

  /** `stop()`; what could not be written is told by SIPEngineGotException. */
  [Symbol.dispose](): void {
    try {
      this.stop();
    } catch (error) {
      postException(error);
    }
  }

  /** @internal */
  receive(): void {
    // A recording tells nothing.
  }

  /** @internal */
  engineStopping(): void {
    // It records until the calls have ended.
  }

  /** @internal */
  engineStopped(): void {
    if (this.#serial === null) return;
    release(this.#serial, this);
    if (this.#slot !== null) leaveMixer(this.mixer, this.#slot);
    this.mixer.endings.delete(this);
    this.#serial = null;
    this.#slot = null;
  }
}
