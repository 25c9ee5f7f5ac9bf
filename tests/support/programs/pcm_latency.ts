// SPDX-License-Identifier: GPL-2.0-or-later
/** Measures so many latencies at some pairs of rates; a line of JSON for each: the rates and the times in ms, sorted. */
import process from "node:process";
import { AudioMixer, Engine } from "../../../mod.ts";
import { measureLatency } from "../pcm_latency.ts";

const count = Number(process.argv[2]);
const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", tcpPort: null, tlsPort: null });
for (const [mixerRate, sampleRate] of [[8000, 8000], [8000, 24000], [16000, 24000]] as const) {
  using mixer = new AudioMixer(null, null, { sampleRate: mixerRate });
  console.log(
    JSON.stringify({ mixerRate, sampleRate, ...await measureLatency(mixer, { sampleRate, count }) }),
  );
}
await engine.stop();
process.exit();
