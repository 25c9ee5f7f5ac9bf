// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInstance } from "../core/check_argument.ts";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import { release, track } from "../core/registry.ts";
import { create, running, runningOrNull } from "../core/running.ts";
import type { Serial } from "../ffi/types.ts";
import { AudioMixer, leaveMixer } from "./audio_mixer.ts";

/**
 * A slot that says what it hears, 20 ms later: a point where many sources come together and many sinks listen. What
 * goes to a group is connected to its port once, and the port to each of the group.
 *
 * @example
 * ```ts
 * import { AudioMixer, MixerPort, type MixerSource } from "@sipcore/sipcore";
 *
 * // Everybody in the room hears the music, which knows nobody of them.
 * function openRoom(mixer: AudioMixer, music: MixerSource, listeners: MixerSource[]): MixerPort {
 *   const room = new MixerPort(mixer);
 *   room.start();
 *   mixer.connectSlots(music, room);
 *   for (const listener of listeners) mixer.connectSlots(room, listener);
 *   return room;
 * }
 * ```
 */
export class MixerPort {
  /** @internal */
  readonly isLeaving = false;
  /** The mixer that it belongs to. */
  readonly mixer: AudioMixer;
  #serial: Serial<"mixer_port"> | null = null;
  #slot: number | null = null;
  #isStarted = false;

  /** It takes a slot with `start()`. */
  constructor(mixer: AudioMixer) {
    this.mixer = checkInstance(mixer, AudioMixer, "mixer");
  }

  /** The slot in the mixer; null while it is not active. */
  get slot(): number | null {
    return this.#slot;
  }

  /** Whether it has a slot. */
  get isActive(): boolean {
    return this.#serial !== null;
  }

  /**
   * Takes a slot. Once only.
   *
   * @throws PJSIPError when the mixer is full; SIPCoreInvalidStateError when it was started before, the mixer is
   * closed, or the engine does not run.
   */
  start(): void {
    const native = running();
    if (this.#isStarted) throw new SIPCoreInvalidStateError("The mixer port was started before", null);
    const serial = create(
      "Could not start the mixer port",
      (status) => native.sc_mixer_port_create(this.mixer.serial, status),
    );
    this.#isStarted = true;
    this.#serial = serial;
    this.#slot = native.sc_mixer_port_slot(serial);
    track(serial, this);
    this.mixer.enter();
    this.mixer.endings.add(this);
  }

  /** Gives the slot back, and all of its connections. Quiet when it is not active. */
  stop(): void {
    if (this.#serial === null) return;
    runningOrNull()?.sc_mixer_port_close(this.#serial);
    this.engineStopped();
  }

  /** `stop()`. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** @internal */
  receive(): void {
    // It tells nothing.
  }

  /** @internal */
  engineStopping(): void {
    // Sound goes through it until the calls have ended.
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
