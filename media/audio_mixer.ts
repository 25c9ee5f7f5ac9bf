// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInteger, checkText } from "../core/check_argument.ts";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import type { NativeObject } from "../core/native_object.ts";
import { release, track } from "../core/registry.ts";
import { check, create, running, runningOrNull } from "../core/running.ts";
import type { Serial } from "../ffi/types.ts";

/** What stands in a slot of a mixer; `slot` is null while it does not. */
export interface MixerSource {
  readonly mixer: AudioMixer;
  readonly slot: number | null;
}

/** What the constructor takes beside the devices. */
export interface AudioMixerOptions {
  /** Hz, a multiple of 50, at most 65500. Default 16000. */
  sampleRate?: number;
  /** The echo canceller's tail in ms; 0: none. It works on devices only. Default 200. */
  ecTailLength?: number;
  /** How many slots there are, slot 0 included. Default 254. */
  slotCount?: number;
}

/** What is heard in a slot, and what it says; 0 to 255. */
export interface SignalLevel {
  tx: number;
  rx: number;
}

/** Ends of objects that leave a mixer; the mixer forgets their connections. */
const leave = Symbol("leave");

/**
 * A conference bridge: what is connected to a slot is mixed. It has its own clock of 20 ms. Slot 0 is the sound
 * device's, and this build has no sound devices: both are null.
 *
 * @example
 * ```ts
 * import { AudioMixer, Engine, WaveFile } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
 * console.log(mixer.slotCount, mixer.connectedSlots.length); // 254 0
 * ```
 */
export class AudioMixer implements NativeObject {
  readonly isLeaving = false;
  readonly sampleRate: number;
  readonly slotCount: number;
  #serial: Serial<"audio_mixer"> | null;
  #ecTailLength: number;
  #inputVolume = 100;
  #outputVolume = 100;
  #muted = false;
  #used = 0;
  /** "source>sink" */
  #connections: Map<string, readonly [number, number]> = new Map();

  /**
   * @param inputDevice null, or "system_default", which is null where there is no device.
   * @throws RangeError for a device that is not there, a rate or a count that does not do; SIPCoreInvalidStateError
   * when the engine does not run; PJSIPError when PJSIP fails.
   */
  constructor(inputDevice: string | null, outputDevice: string | null, options: AudioMixerOptions = {}) {
    checkDevice(inputDevice, "inputDevice");
    checkDevice(outputDevice, "outputDevice");
    const { sampleRate = 16000, ecTailLength = 200, slotCount = 254 } = options;
    this.sampleRate = checkInteger(sampleRate, "sampleRate", 50, 65500);
    if (sampleRate % 50 !== 0) throw new RangeError(`sampleRate must be a multiple of 50, got ${sampleRate}`);
    this.#ecTailLength = checkInteger(ecTailLength, "ecTailLength", 0, 10000);
    this.slotCount = checkInteger(slotCount, "slotCount", 1, 30000);
    const native = running();
    this.#serial = create(
      "Could not create the mixer",
      (status) => native.sc_audio_mixer_create(sampleRate, slotCount, status),
    );
    track(this.#serial, this);
  }

  /** The device that is read; null: none. */
  get inputDevice(): string | null {
    return null;
  }

  /** The device that is played to; null: none. */
  get outputDevice(): string | null {
    return null;
  }

  /** The echo canceller's tail in ms. */
  get ecTailLength(): number {
    return this.#ecTailLength;
  }

  /** How many slots objects have. */
  get usedSlotCount(): number {
    return this.#used;
  }

