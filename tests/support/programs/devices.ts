// SPDX-License-Identifier: GPL-2.0-or-later
/** Tells of sound devices, as the arguments say: what to do, and the folder with ALSA's configuration "asound.conf". */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { deadline } from "@std/async";
import { AudioMixer, Engine, NotificationCenter } from "../../../mod.ts";
import { type AlsaDevice, writeAlsaConfig } from "../alsa.ts";

const [task = "", folder = ""] = process.argv.slice(2);
const engine = new Engine();
const center = new NotificationCenter();
const options = { ipAddress: "127.0.0.1", tcpPort: null, tlsPort: null } as const;

const configure = (devices: readonly AlsaDevice[]) => writeAlsaConfig(join(folder, "asound.conf"), devices);
const tell = (data: object) => console.log(JSON.stringify(data));
const lists = () => [engine.inputDevices, engine.outputDevices, engine.soundDevices];
const isAlsaLoaded = () => readFileSync("/proc/self/maps", "utf8").includes("libasound");
const watching = () =>
  readdirSync("/proc/self/task").filter((task) =>
    readFileSync(`/proc/self/task/${task}/comm`, "utf8").trim() === "sc-devices"
  ).length;

const speaker: AlsaDevice = { name: "speaker", plays: join(folder, "speaker.raw") };
const microphone: AlsaDevice = { name: "microphone", hears: "/dev/zero" };
const headset: AlsaDevice = { name: "headset", plays: join(folder, "headset.raw"), hears: "/dev/zero" };
const gone: AlsaDevice = { name: "gone", hears: join(folder, "nothing.raw") };

const tasks: Record<string, () => Promise<void>> = {
  async list() {
    configure([speaker, microphone, gone, headset]);
    const before = lists();
    await engine.start(options);
    const loaded = [isAlsaLoaded()];
    const running = lists();
    loaded.push(isAlsaLoaded());
    const same = engine.soundDevices === engine.soundDevices && Object.isFrozen(engine.soundDevices);
    configure([headset]);
    const later = lists();
    await engine.stop();
    const after = lists();
    await engine.start(options);
    tell({ before, running, same, later, after, again: lists(), loaded });
  },

  async changes() {
    configure([speaker, microphone]);
    await engine.start(options);
    const notes = engine.notifications(["AudioDevicesDidChange", "DefaultAudioDeviceDidChange"]);
    const next = async () => {
      const { value } = await deadline(notes.next(), 10_000);
      const { name, sender, data: { timestamp, ...data } } = value!;
      tell({
        name,
        data,
        devices: engine.soundDevices,
        isEngine: sender === engine && timestamp instanceof Date,
      });
    };
    configure([headset, speaker, microphone]);
    await next();
    await next();
    configure([headset, speaker, microphone, { name: "default", plays: "/dev/null" }]);
    await next();
    await next();
    // The same name stands for something else.
    configure([headset, speaker, microphone, { name: "default", plays: join(folder, "other.raw") }]);
    await next();
    configure([]);
    await next();
    await next();
    await notes.return();
  },

  // Nothing is known of what was there before, so a stream without names begins with a look, aside.
  async aside() {
    configure([speaker]);
    await engine.start(options);
    const watchers = [watching()];
    const all = center.stream();
    const devices = engine.soundDevices;
    configure([speaker, headset]);
    const names: string[] = [];
    for await (const { name } of all) {
      if (name === "SIPEngineLog") continue;
      names.push(name);
      if (name === "DefaultAudioDeviceDidChange") break;
    }
    watchers.push(watching());
    await engine.stop();
    watchers.push(watching());
    tell({ devices, names, watchers });
  },

  async missing() {
    await engine.start(options);
    const found = lists();
    await using _stream = engine.notifications("AudioDevicesDidChange");
    using mixer = new AudioMixer("system_default", "speaker");
    const selected = [
      mixer.inputDevice,
      mixer.outputDevice,
      mixer.realInputDevice,
      mixer.realOutputDevice,
      mixer.ecTailLength,
    ];
    mixer.connectSlots(0, 0);
    mixer.setSoundDevices("speaker", "system_default", 0);
    tell({ found, selected });
  },

  async log() {
    await engine.start(options);
    const lines = engine.notifications("SIPEngineLog");
    tell({ found: lists() });
    for await (const { data } of lines) {
      if (!data.message.includes("asound.conf")) continue;
      tell({ level: data.level, sender: data.sender });
      break;
    }
  },
};

await tasks[task]!();
await engine.stop();
