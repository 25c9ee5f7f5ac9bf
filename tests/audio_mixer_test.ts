// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import {
  AudioMixer,
  type AudioMixerOptions,
  Engine,
  PJSIPError,
  RecordingWaveFile,
  SIPCoreInvalidStateError,
  WaveFile,
} from "../mod.ts";
import { openedLibrary } from "../ffi/library.ts";
import { readAnswer } from "../ffi/wire.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, type Sound, writeWav } from "../scripts/wav.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { until } from "./support/until.ts";

describe("AudioMixer", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-mixer-"));
    await writeWav(file("caller.wav"), makeSound("caller", { seconds: 2 }));
    await writeWav(file("callee.wav"), makeSound("callee", { seconds: 2 }));
    await writeWav(file("tone.wav"), tone(1000, 8000));
    await startEngine();
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  it("AudioMixer has the defaults of the documentation", () => {
    using mixer = new AudioMixer(null, null);
    const { inputDevice, outputDevice, sampleRate, ecTailLength, slotCount, usedSlotCount } = mixer;
    assertEquals(
      { inputDevice, outputDevice, sampleRate, ecTailLength, slotCount, usedSlotCount },
      {
        inputDevice: null,
        outputDevice: null,
        sampleRate: 16000,
        ecTailLength: 200,
        slotCount: 254,
        usedSlotCount: 0,
      },
    );
    assertEquals([mixer.inputVolume, mixer.outputVolume, mixer.muted], [100, 100, false]);
    assertEquals(mixer.connectedSlots, []);
  });

  it("AudioMixer refuses what no mixer can be", () => {
    const wrong: AudioMixerOptions[] = [
      { sampleRate: 0 },
      { sampleRate: 8010 },
      { sampleRate: -8000 },
      { sampleRate: NaN },
      { slotCount: 0 },
      { slotCount: 1.5 },
      { ecTailLength: -1 },
    ];
    for (const options of wrong) assertThrows(() => new AudioMixer(null, null, options), RangeError);
    assertThrows(() => new AudioMixer("Spea\0kers", null), TypeError, "inputDevice");
    assertThrows(() => new AudioMixer(null, 1 as never), TypeError, "outputDevice");
  });

  it("AudioMixer works at every usual rate, several at once", () => {
    const mixers = [8000, 11050, 16000, 32000, 44100, 48000].map((sampleRate) =>
      new AudioMixer(null, null, { sampleRate })
    );
    for (const mixer of mixers) mixer.close();
  });

  it("AudioMixer is driven by a clock of 50 ticks a second, which tells how late it was", async () => {
    const figures = (): number[] => {
      const reader = readAnswer((buffer, capacity) => openedLibrary()!.sc_clock_figures(buffer, capacity))!;
      return [reader.f64(), reader.f64(), reader.f64()];
    };
    using _mixer = new AudioMixer(null, null);
    const begin = performance.now();
    const [before] = figures();
    const ticked = await until(
      () => figures()[0]! >= before! + 25 ? figures() : null,
      "The clock stands still",
    );
    assert(performance.now() - begin > 450, "It is too fast");
    assert(ticked[1]! <= ticked[0]!);
    assert(ticked[2]! >= 0);
  });

  it("AudioMixer.muted keeps the volume, which ends it when it is set", () => {
    using mixer = new AudioMixer(null, null);
    mixer.inputVolume = 150;
    mixer.muted = true;
    assertEquals([mixer.muted, mixer.inputVolume], [true, 150]);
    mixer.inputVolume = 0;
    assertEquals(mixer.muted, true);
    mixer.inputVolume = 30;
    assertEquals(mixer.muted, false);
    mixer.outputVolume = 0;
    assertEquals(mixer.outputVolume, 0);
    for (const volume of [-1, 0.5, Infinity]) {
      assertThrows(() => mixer.inputVolume = volume, RangeError, "inputVolume");
      assertThrows(() => mixer.outputVolume = volume, RangeError, "outputVolume");
    }
    assertEquals([mixer.inputVolume, mixer.outputVolume], [30, 0]);
  });

  it("AudioMixer.setSoundDevices() without devices sets the echo canceller's tail", () => {
    using mixer = new AudioMixer(null, null);
    mixer.setSoundDevices(null, null, 50);
    assertEquals([mixer.inputDevice, mixer.outputDevice, mixer.ecTailLength], [null, null, 50]);
    assertThrows(() => mixer.setSoundDevices(null, null, -1), RangeError, "ecTailLength");
    assertThrows(() => mixer.setSoundDevices(1 as never, null, 0), TypeError, "inputDevice");
    assertThrows(() => mixer.setSoundDevices(null, "\ud800", 0), TypeError, "outputDevice");
    assertEquals(mixer.ecTailLength, 50);
  });

  it("AudioMixer.connectSlots() connects once, disconnectSlots() ends it, connectedSlots is sorted", () => {
    using mixer = new AudioMixer(null, null);
    const [one, two] = [player(mixer), player(mixer)];
    assertEquals([one.slot, two.slot, mixer.usedSlotCount], [1, 2, 2]);
    mixer.connectSlots(two, one);
    mixer.connectSlots(one, 2);
    mixer.connectSlots(1, two);
    mixer.connectSlots(0, 2);
    assertEquals(mixer.connectedSlots, [[0, 2], [1, 2], [2, 1]]);
    mixer.disconnectSlots(2, 1);
    mixer.disconnectSlots(2, 1);
    assertEquals(mixer.connectedSlots, [[0, 2], [1, 2]]);
    two.stop();
    assertEquals([mixer.connectedSlots, mixer.usedSlotCount], [[], 1]);
    one.stop();
  });

  it("AudioMixer refuses to connect what has no slot here", () => {
    using mixer = new AudioMixer(null, null, { slotCount: 10 });
    using elsewhere = new AudioMixer(null, null);
    const stranger = player(elsewhere);
    const idle = new WaveFile(mixer, file("tone.wav"));
    assertThrows(() => mixer.connectSlots(idle, 0), SIPCoreInvalidStateError, "source has no slot");
    assertThrows(() => mixer.connectSlots(0, idle), SIPCoreInvalidStateError, "sink has no slot");
    assertThrows(() => mixer.connectSlots(stranger, 0), TypeError, "another mixer");
    assertThrows(() => mixer.connectSlots(5, 0), PJSIPError, "Could not connect slot 5 to 0");
    assertThrows(() => mixer.connectSlots(0, 5), PJSIPError);
    for (const slot of [-1, 10, 0.5, NaN]) {
      assertThrows(() => mixer.connectSlots(slot, 0), RangeError, "source");
    }
    for (const slot of [null, undefined, "1", {}]) {
      assertThrows(() => mixer.connectSlots(0, slot as never), TypeError, "sink");
    }
    assertThrows(() => mixer.getSignalLevel(5), PJSIPError, "signal level");
    assertThrows(() => mixer.getSignalLevel(idle), SIPCoreInvalidStateError);
    assertEquals(mixer.connectedSlots, []);
    mixer.disconnectSlots(5, 6);
    stranger.stop();
  });

  it("AudioMixer is full when its slots are, and has room again when one leaves", () => {
    using mixer = new AudioMixer(null, null, { slotCount: 3 });
    const [first, second] = [player(mixer), player(mixer)];
    const third = new WaveFile(mixer, file("tone.wav"));
    assertThrows(() => third.start(), PJSIPError, "Could not play");
    assertEquals([third.isActive, third.slot, mixer.usedSlotCount], [false, null, 2]);
    const freed = first.slot;
    first.stop();
    third.start();
    assertEquals(third.slot, freed);
    second.stop();
    third.stop();
  });

  it("AudioMixer.getSignalLevel() tells what a slot says and what it hears", async () => {
    using mixer = new AudioMixer(null, null);
    const source = player(mixer);
    const sink = recorder(mixer, "level.wav");
    assertEquals([mixer.getSignalLevel(source), mixer.getSignalLevel(0)], [{ tx: 0, rx: 0 }, {
      tx: 0,
      rx: 0,
    }]);
    mixer.connectSlots(source, sink);
    const said = await until(() => mixer.getSignalLevel(source).rx || null, "The source says nothing");
    const heard = await until(() => mixer.getSignalLevel(sink.slot!).tx || null, "The sink hears nothing");
    for (const level of [said, heard]) assert(level > 0 && level <= 255);
    assertEquals([mixer.getSignalLevel(source).tx, mixer.getSignalLevel(sink).rx], [0, 0]);
    mixer.disconnectSlots(source, sink);
    await until(() => mixer.getSignalLevel(sink).tx === 0, "The sink hears on");
    source.stop();
    sink.stop();
  });

  it("AudioMixer mixes what is connected to one slot", async () => {
    using mixer = new AudioMixer(null, null);
    const sources = ["caller.wav", "callee.wav"].map((name) => new WaveFile(mixer, file(name)));
    const sink = recorder(mixer, "mixed.wav");
    const ended = sources.map((source) => source.notifications("WaveFileDidFinishPlaying").next());
    for (const source of sources) {
      source.start();
      mixer.connectSlots(source, sink);
    }
    await Promise.all(ended);
    sink.stop();
    const mixed = await readWav(file("mixed.wav"));
    for (const { filename } of sources) {
      assertGreater(correlate(await readWav(filename), mixed, { maxOffset: 0.5 }).median, 0.5);
    }
  });

  it("WaveFile.volume and 0 % are heard", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    const loudness = await Promise.all([100, 50, 200, 0].map(async (volume, index) => {
      const source = new WaveFile(mixer, file("tone.wav"));
      source.volume = volume;
      const sink = recorder(mixer, `volume${index}.wav`);
      const ended = source.notifications("WaveFileDidFinishPlaying").next();
      source.start();
      mixer.connectSlots(source, sink);
      await ended;
      sink.stop();
      return peak(await readWav(sink.filename));
    }));
    const [full, half, double, none] = loudness;
    assert(Math.abs(full! - 8000) < 100, `100 %: ${full}`);
    assert(Math.abs(half! - 4000) < 100, `50 %: ${half}`);
    assert(Math.abs(double! - 16000) < 200, `200 %: ${double}`);
    assertEquals(none, 0);
  });

  it("AudioMixer.close() silences what stands in it, and may be repeated", () => {
    const mixer = new AudioMixer(null, null);
    const [source, sink] = [player(mixer), recorder(mixer, "closed.wav")];
    mixer.connectSlots(source, sink);
    mixer.close();
    mixer.close();
    mixer[Symbol.dispose]();
    for (
      const use of [
        () => mixer.connectSlots(0, 1),
        () => mixer.getSignalLevel(0),
        () => mixer.inputVolume = 50,
        () => new WaveFile(mixer, file("tone.wav")).start(),
        () => new RecordingWaveFile(mixer, file("never.wav")).start(),
      ]
    ) assertThrows(use, SIPCoreInvalidStateError);
    assertEquals(mixer.connectedSlots, []);
    source.stop();
    sink.stop();
    assertEquals([source.isActive, sink.isActive], [false, false]);
  });

  it("AudioMixer and what stands in it end with the engine", async () => {
    const mixer = new AudioMixer(null, null);
    const source = player(mixer);
    const ended = source.notifications().next();
    await stopEngine();
    const { value } = await ended;
    assertEquals([value?.name, value?.data.reason], ["WaveFileDidFinishPlaying", "stopped"]);
    assertEquals([source.isActive, source.slot, mixer.connectedSlots], [false, null, []]);
    source.stop();
    mixer.close();
    for (
      const use of [() => source.start(), () => mixer.connectSlots(0, 1), () => new AudioMixer(null, null)]
    ) {
      const error = assertThrows(use, SIPCoreInvalidStateError);
      assertEquals(error.code, "ENGINE_NOT_RUNNING");
    }
    await startEngine();
    assertThrows(() => source.start(), SIPCoreInvalidStateError, "The mixer is closed");
    assertEquals(new Engine().isRunning, true);
  });

  /** A file that plays over and over. */
  function player(mixer: AudioMixer): WaveFile {
    const source = new WaveFile(mixer, file("tone.wav"), { loop: true });
    source.start();
    return source;
  }

  function recorder(mixer: AudioMixer, name: string): RecordingWaveFile {
    const sink = new RecordingWaveFile(mixer, file(name));
    sink.start();
    return sink;
  }
});

/** Half a second at 8 kHz. */
function tone(frequency: number, amplitude: number): Sound {
  const sampleRate = 8000;
  const sample = (_: unknown, index: number): number =>
    Math.round(amplitude * Math.sin(2 * Math.PI * frequency * index / sampleRate));
  return { sampleRate, samples: Int16Array.from({ length: sampleRate / 2 }, sample) };
}

function peak({ samples }: Sound): number {
  return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
}
