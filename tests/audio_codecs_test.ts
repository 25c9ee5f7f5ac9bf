// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import { AudioMixer, Engine, PJSIPError, RecordingWaveFile, SDPAttribute, WaveFile } from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { AudioPair } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";

/**
 * How well each codec's sound must match at least: those that keep the wave as it is, and those that model a voice, which
 * this sound is not. What is no likeness matches below 0.3.
 */
const least: Readonly<Record<string, number>> = {
  pcmu: 0.9,
  pcma: 0.9,
  g722: 0.9,
  l16: 0.9,
  opus: 0.9,
  speex: 0.7,
  gsm: 0.7,
  ilbc: 0.7,
  g729: 0.6,
  amr: 0.6,
  "amr-wb": 0.6,
};

/** Whose clock in RTP is not that of the samples (RFC 3551, section 4.5.2). */
const sampleRates: Readonly<Record<string, number>> = { "G722/8000": 16000 };

describe("engine.availableCodecs", () => {
  const sound = makeSound("callee", { seconds: 2 });
  let folder = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-codecs-"));
    await writeWav(join(folder, "sound.wav"), sound);
    await startEngine({ rtpPortRange: [42000, 42199] });
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** The payload types of a codec, with what they stand for ("speex/16000"). */
  function formatsOf(mixer: AudioMixer, codec: string): [payloadType: string, name: string][] {
    using pair = new AudioPair(mixer, { codecs: [codec] });
    return pair.offer.media[0]!.attributes.filter(({ name, value }) =>
      name === "rtpmap" && !value.includes("telephone-event")
    ).map(({ value }) => value.split(" ") as [string, string]);
  }

  /** The sound from one end to the other, as it was recorded there. */
  async function hear(mixer: AudioMixer, codec: string, payloadType: string, name: string): Promise<number> {
    using pair = new AudioPair(mixer, { codecs: [codec] });
    for (const { media } of [pair.offer, pair.answer]) media[0]!.formats = [payloadType];
    pair.start();
    const [encoding, clock] = name.split("/");
    assertEquals([pair.left.codec, pair.left.sampleRate], [encoding, sampleRates[name] ?? Number(clock)]);
    const file = join(folder, `${name.replaceAll("/", "-")}-${mixer.sampleRate}.wav`);
    using wave = new WaveFile(mixer, join(folder, "sound.wav"));
    using recorder = new RecordingWaveFile(mixer, file);
    recorder.start();
    mixer.connectSlots(pair.right, recorder);
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, pair.left);
    await deadline(ended, 20_000);
    recorder.stop();
    return correlate(sound, await readWav(file), { maxOffset: 1 }).median;
  }

  it("engine.availableCodecs carry sound that is recognised, each of them, in mixers of two rates", async () => {
    const codecs = new Engine().availableCodecs;
    assertGreater(codecs.length, 5);
    await Promise.all([8000, 16000].map(async (rate) => {
      using mixer = new AudioMixer(null, null, { sampleRate: rate });
      await Promise.all(codecs.flatMap((codec) =>
        formatsOf(mixer, codec).map(async ([payloadType, name]) => {
          const wanted = least[codec.toLowerCase()];
          assert(wanted !== undefined, `How well does ${codec} match?`);
          // Where the machine is too busy to play in time, the jitter buffer skips: another try then.
          const matches: number[] = [];
          while (matches.length < 3 && !matches.some((match) => match > wanted)) {
            matches.push(await hear(mixer, codec, payloadType, name));
          }
          assertGreater(Math.max(...matches), wanted, `${name} at ${rate} Hz: ${matches}`);
        })
      ));
    }));
  });

  it("AudioTransport.enableSilenceDetection lets speech pass with every codec", async () => {
    using mixer = new AudioMixer(null, null);
    const codecs = new Engine().availableCodecs.filter((codec) => codec !== "L16");
    await Promise.all(codecs.map(async (codec) => {
      using pair = new AudioPair(mixer, { codecs: [codec], enableSilenceDetection: true });
      pair.start();
      const file = join(folder, `${codec}-quiet.wav`);
      using wave = new WaveFile(mixer, join(folder, "sound.wav"));
      using recorder = new RecordingWaveFile(mixer, file);
      recorder.start();
      mixer.connectSlots(pair.right, recorder);
      const ended = wave.notifications().next();
      wave.start();
      mixer.connectSlots(wave, pair.left);
      await deadline(ended, 20_000);
      recorder.stop();
      const { median } = correlate(sound, await readWav(file), { maxOffset: 1 });
      assertGreater(median, 0.6, `${codec}: ${median}`);
    }));
  });

  it("AudioTransport offers no L16 in stereo, and starts none", () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer, { codecs: ["L16"] });
    assertEquals(formatsOf(mixer, "L16"), [["11", "L16/44100"]]);
    for (const { media } of [pair.offer, pair.answer]) {
      media[0]!.formats = ["10"];
      media[0]!.attributes = [new SDPAttribute("rtpmap", "10 L16/44100/2")];
    }
    assertThrows(() => pair.start(), PJSIPError, "too big");
  });
});
