// SPDX-License-Identifier: GPL-2.0-or-later
/** Uses sound devices, as the arguments say: what to do, and the folder with ALSA's configuration "asound.conf". */
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { deadline, delay } from "@std/async";
import { openedLibrary } from "../../../ffi/library.ts";
import {
  AudioMixer,
  Engine,
  NotificationCenter,
  PJSIPError,
  RecordingWaveFile,
  WaveFile,
} from "../../../mod.ts";
import { AudioPair } from "../audio_pair.ts";
import { openFiles } from "../process_figures.ts";
import { until } from "../until.ts";

const [task = "", folder = "", ...options] = process.argv.slice(2);
const engine = new Engine();
const center = new NotificationCenter();
const file = (name: string) => join(folder, name);
const tell = (data: object) => console.log(JSON.stringify(data));

/** Of the devices' files, those that are open. */
const open = () =>
  ["speaker", "other", "microphone"].filter((name) => openFiles().includes(file(`${name}.raw`)));

const selected = (mixer: AudioMixer) => [
  mixer.inputDevice,
  mixer.realInputDevice,
  mixer.outputDevice,
  mixer.realOutputDevice,
];

function failure(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    if (error instanceof PJSIPError) return { message: error.message, errno: error.errno };
    return `${error}`;
  }
  return null;
}

/** Plays the whole file; resolves at its end, when the last of it has left the mixer. */
async function play(mixer: AudioMixer, sink: Parameters<AudioMixer["connectSlots"]>[1]): Promise<void> {
  const wave = new WaveFile(mixer, file("play.wav"));
  const ended = center.once("WaveFileDidFinishPlaying", { sender: wave });
  wave.start();
  mixer.connectSlots(wave, sink);
  await deadline(ended, 20_000);
}

function record(mixer: AudioMixer, name: string): RecordingWaveFile {
  const recording = new RecordingWaveFile(mixer, file(name));
  recording.start();
  return recording;
}

/** What is on its way to a device needs as long as its buffer holds. */
const onTheWay = 400;

