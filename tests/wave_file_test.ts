// SPDX-License-Identifier: GPL-2.0-or-later
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  AudioMixer,
  NotificationCenter,
  PJSIPError,
  RecordingWaveFile,
  SIPCoreInvalidStateError,
  WaveFile,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { encodeWav, readWav, type Sound, writeWav } from "../scripts/wav.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { until } from "./support/until.ts";
import { ALAW, chunk, ULAW, wav } from "./support/wave_bytes.ts";

describe("WaveFile", () => {
  const melody = makeSound("caller", { seconds: 1.5 });
  let folder = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-wave-"));
    await writeWav(file("melody.wav"), melody);
    await writeWav(file("blïp ♪.wav"), { sampleRate: 8000, samples: new Int16Array(800).fill(1000) });
    await startEngine();
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  it("WaveFile has its attributes before and while it plays", () => {
    using mixer = new AudioMixer(null, null);
    using wave = new WaveFile(mixer, file("melody.wav"));
    const facts = (): unknown[] => [wave.isActive, wave.slot, wave.volume, wave.loop];
    assertEquals(facts(), [false, null, 100, false]);
    assert(wave.mixer === mixer);
    assertEquals(wave.filename, file("melody.wav"));
    wave.start();
    assertEquals(facts(), [true, 1, 100, false]);
    assertThrows(() => wave.start(), SIPCoreInvalidStateError, "plays already");
    wave.volume = 30;
    wave.stop();
    assertEquals(facts(), [false, null, 30, false]);
    for (const volume of [-1, NaN, 1e9]) assertThrows(() => wave.volume = volume, RangeError, "volume");
  });

  it("WaveFile refuses bad arguments", () => {
    using mixer = new AudioMixer(null, null);
    assertThrows(() => new WaveFile({} as never, "a.wav"), TypeError, "mixer");
    assertThrows(() => new WaveFile(mixer, "a\0.wav"), TypeError, "filename");
    assertThrows(() => new WaveFile(mixer, 5 as never), TypeError, "filename");
    assertThrows(() => new WaveFile(mixer, "a.wav", { loop: 1 as never }), TypeError, "loop");
  });

  it("WaveFile plays to its end, tells so once, and plays again", async () => {
    using mixer = new AudioMixer(null, null);
    using wave = new WaveFile(mixer, file("blïp ♪.wav"));
    using told = observe(wave);
    for (let round = 1; round <= 2; round++) {
      wave.start();
      mixer.connectSlots(wave, 0);
      await until(() => told.reasons.length === round, "It does not end");
      assertEquals([wave.isActive, wave.slot, mixer.connectedSlots], [false, null, []]);
    }
    assertEquals(told.reasons, ["end", "end"]);
  });

  it('WaveFile.stop() tells "stopped" after it has returned, and nothing when it does not play', async () => {
    using mixer = new AudioMixer(null, null);
    const wave = new WaveFile(mixer, file("melody.wav"));
    using told = observe(wave);
    wave.stop();
    wave.start();
    wave.stop();
    assertEquals(told.reasons, []);
    wave.stop();
    wave.start();
    wave[Symbol.dispose]();
    await until(() => told.reasons.length === 2, "It does not tell");
    assertEquals(told.reasons, ["stopped", "stopped"]);
    wave[Symbol.dispose]();
  });

  it("WaveFile.notifications() ends when the file is disposed of", async () => {
    using mixer = new AudioMixer(null, null);
    const wave = new WaveFile(mixer, file("melody.wav"));
    const notes = wave.notifications();
    wave.start();
    wave[Symbol.dispose]();
    const seen: unknown[] = [];
    for await (const { data, sender } of notes) seen.push(data.reason, sender === wave);
    assertEquals(seen, ["stopped", true]);
  });

  it("WaveFile waits until it is connected", async () => {
    using mixer = new AudioMixer(null, null);
    using wave = new WaveFile(mixer, file("melody.wav"));
    using blip = new WaveFile(mixer, file("blïp ♪.wav"));
    using recorder = record(mixer, "waited.wav");
    wave.start();
    // Another file that plays meanwhile shows that time has passed.
    await playOnce(mixer, blip);
    assertEquals(mixer.getSignalLevel(wave).rx, 0);
    const ended = wave.notifications().next();
    mixer.connectSlots(wave, recorder);
    await deadline(ended, 10_000);
    recorder.stop();
    assertGreater(correlate(melody, await readWav(recorder.filename)).median, 0.98);
  });

  it("WaveFile plays over and over with loop, until it is stopped", async () => {
    using mixer = new AudioMixer(null, null);
    using wave = new WaveFile(mixer, file("blïp ♪.wav"), { loop: true });
    using long = new WaveFile(mixer, file("melody.wav"));
    using told = observe(wave);
    using recorder = record(mixer, "looped.wav");
    wave.start();
    mixer.connectSlots(wave, recorder);
    await playOnce(mixer, long);
    assertEquals([wave.isActive, told.reasons], [true, []]);
    wave.stop();
    await until(() => told.reasons.length === 1, "It does not tell");
    recorder.stop();
    const { samples } = await readWav(recorder.filename);
    assertGreater(samples.filter((sample) => sample > 900).length, 16000);
  });

  it("WaveFile plays A-law and µ-law", async () => {
    const sound = makeSound("callee", { sampleRate: 8000, seconds: 1 });
    await Promise.all(([["a-law.wav", ALAW, aLaw], ["mu-law.wav", ULAW, muLaw]] as const).map(
      async ([name, tag, code]) => {
        const bytes = Uint8Array.from(sound.samples, (sample) => code(sample));
        await writeFile(file(name), wav({ tag, bits: 8, rate: 8000 }, bytes));
        assertGreater(correlate(sound, await heard(name)).median, 0.98);
      },
    ));
  });

  it("WaveFile plays what stands after other chunks, and what is there of a file that was cut", async () => {
    const sound = makeSound("callee", { seconds: 1.5 });
    const plain = encodeWav(sound);
    await writeFile(file("junk.wav"), [plain.subarray(0, 12), chunk("JUNK", 28), plain.subarray(12)]);
    assertGreater(correlate(sound, await heard("junk.wav")).median, 0.98);
    await writeFile(file("cut.wav"), plain);
    await truncate(file("cut.wav"), 44 + 32000);
    const start = { sampleRate: 16000, samples: sound.samples.slice(0, 16000) };
    const recording = await heard("cut.wav");
    assertGreater(correlate(start, recording).median, 0.98);
    assert(recording.samples.length < 20000, `${recording.samples.length} samples of 16000`);
  });

  it("WaveFile at another rate is played to its very end", async () => {
    const samples = new Int16Array(8000);
    // The last 10 ms: what resamples holds back more than that.
    samples.fill(8000, 7920);
    await writeWav(file("end.wav"), { sampleRate: 8000, samples });
    const loud = (await heard("end.wav")).samples.filter((sample) => sample > 4000).length;
    assert(Math.abs(loud - 160) <= 4, `${loud} samples of 160`);
  });

  it("WaveFile plays the mean of two channels", async () => {
    const sound = makeSound("callee", { seconds: 1 });
    const both = new Int16Array(sound.samples.length * 2);
    sound.samples.forEach((sample, index) => both.set([sample, index % 100 * 100], index * 2));
    await writeFile(file("stereo.wav"), wav({ channels: 2 }, new Uint8Array(both.buffer)));
    const mean = sound.samples.map((sample, index) => (sample + index % 100 * 100) / 2);
    assertGreater(correlate({ sampleRate: 16000, samples: mean }, await heard("stereo.wav")).median, 0.98);
    const bytes = Uint8Array.from(sound.samples, (sample) => muLaw(sample));
    const twice = new Uint8Array(bytes.length * 2);
    bytes.forEach((byte, index) => twice.fill(byte, index * 2, index * 2 + 2));
    await writeFile(file("stereo-law.wav"), wav({ tag: ULAW, bits: 8, channels: 2 }, twice));
    assertGreater(correlate(sound, await heard("stereo-law.wav")).median, 0.98);
  });

  it("WaveFile that is cut short while it plays ends there, with loop begins again there, and stops nobody else", async () => {
    using mixer = new AudioMixer(null, null);
    const [once, over, gone] = ["once.wav", "over.wav", "gone.wav"].map(file);
    for (const name of [once!, over!, gone!]) {
      await writeWav(name, { sampleRate: 16000, samples: new Int16Array(16000 * 20).fill(5000) });
    }
    using short = new WaveFile(mixer, once!);
    using looped = new WaveFile(mixer, over!, { loop: true });
    using emptied = new WaveFile(mixer, gone!, { loop: true });
    using recorder = record(mixer, "over-heard.wav");
    const ends = [short, emptied].map((wave) => wave.notifications().next());
    for (const wave of [short, looped, emptied]) wave.start();
    await Promise.all([truncate(once!, 44 + 6400), truncate(over!, 44 + 4801), truncate(gone!, 30)]);
    mixer.connectSlots(looped, recorder);
    for (const wave of [short, emptied]) mixer.connectSlots(wave, 0);
    for (const end of ends) assertEquals((await deadline(end, 10_000)).value?.data.reason, "end");
    // The others go on.
    using blip = new WaveFile(mixer, file("melody.wav"));
    await playOnce(mixer, blip);
    assertEquals(looped.isActive, true);
    recorder.stop();
    const { samples } = await readWav(recorder.filename);
    assertGreater(samples.length, 16000);
    assertEquals(samples.filter((sample) => sample !== 5000).length, 0);
  });

  it("WaveFile plays at another rate than the mixer's, in the same time", async () => {
    const sound = makeSound("caller", { sampleRate: 44100, seconds: 1 });
    await writeWav(file("cd.wav"), sound);
    const recording = await heard("cd.wav");
    assertEquals(recording.sampleRate, 16000);
    assertGreater(correlate(sound, recording).median, 0.95);
  });

  it("WaveFile.start() throws a PJSIPError that names the file and what is wrong with it", async () => {
    const sound = new Uint8Array(3200);
    const files: readonly (readonly [name: string, bytes: Uint8Array | string | null, message: RegExp])[] = [
      ["missing.wav", null, /No such file/],
      ["empty.wav", "", /valid/i],
      ["text.wav", "This is not a sound. ".repeat(10), /valid/i],
      ["header.wav", wav({}, sound).slice(0, 30), /valid/i],
      ["rate-0.wav", wav({ rate: 0 }, sound), /unsupported/i],
      ["rate-odd.wav", wav({ rate: 11025 }, sound), /unsupported/i],
      ["rate-huge.wav", wav({ rate: 0xffffffff }, sound), /unsupported/i],
      ["surround.wav", wav({ channels: 6 }, sound), /unsupported/i],
      ["no-channel.wav", wav({ channels: 0 }, sound), /unsupported/i],
      ["bits.wav", wav({ bits: 24 }, sound), /unsupported/i],
      ["float.wav", wav({ tag: 3, bits: 32 }, sound), /unsupported/i],
      ["silent.wav", wav({}, new Uint8Array(0)), /too short|valid/i],
      ["short.wav", wav({}, new Uint8Array(100)), /too short/i],
    ];
    using mixer = new AudioMixer(null, null);
    for (const [name, bytes, message] of files) {
      if (bytes !== null) await writeFile(file(name), bytes);
      const wave = new WaveFile(mixer, file(name));
      const error = assertThrows(() => wave.start(), PJSIPError, `Could not play ${file(name)}`);
      assert(message.test(error.message), error.message);
      assertEquals(error.errno, bytes === null ? 2 : 0);
      assertEquals([wave.isActive, wave.slot, mixer.usedSlotCount], [false, null, 0]);
    }
  });

  it("WaveFile.start() refuses a folder and a pipe at once", () => {
    using mixer = new AudioMixer(null, null);
    execFileSync("mkfifo", [file("pipe.wav")]);
    for (const path of [folder, file("pipe.wav")]) {
      assertThrows(() => new WaveFile(mixer, path).start(), PJSIPError, `Could not play ${path}`);
    }
  });

  /** Resolves when the file has played to its end. */
  async function playOnce(
    mixer: AudioMixer,
    wave: WaveFile,
    sink: number | RecordingWaveFile = 0,
  ): Promise<void> {
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, sink);
    assertEquals((await deadline(ended, 10_000)).value?.data.reason, "end");
  }

  function record(mixer: AudioMixer, name: string): RecordingWaveFile {
    const recorder = new RecordingWaveFile(mixer, file(name));
    recorder.start();
    return recorder;
  }

  /** What a mixer of 16 kHz makes of a file. */
  async function heard(name: string): Promise<Sound> {
    using mixer = new AudioMixer(null, null);
    using wave = new WaveFile(mixer, file(name));
    const recorder = record(mixer, `heard-${name}`);
    await playOnce(mixer, wave, recorder);
    recorder.stop();
    return await readWav(recorder.filename);
  }
});

/** Collects the reasons that a file tells. */
function observe(wave: WaveFile): Disposable & { readonly reasons: string[] } {
  const reasons: string[] = [];
  const observer = new NotificationCenter().addObserver(({ data }) => void reasons.push(data.reason), {
    name: "WaveFileDidFinishPlaying",
    sender: wave,
  });
  return { reasons, [Symbol.dispose]: () => observer[Symbol.dispose]() };
}

/** ITU-T G.711, µ-law. */
function muLaw(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), 32635) + 132;
  const exponent = Math.floor(Math.log2(magnitude)) - 7;
  const mantissa = magnitude >> (exponent + 3) & 15;
  return ~((sample < 0 ? 128 : 0) | exponent << 4 | mantissa) & 255;
}

/** ITU-T G.711, A-law. */
function aLaw(sample: number): number {
  const magnitude = Math.min(sample < 0 ? ~sample : sample, 32767) >> 3;
  const exponent = Math.max(0, Math.floor(Math.log2(magnitude || 1)) - 4);
  const mantissa = exponent === 0 ? magnitude >> 1 & 15 : magnitude >> exponent & 15;
  return ((sample < 0 ? 0 : 128) | exponent << 4 | mantissa) ^ 0x55;
}
