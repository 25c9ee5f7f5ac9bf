// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * sipcore's calls that are measured, on the runtime that runs this file: what media.c does, with the same arguments and
 * lines. Nothing but the public API, except for the figures of the clock.
 */
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { openedLibrary } from "../../ffi/library.ts";
import { readAnswer } from "../../ffi/wire.ts";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  RecordingWaveFile,
  RTPTransport,
  SDPSession,
  WaveFile,
} from "../../mod.ts";

const address = "127.0.0.1";
const [calls, file, folder] = [Number(process.argv[2]), process.argv[3]!, process.argv[4]!];

const engine = new Engine();
await engine.start({
  ipAddress: address,
  tcpPort: null,
  tlsPort: null,
  logLevel: 0,
  rtpPortRange: [30000, 40000],
});
const mixer = new AudioMixer(null, null, { sampleRate: 8000, slotCount: 1 + 3 * calls });

/** Everything that is to live as long as the process. */
const ends = Array.from({ length: calls }, (_, number) => {
  const transport = new RTPTransport();
  transport.setInit();
  const audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
  const offer = new SDPSession(address, { media: [audio.getLocalMedia(true)] });
  const player = new WaveFile(mixer, file, { loop: true });
  const recorder = new RecordingWaveFile(mixer, join(folder, `${number}.wav`));
  return { audio, offer, player, recorder };
});

function start(ports: readonly number[]): void {
  ends.forEach(({ audio, offer, player, recorder }, number) => {
    const answer = new SDPSession(address, { media: offer.media });
    answer.media[0]!.port = ports[number]!;
    audio.start(offer, answer);
    player.start();
    mixer.connectSlots(player, audio);
    recorder.start();
    mixer.connectSlots(audio, recorder);
  });
}

let started = false;
createInterface(process.stdin).on("line", (line) => {
  if (!started) {
    started = true;
    start(line.split(" ").map(Number));
    console.log("running");
    return;
  }
  const native = openedLibrary()!;
  const clock = readAnswer((buffer, capacity) => native.sc_clock_figures(buffer, capacity));
  const [ticks, late, latest] = [clock!.f64(), clock!.f64(), clock!.f64()];
  const received = ends.reduce((sum, { audio }) => sum + (audio.statistics?.rx.packets ?? 0), 0);
  console.log(`figures ${ticks} ${late} ${Math.ceil(latest)} ${received}`);
}).on("close", async () => {
  await engine.stop();
  process.exit(0);
});
console.log(`ports ${ends.map(({ audio }) => audio.transport.localRtpPort).join(" ")}`);
