// SPDX-License-Identifier: GPL-2.0-or-later
/** The fast Fourier transform of a power of two of complex numbers, in place. */

/**
 * Transforms `re` and `im`, forward (`e^-i`) or, with `inverse`, back; the way back divides by the length.
 *
 * @throws {RangeError} when the length is not a power of two or the two arrays differ in length.
 */
export function fft(re: Float64Array, im: Float64Array, inverse: boolean = false): void {
  const n = re.length;
  if (n === 0 || (n & (n - 1)) !== 0 || im.length !== n) {
    throw new RangeError(`Not a power of two: ${n}`);
  }
  swapToBitReversed(re, im);
  const sign = inverse ? 1 : -1;
  const cos = new Float64Array(n / 2 || 1);
  const sin = new Float64Array(n / 2 || 1);
  for (let k = 0; k < n / 2; k++) {
    cos[k] = Math.cos((2 * Math.PI * k) / n);
    sin[k] = sign * Math.sin((2 * Math.PI * k) / n);
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    const step = n / size;
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < half; k++) {
        const a = start + k;
        const b = a + half;
        const wr = cos[k * step]!;
        const wi = sin[k * step]!;
        const tr = re[b]! * wr - im[b]! * wi;
        const ti = re[b]! * wi + im[b]! * wr;
        re[b] = re[a]! - tr;
        im[b] = im[a]! - ti;
        re[a] = re[a]! + tr;
        im[a] = im[a]! + ti;
      }
    }
  }
  if (!inverse) return;
  for (let k = 0; k < n; k++) {
    re[k] = re[k]! / n;
    im[k] = im[k]! / n;
  }
}

function swapToBitReversed(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
}

/** The least power of two that is not below `n`. */
export function powerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, n)));
}
