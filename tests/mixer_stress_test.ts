// SPDX-License-Identifier: GPL-2.0-or-later
/** Mixers and all that stands in them, used in any order: exceptions at worst, and nothing is left. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import { openedLibrary } from "../ffi/library.ts";
import {
  AudioMixer,
  type AudioTransport,
  MixerPort,
  NotificationCenter,
  PJSIPError,
  RecordingWaveFile,
  SIPCoreError,
  SIPCoreInvalidStateError,
  ToneGenerator,
  WaveFile,
} from "../mod.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { AudioPair } from "./support/audio_pair.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { until } from "./support/until.ts";

type Port = WaveFile | RecordingWaveFile | MixerPort | ToneGenerator;

/** Operations on five mixers; `SIPCORE_MIXES=5000` for more. */
const OPERATIONS = Number(process.env.SIPCORE_MIXES ?? 1500);
const RATES = [8000, 11050, 16000, 44100, 48000];

describe("Mixers under stress", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-mixes-"));
    await writeWav(file("loop.wav"), { sampleRate: 16000, samples: new Int16Array(1600).fill(1000) });
    await writeWav(file("other.wav"), { sampleRate: 8000, samples: new Int16Array(400).fill(2000) });
    await startEngine();
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** Kinds of ports by their names, each with what only it can do. */
  const kinds: Readonly<Record<string, (mixer: AudioMixer, number: number) => Port>> = {
    WaveFile: (mixer, number) =>
      new WaveFile(mixer, file(number % 2 ? "loop.wav" : "other.wav"), { loop: number % 3 > 0 }),
    RecordingWaveFile: (mixer, number) => new RecordingWaveFile(mixer, file(`${number % 20}-recorded.wav`)),
    MixerPort: (mixer) => new MixerPort(mixer),
    ToneGenerator: (mixer) => new ToneGenerator(mixer),
  };

  it("Random operations on five mixers end in exceptions at worst", async () => {
    const seed = Number(process.env.SIPCORE_SEED ?? 20261126);
    const dice = new Dice(seed);
    const errors: unknown[] = [];
    using _observer = new NotificationCenter().addObserver(({ data }) => void errors.push(data.value), {
      name: "SIPEngineGotException",
    });
    const open = (): AudioMixer =>
      new AudioMixer(null, null, { sampleRate: pick(dice, RATES), slotCount: 3 + dice.throw(30) });
    const mixers = RATES.map(open);
    const ports: Port[] = [];
    const pairs: AudioPair[] = [];
    const makers = Object.values(kinds);
    let refused = 0;
    const slot = (): number | Port | AudioTransport => {
      const lot = dice.throw(10);
      if (lot === 0 || ports.length === 0) return dice.throw(40) - 2;
      const pair = lot === 1 && pairs.length > 0 ? pick(dice, pairs) : null;
      return pair ? (dice.percent(50) ? pair.left : pair.right) : pick(dice, ports);
    };
    /** One that this slot belongs to, mostly. */
    const home = (one: number | { readonly mixer: AudioMixer }): AudioMixer =>
      typeof one === "number" || dice.percent(10) ? pick(dice, mixers) : one.mixer;
    const tones = (): ToneGenerator | undefined => ports.filter((one) => one instanceof ToneGenerator).at(-1);
    const operations: readonly (() => void)[] = [
      ...Array.from({ length: 4 }, () => () => {
        ports.push(pick(dice, makers)(pick(dice, mixers), dice.throw(1000)));
        ports.at(-1)!.start();
      }),
      ...Array.from({ length: 8 }, () => () => {
        const source = slot();
        home(source).connectSlots(source, slot());
      }),
      () => {
        // Connected and gone, before a tick has passed.
        const port = pick(dice, ports);
        if (!port) return;
        port.mixer.connectSlots(port, 0);
        port.mixer.connectSlots(0, port);
        port.stop();
      },
      () => {
        const source = slot();
        home(source).disconnectSlots(source, slot());
      },
      () => pick(dice, ports)?.stop(),
      () => ports.splice(dice.throw(ports.length), 1)[0]?.[Symbol.dispose](),
      () => pick(dice, ports)?.start(),
      () => void ports.splice(0, Math.max(0, ports.length - 60)).map((port) => port.stop()),
      () => void home(slot()).getSignalLevel(slot()),
      () => void tones()?.playTones([[dice.throw(5000), dice.throw(5000), dice.throw(60)]]),
      () => void tones()?.playDtmf(pick(dice, [..."0123456789ABCD*#E"])),
      () => {
        const port = pick(dice, ports);
        if (port instanceof WaveFile || port instanceof ToneGenerator) port.volume = dice.throw(1200);
      },
      () => {
        const mixer = pick(dice, mixers);
        mixer.inputVolume = dice.throw(200);
        mixer.outputVolume = dice.throw(200);
        mixer.muted = dice.percent(50);
        mixer.setSoundDevices(null, null, dice.throw(300));
      },
      () => {
        if (pairs.length === 10) return;
        pairs.push(new AudioPair(pick(dice, mixers), {}, pick(dice, mixers)));
        pairs.at(-1)!.start();
      },
      () => pick(dice, pairs)?.left.sendDtmf("5"),
      () => pairs.splice(dice.throw(pairs.length), 1)[0]?.[Symbol.dispose](),
      () => {
        if (dice.percent(70)) return;
        const at = dice.throw(mixers.length);
        mixers[at]!.close();
        if (dice.percent(50)) {
          ports.filter(({ mixer }) => mixer === mixers[at]).forEach((port) => port.stop());
        }
        mixers[at] = open();
      },
    ];
    for (let count = 0; count < OPERATIONS; count++) {
      try {
        pick(dice, operations)();
      } catch (error) {
        refused++;
        assert(
          error instanceof SIPCoreError || error instanceof TypeError || error instanceof RangeError,
          `seed ${seed}: ${error}`,
        );
        // None of our own mistakes.
        assert(
          !/undefined|null \(|not a function/.test(String(error)),
          `seed ${seed}: ${(error as Error).stack}`,
        );
      }
      if (dice.percent(8)) await delay(dice.throw(25));
    }
    assertGreater(refused, 0);
    assertGreater(OPERATIONS, refused * 1.5);
    // All of them are as good as new.
    for (const pair of pairs) pair[Symbol.dispose]();
    for (const port of ports) port[Symbol.dispose]();
    await Promise.all(mixers.map(async (mixer, index) => {
      assertEquals([mixer.usedSlotCount, mixer.connectedSlots], [0, []]);
      const wave = new WaveFile(mixer, file("other.wav"));
      const recorder = new RecordingWaveFile(mixer, file(`last-${index}.wav`));
      wave.start();
      recorder.start();
      mixer.connectSlots(wave, recorder);
      await until(() => !wave.isActive, "It does not play any more");
      recorder.stop();
      assertGreater((await readWav(recorder.filename)).samples.filter((sample) => sample > 1500).length, 0);
    }));
    for (const mixer of mixers) mixer.close();
    assertEquals(errors, []);
    await until(() => openedLibrary()!.sc_live_objects() === 0, "Objects are left");
  });

  for (const [name, make] of Object.entries(kinds)) {
    it(`${name} may be stopped twice, used after it, and after its mixer`, async () => {
      const live = openedLibrary()!.sc_live_objects();
      for (const end of ["port", "mixer", "at once"] as const) {
        const mixer = new AudioMixer(null, null);
        const port = make(mixer, 1);
        port.stop();
        port.start();
        assertThrows(() => port.start(), SIPCoreInvalidStateError);
        mixer.connectSlots(port, 0);
        mixer.connectSlots(0, port);
        if (end !== "at once") await until(() => mixer.getSignalLevel(port).tx === 0, "No answer");
        if (end === "mixer") mixer.close();
        port.stop();
        port.stop();
        assertEquals([port.isActive, port.slot, mixer.usedSlotCount, mixer.connectedSlots], [
          false,
          null,
          0,
          [],
        ]);
        for (
          const use of [
            () => mixer.connectSlots(port, 0),
            () => mixer.disconnectSlots(0, port),
            () => mixer.getSignalLevel(port),
          ]
        ) assertThrows(use, SIPCoreInvalidStateError);
        if (port instanceof ToneGenerator) {
          assertThrows(() => port.playDtmf("1"), SIPCoreInvalidStateError);
        }
        if ("volume" in port) {
          port.volume = 30;
          assertEquals(port.volume, 30);
        }
        mixer.close();
        assertThrows(() => port.start(), SIPCoreInvalidStateError);
        assertThrows(() => mixer.connectSlots(0, 0), SIPCoreInvalidStateError);
        port[Symbol.dispose]();
        port[Symbol.dispose]();
      }
      assertEquals(openedLibrary()!.sc_live_objects(), live);
    });

    it(`${name} fills a mixer to its last slot, then says so, and has room again`, () => {
      for (const slotCount of [1, 2, 254, 1000]) {
        using mixer = new AudioMixer(null, null, { slotCount });
        const ports = Array.from({ length: slotCount - 1 }, () => make(mixer, 1));
        // A machine that lends a process a thousand files at most has not so many.
        if (slotCount > 500 && /File/.test(name)) ports.length = 300;
        for (const port of ports) port.start();
        assertEquals(mixer.usedSlotCount, ports.length);
        if (ports.length < slotCount - 1) continue;
        const late = make(mixer, 2);
        for (let round = 0; round < 3; round++) {
          const error = assertThrows(() => late.start(), PJSIPError, "Every slot of the mixer is in use");
          assert(error.message.startsWith("Could not"), error.message);
          assertEquals([late.isActive, late.slot, mixer.usedSlotCount], [false, null, slotCount - 1]);
        }
        if (slotCount === 1) continue;
        const left = ports.pop()!;
        const slot = left.slot;
        left.stop();
        late.start();
        assertEquals([late.slot, mixer.usedSlotCount], [slot, slotCount - 1]);
      }
    });

    it(`${name} that finds no memory says so, and leaves nothing`, () => {
      const native = openedLibrary()!;
      using mixer = new AudioMixer(null, null);
      const live = native.sc_live_objects();
      let failed = 0;
      for (let n = 1; n <= 4; n++) {
        const port = make(mixer, 1);
        native.sc_fail_after(n);
        try {
          port.start();
          if (port instanceof ToneGenerator) port.playTones([[440, 0, 100]]);
        } catch (error) {
          assert(error instanceof PJSIPError, String(error));
          failed++;
        } finally {
          native.sc_fail_after(0);
        }
        port.stop();
        assertEquals([native.sc_live_objects(), mixer.usedSlotCount], [live, 0]);
      }
      assertGreater(failed, 1);
    });
  }

  it("AudioMixer.close() ends what plays and records, and tells", async () => {
    const mixer = new AudioMixer(null, null);
    const ports = Object.values(kinds).map((make) => make(mixer, 1));
    const reasons: string[] = [];
    using _observer = new NotificationCenter().addObserver(
      ({ name, data }) => void reasons.push(name, data.reason),
      {
        name: ["WaveFileDidFinishPlaying", "ToneGeneratorDidFinishPlaying"],
      },
    );
    for (const port of ports) {
      port.start();
      mixer.connectSlots(port, 0);
      if (port instanceof ToneGenerator) port.playTones([[440, 0, 10_000]]);
    }
    mixer.connectSlots(ports[0]!, ports[1]!);
    await until(() => mixer.getSignalLevel(ports[1]!).tx > 0, "Nothing is recorded");
    using pair = new AudioPair(mixer).start();
    mixer.close();
    assertEquals(ports.map(({ isActive }) => isActive), [false, false, false, false]);
    await delay(0);
    assertEquals(reasons, [
      "WaveFileDidFinishPlaying",
      "stopped",
      "ToneGeneratorDidFinishPlaying",
      "stopped",
    ]);
    assertGreater((await readWav((ports[1] as RecordingWaveFile).filename)).samples.length, 0);
    // A call stays with its program, in silence.
    assertEquals(pair.left.isActive, true);
    pair.left.stop();
  });

  it("AudioMixer takes no arguments that make no sense", () => {
    const odd = [NaN, Infinity, -Infinity, -1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53];
    const wrong = [null, undefined, "8000", {}, [], 8000n, true, Symbol("8000"), () => 8000];
    for (const value of odd) {
      for (const option of ["sampleRate", "ecTailLength", "slotCount"]) {
        assertThrows(() => new AudioMixer(null, null, { [option]: value }), RangeError, option);
      }
    }
    for (const value of wrong) {
      if (value === undefined) continue;
      for (const option of ["sampleRate", "ecTailLength", "slotCount"]) {
        assertThrows(() => new AudioMixer(null, null, { [option]: value }), TypeError, option);
      }
      if (value === null || typeof value === "string") continue;
      assertThrows(() => new AudioMixer(value as never, null), TypeError, "inputDevice");
      assertThrows(() => new AudioMixer(null, value as never), TypeError, "outputDevice");
    }
    using mixer = new AudioMixer(null, null, { slotCount: 10 });
    for (const value of odd) {
      assertThrows(() => mixer.connectSlots(value, 0), RangeError, "source");
      assertThrows(() => mixer.disconnectSlots(0, value), RangeError, "sink");
      assertThrows(() => mixer.getSignalLevel(value), RangeError, "slot");
      assertThrows(() => mixer.inputVolume = value, RangeError, "inputVolume");
      assertThrows(() => mixer.outputVolume = value, RangeError, "outputVolume");
      assertThrows(() => mixer.setSoundDevices(null, null, value), RangeError, "ecTailLength");
      assertThrows(() => mixer.muted = value as never, TypeError, "muted");
    }
    for (const value of wrong as never[]) {
      assertThrows(() => mixer.connectSlots(value, 0), TypeError, "source");
      assertThrows(() => mixer.disconnectSlots(0, value), TypeError, "sink");
      assertThrows(() => mixer.getSignalLevel(value), TypeError, "slot");
      assertThrows(() => mixer.inputVolume = value, TypeError, "inputVolume");
      assertThrows(() => mixer.outputVolume = value, TypeError, "outputVolume");
      assertThrows(() => mixer.setSoundDevices(null, null, value), TypeError, "ecTailLength");
      if (typeof value !== "boolean") assertThrows(() => mixer.muted = value, TypeError, "muted");
    }
    assertEquals([mixer.inputVolume, mixer.outputVolume, mixer.muted, mixer.ecTailLength], [
      100,
      100,
      false,
      200,
    ]);
  });
});

/** One of them; of none, undefined. */
function pick<T>(dice: Dice, among: readonly T[]): T {
  return among[dice.throw(Math.max(among.length, 1))]!;
}