  /** Pairs of source and sink, sorted. */
  get connectedSlots(): readonly (readonly [number, number])[] {
    return [...this.#connections.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  }

  /** Percent of what the input device gives; above 100 amplifies. */
  get inputVolume(): number {
    return this.#inputVolume;
  }
  set inputVolume(value: number) {
    this.#inputVolume = checkVolume(value, "inputVolume");
    if (value > 0) this.#muted = false;
    this.#applyVolumes();
  }

  /** Percent of what the output device gets; above 100 amplifies. */
  get outputVolume(): number {
    return this.#outputVolume;
  }
  set outputVolume(value: number) {
    this.#outputVolume = checkVolume(value, "outputVolume");
    this.#applyVolumes();
  }

  /** Whether the input device is silenced; its volume is remembered. */
  get muted(): boolean {
    return this.#muted;
  }
  set muted(value: boolean) {
    this.#muted = Boolean(value);
    this.#applyVolumes();
  }

  #applyVolumes(): void {
    const input = this.#muted ? 0 : this.#inputVolume;
    check(
      running().sc_audio_mixer_set_volume(this.serial, input, this.#outputVolume),
      "Could not set the volume",
    );
  }

  /** The devices and the echo canceller's tail from now on; devices as the constructor takes them. */
  setSoundDevices(inputDevice: string | null, outputDevice: string | null, ecTailLength: number): void {
    checkDevice(inputDevice, "inputDevice");
    checkDevice(outputDevice, "outputDevice");
    this.#ecTailLength = checkInteger(ecTailLength, "ecTailLength", 0, 10000);
  }

  /**
   * Lets sound flow from source to sink: slot numbers, or the objects themselves. Connected already: nothing.
   *
   * @throws SIPCoreInvalidStateError for an object without a slot; PJSIPError for a slot that is empty.
   */
  connectSlots(source: number | MixerSource, sink: number | MixerSource): void {
    const [from, to] = [this.#slotOf(source, "source"), this.#slotOf(sink, "sink")];
    if (this.#connections.has(`${from}>${to}`)) return;
    check(running().sc_audio_mixer_connect(this.serial, from, to), `Could not connect slot ${from} to ${to}`);
    this.#connections.set(`${from}>${to}`, Object.freeze([from, to] as const));
  }

  /** Ends that flow. Not connected: nothing. */
  disconnectSlots(source: number | MixerSource, sink: number | MixerSource): void {
    const [from, to] = [this.#slotOf(source, "source"), this.#slotOf(sink, "sink")];
    if (!this.#connections.delete(`${from}>${to}`)) return;
    check(
      running().sc_audio_mixer_disconnect(this.serial, from, to),
      `Could not disconnect slot ${from} from ${to}`,
    );
  }

  /** How loud a slot is: `tx` what it hears, `rx` what it says. */
  getSignalLevel(slot: number | MixerSource): SignalLevel {
    const level = running().sc_audio_mixer_signal_level(this.serial, this.#slotOf(slot, "slot"));
    if (level < 0) check(-level, "Could not read the signal level");
    return { tx: level & 255, rx: level >> 8 & 255 };
  }

  #slotOf(slot: number | MixerSource, argument: string): number {
    if (typeof slot === "number") return checkInteger(slot, argument, 0, this.slotCount - 1);
    if (slot === null || typeof slot !== "object" || !("mixer" in slot)) {
      throw new TypeError(`${argument} must be a slot, or an object of this mixer`);
    }
    if (slot.mixer !== this) throw new TypeError(`${argument} belongs to another mixer`);
    if (slot.slot === null) {
      throw new SIPCoreInvalidStateError(`${argument} has no slot: it is not started`, null);
    }
    return slot.slot;
  }

  /** Ends the mixer; what still stands in it falls silent. Quiet the second time. */
  close(): void {
    if (this.#serial === null) return;
    runningOrNull()?.sc_audio_mixer_close(this.#serial);
    this.engineStopped();
  }

  /** `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Not for programs: the number of its other half. Throws SIPCoreInvalidStateError when it is closed. */
  get serial(): Serial<"audio_mixer"> {
    if (this.#serial === null) throw new SIPCoreInvalidStateError("The mixer is closed", null);
    return this.#serial;
  }

  /** Not for programs: an object has taken a slot. */
  enter(): void {
    this.#used++;
  }

  /** Not for programs: an object gives its slot back. */
  [leave](slot: number): void {
    this.#used--;
    for (const [key, [from, to]] of this.#connections) {
      if (from === slot || to === slot) this.#connections.delete(key);
    }
  }

  receive(): void {
    // A mixer tells nothing.
  }

  engineStopping(): void {
    // Its sound goes on until the calls have ended.
  }

  engineStopped(): void {
    if (this.#serial === null) return;
    release(this.#serial, this);
    this.#serial = null;
    this.#connections.clear();
  }
}

/** For objects that give their slot back. */
export function leaveMixer(mixer: AudioMixer, slot: number): void {
  mixer[leave](slot);
}

/** Percent; above 100 amplifies. */
export function checkVolume(value: unknown, argument: string): number {
  return checkInteger(value, argument, 0, 1000);
}

function checkDevice(value: unknown, argument: string): void {
  if (value === null || value === "system_default") return;
  throw new RangeError(`${argument}: there is no sound device "${checkText(value, argument)}"`);
}
