// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A program that is granted nothing but its library, whose path is its first argument: calls itself, with sound, and
 * records it into the second.
 */
import process from "node:process";
import { AudioMixer, Engine, RecordingWaveFile } from "../../../mod.ts";
import { SelfCall } from "../self_call.ts";

const [libraryPath, filename] = process.argv.slice(2);
await using engine = new Engine();
await engine.start({ libraryPath: libraryPath!, ipAddress: "127.0.0.1" });
using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
const call = await SelfCall.start(engine, mixer);
using recording = new RecordingWaveFile(mixer, filename!);
recording.start();
await call.end();
console.log("called");
