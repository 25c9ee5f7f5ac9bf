// SPDX-License-Identifier: GPL-2.0-or-later
/** Sound through PCM ports. */
import { deadline } from "@std/async";
import type { PCMPort } from "../../mod.ts";
import type { Sound } from "../../scripts/wav.ts";

/** Reads so many ms of a port. */
export async function readSound(port: PCMPort, ms: number): Promise<Sound> {
  const samples = new Int16Array(port.sampleRate * ms / 1000);
  const reader = port.readable.getReader();
  try {
    for (let at = 0; at < samples.length;) {
      const { done, value } = await deadline(reader.read(), 10_000);
      if (done) throw new Error(`The port ended after ${at} of ${samples.length} samples`);
      samples.set(value.subarray(0, samples.length - at), at);
      at += value.length;
    }
  } finally {
    reader.releaseLock();
  }
  return { sampleRate: port.sampleRate, samples };
}

/** Writes all of a sound, in pieces of so many samples. */
export async function writeSound(port: PCMPort, { samples }: Sound, piece: number = 1000): Promise<void> {
  const writer = port.writable.getWriter();
  try {
    for (let at = 0; at < samples.length; at += piece) {
      await deadline(writer.write(samples.subarray(at, at + piece)), 10_000);
    }
  } finally {
    writer.releaseLock();
  }
}

/** The same sample for so many ms. */
export function steady(port: PCMPort, ms: number, level: number = 1000): Int16Array<ArrayBuffer> {
  return new Int16Array(port.sampleRate * ms / 1000).fill(level);
}
