// SPDX-License-Identifier: GPL-2.0-or-later
import type { Reader } from "../ffi/wire.ts";
import { postWarning } from "./dispatch.ts";
import type { EngineBound, NativeObject } from "./native_object.ts";

/** Known to the wire: held until their last record, whoever else holds them. */
const held = new Map<number, NativeObject>();
/** What has no other half in C, and yet waits for something. */
const waiting = new Set<EngineBound>();
/** Local resources: a program that forgets one is told. */
const local = new Map<number, WeakRef<NativeObject>>();

const forgotten = new FinalizationRegistry<{ serial: number; noun: string }>(({ serial, noun }) => {
  if (local.delete(serial)) {
    postWarning(
      "forgotten",
      1,
      `A ${noun} was forgotten without stop() or close(); it is freed when the engine stops`,
    );
  }
});

/** Registers what lives until the network or the program ends it. */
export function hold(serial: number, object: NativeObject): void {
  held.set(serial, object);
}

/** Registers a resource of this machine's; when it is collected before {@linkcode release}, a warning says so. */
export function track(serial: number, object: NativeObject): void {
  local.set(serial, new WeakRef(object));
  forgotten.register(object, { serial, noun: object.constructor.name }, object);
}

/** From now on, or no more, the object waits for something: the engine tells it when it ends. */
export function setWaiting(object: EngineBound, isWaiting: boolean): void {
  if (isWaiting) waiting.add(object);
  else waiting.delete(object);
}

/** Who waits for objects to end. */
const departures = new Set<(object: EngineBound) => void>();

/** The object has ended: records that still come find nobody. */
export function release(serial: number, object: NativeObject): void {
  held.delete(serial);
  if (local.delete(serial)) forgotten.unregister(object);
  for (const departed of departures) departed(object);
}

/** Resolves when all of these have ended, or the time (ms) is over. */
export function released(objects: Iterable<EngineBound>, time: number): Promise<void> {
  const leaving = new Set(objects);
  if (leaving.size === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      departures.delete(departed);
      resolve();
    };
    const departed = (object: EngineBound) => {
      if (leaving.delete(object) && leaving.size === 0) finish();
    };
    const timer = setTimeout(finish, time);
    departures.add(departed);
  });
}

/** The object of a serial, or null when it has ended. */
export function lookUp(serial: number): NativeObject | null {
  return held.get(serial) ?? local.get(serial)?.deref() ?? null;
}

/** Every object that is alive, in order of creation; those that are made of others behind them. */
export function liveObjects(): EngineBound[] {
  const objects: EngineBound[] = [...held.values()];
  for (const reference of local.values()) {
    const object = reference.deref();
    if (object) objects.push(object);
  }
  return [...objects, ...waiting];
}

/** After the engine has stopped nothing has another half any more. */
export function releaseAll(): void {
  held.clear();
  waiting.clear();
  local.clear();
}

/** Takes a record that is not for one object that is known: it announces one, or concerns many. */
export type Birth = (serial: number, time: Date, reader: Reader) => void;

const births = new Map<number, Birth>();

/** Records of this kind announce an object that began in C, or concern many. */
export function onBirth(kind: number, birth: Birth): void {
  births.set(kind, birth);
}

/** Gives a record to whom it belongs; false when it belongs to nobody any more. */
export function deliver(kind: number, serial: number, time: Date, reader: Reader): boolean {
  const birth = births.get(kind);
  if (birth) {
    birth(serial, time, reader);
    return true;
  }
  const object = lookUp(serial);
  object?.receive(kind, time, reader);
  return object !== null;
}
