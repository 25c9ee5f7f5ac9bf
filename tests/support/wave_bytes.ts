// SPDX-License-Identifier: GPL-2.0-or-later
import { encodeWav } from "../../scripts/wav.ts";

export const PCM = 1;
export const ALAW = 6;
export const ULAW = 7;

export interface Format {
  readonly tag?: number;
  readonly channels?: number;
  readonly rate?: number;
  readonly bits?: number;
}

/** A file of these bytes of sound, whatever they are said to be. */
export function wav(
  { tag = PCM, channels = 1, rate = 16000, bits = 16 }: Format,
  sound: Uint8Array,
): Uint8Array {
  const bytes = encodeWav({ sampleRate: 8000, samples: new Int16Array(0) });
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 36 + sound.length, true);
  view.setUint16(20, tag, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels * (bits >> 3), true);
  view.setUint16(32, channels * (bits >> 3), true);
  view.setUint16(34, bits, true);
  view.setUint32(40, sound.length, true);
  const all = new Uint8Array(bytes.length + sound.length);
  all.set(bytes);
  all.set(sound, bytes.length);
  return all;
}

/** A chunk of zeros, with its head. */
export function chunk(name: string, size: number): Uint8Array {
  const bytes = new Uint8Array(8 + size);
  bytes.set(new TextEncoder().encode(name));
  new DataView(bytes.buffer).setUint32(4, size, true);
  return bytes;
}
