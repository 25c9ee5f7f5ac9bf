// SPDX-License-Identifier: GPL-2.0-or-later
import type { NativeLibrary } from "../ffi/library.ts";
import { readAnswer, type Reader } from "../ffi/wire.ts";
import { engineSender, hasListener, hasNamedListener, post } from "./dispatch.ts";
import { runningOrNull } from "./running.ts";

/** The sound devices that were there at one time. */
export interface DeviceList {
  /** Another list has another number. */
  readonly number: number;
  readonly inputDevices: readonly string[];
  readonly outputDevices: readonly string[];
  readonly soundDevices: readonly string[];
  readonly defaultInput: DefaultDevice;
  readonly defaultOutput: DefaultDevice;
}

interface DefaultDevice {
  readonly name: string | null;
  /** A hash of what the name stands for. */
  readonly definition: number;
}

const noDevice: DefaultDevice = { name: null, definition: 0 };
const none: readonly string[] = Object.freeze([]);
const noDevices: DeviceList = {
  number: 0,
  inputDevices: none,
  outputDevices: none,
  soundDevices: none,
  defaultInput: noDevice,
  defaultOutput: noDevice,
};

const names = ["AudioDevicesDidChange", "DefaultAudioDeviceDidChange"] as const;

let seen: DeviceList = noDevices;
let isWatched = false;
/** What the program knows while it is told of changes: the list changes with its notification. */
let announced: DeviceList | null = null;

/** The devices as they are now; none while the engine does not run. */
export function lookAtDevices(): DeviceList {
  const native = runningOrNull();
  return native === null ? noDevices : look(native);
}

/** The devices as the program knows them. */
export function knownDevices(): DeviceList {
  if (!isWatched) return lookAtDevices();
  return announced ??= lookAtDevices();
}

function look(native: NativeLibrary): DeviceList {
  const number = native.sc_devices_look();
  if (number === 0) return noDevices;
  if (number !== seen.number) {
    const answer = readAnswer((buffer, capacity) => native.sc_devices_list(buffer, capacity));
    seen = answer === null ? noDevices : readList(number, answer);
  }
  return seen;
}

function readList(number: number, answer: Reader): DeviceList {
  const readDefault = () => ({ name: answer.text() || null, definition: answer.u32() });
  const [defaultInput, defaultOutput] = [readDefault(), readDefault()];
  const devices = Array.from({ length: answer.u32() }, () => ({ name: answer.text(), sides: answer.u32() }));
  const having = (sides: number) =>
    Object.freeze(devices.filter((device) => device.sides & sides).map((device) => device.name));
  return {
    number,
    inputDevices: having(1),
    outputDevices: having(2),
    soundDevices: having(3),
    defaultInput,
    defaultOutput,
  };
}

/** Begins to wait for changes when somebody listens for them, and ends it when nobody does. */
export function watchDevices(native: NativeLibrary): void {
  const engine = engineSender();
  const wanted = names.some((name) => hasListener(name, engine));
  if (wanted === isWatched) return;
  isWatched = wanted;
  native.sc_devices_watch(wanted ? 1 : 0);
  // Who asks for these by name gets whatever changes from now on. For others the first look is taken aside.
  const isAsked = names.some((name) => hasNamedListener(name, engine));
  announced = seen.number > 0 ? seen : null;
  if (wanted && isAsked) announced ??= look(native);
}

/** What was looked at aside has changed. */
export function devicesChanged(): void {
  const native = runningOrNull();
  if (!isWatched || native === null) return;
  const before = announced, now = look(native);
  if (before === null || before.number === now.number) {
    announced = now;
    return;
  }
  announced = now;
  const engine = engineSender();
  const [oldDevices, newDevices] = [before.soundDevices, now.soundDevices];
  if (!isSameList(oldDevices, newDevices)) post("AudioDevicesDidChange", engine, { oldDevices, newDevices });
  const changedInput = !isSame(before.defaultInput, now.defaultInput);
  const changedOutput = !isSame(before.defaultOutput, now.defaultOutput);
  if (changedInput || changedOutput) {
    post("DefaultAudioDeviceDidChange", engine, { changedInput, changedOutput });
  }
}

/** The engine has stopped. */
export function forgetDevices(): void {
  seen = noDevices;
  isWatched = false;
  announced = null;
}

function isSame(a: DefaultDevice, b: DefaultDevice): boolean {
  return a.name === b.name && a.definition === b.definition;
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index]);
}
