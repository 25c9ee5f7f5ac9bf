// SPDX-License-Identifier: GPL-2.0-or-later
/** Sound over a path that loses, delays and swaps packets. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe } from "node:test";
import { assert, assertGreater, assertLess } from "@std/assert";
import { deadline } from "@std/async";
import { AudioMixer, RecordingWaveFile, SDPAttribute, SDPSession, WaveFile } from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ICEPair } from "./support/ice_pair.ts";
import { LossyPath } from "./support/lossy_path.ts";
import { Together } from "./support/together.ts";
import { until } from "./support/until.ts";

const rtpPortRange = [42600, 42699] as const;

/** How long it is listened to; the long run has a minute. */
const seconds = Number(process.env["SIPCORE_SECONDS"] ?? 3);

describe("AudioTransport over a bad path", () => {
  const sound = makeSound("callee", { seconds });
  let folder = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-path-"));
    await writeWav(file("sound.wav"), sound);
    await startEngine({ rtpPortRange });
  });

  const together = new Together();

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  for (const codec of ["PCMU", "opus"] as const) {
    together.it(
      `AudioTransport is understood at 5 % loss and 50 ms of jitter, and counts the loss: ${codec}`,
      async () => {
        using mixer = new AudioMixer(null, null);
        using pair = await ICEPair.open(mixer, {});
        const { left, right } = pair;
        const ends = [left.transport.localRtpPort!, right.transport.localRtpPort!] as const;
        await using path = await LossyPath.open({ ends, loss: 5, late: 100, lateness: 50, seed: 11 });
        await using control = await LossyPath.open({ ends: [ends[0] + 1, ends[1] + 1] });
        pair.start((sdp, side) => {
          const moved = SDPSession.from(sdp);
          const media = moved.media[0]!;
          // Each side sends to its own end of the path.
          const index = side === "left" ? 1 : 0;
          media.port = path.ports[index];
          media.attributes.push(new SDPAttribute("rtcp", String(control.ports[index])));
          return moved;
        }, [codec]);
        using wave = new WaveFile(mixer, file("sound.wav"));
        using recorder = new RecordingWaveFile(mixer, file(`${codec}.wav`));
        recorder.start();
        mixer.connectSlots(right.audio!, recorder);
        // The jitter buffer learns how much it has to hold back.
        await until(() => right.audio!.statistics!.rx.packets > 150, "three seconds of silence");
        const ended = wave.notifications().next();
        wave.start();
        mixer.connectSlots(wave, left.audio!);
        await deadline(ended, (seconds + 20) * 1000);
        recorder.stop();
        const { rx } = right.audio!.statistics!;
        const counts = path.counts[0];
        const share = (lost: number, all: number) => (100 * lost) / all;
        assert(counts.received > 40 * seconds, `${counts.received} packets were sent`);
        const told = share(rx.packetsLost, rx.packets + rx.packetsLost);
        assertLess(
          Math.abs(told - share(counts.lost, counts.received)),
          1,
          `${rx.packetsLost} of ${rx.packets}, and the path has lost ${counts.lost} of ${counts.received}`,
        );
        // While it learns it shifts what it holds back.
        const { median } = correlate(sound, await readWav(recorder.filename), { maxLag: 0.4 });
        assertGreater(median, 0.7);
        if (process.env["SIPCORE_SECONDS"]) console.log(codec, median, rx, counts);
      },
    );
  }
});
