// SPDX-License-Identifier: GPL-2.0-or-later
import type { Sound } from "../../scripts/wav.ts";

/** The frequencies of a DTMF digit in Hz (ITU-T Q.23). */
export function dtmfPair(digit: string): readonly [low: number, high: number] {
  const at = "123A456B789C*0#D".indexOf(digit);
  return [[697, 770, 852, 941][at >> 2]!, [1209, 1336, 1477, 1633][at & 3]!];
}

/** All 16. */
export const dtmfDigits = "1234567890*#ABCD";

/** How much of a sine of that frequency there is: its amplitude, by Goertzel's algorithm under Hann's window. */
export function amplitudeOf({ sampleRate, samples }: Sound, frequency: number): number {
  const count = samples.length;
  const factor = 2 * Math.cos(2 * Math.PI * frequency / sampleRate);
  let [last, before, weights] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const weight = 0.5 - 0.5 * Math.cos(2 * Math.PI * (i + 0.5) / count);
    weights += weight;
    [last, before] = [samples[i]! * weight + factor * last - before, last];
  }
  const power = last * last + before * before - factor * last * before;
  return 2 * Math.sqrt(Math.max(power, 0)) / weights;
}

/** The frequency near that one, within 4 %, which is the strongest. */
export function frequencyNear(sound: Sound, frequency: number): number {
  let [best, most] = [0, -1];
  for (let ratio = 0.96; ratio <= 1.04; ratio += 0.001) {
    const amplitude = amplitudeOf(sound, frequency * ratio);
    if (amplitude > most) [best, most] = [frequency * ratio, amplitude];
  }
  return best;
}

/** A piece of a sound; both in seconds. */
export function cut({ sampleRate, samples }: Sound, from: number, to: number): Sound {
  return {
    sampleRate,
    samples: samples.subarray(Math.round(from * sampleRate), Math.round(to * sampleRate)),
  };
}

/** Where it is louder than `threshold` of its loudest, in seconds; as fine as 2 ms. Gaps below 10 ms do not count. */
export function bursts(
  { sampleRate, samples }: Sound,
  threshold: number = 0.3,
): { from: number; to: number }[] {
  const size = Math.round(sampleRate / 500);
  const levels = Array.from({ length: Math.floor(samples.length / size) }, (_, window) => {
    let most = 0;
    for (let i = window * size; i < (window + 1) * size; i++) most = Math.max(most, Math.abs(samples[i]!));
    return most;
  });
  const limit = threshold * levels.reduce((most, level) => Math.max(most, level), 0);
  const found: { from: number; to: number }[] = [];
  levels.forEach((level, window) => {
    if (level <= limit || limit === 0) return;
    const [from, to] = [window * size / sampleRate, (window + 1) * size / sampleRate];
    const last = found.at(-1);
    if (last && from - last.to < 0.01) last.to = to;
    else found.push({ from, to });
  });
  return found;
}
