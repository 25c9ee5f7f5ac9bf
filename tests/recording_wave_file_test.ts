// SPDX-License-Identifier: GPL-2.0-or-later
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
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
import { decodeWav, duration, readWav, writeWav } from "../scripts/wav.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { startProgram } from "./support/program.ts";
import { until } from "./support/until.ts";

describe("RecordingWaveFile", () => {
  const sound = makeSound("callee", { seconds: 1.2 });
  let folder = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-recording-"));
    await writeWav(file("sound.wav"), sound);
    await startEngine();
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  it("RecordingWaveFile has its attributes before, while and after it records, and records once", () => {
    using mixer = new AudioMixer(null, null);
    using recorder = new RecordingWaveFile(mixer, file("once.wav"));
    assert(recorder.mixer === mixer);
    assertEquals([recorder.filename, recorder.isActive, recorder.slot], [file("once.wav"), false, null]);
    recorder.stop();
    recorder.start();
    assertEquals([recorder.isActive, recorder.slot, mixer.usedSlotCount], [true, 1, 1]);
    assertThrows(() => recorder.start(), SIPCoreInvalidStateError, "started before");
    recorder.stop();
    recorder.stop();
    assertEquals([recorder.isActive, recorder.slot, mixer.usedSlotCount], [false, null, 0]);
    assertThrows(() => recorder.start(), SIPCoreInvalidStateError, "started before");
  });

  it("RecordingWaveFile.stop() leaves a whole file, at the mixer's rate", async () => {
    await Promise.all([8000, 16000, 48000].map(async (sampleRate) => {
      using mixer = new AudioMixer(null, null, { sampleRate });
      const recorder = await record(mixer, `rate-${sampleRate}.wav`);
      recorder.stop();
      // At once: nothing of it may come later.
      const bytes = readFileSync(recorder.filename);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      assertEquals([view.getUint32(4, true), view.getUint32(40, true)], [
        bytes.length - 8,
        bytes.length - 44,
      ]);
      assertEquals([view.getUint32(24, true), view.getUint32(28, true)], [sampleRate, sampleRate * 2]);
      assertGreater(correlate(sound, decodeWav(bytes)).median, 0.97);
    }));
  });

  it("RecordingWaveFile records nothing while nothing is connected", async () => {
    using mixer = new AudioMixer(null, null);
    const idle = new RecordingWaveFile(mixer, file("idle.wav"));
    idle.start();
    (await record(mixer, "busy.wav")).stop();
    idle.stop();
    assertEquals((await readFile(idle.filename)).length, 44);
    assertEquals(duration(await readWav(idle.filename)), 0);
  });

  it("RecordingWaveFile replaces the file that stood there", async () => {
    using mixer = new AudioMixer(null, null);
    await writeFile(file("old.wav"), "x".repeat(1000));
    const recorder = new RecordingWaveFile(mixer, file("old.wav"));
    recorder.start();
    recorder.stop();
    assertEquals((await readFile(file("old.wav"))).length, 44);
  });

  it("RecordingWaveFile.start() throws a PJSIPError that names the file it cannot write", async () => {
    using mixer = new AudioMixer(null, null);
    execFileSync("mkfifo", [file("pipe.wav")]);
    await writeFile(file("locked.wav"), "");
    await chmod(file("locked.wav"), 0o400);
    const paths = [file("no/such/folder.wav"), folder, file("pipe.wav")];
    if (process.getuid?.() !== 0) paths.push(file("locked.wav"));
    for (const path of paths) {
      const recorder = new RecordingWaveFile(mixer, path);
      const error = assertThrows(() => recorder.start(), PJSIPError, `Could not record to ${path}`);
      assertGreater(error.errno, 0);
      assertEquals([recorder.isActive, mixer.usedSlotCount], [false, 0]);
    }
    // It was not started, so it may be again.
    const later = new RecordingWaveFile(mixer, file("later/a.wav"));
    assertThrows(() => later.start(), PJSIPError);
    execFileSync("mkdir", [file("later")]);
    later.start();
    later.stop();
  });

  it("RecordingWaveFile.start() throws when the disk is full", () => {
    using mixer = new AudioMixer(null, null);
    const full = new RecordingWaveFile(mixer, "/dev/full");
    assertEquals(assertThrows(() => full.start(), PJSIPError, "/dev/full").errno, 28);
  });

  it("RecordingWaveFile that cannot be written tells so at stop(), and when its mixer closes, which does", {
    skip: process.platform === "linux" ? false : "prlimit is Linux's",
  }, async () => {
    const ignore = (): void => {};
    process.on("SIGXFSZ", ignore);
    for (const end of ["recorder", "mixer"] as const) {
      const mixer = new AudioMixer(null, null);
      const recorder = new RecordingWaveFile(mixer, file("gone.wav"));
      const wave = new WaveFile(mixer, file("sound.wav"), { loop: true });
      recorder.start();
      // A process may not write beyond a size that it was given: here that of any sound at all.
      execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=44:unlimited"]);
      try {
        wave.start();
        mixer.connectSlots(wave, recorder);
        await until(() => mixer.getSignalLevel(recorder).tx > 0, "It hears nothing");
        if (end === "recorder") {
          assertThrows(() => recorder.stop(), PJSIPError, `Could not write all of ${recorder.filename}`);
          mixer.close();
        } else {
          const told = new NotificationCenter().once("SIPEngineGotException");
          mixer.close();
          const { data } = await deadline(told, 5000);
          assert(data.value instanceof PJSIPError, String(data.value));
        }
      } finally {
        execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited:unlimited"]);
      }
      wave.stop();
      assertEquals([recorder.isActive, wave.isActive, mixer.usedSlotCount], [false, false, 0]);
    }
    process.off("SIGXFSZ", ignore);
  });

  it("RecordingWaveFile is whole when the engine stops in the middle", async () => {
    const mixer = new AudioMixer(null, null);
    const recorder = await record(mixer, "stopped.wav");
    await stopEngine();
    assertEquals([recorder.isActive, recorder.slot], [false, null]);
    recorder.stop();
    assertGreater(correlate(sound, await readWav(recorder.filename)).median, 0.97);
    await startEngine();
  });

  it("RecordingWaveFile of a process that is killed lacks its last second at most", async () => {
    const program = startProgram("record", [file("sound.wav"), file("killed.wav")]);
    try {
      await program.line(/^recording$/, 20_000);
      await until(() => readFileSync(file("killed.wav")).length > 100_000, "Nothing is recorded");
    } finally {
      program.kill();
      await program.ended;
    }
    const bytes = await readFile(file("killed.wav"));
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const said = view.getUint32(40, true);
    assertEquals(view.getUint32(4, true), said + 36);
    assert(said >= 32000 && said <= bytes.length - 44 && said > bytes.length - 44 - 64000, `${said} bytes`);
    assertGreater(correlate(sound, decodeWav(bytes)).median, 0.9);
  });

  /** Records the sound once; it is still recording when this resolves. */
  async function record(mixer: AudioMixer, name: string): Promise<RecordingWaveFile> {
    using wave = new WaveFile(mixer, file("sound.wav"));
    const recorder = new RecordingWaveFile(mixer, file(name));
    recorder.start();
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, recorder);
    await deadline(ended, 10_000);
    return recorder;
  }
});
