// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Makes the two sounds that the demo plays: a plucked melody for the caller, something like speech for the
 * callee. They come out the same each time, never repeat themselves, and stay between 300 and 3400 Hz, so
 * that G.711 carries them and a recording of them can be told from anything else.
 *
 * Run it to have them as files: `deno run -A scripts/make-sounds.ts FOLDER [SECONDS]`.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { type Sound, writeWav } from "./wav.ts";

export type Voice = "caller" | "callee";

export interface SoundOptions {
  /** In Hz, default 16000. The same sound at every rate from 8000 up. */
  readonly sampleRate?: number;
  /** Default 4. A longer sound begins like a shorter one. */
  readonly seconds?: number;
}

/** One tone of a sound: a fundamental that glides, its overtones weighted by a timbre. */
interface Tone {
  readonly start: number;
  readonly length: number;
  /** Fundamental at the start and at the end, in Hz. */
  readonly from: number;
  readonly to: number;
  readonly amplitude: (harmonic: number, frequency: number) => number;
  /** Loudness over the tone: 0 at both ends. */
  readonly envelope: (part: number) => number;
}

/** Silence before the first tone, in seconds: the first packets of a stream fill the jitter buffer. */
const LEAD_IN = 0.3;
/** Silence after the last one. */
const LEAD_OUT = 0.2;
/** Where overtones may lie, with room to the edges of the band for what envelopes and glides add. */
const LOWEST = 340;
const HIGHEST = 3200;
const PEAK = 0.5 * 32767;

/**
 * The sound that this side of the demo plays.
 *
 * @throws {RangeError} when the rate is below 8000 Hz or the sound too short for a single tone (1 s).
 */
export function makeSound(voice: Voice, options: SoundOptions = {}): Sound {
  const { sampleRate = 16000, seconds = 4 } = options;
  if (!(sampleRate >= 8000)) throw new RangeError(`Sample rate below 8000 Hz: ${sampleRate}`);
  if (!(seconds >= 1)) throw new RangeError(`A sound shorter than 1 s: ${seconds}`);
  const tones = voice === "caller" ? melody(seconds) : syllables(seconds);
  const mix = new Float64Array(Math.round(seconds * sampleRate));
  for (const tone of tones) addTone(mix, tone, sampleRate);
  const loudest = mix.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { sampleRate, samples: Int16Array.from(mix, (value) => Math.round((value / loudest) * PEAK)) };
}

/** Plucked notes of a pentatonic scale, two neighbours never the same. */
function melody(seconds: number): Tone[] {
  const random = randomNumbers(20260422);
  const scale = [392, 440, 523.25, 587.33, 659.25, 783.99, 880, 1046.5];
  const tones: Tone[] = [];
  let degree = 3;
  for (let start = LEAD_IN;;) {
    const length = 0.16 + 0.22 * random();
    if (start + length > seconds - LEAD_OUT) return tones;
    degree = (degree + 1 + Math.floor(random() * (scale.length - 1))) % scale.length;
    const pitch = scale[degree]! * (1 + 0.02 * (random() - 0.5));
    tones.push({
      start,
      length,
      from: pitch,
      to: pitch * (1 + 0.03 * (random() - 0.5)),
      amplitude: (harmonic) => harmonic ** -1.3,
      envelope: (part) => Math.min(1, part / 0.04, (1 - part) / 0.1) * Math.exp(-2.5 * part),
    });
    start += length * 0.95;
  }
}

/** Vowels with gliding pitch, two formants each, some in a row and then a breath. */
function syllables(seconds: number): Tone[] {
  const random = randomNumbers(19990331);
  const tones: Tone[] = [];
  for (let start = LEAD_IN;;) {
    const length = 0.14 + 0.2 * random();
    if (start + length > seconds - LEAD_OUT) return tones;
    const pitch = 115 + 80 * random();
    const [first, second] = [380 + 450 * random(), 950 + 1400 * random()];
    tones.push({
      start,
      length,
      from: pitch,
      to: pitch * (0.8 + 0.45 * random()),
      amplitude: (_harmonic, frequency) =>
        resonance(frequency, first, 110) + 0.5 * resonance(frequency, second, 160),
      envelope: (part) => Math.sin(Math.PI * part) ** 0.6,
    });
    start += length + (random() < 0.2 ? 0.15 : 0.01);
  }
}

function resonance(frequency: number, centre: number, width: number): number {
  return 1 / (1 + ((frequency - centre) / width) ** 2);
}

function addTone(mix: Float64Array, tone: Tone, sampleRate: number): void {
  const { start, length, from, to } = tone;
  const middle = (from + to) / 2;
  const first = Math.ceil(start * sampleRate);
  const last = Math.min(mix.length - 1, Math.floor((start + length) * sampleRate));
  const least = Math.ceil(LOWEST / Math.min(from, to));
  for (let harmonic = least; harmonic * Math.max(from, to) <= HIGHEST; harmonic++) {
    const amplitude = tone.amplitude(harmonic, harmonic * middle);
    for (let index = first; index <= last; index++) {
      const time = index / sampleRate - start;
      // The phase is a function of time alone, so that every sample rate gets the same sound.
      const phase = 2 * Math.PI * harmonic * (from * time + ((to - from) * time * time) / (2 * length));
      mix[index] = mix[index]! + amplitude * tone.envelope(time / length) * Math.sin(phase + harmonic);
    }
  }
}

/** Numbers from 0 to 1, the same after each start (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (import.meta.main) {
  const [folder = ".", seconds = "4"] = process.argv.slice(2);
  await mkdir(folder, { recursive: true });
  for (const voice of ["caller", "callee"] as const) {
    for (const sampleRate of [8000, 16000]) {
      const filename = join(folder, `${voice}-${sampleRate}.wav`);
      await writeWav(filename, makeSound(voice, { sampleRate, seconds: Number(seconds) }));
      console.log(filename);
    }
  }
}
