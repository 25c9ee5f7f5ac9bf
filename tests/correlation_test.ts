// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { correlate, median } from "../scripts/correlation.ts";
import { fft, powerOfTwo } from "../scripts/fft.ts";
import { makeSound, type Voice } from "../scripts/make-sounds.ts";
import { resample } from "../scripts/resample.ts";
import { duration, type Sound } from "../scripts/wav.ts";

const source = makeSound("caller", { sampleRate: 8000, seconds: 3 });

/** The sound, heard through `change`, sample by sample. */
function heard(change: (sample: number, index: number) => number, sound: Sound = source): Sound {
  return { ...sound, samples: sound.samples.map(change) };
}

/** The sound that starts `samples` later, with silence before and after. */
function delayed(samples: number, sound: Sound = source): Sound {
  const late = new Int16Array(sound.samples.length + samples + 500);
  late.set(sound.samples, samples);
  return { ...sound, samples: late };
}

/** G.711 µ-law and back. */
function muLaw(sample: number): number {
  const x = Math.max(-1, Math.min(1, sample / 32768));
  const code = Math.round((Math.sign(x) * Math.log1p(255 * Math.abs(x)) * 127) / Math.log(256));
  return Math.round(Math.sign(code) * ((256 ** (Math.abs(code) / 127) - 1) / 255) * 32767);
}

/** Noise as loud as speech, the same each time. */
function noise(length: number): Int16Array {
  let state = 1;
  return Int16Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    return state >> 18;
  });
}

describe("correlate()", () => {
  it("finds a sound in itself: 1, without offset", () => {
    const match = correlate(source, source);
    assertGreater(match.median, 0.9999);
    assertEquals(match.offset, 0);
    assertEquals(match.windows.length, 6);
  });

  it("finds the offset of a recording that began earlier", () => {
    for (const samples of [1, 799, 8000, 24000]) {
      const match = correlate(source, delayed(samples));
      assertGreater(match.median, 0.999);
      assertEquals(match.offset, samples / 8000);
    }
  });

  it("finds the offset of a recording that began later, and counts what it missed as 0", () => {
    const match = correlate(source, { ...source, samples: source.samples.subarray(8000) });
    assertEquals(match.offset, -1);
    assertEquals(match.windows[0]!.correlation, 0);
    assertLess(match.windows[1]!.correlation, 0.5);
    assertGreater(match.median, 0.999);
  });

  it("does not mind loudness, a constant, or another rate", () => {
    assertGreater(correlate(source, heard((sample) => sample / 20)).median, 0.99);
    assertGreater(correlate(source, heard((sample) => sample + 2000)).median, 0.999);
    const wide = makeSound("caller", { sampleRate: 16000, seconds: 3 });
    assertGreater(correlate(source, delayed(5000, wide)).median, 0.999);
    assertGreater(correlate(wide, source).median, 0.999);
  });

  it("lets G.711 pass", () => {
    for (const voice of ["caller", "callee"] as const) {
      const sound = makeSound(voice, { sampleRate: 8000 });
      assertGreater(correlate(sound, heard(muLaw, sound)).median, 0.99);
    }
  });

  it("follows a jitter buffer that inserts up to 100 ms", () => {
    const { samples } = source;
    const late = new Int16Array(samples.length + 640);
    late.set(samples.subarray(0, 12000));
    late.set(samples.subarray(12000), 12640);
    const match = correlate(source, { ...source, samples: late });
    assertGreater(match.median, 0.99);
    assertEquals(new Set(match.windows.map((window) => Math.abs(window.lag))), new Set([0, 0.08]));
  });

  it("stays above 0.9 with single packets lost", () => {
    const lossy = heard((sample, index) => Math.floor(index / 160) % 12 === 5 ? 0 : sample);
    assertGreater(correlate(source, lossy).median, 0.9);
  });

  it("falls below 0.9 with every third packet lost, and with noise half as loud", () => {
    assertLess(
      correlate(source, heard((sample, index) => Math.floor(index / 160) % 3 === 0 ? 0 : sample)).median,
      0.9,
    );
    const hiss = noise(source.samples.length);
    const effective = (values: Int16Array): number => Math.hypot(...values) / Math.sqrt(values.length);
    const gain = effective(source.samples) / effective(hiss) / 1.5;
    assertLess(correlate(source, heard((sample, index) => sample + hiss[index]! * gain)).median, 0.9);
  });

  it("tells the two sounds of the demo apart, and either from noise", () => {
    const callee = makeSound("callee", { sampleRate: 8000, seconds: 3 });
    assertLess(correlate(source, callee).median, 0.6);
    assertLess(correlate(callee, source).median, 0.6);
    assertLess(correlate(source, { ...source, samples: noise(30000) }).median, 0.4);
  });

  it("gives 0 for silence, for nothing, and for a constant", () => {
    for (const samples of [new Int16Array(24000), new Int16Array(0), new Int16Array(24000).fill(900)]) {
      const match = correlate(source, { sampleRate: 8000, samples });
      assertEquals(match.median, 0);
      assert(match.windows.every((window) => window.correlation === 0));
    }
  });

  it("does not take the sound upside down for the sound", () => {
    assertLess(correlate(source, heard((sample) => -sample)).windows[2]!.correlation, 0.99);
  });

  it("leaves silent windows of the source out", () => {
    const pause = heard((sample, index) => index >= 8000 && index < 16000 ? 0 : sample);
    assertEquals(correlate(pause, pause).windows.map((window) => window.start), [0, 0.5, 2, 2.5]);
  });

  it("finds nothing beyond maxOffset", () => {
    assertLess(correlate(source, delayed(16000), { maxOffset: 1 }).median, 0.9);
  });

  it("throws when the source is silent or shorter than a window", () => {
    for (const length of [0, 3999, 24000]) {
      const silent = { sampleRate: 8000, samples: new Int16Array(length) };
      assertThrows(() => correlate(silent, source), RangeError, "Nothing to match");
    }
  });
});