const tasks: Record<string, () => Promise<void> | void> = {
  /** Both directions at once; the devices are open just as long as they are connected. */
  async both() {
    const [sampleRate, ecTailLength] = options.map(Number) as [number, number];
    const mixer = new AudioMixer("microphone", "speaker", { sampleRate, ecTailLength });
    const states: unknown[] = [selected(mixer), open()];
    const recording = record(mixer, "recorded.wav");
    mixer.connectSlots(0, recording);
    states.push(open());
    const played = play(mixer, 0);
    states.push(open());
    await played;
    states.push(open());
    await delay(onTheWay);
    mixer.disconnectSlots(0, recording);
    states.push(open(), mixer.connectedSlots);
    recording.stop();
    tell({ states, files: openFiles().filter((name) => name.startsWith(folder)) });
  },

  names() {
    const mixers = [
      new AudioMixer("system_default", "system_default"),
      new AudioMixer("no such device", "microphone"),
      new AudioMixer(null, "other"),
      new AudioMixer("microphone", null),
    ];
    const [first] = mixers as [AudioMixer];
    tell({ selected: mixers.map(selected) });
    first.setSoundDevices("microphone", "other", 0);
    tell({ selected: [selected(first)], tail: first.ecTailLength });
    for (const mixer of mixers) mixer.close();
    tell({ closed: selected(first) });
  },

  /** A call goes on while the devices change under it: from the microphone, through RTP, to the loudspeakers. */
  async change() {
    const mixer = new AudioMixer("microphone", "speaker", { sampleRate: 16000, ecTailLength: 0 });
    using call = new AudioPair(mixer, { codecs: ["G722"] }).start();
    const recording = record(mixer, "recorded.wav");
    mixer.connectSlots(0, call.left);
    mixer.connectSlots(call.right, 0);
    mixer.connectSlots(call.right, recording);
    const opened: unknown[] = [open()];
    await delay(1500);
    mixer.setSoundDevices("microphone", "other", 100);
    opened.push(open());
    await delay(1500);
    mixer.setSoundDevices("microphone", null, 0);
    opened.push(open());
    await delay(500);
    mixer.setSoundDevices("microphone", "speaker", 0);
    opened.push(open());
    await delay(500);
    recording.stop();
    tell({ opened, connected: mixer.connectedSlots.length });
    mixer.close();
    tell({ opened: [open()] });
  },

  /** What cannot be opened: at the construction, at a change, when it is needed. */
  async refused() {
    const mixer = new AudioMixer("microphone", "speaker", { ecTailLength: 0 });
    const recording = record(mixer, "recorded.wav");
    const played = play(mixer, 0);
    mixer.connectSlots(0, recording);
    rmSync(file("other_microphone.raw"));
    tell({
      created: failure(() => new AudioMixer("other_microphone", "speaker")),
      set: failure(() => mixer.setSoundDevices("other_microphone", "other", 50)),
      slow: failure(() => new AudioMixer(null, "speaker", { sampleRate: 50 })),
      selected: selected(mixer),
      tail: mixer.ecTailLength,
      open: open(),
      connected: mixer.connectedSlots.length,
    });
    await played;
    await delay(onTheWay);
    recording.stop();
    mixer.setSoundDevices("microphone", "other", 0);
    rmSync(file("microphone.raw"));
    const again = record(mixer, "again.wav");
    tell({
      connect: failure(() => mixer.connectSlots(0, again)),
      empty: failure(() => mixer.connectSlots(200, 0)),
      connected: mixer.connectedSlots.length,
      open: open(),
    });
  },

  /** A device that fails while sound flows. */
  async lost() {
    const mixer = new AudioMixer("microphone", "full");
    const recording = record(mixer, "recorded.wav");
    const warned = center.once("SIPEngineGotWarning");
    const played = play(mixer, 0);
    mixer.connectSlots(0, recording);
    const { data: { kind, count, message } } = await deadline(warned, 10_000);
    tell({ kind, count, message, selected: selected(mixer), connected: mixer.connectedSlots.length });
    await played;
    mixer.setSoundDevices("microphone", "speaker", 0);
    tell({ selected: selected(mixer) });
    await play(mixer, 0);
    await delay(onTheWay);
    recording.stop();
  },

  /** What is said into the microphones is what the loudspeakers play; one mixer has a canceller. */
  async echo() {
    const mixers = [
      new AudioMixer("microphone", "speaker", { ecTailLength: 0 }),
      new AudioMixer("other_microphone", "other", { ecTailLength: 200 }),
    ];
    await Promise.all(mixers.map(async (mixer) => {
      const recording = record(mixer, `recorded-${mixer.ecTailLength}.wav`);
      mixer.connectSlots(0, recording);
      await play(mixer, 0);
      recording.stop();
    }));
  },

  /** Devices that are opened, closed and changed at random while the engine is stopped at some time. */
  async storm() {
    const names = ["microphone", "speaker", "other", "full", "system_default", "nobody", null];
    const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
    for (let round = 0; round < 5; round++) {
      if (!engine.isRunning) await engine.start({ ipAddress: "127.0.0.1" });
      const mixers = [8000, 16000, 48000].map((sampleRate) => new AudioMixer(null, null, { sampleRate }));
      const waves = mixers.map((mixer) => new WaveFile(mixer, file("play.wav"), { loop: true }));
      for (const wave of waves) wave.start();
      for (let step = 0; step < 60; step++) {
        const [mixer, wave] = any(mixers.map((mixer, index) => [mixer, waves[index]!] as const));
        const act = any([
          () => mixer.setSoundDevices(any(names), any(names), any([0, 200])),
          () => mixer.connectSlots(wave, 0),
          () => mixer.connectSlots(0, wave),
          () => mixer.disconnectSlots(wave, 0),
          () => mixer.disconnectSlots(0, wave),
          () => void engine.soundDevices,
        ]);
        act();
        if (step % 10 === 0) await delay(30);
      }
      await engine.stop();
    }
    await until(() => openedLibrary()!.sc_live_threads() === 0, "no thread of ours", 2000);
    tell({ objects: openedLibrary()!.sc_live_objects(), open: open() });
  },
};

await engine.start({ ipAddress: "127.0.0.1", rtpPortRange: [45000, 45999] });
await tasks[task]!();
await engine.stop();
