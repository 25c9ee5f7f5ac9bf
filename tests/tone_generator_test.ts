// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  AudioMixer,
  type AudioTransport,
  type MixerSource,
  NotificationCenter,
  PJSIPError,
  RecordingWaveFile,
  SIPCoreInvalidStateError,
  type Tone,
  ToneGenerator,
} from "../mod.ts";
import { readWav, type Sound } from "../scripts/wav.ts";
import { AudioPair } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { amplitudeOf, bursts, cut, dtmfDigits, dtmfPair, frequencyNear } from "./support/tones.ts";
import { until } from "./support/until.ts";

describe("ToneGenerator", () => {
  let folder = "";
  let files = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-tones-"));
    await startEngine();
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  it("ToneGenerator has its attributes before, while and after it plays, and starts again", () => {
    using mixer = new AudioMixer(null, null);
    using tones = new ToneGenerator(mixer);
    const facts = (): unknown[] => [tones.isActive, tones.isBusy, tones.slot, tones.volume];
    assert(tones.mixer === mixer);
    assertEquals(facts(), [false, false, null, 100]);
    tones.stop();
    for (let round = 0; round < 2; round++) {
      tones.start();
      assertEquals([tones.isActive, tones.isBusy, typeof tones.slot, mixer.usedSlotCount], [
        true,
        false,
        "number",
        1,
      ]);
      assertThrows(() => tones.start(), SIPCoreInvalidStateError, "started already");
      tones.playDtmf("5");
      assertEquals(tones.isBusy, true);
      tones.volume = 40;
      tones.stop();
      tones.stop();
      assertEquals([...facts(), mixer.usedSlotCount], [false, false, null, 40, 0]);
      assertThrows(() => tones.playDtmf("5"), SIPCoreInvalidStateError, "not started");
      assertThrows(() => tones.playTones([[440, 0, 100]]), SIPCoreInvalidStateError, "not started");
    }
  });

  it("ToneGenerator refuses bad arguments, and plays nothing of a list with one", () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    for (const wrong of [null, undefined, {}, "m"]) {
      assertThrows(() => new ToneGenerator(wrong as never), TypeError, "mixer");
    }
    using tones = new ToneGenerator(mixer);
    tones.start();
    for (
      const wrong of [null, undefined, 5, "440", {}, [440, 0, 100], [[440, 100]], [["440", 0, 100]], [[
        440,
        0,
      ]]]
    ) {
      assertThrows(() => tones.playTones(wrong as never), TypeError, "tones");
    }
    for (const [at, most] of [[0, 4000], [1, 4000], [2, 86400001]] as const) {
      for (const value of [-1, NaN, Infinity, -Infinity, most]) {
        const bad: [number, number, number] = [440, 0, 100];
        bad[at] = value;
        assertThrows(() => tones.playTones([[440, 0, 100], bad]), RangeError, `tones[1][${at}]`);
      }
      for (const value of ["1", null, undefined, {}, 1n]) {
        const bad: unknown[] = [440, 0, 100];
        bad[at] = value;
        assertThrows(() => tones.playTones([bad as never]), TypeError, `tones[0][${at}]`);
      }
    }
    assertThrows(() => tones.playTones([[440, 0, 0]]), RangeError, "tones[0][2]");
    assertThrows(() => tones.playTones([]), RangeError, "empty");
    for (const digit of ["", "12", "E", "x", " ", "\0", "٣"]) {
      assertThrows(() => tones.playDtmf(digit), RangeError, "digit");
    }
    for (const digit of [1, null, undefined]) {
      assertThrows(() => tones.playDtmf(digit as never), TypeError, "digit");
    }
    for (const volume of [-1, NaN, Infinity, 0.5, 1001]) {
      assertThrows(() => tones.volume = volume, RangeError, "volume");
    }
    assertThrows(() => tones.volume = "50" as never, TypeError, "volume");
    assertEquals([tones.isBusy, tones.volume], [false, 100]);
  });

  it("ToneGenerator takes 10,000 tones, and has room again once they are gone", () => {
    using mixer = new AudioMixer(null, null);
    using tones = new ToneGenerator(mixer);
    tones.start();
    const many = Array.from({ length: 10_000 }, (): Tone => [440, 0, 1]);
    tones.playTones(many);
    assertThrows(() => tones.playDtmf("1"), PJSIPError, "Could not play the tones");
    assertThrows(() => tones.playTones([...many, many[0]!]), RangeError, "10000");
    tones.stop();
    tones.start();
    tones.playTones(many);
  });

  it("ToneGenerator plays frequencies, times and pauses as asked for, at every rate", async () => {
    await Promise.all([8000, 16000, 44100, 48000].map(async (sampleRate) => {
      using mixer = new AudioMixer(null, null, { sampleRate });
      const sequence: Tone[] = [
        [425, 0, 300],
        [0, 0, 120],
        [350, 440, 250.5],
        [0, 999, 80],
        [3000.5, 0, 33],
      ];
      const sound = await played(mixer, (tones) => {
        tones.playTones(sequence.slice(0, 2));
        tones.playTones(new Set(sequence.slice(2)));
      });
      const parts = bursts(sound);
      const wanted = [[0, 0.3], [0.42, 0.6705], [0.7505, 0.7835]] as const;
      assertEquals(parts.length, wanted.length);
      wanted.forEach(([from, to], index) => {
        assertNear(parts[index]!.from, from, 0.004, "begin");
        assertNear(parts[index]!.to, to, 0.004, "end");
      });
      const [single, pair, short] = wanted.map(([from, to]) => cut(sound, from, to));
      assertNear(frequencyNear(single!, 425), 425, 425 * 0.005, "Hz");
      assertNear(amplitudeOf(single!, 425), 12288, 600, "amplitude");
      for (const frequency of [350, 440]) {
        assertNear(amplitudeOf(pair!, frequency), 6144, 600, "amplitude of one of a pair");
      }
      assertNear(frequencyNear(short!, 3000.5), 3000.5, 30, "Hz");
    }));
  });

  it("ToneGenerator.volume is heard, also when it was set before start()", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    const levels = await Promise.all([100, 50, 150, 0].map(async (volume) => {
      const sound = await played(mixer, (tones) => tones.playTones([[500, 0, 200]]), volume);
      return amplitudeOf(cut(sound, 0, 0.2), 500);
    }));
    levels.forEach((level, index) => assertNear(level, 12288 * [1, 0.5, 1.5, 0][index]!, 700, "level"));
  });

  it("ToneGeneratorDidFinishPlaying comes once, when all that was asked for is over", async () => {
    using mixer = new AudioMixer(null, null);
    using tones = new ToneGenerator(mixer);
    using told = observe(tones);
    tones.start();
    tones.playTones([[440, 0, 60]]);
    assertEquals(tones.isBusy, true);
    mixer.connectSlots(tones, 0);
    for (let i = 0; i < 5; i++) tones.playTones([[440, 0, 20]]);
    await until(() => !tones.isBusy, "It does not end");
    assertEquals(told.reasons, ["end"]);
    tones.playDtmf("#");
    await until(() => told.reasons.length === 2, "It does not end again");
    assertEquals([told.reasons, tones.isBusy, tones.isActive], [["end", "end"], false, true]);
    assertGreater(told.times[1]! - told.times[0]!, 200);
    tones.stop();
    tones.start();
    tones.playDtmf("#");
    tones.stop();
    assertEquals(told.reasons.length, 2);
    await until(() => told.reasons.length === 3, "It does not tell that it was stopped");
    assertEquals(told.reasons, ["end", "end", "stopped"]);
  });

  it("ToneGenerator waits until it is connected", async () => {
    using mixer = new AudioMixer(null, null);
    using idle = new ToneGenerator(mixer);
    using told = observe(idle);
    idle.start();
    idle.playTones([[440, 0, 20]]);
    // Another one that plays meanwhile shows that time has passed.
    await played(mixer, (tones) => tones.playTones([[440, 0, 200]]));
    assertEquals([idle.isBusy, told.reasons], [true, []]);
    mixer.connectSlots(idle, 0);
    await until(() => told.reasons.length === 1, "It does not play");
  });

  it("ToneGenerator tells that it was stopped when its mixer closes, and when the engine stops", async () => {
    const mixer = new AudioMixer(null, null);
    const tones = new ToneGenerator(mixer);
    using told = observe(tones);
    tones.start();
    tones.playDtmf("1");
    mixer.close();
    assertEquals([tones.isActive, tones.isBusy, tones.slot], [false, false, null]);
    await until(() => told.reasons.length === 1, "It does not tell");
    assertThrows(() => tones.start(), SIPCoreInvalidStateError, "closed");
    const other = new ToneGenerator(new AudioMixer(null, null));
    using toldToo = observe(other);
    const stream = other.notifications();
    other.start();
    other.playDtmf("1");
    await stopEngine();
    assertEquals([told.reasons, toldToo.reasons], [["stopped"], ["stopped"]]);
    let count = 0;
    for await (const { data } of stream) count += data.reason === "stopped" ? 1 : 0;
    assertEquals(count, 1);
    assertEquals([other.isActive, other.isBusy], [false, false]);
    for (const use of [() => other.playDtmf("1"), () => other.start()]) {
      assertThrows(use, SIPCoreInvalidStateError);
    }
    await startEngine();
  });

  it("ToneGenerator works on many mixers at once, each hearing its own only", async () => {
    const rates = [8000, 11050, 16000, 24000, 32000, 44100, 48000, 8000, 16000, 48000];
    await Promise.all(rates.map(async (sampleRate, index) => {
      using mixer = new AudioMixer(null, null, { sampleRate });
      const frequency = (place: number): number => 400 + 130 * place;
      const sound = await played(mixer, (tones) => {
        for (let i = 0; i < 10; i++) tones.playTones([[3000, 0, 40]]);
        tones.playTones([[frequency(index), frequency(index) + 1700, 400]]);
      });
      // What comes after is the time until it was stopped.
      assertGreater(sound.samples.length / sampleRate, 0.79);
      for (let place = 0; place < rates.length; place++) {
        const amplitude = amplitudeOf(cut(sound, 0.4, 0.8), frequency(place));
        if (place === index) assertGreater(amplitude, 4500);
        else assertLess(amplitude, 1000);
      }
    }));
  });

  it("DTMF arrives as it is played, through G.711 and as RFC 4733: all 16 digits", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    const play = (tones: ToneGenerator): void => {
      for (const digit of dtmfDigits.toLowerCase()) tones.playDtmf(digit);
    };
    const direct = async (): Promise<void> => {
      const sound = await played(mixer, play);
      assertEquals([...wrongDigits(sound)], []);
      bursts(sound).forEach(({ from }, index) => assertNear(from, index * 0.25, 0.004, "begin"));
    };
    const inBand = async (codec: string): Promise<void> => {
      using pair = new AudioPair(mixer, { codecs: [codec] }).start();
      // The jitter buffer of a busy machine drops or repeats a frame now and then: another time it does not.
      let wrong = new Map([...dtmfDigits].map((digit) => [digit, "not played"]));
      for (let left = 8; wrong.size > 0 && left > 0; left--) {
        const now = wrongDigits(await played(mixer, play, 100, pair));
        wrong = new Map(
          [...wrong.keys()].flatMap((digit) => now.has(digit) ? [[digit, now.get(digit)!]] : []),
        );
      }
      assertEquals([...wrong], []);
    };
    const events = async (codec: string): Promise<void> => {
      using pair = new AudioPair(mixer, { codecs: [codec] }).start();
      const received: { digit: string; duration: number }[] = [];
      using _observer = new NotificationCenter().addObserver(({ data }) => void received.push(data), {
        name: "RTPAudioTransportGotDTMF",
        sender: pair.right,
      });
      // A digit whose last packets come too late on a busy machine is right another time.
      let wrong = [...dtmfDigits];
      for (let left = 3; wrong.length > 0 && left > 0; left--) {
        received.length = 0;
        for (const digit of wrong) pair.left.sendDtmf(digit);
        await until(() => received.length === wrong.length, "Digits are missing", 20_000);
        assertEquals(received.map(({ digit }) => digit), wrong);
        wrong = received.filter(({ duration }) => Math.abs(duration - 200) > 20).map(({ digit }) => digit);
      }
      assertEquals(wrong, []);
    };
    await Promise.all([direct(), inBand("PCMU"), inBand("PCMA"), events("PCMU"), events("PCMA")]);
  });

  /** What is heard of a generator until it has finished; by way of a call, if there is one. */
  async function played(
    mixer: AudioMixer,
    play: (tones: ToneGenerator) => void,
    volume: number = 100,
    call?: { left: AudioTransport; right: AudioTransport },
  ): Promise<Sound> {
    using tones = new ToneGenerator(mixer);
    const recorder = new RecordingWaveFile(mixer, join(folder, `${files++}.wav`));
    const source: MixerSource = call?.right ?? tones;
    tones.volume = volume;
    tones.start();
    recorder.start();
    play(tones);
    const finished = tones.notifications("ToneGeneratorDidFinishPlaying").next();
    mixer.connectSlots(source, recorder);
    if (call) mixer.connectSlots(tones, call.left);
    const { value } = await deadline(finished, 20_000);
    assertEquals(value?.data.reason, "end");
    if (call) {
      const end = mixer.getSignalLevel(call.right).rx === 0 ? 0 : 1;
      // What is under way still comes.
      await until(() => mixer.getSignalLevel(call.right).rx <= end, "The call does not fall silent");
    }
    recorder.stop();
    return await readWav(recorder.filename);
  }
});

