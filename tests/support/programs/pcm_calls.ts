// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * So many calls to a port of this machine's, each with a PCM port that is read and written for so many seconds. Prints
 * what that took as a line of JSON. With "copied" as its fourth argument as where memory may not be looked at.
 */
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { openedLibrary } from "../../../ffi/library.ts";
import { copyPCMMemory, pcmFigures } from "../../../media/pcm_news.ts";
import { AudioMixer, Engine, type PCMPort, type PCMStatistics } from "../../../mod.ts";
import { callPort } from "../calls.ts";
import { runtimeCpu } from "../process_figures.ts";
import { SoundPath } from "../sound_path.ts";

const [port = 0, calls = 0, seconds = 0] = process.argv.slice(2).map(Number);
const sampleRate = 24000;
/** What is written ahead of what is played, in ms. */
const ahead = 200;

const engine = new Engine();
await engine.start({
  ipAddress: "127.0.0.1",
  tcpPort: null,
  tlsPort: null,
  rtpPortRange: [47000, 47999],
  codecs: ["PCMU"],
});
if (process.argv[5] === "copied") copyPCMMemory(openedLibrary()!, true);
const mixer = new AudioMixer(null, null, { sampleRate: 8000 });
const said = new Int16Array(sampleRate / 50).map((_, i) =>
  8000 * Math.sin(2 * Math.PI * i * 500 / sampleRate)
);

/** Says something in step with what is heard. */
async function talk(pcm: PCMPort): Promise<void> {
  const writer = pcm.writable.getWriter();
  for (let i = 0; i < ahead / 20; i++) writer.write(said);
  for await (const _ of pcm.readable) writer.write(said);
}

async function call(): Promise<PCMPort> {
  const path = new SoundPath(mixer);
  await path.open(callPort(port, path.sdp));
  const pcm = path.audio.pcm({ sampleRate });
  talk(pcm);
  return pcm;
}

const ports: PCMPort[] = [];
// Some at a time: the other side is one process as well.
for (let begun = 0; begun < calls; begun += 10) {
  ports.push(...await Promise.all(Array.from({ length: Math.min(10, calls - begun) }, call)));
}
await delay(2000);

const sum = (key: keyof PCMStatistics): number =>
  ports.reduce((all, { statistics }) => all + statistics[key], 0);
const figures = () => ({
  time: performance.now(),
  cpu: runtimeCpu(),
  wakeUps: pcmFigures().wakeUps,
  read: sum("read"),
  played: sum("played"),
  dropped: sum("dropped"),
  silence: sum("silence"),
});
const before = figures();
await delay(seconds * 1000);
const after = figures();
const took = after.time - before.time;
const between = (key: keyof typeof after): number => after[key] - before[key];
console.log(JSON.stringify({
  calls,
  seconds: took / 1000,
  readPart: between("read") / (took * calls),
  playedPart: between("played") / (took * calls),
  droppedPart: between("dropped") / (took * calls),
  silencePart: between("silence") / (took * calls),
  core: between("cpu") / took,
  wakeUpsPerSecond: between("wakeUps") / took * 1000,
}));
await engine.stop();
process.exit();