describe("median()", () => {
  it("is the middle, or the mean of the middle two", () => {
    assertEquals(median([3, 1, 2]), 2);
    assertEquals(median([10, 1, 2, 4]), 3);
    assertThrows(() => median([]), RangeError);
  });
});

describe("fft()", () => {
  it("agrees with the definition of the transform, and goes back", () => {
    const re = Float64Array.of(1, 2, -3, 4, 0.5, 6, -7, 8);
    const im = Float64Array.of(0, 1, 0, -1, 2, 0, 0.25, 3);
    const [a, b] = [re.slice(), im.slice()];
    fft(a, b);
    for (let k = 0; k < 8; k++) {
      let [sumRe, sumIm] = [0, 0];
      for (let n = 0; n < 8; n++) {
        const angle = (-2 * Math.PI * k * n) / 8;
        sumRe += re[n]! * Math.cos(angle) - im[n]! * Math.sin(angle);
        sumIm += re[n]! * Math.sin(angle) + im[n]! * Math.cos(angle);
      }
      assertLess(Math.hypot(a[k]! - sumRe, b[k]! - sumIm), 1e-9);
    }
    fft(a, b, true);
    assertLess(Math.hypot(...a.map((value, k) => value - re[k]!), ...b.map((v, k) => v - im[k]!)), 1e-9);
  });

  it("refuses a length that is not a power of two", () => {
    for (const length of [0, 3, 12]) {
      assertThrows(() => fft(new Float64Array(length), new Float64Array(length)), RangeError);
    }
    assertThrows(() => fft(new Float64Array(8), new Float64Array(4)), RangeError);
    assertEquals([0, 1, 2, 3, 1025].map(powerOfTwo), [1, 1, 2, 4, 2048]);
  });
});

