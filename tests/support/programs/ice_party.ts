// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One side of a call whose descriptions go through stdin and stdout, a command and its answer a line of JSON each:
 * "init", "offer", "answer SDP" and "start SDP", "negotiated", "play" (the file that is named first), "heard"
 * (answers with the file that has what there was to hear since the last; the second name is what they begin with). Arguments: its IP address, the two files, and the options of
 * RTPTransport. Ends when stdin does.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import {
  AudioMixer,
  Engine,
  RecordingWaveFile,
  type RTPTransportOptions,
  SDPSession,
  WaveFile,
} from "../../../mod.ts";
import { ICESide } from "../ice_pair.ts";

const [ipAddress = "", plays = "", records = "", options = "{}"] = process.argv.slice(2);

await using engine = new Engine();
await engine.start({ ipAddress, tcpPort: null, tlsPort: null });
using mixer = new AudioMixer(null, null);
using side = new ICESide(JSON.parse(options) as RTPTransportOptions);
let recorder: RecordingWaveFile;
let count = 0;

function record(): void {
  recorder = new RecordingWaveFile(mixer, `${records}-${count++}.wav`);
  recorder.start();
  mixer.connectSlots(side.audio!, recorder);
}

/** Records from the start: what nobody listens to waits, and would be heard late. */
function open(remote: SDPSession): void {
  side.audio!.start(side.sdp!, remote);
  record();
}

const commands: Readonly<Record<string, (text: string) => unknown>> = {
  init: async () => (await side.init()).name,
  offer: () => side.describe(mixer).toString(),
  answer: (text) => {
    const remote = SDPSession.parse(text);
    const answer = side.describe(mixer, remote).toString();
    open(remote);
    return answer;
  },
  start: (text) => open(SDPSession.parse(text)),
  negotiated: async () => await side.negotiated(),
  play: async () => {
    using wave = new WaveFile(mixer, plays);
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, side.audio!);
    await ended;
  },
  heard: () => {
    const { filename } = recorder;
    recorder.stop();
    record();
    return filename;
  },
};

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [command = "", text = ""] = JSON.parse(line) as string[];
  const answer = await commands[command]!(text);
  console.log(
    JSON.stringify({ answer: answer ?? null }, (key, value) => key === "sender" ? undefined : value),
  );
}
