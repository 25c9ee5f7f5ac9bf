// SPDX-License-Identifier: GPL-2.0-or-later
/** Plays a file over and over into a recording until it is killed: the file to play, the one to record to. */
import process from "node:process";
import { AudioMixer, Engine, RecordingWaveFile, WaveFile } from "../../../mod.ts";

const [play = "", record = ""] = process.argv.slice(2);
await new Engine().start({ ipAddress: "127.0.0.1", tcpPort: null });
const mixer = new AudioMixer(null, null);
const player = new WaveFile(mixer, play, { loop: true });
const recorder = new RecordingWaveFile(mixer, record);
player.start();
recorder.start();
mixer.connectSlots(player, recorder);
console.log("recording");
