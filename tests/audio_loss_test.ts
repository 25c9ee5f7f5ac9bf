// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertLess } from "@std/assert";
import { deadline } from "@std/async";
import { AudioMixer, RecordingWaveFile, WaveFile } from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { AudioPair } from "./support/audio_pair.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { isRtp, MediaProxy } from "./support/media_proxy.ts";
import { until } from "./support/until.ts";

describe("AudioTransport over a bad network", () => {
  const sound = makeSound("callee", { seconds: 12 });
  let folder = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-loss-"));
    await writeWav(join(folder, "sound.wav"), sound);
    await startEngine({ rtpPortRange: [43300, 43399] });
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** Says the sound with that codec through such a network. Gives the recording of what is heard. */
  async function suffer(
    codec: string,
    { percent, jitter, dice }: { percent: number; jitter: number; dice: Dice },
  ): Promise<string> {
    const counts = { passed: 0, dropped: 0 };
    await using proxy = await MediaProxy.start((packet, from) => {
      if (from === "right" || !isRtp(packet)) return [packet];
      if (dice.percent(percent)) {
        counts.dropped++;
        return [];
      }
      counts.passed++;
      setTimeout(() => proxy.send(packet, from), dice.throw(jitter + 1));
      return [];
    });
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer, { codecs: [codec], onTheWay: proxy.route }).start();
    const { left, right } = pair;
    const file = join(folder, `${codec}.wav`);
    using wave = new WaveFile(mixer, join(folder, "sound.wav"));
    using recorder = new RecordingWaveFile(mixer, file);
    recorder.start();
    mixer.connectSlots(right, recorder);
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, left);
    await deadline(ended, 20_000);
    left.updateDirection("recvonly");
    await until(() => right.statistics!.rx.packets === counts.passed, "Not all comes that has passed");
    const { rx, mos } = right.statistics!;
    recorder.stop();
    const share = counts.dropped / (counts.dropped + counts.passed);
    const told = rx.packetsLost / (rx.packets + rx.packetsLost);
    assertLess(Math.abs(told - share), 0.01, `${codec}: ${told} instead of ${share}`);
    // Uniform from 0 to 50 ms: two such differ by 17 ms in the mean.
    assert(rx.jitter.avg > 7_000 && rx.jitter.avg < 40_000, `${codec}: ${rx.jitter.avg} us`);
    assert(mos! > 2.5 && mos! < 4.2, `${codec}: ${mos}`);
    return file;
  }

  it("AudioTransport is understood at 5 % loss and 50 ms of jitter, and tells both", async () => {
    const codecs = ["PCMU", "opus", "G722"];
    const files = await Promise.all(
      codecs.map((codec, index) => suffer(codec, { percent: 5, jitter: 50, dice: new Dice(31 + index) })),
    );
    for (const [index, file] of files.entries()) {
      const { median } = correlate(sound, await readWav(file), { maxOffset: 2, maxLag: 0.2 });
      // Where the jitter buffer does not learn to wait it is 0.6.
      assertLess(0.85, median, codecs[index]);
    }
  });
});
