// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { duration, readWav, type Sound, writeWav } from "../scripts/wav.ts";
import { readRaw, skipWithoutAlsa, tellingProgram, writeAlsaConfig, writeRaw } from "./support/alsa.ts";
import { skipWithoutProc } from "./support/process_figures.ts";

const patient = { timeout: 60_000 };
const played = makeSound("caller", { seconds: 2, sampleRate: 16000 });
const said = makeSound("callee", { seconds: 8, sampleRate: 16000 });
/** What of it is heard while the other one is played. */
const heardOfIt: Sound = { ...said, samples: said.samples.subarray(0, 2 * 16000) };

/** Its effective value from the second `from` on. */
function loudness({ samples, sampleRate }: Sound, from: number): number {
  const part = samples.subarray(from * sampleRate);
  return Math.sqrt(part.reduce((sum, sample) => sum + sample * sample, 0) / part.length);
}

describe("AudioMixer with sound devices", { skip: skipWithoutAlsa || skipWithoutProc }, () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);

  beforeEach(async () => {
    if (folder) await rm(folder, { recursive: true });
    folder = await mkdtemp(join(tmpdir(), "sipcore-mixer-devices-"));
    await writeWav(file("play.wav"), played);
    writeRaw(file("microphone.raw"), said);
    writeRaw(file("other_microphone.raw"), said);
    writeAlsaConfig(file("asound.conf"), [
      { name: "speaker", plays: file("speaker.raw") },
      { name: "other", plays: file("other.raw") },
      { name: "microphone", hears: file("microphone.raw") },
      { name: "other_microphone", hears: file("other_microphone.raw") },
      { name: "full", plays: "/dev/full" },
    ]);
  });

  after(() => rm(folder, { recursive: true }));

  const run = (task: string, ...options: number[]) =>
    tellingProgram("mixer_devices", [task, folder, ...options], { ALSA_CONFIG_PATH: file("asound.conf") });

  for (const [rate, tail] of [[16000, 0], [48000, 200]] as const) {
    it(
      `AudioMixer plays to its output device and hears its input device at ${rate} Hz, tail ${tail} ms`,
      patient,
      async () => {
        writeRaw(file("microphone.raw"), makeSound("callee", { seconds: 8, sampleRate: rate }));
        const devices = ["microphone", "microphone", "speaker", "speaker"];
        assertEquals(await run("both", rate, tail), [{
          states: [devices, [], ["microphone"], ["speaker", "microphone"], ["microphone"], [], []],
          files: [],
        }]);
        const heard = readRaw(file("speaker.raw"), rate);
        const recorded = await readWav(file("recorded.wav"));
        assertGreater(correlate(played, heard).median, 0.9);
        assertGreater(correlate(heardOfIt, recorded).median, 0.8);
        // The file has no clock; ours held it.
        assertLess(Math.abs(duration(heard) - duration(recorded)), 0.7);
      },
    );
  }

  it(
    "AudioMixer takes the default for a device that is not there, and works with one side only",
    patient,
    async () => {
      const [mic, speaker, nothing] = [["microphone", "microphone"], ["speaker", "speaker"], [null, null]];
      assertEquals(await run("names"), [
        {
          selected: [
            [...mic, ...speaker],
            [...mic, ...speaker],
            [...nothing, "other", "other"],
            [...mic, ...nothing],
          ],
        },
        { selected: [[...mic, "other", "other"]], tail: 0 },
        { closed: ["microphone", null, "other", null] },
      ]);
    },
  );

  it("AudioMixer.setSoundDevices() changes devices while a call goes on", patient, async () => {
    assertEquals(await run("change"), [
      {
        opened: [
          ["speaker", "microphone"],
          ["other", "microphone"],
          ["microphone"],
          ["speaker", "microphone"],
        ],
        connected: 2,
      },
      { opened: [[]] },
    ]);
    const recorded = await readWav(file("recorded.wav"));
    // The call heard the microphone all the time.
    assertGreater(duration(recorded), 3.5);
    const isHeard = (recording: Sound) =>
      correlate(said, recording).windows.filter(({ correlation }) => correlation > 0.7).length;
    assertGreaterOrEqual(isHeard(recorded), 4);
    assertGreaterOrEqual(isHeard(readRaw(file("other.raw"), 16000)), 1);
  });

  it("AudioMixer names a device that cannot be opened, and goes on as before", patient, async () => {
    const enoent = 2;
    const [first, second] = await run("refused");
    const refused = {
      message: 'The input device "other_microphone" could not be opened: No such file or directory',
      errno: enoent,
    };
    const { slow, ...rest } = first!;
    assertEquals(rest, {
      created: refused,
      set: refused,
      selected: ["microphone", "microphone", "speaker", "speaker"],
      tail: 0,
      open: ["speaker", "microphone"],
      connected: 2,
    });
    const { message } = slow as { message: string };
    assert(message.startsWith('The output device "speaker" could not be opened: '), message);
    assertEquals(second, {
      connect: { message: refused.message.replace("other_", ""), errno: enoent },
      empty: { message: "Could not connect slot 200 to 0: Invalid value or argument (PJ_EINVAL)", errno: 0 },
      connected: 0,
      open: [],
    });
    assertGreater(correlate(played, readRaw(file("speaker.raw"), 16000)).median, 0.9);
    assertGreater(correlate(heardOfIt, await readWav(file("recorded.wav"))).median, 0.8);
  });

  it("AudioMixer goes on without a device that fails, and tells of it", patient, async () => {
    assertEquals(await run("lost"), [
      {
        kind: "sound-device",
        count: 1,
        message: 'The output device "full" has failed; its mixer goes on without it',
        selected: ["microphone", "microphone", "full", null],
        connected: 2,
      },
      { selected: ["microphone", "microphone", "speaker", "speaker"] },
    ]);
    assertGreater(correlate(heardOfIt, await readWav(file("recorded.wav"))).median, 0.8);
    assertGreater(correlate(played, readRaw(file("speaker.raw"), 16000)).median, 0.9);
  });

  it(
    "AudioMixer's echo canceller takes out of the microphone what the loudspeaker plays",
    patient,
    async () => {
      const sound = makeSound("caller", { seconds: 8, sampleRate: 16000 });
      const echo = new Int16Array(sound.samples.length + 0.35 * 16000);
      echo.set(sound.samples.map((sample) => sample / 2), 0.35 * 16000);
      await writeWav(file("play.wav"), sound);
      for (const name of ["microphone.raw", "other_microphone.raw"]) {
        writeRaw(file(name), { sampleRate: 16000, samples: echo });
      }
      assertEquals(await run("echo"), []);
      const without = loudness(await readWav(file("recorded-0.wav")), 4);
      const cancelled = loudness(await readWav(file("recorded-200.wav")), 4);
      assertGreater(without, 1000);
      assertLess(cancelled, without / 2);
    },
  );

  it("AudioMixer and Engine.stop() survive any order of changes", patient, async () => {
    assertEquals(await run("storm"), [{ objects: 0, open: [] }]);
  });
});