/** What is wrong of all 16 in their order: frequencies to 1 %, times to 20 ms, and no other frequency of the 8. */
function wrongDigits(sound: Sound): Map<string, string> {
  const parts = bursts(sound);
  return new Map([...dtmfDigits].flatMap((digit, index) => {
    const part = parts[index];
    if (!part || parts.length !== dtmfDigits.length) return [[digit, `one of ${parts.length}`]];
    try {
      // The steps of the bursts, 2 ms, are no binary fractions.
      assertNear(part.to - part.from, 0.2, 0.02 + 1e-9, "seconds");
      assertPair(cut(sound, part.from, part.to), dtmfPair(digit));
      return [];
    } catch (error) {
      return [[digit, String(error)]];
    }
  }));
}

function assertPair(sound: Sound, pair: readonly number[]): void {
  for (const frequency of pair) {
    assertNear(frequencyNear(sound, frequency), frequency, frequency * 0.01, "Hz");
  }
  for (const frequency of [697, 770, 852, 941, 1209, 1336, 1477, 1633]) {
    const amplitude = amplitudeOf(sound, frequency);
    if (pair.includes(frequency)) assertNear(amplitude, 6144, 3000, `of ${frequency} Hz`);
    else assertLess(amplitude, 1500);
  }
}

function assertNear(value: number, wanted: number, tolerance: number, what: string): void {
  assert(Math.abs(value - wanted) <= tolerance, `${value} ${what}, wanted ${wanted} ± ${tolerance}`);
}

/** Collects the reasons that a generator tells, and when. */
function observe(
  tones: ToneGenerator,
): Disposable & { readonly reasons: string[]; readonly times: number[] } {
  const reasons: string[] = [];
  const times: number[] = [];
  const observer = new NotificationCenter().addObserver(({ data }) => {
    reasons.push(data.reason);
    times.push(data.timestamp.getTime());
  }, { name: "ToneGeneratorDidFinishPlaying", sender: tones });
  return { reasons, times, [Symbol.dispose]: () => observer[Symbol.dispose]() };
}
