// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import {
  AudioMixer,
  MixerPort,
  PJSIPError,
  RecordingWaveFile,
  SIPCoreInvalidStateError,
  ToneGenerator,
} from "../mod.ts";
import { readWav } from "../scripts/wav.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { amplitudeOf } from "./support/tones.ts";

describe("MixerPort", () => {
  let folder = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-port-"));
    await startEngine();
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  it("MixerPort has a slot from start() to stop(), once", () => {
    using mixer = new AudioMixer(null, null);
    using port = new MixerPort(mixer);
    assert(port.mixer === mixer);
    assertEquals([port.isActive, port.slot], [false, null]);
    port.stop();
    port.start();
    assertEquals([port.isActive, port.slot, mixer.usedSlotCount], [true, 1, 1]);
    assertThrows(() => port.start(), SIPCoreInvalidStateError, "started before");
    mixer.connectSlots(0, port);
    mixer.connectSlots(port, 0);
    port.stop();
    port.stop();
    assertEquals([port.isActive, port.slot, mixer.usedSlotCount, mixer.connectedSlots], [false, null, 0, []]);
    assertThrows(() => port.start(), SIPCoreInvalidStateError, "started before");
    assertThrows(() => mixer.connectSlots(0, port), SIPCoreInvalidStateError, "no slot");
  });

  it("MixerPort refuses what is no mixer, and a closed one", () => {
    for (const wrong of [null, undefined, 1, {}, "mixer"]) {
      assertThrows(() => new MixerPort(wrong as never), TypeError, "mixer");
    }
    const mixer = new AudioMixer(null, null);
    const port = new MixerPort(mixer);
    mixer.close();
    assertThrows(() => port.start(), SIPCoreInvalidStateError, "closed");
    assertEquals([port.isActive, port.slot], [false, null]);
  });

  it("MixerPort ends with its mixer, and with the engine", async () => {
    const mixer = new AudioMixer(null, null);
    const port = new MixerPort(mixer);
    port.start();
    mixer.close();
    assertEquals([port.isActive, port.slot, mixer.usedSlotCount], [false, null, 0]);
    const other = new MixerPort(new AudioMixer(null, null));
    other.start();
    await stopEngine();
    assertEquals([other.isActive, other.slot], [false, null]);
    other.stop();
    assertThrows(() => new MixerPort(mixer).start(), SIPCoreInvalidStateError, "not running");
    await startEngine();
  });

  it("MixerPort that finds no slot can be started when there is one", () => {
    using mixer = new AudioMixer(null, null, { slotCount: 2 });
    using first = new MixerPort(mixer);
    using second = new MixerPort(mixer);
    first.start();
    assertThrows(() => second.start(), PJSIPError, "Could not start the mixer port: Every slot");
    assertEquals([second.isActive, mixer.usedSlotCount], [false, 1]);
    first.stop();
    second.start();
    assertEquals(second.slot, 1);
  });

  it("MixerPort says to all of its sinks what all of its sources say, at every rate", async () => {
    await Promise.all([8000, 16000, 44100, 48000].map(async (sampleRate) => {
      using mixer = new AudioMixer(null, null, { sampleRate });
      using port = new MixerPort(mixer);
      port.start();
      const frequencies = [440, 700, 1100];
      const generators = frequencies.map((frequency) => {
        const generator = new ToneGenerator(mixer);
        generator.start();
        generator.playTones([[frequency, 0, 600]]);
        return generator;
      });
      const recorders = [0, 1].map((index) => {
        const recorder = new RecordingWaveFile(mixer, join(folder, `${sampleRate}-${index}.wav`));
        recorder.start();
        mixer.connectSlots(port, recorder);
        return recorder;
      });
      const ends = generators.map((generator) => generator.notifications().next());
      for (const generator of generators) mixer.connectSlots(generator, port);
      await Promise.all(ends);
      for (const one of [...generators, ...recorders]) one.stop();
      for (const { filename } of recorders) {
        const sound = await readWav(filename);
        for (const frequency of frequencies) assertGreater(amplitudeOf(sound, frequency), 4000);
        assertLess(amplitudeOf(sound, 900), 200);
      }
    }));
  });
});
