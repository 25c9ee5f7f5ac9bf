// SPDX-License-Identifier: GPL-2.0-or-later
/** Fifty speak at once, each in a tone of its own, and everybody hears everybody else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { AudioMixer, type MixerSource, RecordingWaveFile, ToneGenerator } from "../mod.ts";
import { readWav, type Sound } from "../scripts/wav.ts";
import { AudioPair } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { amplitudeOf, cut } from "./support/tones.ts";
import { until } from "./support/until.ts";

const PARTIES = 50;

/** One who speaks and hears. */
interface Party {
  readonly frequency: number;
  readonly tones: ToneGenerator;
  readonly recorder: RecordingWaveFile;
}

describe("A conference of 50", () => {
  let folder = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-conference-"));
    await startEngine({ rtpPortRange: [42000, 43000] });
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  it("Everybody on one mixer hears all others and not itself", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    const parties = gather(mixer, "mixer");
    for (const one of parties) {
      for (const other of parties) if (one !== other) mixer.connectSlots(one.tones, other.recorder);
    }
    assertEquals(mixer.connectedSlots.length, PARTIES * (PARTIES - 1));
    await speak(parties);
    await assertHeard(parties, 1);
  });

  it("Everybody on a G.711 call of its own hears all others and not itself", async () => {
    using bridge = new AudioMixer(null, null, { sampleRate: 8000 });
    using outside = new AudioMixer(null, null, { sampleRate: 8000 });
    const parties = gather(outside, "call");
    const calls = parties.map(() => new AudioPair(bridge, { codecs: ["PCMU"] }, outside).start());
    calls.forEach(({ right }, index) => {
      outside.connectSlots(parties[index]!.tones, right);
      outside.connectSlots(right, parties[index]!.recorder);
    });
    const legs: MixerSource[] = calls.map(({ left }) => left);
    for (const one of legs) for (const other of legs) if (one !== other) bridge.connectSlots(one, other);
    // The first half second is that of the jitter buffers.
    await speak(parties);
    for (const call of calls) call[Symbol.dispose]();
    await assertHeard(parties, 0.5);
  });

  function gather(mixer: AudioMixer, name: string): Party[] {
    return Array.from({ length: PARTIES }, (_, index) => {
      const tones = new ToneGenerator(mixer);
      // All together stay below the limit, where the mixer would turn everybody down.
      tones.volume = 5;
      tones.start();
      const recorder = new RecordingWaveFile(mixer, join(folder, `${name}-${index}.wav`));
      recorder.start();
      return { frequency: 300 + 60 * index, tones, recorder };
    });
  }
});

/** All at once, for 1.8 seconds. */
async function speak(parties: readonly Party[]): Promise<void> {
  for (const { tones, frequency } of parties) tones.playTones([[frequency, 0, 1800]]);
  await until(() => parties.every(({ tones }) => !tones.isBusy), "They do not end");
  await delay(40);
  for (const { tones, recorder } of parties) {
    tones.stop();
    recorder.stop();
  }
}

/** Of what is heard between 0.5 and 1.5 seconds, which is cut into pieces: the jitter buffer may slip in one. */
async function assertHeard(parties: readonly Party[], share: number): Promise<void> {
  await Promise.all(parties.map(async ({ recorder, frequency: own }) => {
    const sound = await readWav(recorder.filename);
    const levels = parties.map(({ frequency }) => level(sound, frequency));
    parties.forEach(({ frequency }, index) => {
      const [least, most] = frequency === own ? [0, 120 * share] : [614 * 0.85 * share, 614 * 1.15];
      const heard = levels[index]!;
      assert(
        heard >= least && heard <= most,
        `who speaks at ${own} Hz hears ${heard.toFixed()} of ${frequency} Hz, not ${least} to ${most}`,
      );
    });
  }));
}

/** The median of the pieces. */
function level(sound: Sound, frequency: number): number {
  const levels = Array.from({ length: 5 }, (_, piece) => {
    return amplitudeOf(cut(sound, 0.5 + piece * 0.2, 0.7 + piece * 0.2), frequency);
  });
  return levels.sort((a, b) => a - b)[2]!;
}
