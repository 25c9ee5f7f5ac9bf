// SPDX-License-Identifier: GPL-2.0-or-later
import { checkBoolean, checkInteger, checkText } from "../core/check_argument.ts";
import { lookAtDevices } from "../core/devices.ts";
import { postWarning } from "../core/dispatch.ts";
import { SIPCoreError, SIPCoreInvalidStateError } from "../core/errors.ts";
import { release, track } from "../core/registry.ts";
import { check, create, running, runningOrNull } from "../core/running.ts";
import { records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { cstring, type Reader } from "../ffi/wire.ts";
import { Endings } from "./endings.ts";

/** What stands in a slot of a mixer; `slot` is null while it does not. */
export interface MixerSource {
  /** The mixer that it belongs to. */
  readonly mixer: AudioMixer;
  /** Its slot on the mixer; null while it has none. */
  readonly slot: number | null;
}

/** What the constructor takes beside the devices. */
export interface AudioMixerOptions {
  /** Hz, a multiple of 50, at most 65500. Default 16000. */
  sampleRate?: number;
  /** The echo canceller's tail in ms; 0: none. It works while both devices are open. Default 200. */
  ecTailLength?: number;
  /** How many slots there are, slot 0 included. Default 254. */
  slotCount?: number;
}

/** What is heard in a slot, and what it says; 0 to 255. */
export interface SignalLevel {
  /** Of what is played into the slot, 0 to 255. */
  tx: number;
  /** Of what comes from the slot, 0 to 255. */
  rx: number;
}

/** Ends of objects that leave a mixer; the mixer forgets their connections. */
const leave = Symbol("leave");

const status = new Int32Array(1);

/**
 * A conference bridge: what is connected to a slot is mixed. It has its own clock of 20 ms. Slot 0 is that of the
 * sound devices, which are open while slot 0 is connected to something: the input device while it is a source, the
 * output device while it is a sink. A device that fails meanwhile is told by SIPEngineGotWarning ("sound-device");
 * the mixer goes on without it.
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
export class AudioMixer {
  /** @internal */
  readonly isLeaving = false;
  /** In Hz. */
  readonly sampleRate: number;
  /** How many slots the mixer has, slot 0 included. */
  readonly slotCount: number;
  /** @internal What ends with it. */
  readonly endings: Endings = new Endings();
  #serial: Serial<"audio_mixer"> | null;
  #ecTailLength = 0;
  #devices: readonly [string | null, string | null] = [null, null];
  /** Those that failed while they were open; not opened again before somebody asks for it. */
  #lost: [boolean, boolean] = [false, false];
  #inputVolume = 100;
  #outputVolume = 100;
  #muted = false;
  #used = 0;
  /** "source>sink" */
  #connections: Map<string, readonly [number, number]> = new Map();

  /**
   * Opens a mixer; its clock runs until `close()`. null for a device: none.
   *
   * @param inputDevice one of `Engine.inputDevices`, "system_default", or null for none. A name that is not there is
   * "system_default", and that is null where there is no device.
   * @param outputDevice likewise, of `Engine.outputDevices`.
   * @throws RangeError for a rate or a count that does not do; SIPCoreInvalidStateError when the engine does not run;
   * PJSIPError when a device, which it names, cannot be opened, or PJSIP fails.
   */
  constructor(inputDevice: string | null, outputDevice: string | null, options: AudioMixerOptions = {}) {
    checkDevice(inputDevice, "inputDevice");
    checkDevice(outputDevice, "outputDevice");
    const { sampleRate = 16000, ecTailLength = 200, slotCount = 254 } = options;
    this.sampleRate = checkInteger(sampleRate, "sampleRate", 50, 65500);
    if (sampleRate % 50 !== 0) throw new RangeError(`sampleRate must be a multiple of 50, got ${sampleRate}`);
    checkTail(ecTailLength);
    this.slotCount = checkInteger(slotCount, "slotCount", 1, 30000);
    const native = running();
    this.#serial = create(
      "Could not create the mixer",
      (status) => native.sc_audio_mixer_create(sampleRate, slotCount, status),
    );
    try {
      this.#setDevices(inputDevice, outputDevice, ecTailLength);
    } catch (error) {
      native.sc_audio_mixer_close(this.#serial);
      this.#serial = null;
      throw error;
    }
    track(this.#serial, this);
  }

  /** The input device that was selected; null: none. */
  get inputDevice(): string | null {
    return this.#devices[0];
  }

  /** The output device that was selected; null: none. */
  get outputDevice(): string | null {
    return this.#devices[1];
  }

  /** The same as `inputDevice`, but null once that has failed, and after the end. */
  get realInputDevice(): string | null {
    return this.#lost[0] || this.#serial === null ? null : this.#devices[0];
  }

  /** The same as `outputDevice`, but null once that has failed, and after the end. */
  get realOutputDevice(): string | null {
    return this.#lost[1] || this.#serial === null ? null : this.#devices[1];
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
    this.#muted = checkBoolean(value, "muted");
    this.#applyVolumes();
  }

  #applyVolumes(): void {
    const input = this.#muted ? 0 : this.#inputVolume;
    check(
      running().sc_audio_mixer_set_volume(this.serial, input, this.#outputVolume),
      "Could not set the volume",
    );
  }

  /**
   * The devices and the echo canceller's tail from now on, as the constructor takes them; calls go on meanwhile. One
   * that is the same as before stays open, or is opened again after it was lost.
   *
   * @throws PJSIPError when a device, which it names, cannot be opened: the mixer goes on as before.
   */
  setSoundDevices(inputDevice: string | null, outputDevice: string | null, ecTailLength: number): void {
    checkDevice(inputDevice, "inputDevice");
    checkDevice(outputDevice, "outputDevice");
    checkTail(ecTailLength);
    this.#setDevices(inputDevice, outputDevice, ecTailLength);
    this.#lost = [false, false];
    this.#useDevices(this.#connections.values(), this.#lost);
  }

  #setDevices(input: string | null, output: string | null, ecTailLength: number): void {
    const native = running();
    const devices = select(input, output);
    const [inputName, outputName] = [cstring(devices[0] ?? ""), cstring(devices[1] ?? "")];
    const { serial } = this;
    checkDevices(
      native.sc_audio_mixer_set_devices(serial, inputName, outputName, ecTailLength, status),
      devices,
    );
    this.#devices = devices;
    this.#ecTailLength = ecTailLength;
  }

  /** Opens the devices that would be heard or hear something, and gives back the others. */
  #useDevices(connections: Iterable<readonly [number, number]>, lost: readonly [boolean, boolean]): void {
    let [input, output] = [0, 0];
    for (const [from, to] of connections) {
      if (from === 0 && !lost[0]) input = 1;
      if (to === 0 && !lost[1]) output = 1;
    }
    checkDevices(running().sc_audio_mixer_use_devices(this.serial, input, output, status), this.#devices);
  }

  /** The devices as the connections are. */
  #settleDevices(): void {
    try {
      this.#useDevices(this.#connections.values(), this.#lost);
    } catch (error) {
      // What does not open again now was told, or will be when somebody connects to it.
      if (!(error instanceof SIPCoreError)) throw error;
    }
  }

  /**
   * Lets sound flow from source to sink: slot numbers, or the objects themselves. Connected already: nothing.
   *
   * @throws SIPCoreInvalidStateError for an object without a slot; PJSIPError for a slot that is empty, and for slot 0
   * when its device, which is named, cannot be opened.
   */
  connectSlots(source: number | MixerSource, sink: number | MixerSource): void {
    const [from, to] = [this.#slotOf(source, "source"), this.#slotOf(sink, "sink")];
    if (this.#connections.has(`${from}>${to}`)) return;
    const connection = Object.freeze([from, to] as const);
    try {
      if (from === 0 || to === 0) {
        // Somebody asks for it: what was lost is tried again.
        const lost: [boolean, boolean] = [this.#lost[0] && from !== 0, this.#lost[1] && to !== 0];
        this.#useDevices([...this.#connections.values(), connection], lost);
        this.#lost = lost;
      }
      check(
        running().sc_audio_mixer_connect(this.serial, from, to),
        `Could not connect slot ${from} to ${to}`,
      );
    } catch (error) {
      if (from === 0 || to === 0) this.#settleDevices();
      throw error;
    }
    this.#connections.set(`${from}>${to}`, connection);
  }

  /** Ends that flow. Not connected: nothing. */
  disconnectSlots(source: number | MixerSource, sink: number | MixerSource): void {
    const [from, to] = [this.#slotOf(source, "source"), this.#slotOf(sink, "sink")];
    if (!this.#connections.delete(`${from}>${to}`)) return;
    check(
      running().sc_audio_mixer_disconnect(this.serial, from, to),
      `Could not disconnect slot ${from} from ${to}`,
    );
    if (from === 0 || to === 0) this.#settleDevices();
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

  /** Ends the mixer. What plays and records in it stops, calls fall silent. Quiet the second time. */
  close(): void {
    if (this.#serial === null) return;
    // What records is whole before the bridge goes.
    this.endings.end();
    runningOrNull()?.sc_audio_mixer_close(this.#serial);
    this.engineStopped();
  }

  /** `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Not for programs: the number of its other half. Throws SIPCoreInvalidStateError when it is closed.
   * @internal
   */
  get serial(): Serial<"audio_mixer"> {
    if (this.#serial === null) throw new SIPCoreInvalidStateError("The mixer is closed", null);
    return this.#serial;
  }

  /**
   * An object has taken a slot.
   * @internal
   */
  enter(): void {
    this.#used++;
  }

  /** Not for programs: an object gives its slot back. */
  [leave](slot: number): void {
    this.#used--;
    let hadDevice = false;
    for (const [key, [from, to]] of this.#connections) {
      if (from !== slot && to !== slot) continue;
      this.#connections.delete(key);
      hadDevice ||= from === 0 || to === 0;
    }
    if (hadDevice && this.#serial !== null && runningOrNull() !== null) this.#settleDevices();
  }

  /** @internal */
  receive(kind: number, _time: Date, _reader: Reader): void {
    if (kind !== records.SC_RECORD_AUDIO_MIXER_DEVICE_LOST || this.#serial === null) return;
    // The one that failed may have been replaced meanwhile.
    const lost = runningOrNull()?.sc_audio_mixer_lost_devices(this.#serial) ?? 0;
    for (const side of [0, 1] as const) {
      if (!(lost & 1 << side)) continue;
      this.#lost[side] = true;
      postWarning(
        "sound-device",
        1,
        `${describe(side, this.#devices)} has failed; its mixer goes on without it`,
      );
    }
    if (lost !== 0) this.#settleDevices();
  }

  /** @internal */
  engineStopping(): void {
    // Its sound goes on until the calls have ended.
  }

  /** @internal */
  engineStopped(): void {
    if (this.#serial === null) return;
    release(this.#serial, this);
    this.#serial = null;
    this.endings.end();
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
  if (value !== null) checkText(value, argument);
}

/** Milliseconds. */
function checkTail(value: unknown): void {
  checkInteger(value, "ecTailLength", 0, 10000);
}

/** The devices that are meant. */
function select(input: string | null, output: string | null): readonly [string | null, string | null] {
  if (input === null && output === null) return [null, null];
  const { inputDevices, outputDevices, defaultInput, defaultOutput } = lookAtDevices();
  const among = (name: string | null, there: readonly string[], fallback: string | null) =>
    name === null || there.includes(name) ? name : fallback;
  return [
    among(input, inputDevices, defaultInput.name),
    among(output, outputDevices, defaultOutput.name),
  ];
}

function describe(side: 0 | 1, devices: readonly (string | null)[]): string {
  return `The ${side === 0 ? "input" : "output"} device "${devices[side]}"`;
}

/** `failed`: 0: nothing, 1: the input device, 2: the output device, 3: both, with the mixer. */
function checkDevices(failed: number, devices: readonly (string | null)[]): void {
  if (failed === 0) return;
  const what = failed === 3 ? "The sound devices" : describe(failed === 1 ? 0 : 1, devices);
  check(status[0]!, `${what} could not be opened`);
}
