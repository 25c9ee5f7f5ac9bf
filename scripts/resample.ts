// SPDX-License-Identifier: GPL-2.0-or-later
/** Changes the sample rate of a signal, with a windowed sinc: slow and exact enough for measuring. */

/** Zero crossings of the sinc on each side. */
const CROSSINGS = 24;

/**
 * The signal at another rate. Going down, what lies above half of the new rate is filtered out.
 *
 * @throws {RangeError} when a rate is not a positive number.
 */
export function resample(signal: Float64Array, from: number, to: number): Float64Array {
  if (!(from > 0) || !(to > 0)) throw new RangeError(`No sample rate: ${from}, ${to}`);
  if (from === to) return signal;
  const cutoff = Math.min(1, to / from);
  const reach = CROSSINGS / cutoff;
  const result = new Float64Array(Math.floor((signal.length * to) / from));
  for (let index = 0; index < result.length; index++) {
    const centre = (index * from) / to;
    const first = Math.max(0, Math.ceil(centre - reach));
    const last = Math.min(signal.length - 1, Math.floor(centre + reach));
    let sum = 0;
    for (let at = first; at <= last; at++) {
      const x = at - centre;
      sum += signal[at]! * cutoff * sinc(cutoff * x) * hann(x / reach);
    }
    result[index] = sum;
  }
  return result;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function hann(x: number): number {
  return 0.5 + 0.5 * Math.cos(Math.PI * x);
}