describe("resample()", () => {
  const tone = (frequency: number, rate: number): Float64Array =>
    Float64Array.from({ length: rate }, (_, index) => Math.sin((2 * Math.PI * frequency * index) / rate));

  it("keeps a tone when it changes the rate either way", () => {
    for (const [from, to] of [[8000, 16000], [16000, 8000], [44100, 16000]] as const) {
      const result = resample(tone(1000, from), from, to);
      const expected = tone(1000, to);
      assertEquals(result.length, expected.length);
      let worst = 0;
      for (let i = 100; i < to - 100; i++) worst = Math.max(worst, Math.abs(result[i]! - expected[i]!));
      assertLess(worst, 0.01);
    }
  });

  it("filters out what the lower rate cannot carry", () => {
    const result = resample(tone(6000, 16000), 16000, 8000).subarray(100, 7900);
    assertLess(Math.max(...result.map(Math.abs)), 0.01);
  });

  it("refuses a rate of 0", () => {
    assertThrows(() => resample(new Float64Array(1), 0, 8000), RangeError);
    assertThrows(() => resample(new Float64Array(1), 8000, NaN), RangeError);
  });
});

describe("makeSound()", () => {
  const voices: readonly Voice[] = ["caller", "callee"];

  /** The part of the sound's energy that lies outside of 300 to 3400 Hz. */
  function outsideBand({ sampleRate, samples }: Sound): number {
    const n = powerOfTwo(samples.length);
    const [re, im] = [new Float64Array(n), new Float64Array(n)];
    re.set(samples);
    fft(re, im);
    let [outside, all] = [0, 0];
    for (let k = 1; k < n / 2; k++) {
      const energy = re[k]! ** 2 + im[k]! ** 2;
      const frequency = (k * sampleRate) / n;
      all += energy;
      if (frequency < 300 || frequency > 3400) outside += energy;
    }
    return outside / all;
  }

  it("is the same each time, and as long as asked", () => {
    for (const voice of voices) {
      const sound = makeSound(voice, { sampleRate: 8000, seconds: 2.5 });
      assertEquals(makeSound(voice, { sampleRate: 8000, seconds: 2.5 }), sound);
      assertEquals(duration(sound), 2.5);
    }
  });

  it("stays inside the telephone band", () => {
    for (const voice of voices) {
      for (const sampleRate of [8000, 16000]) {
        assertLess(outsideBand(makeSound(voice, { sampleRate, seconds: 6 })), 0.01);
      }
    }
  });

  it("is the same sound at 8 and 16 kHz", () => {
    for (const voice of voices) {
      const match = correlate(makeSound(voice, { sampleRate: 8000 }), makeSound(voice));
      assertGreater(match.median, 0.999);
      assertEquals(match.offset, 0);
    }
  });

  it("is loud but does not clip", () => {
    for (const voice of voices) {
      const peak = Math.max(...makeSound(voice).samples.map(Math.abs));
      assertGreater(peak, 16000);
      assertLess(peak, 17000);
    }
  });

  it("never repeats itself: no piece of it is found a second time", () => {
    for (const voice of voices) {
      const sound = makeSound(voice, { sampleRate: 8000, seconds: 6 });
      for (let at = 4000; at + 12000 < 36000; at += 4000) {
        const piece = { ...sound, samples: sound.samples.slice(at, at + 8000) };
        const rest = { ...sound, samples: sound.samples.map((s, i) => i >= at && i < at + 8000 ? 0 : s) };
        assertLess(correlate(piece, rest, { window: 1, maxLag: 6 }).median, 0.75);
      }
    }
  });

  it("refuses a rate that cannot carry it and a length of nothing", () => {
    assertThrows(() => makeSound("caller", { sampleRate: 4000 }), RangeError);
    assertThrows(() => makeSound("callee", { seconds: 0.5 }), RangeError);
    assertThrows(() => makeSound("callee", { seconds: NaN }), RangeError);
  });
});
