// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How well a recording matches what was played: the normalised cross-correlation, window by window.
 *
 * A recording starts earlier or later than the sound in it, so the offset of the whole is found first. A
 * jitter buffer then moves pieces of it about, so each window of the source looks for its own best place
 * near that offset. The median says how the call sounded; one bad window does not.
 */
import { fft, powerOfTwo } from "./fft.ts";
import { resample } from "./resample.ts";
import { duration, type Sound } from "./wav.ts";

/** One window of the source, and where it was found. */
export interface WindowMatch {
  /** Where the window starts in the source, in seconds. */
  readonly start: number;
  /** How much later than the global offset it was found, in seconds. */
  readonly lag: number;
  /** The best normalised correlation, -1 to 1; 0 where the recording has nothing. */
  readonly correlation: number;
}

export interface Match {
  /** The median of the windows' correlations: 1 is the same sound, 0 is no likeness. */
  readonly median: number;
  /** How much later the source begins in the recording, in seconds; negative when its start was missed. */
  readonly offset: number;
  readonly windows: readonly WindowMatch[];
}

export interface MatchOptions {
  /** How far the recording may start before or after the source, in seconds; default 10. */
  readonly maxOffset?: number;
  /** Length of a window, in seconds; default 0.5. */
  readonly window?: number;
  /** How far from the global offset a window may be found, in seconds; default 0.1. */
  readonly maxLag?: number;
}

/** A window whose effective value is below this part of the whole source's counts as silent. */
const SILENCE = 0.1;

/**
 * Measures how well `recording` matches `source`. The louder or softer does not count; the rates may differ.
 *
 * @throws {RangeError} when the source has no sound in any whole window, so that there is nothing to match.
 */
export function correlate(source: Sound, recording: Sound, options: MatchOptions = {}): Match {
  const { maxOffset = 10, window = 0.5, maxLag = 0.1 } = options;
  const rate = Math.min(source.sampleRate, recording.sampleRate);
  const played = signalOf(source, rate);
  const heard = signalOf(recording, rate);
  const size = Math.round(window * rate);
  const starts = loudWindows(played, size);
  if (starts.length === 0) {
    throw new RangeError(`Nothing to match: ${duration(source)} s of source, none of it but silence`);
  }
  const offset = globalOffset(played, heard, Math.round(maxOffset * rate));
  const reach = Math.round(maxLag * rate);
  const windows = starts.map((start): WindowMatch => {
    const piece = played.subarray(start, start + size);
    const { at, value } = bestLag(piece, heard, start + offset - reach, start + offset + reach, 0);
    return { start: start / rate, lag: (at - start - offset) / rate, correlation: value };
  });
  return { median: median(windows.map((w) => w.correlation)), offset: offset / rate, windows };
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("No values, no median");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** At the common rate, around zero: a constant would match every other constant. */
function signalOf(sound: Sound, rate: number): Float64Array {
  const signal = resample(Float64Array.from(sound.samples), sound.sampleRate, rate);
  const mean = signal.reduce((sum, value) => sum + value, 0) / (signal.length || 1);
  return signal.map((value) => value - mean);
}

function loudWindows(signal: Float64Array, size: number): number[] {
  const sums = energySums(signal);
  const floor = (sums[signal.length]! / (signal.length || 1)) * SILENCE ** 2 * size;
  const starts: number[] = [];
  for (let start = 0; start + size <= signal.length; start += size) {
    const energy = sums[start + size]! - sums[start]!;
    if (energy > 0 && energy >= floor) starts.push(start);
  }
  return starts;
}

function globalOffset(played: Float64Array, heard: Float64Array, reach: number): number {
  // Where little of the recording is under the source, a chance likeness weighs too much: the floor.
  return bestLag(played, heard, -reach, reach, 0.1).at;
}

/**
 * The lag between `first` and `last` where `piece` matches `signal` best. Outside of itself the signal is
 * silent. `floor`: the least energy that the normalisation assumes, as a part of the most under any lag.
 */
function bestLag(
  piece: Float64Array,
  signal: Float64Array,
  first: number,
  last: number,
  floor: number,
): { at: number; value: number } {
  const span = new Float64Array(last - first + piece.length);
  const from = Math.max(0, first);
  const to = Math.min(signal.length, first + span.length);
  if (from < to) span.set(signal.subarray(from, to), from - first);
  const products = crossCorrelation(piece, span);
  const sums = energySums(span);
  const under = (lag: number): number => sums[lag + piece.length]! - sums[lag]!;
  const own = energySums(piece)[piece.length]!;
  let most = 0;
  for (let lag = 0; lag <= last - first; lag++) most = Math.max(most, under(lag));
  let best = { at: Math.min(Math.max(0, first), last), value: 0 };
  // What the rounding of the transform leaves over silence is no likeness.
  if (most <= piece.length * 1e-6) return best;
  for (let lag = 0; lag <= last - first; lag++) {
    const energy = Math.max(under(lag), most * floor);
    if (energy <= most * 1e-6) continue;
    const value = products[lag]! / Math.sqrt(own * energy);
    if (value > best.value) best = { at: first + lag, value: Math.min(1, value) };
  }
  return best;
}

/** `result[lag]` is the sum of `piece[i] * signal[lag + i]`, for each lag at which the piece fits in. */
function crossCorrelation(piece: Float64Array, signal: Float64Array): Float64Array {
  const n = powerOfTwo(signal.length + piece.length);
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  // Both are real, so they share one transform: the signal is its real part, the piece its imaginary part.
  re.set(signal);
  im.set(piece);
  fft(re, im);
  const productRe = new Float64Array(n);
  const productIm = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const mirror = (n - k) & (n - 1);
    const signalRe = (re[k]! + re[mirror]!) / 2;
    const signalIm = (im[k]! - im[mirror]!) / 2;
    const pieceRe = (im[k]! + im[mirror]!) / 2;
    const pieceIm = (re[mirror]! - re[k]!) / 2;
    productRe[k] = signalRe * pieceRe + signalIm * pieceIm;
    productIm[k] = signalIm * pieceRe - signalRe * pieceIm;
  }
  fft(productRe, productIm, true);
  return productRe.subarray(0, signal.length - piece.length + 1);
}

/** `result[i]` is the energy of the first i values. */
function energySums(signal: Float64Array): Float64Array {
  const sums = new Float64Array(signal.length + 1);
  for (const [index, value] of signal.entries()) sums[index + 1] = sums[index]! + value * value;
  return sums;
}
