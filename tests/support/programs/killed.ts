// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Calls programs on a runtime (the first argument) that are killed in mid-call: how many, and how many of them at a time.
 * Prints a line of JSON for each: after how many seconds that was noticed and the call had ended; and one of what is open
 * before and after them all.
 */
import process from "node:process";
import { deadline } from "@std/async";
import { AudioMixer } from "../../../mod.ts";
import type { RuntimeName } from "../../../scripts/demo/runtimes.ts";
import { openedLibrary } from "../../../ffi/library.ts";
import { callPort } from "../calls.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";
import { networkSockets, openFiles } from "../process_figures.ts";
import { ownName, startProgram } from "../program.ts";
import { SoundPath } from "../sound_path.ts";
import { until } from "../until.ts";

const [runtime = "", ...counts] = process.argv.slice(2);
const [count = 0, crowd = 0] = counts.map(Number);
/** Seconds between two looks at the RTP, and the timeout of end(). */
const checkInterval = 1;
const endTimeout = 4;

/** Tests of the other runtime may run meanwhile. */
const firstPort = ownName === "Deno" ? 48_000 : 48_100;

const engine = await startEngine(
  { tcpPort: null, rtpPortRange: [firstPort, firstPort + 2 * crowd - 1] },
  { t1: 0, t2: 0, t4: 0, td: 0 },
);
let mixer: AudioMixer | null = new AudioMixer(null, null, { sampleRate: 8000 });

async function killOne(slot: number): Promise<Record<string, number>> {
  const first = firstPort + 50 + slot * 4;
  const victim = startProgram("callee_with_sound", [first, first + 3], { runtime: runtime as RuntimeName });
  const { match } = await victim.line(/^port (\d+)$/, 30_000);
  const path = new SoundPath(mixer!);
  const call = callPort(Number(match[1]), path.sdp);
  const missing = path.audio.notifications("RTPAudioTransportDidNotGetRTP");
  await deadline(
    path.open(call, { noMediaTimeout: checkInterval, mediaCheckInterval: checkInterval }),
    10_000,
  );
  await until(() => (path.audio.statistics?.rx.packets ?? 0) > 20, "the sound of the peer");
  victim.kill();
  const killed = performance.now();
  const { value } = await deadline(missing.next(), 10_000);
  const noticed = performance.now();
  const ended = call.notifications("SIPInvitationChangedState");
  call.end({ timeout: endTimeout });
  await deadline(
    (async () => {
      for await (const { data } of ended) if (data.state === "disconnected") break;
    })(),
    10_000,
  );
  const gone = performance.now();
  path[Symbol.dispose]();
  await victim.ended;
  return {
    gotAny: Number(value!.data.gotAny),
    noticed: (noticed - killed) / 1000,
    disconnected: (gone - noticed) / 1000,
  };
}

const before = { files: openFiles().length, sockets: networkSockets().length };
let left = count;
await Promise.all(Array.from({ length: crowd }, async (_, slot) => {
  while (left-- > 0) console.log(JSON.stringify(await killOne(slot)));
}));
mixer.close();
mixer = null;
const begun = performance.now();
await until(
  () => {
    const [files, sockets] = [openFiles().length, networkSockets().length];
    return openedLibrary()!.sc_live_objects() === 0 && sockets <= before.sockets && files <= before.files + 3;
  },
  "what was open before",
  35_000,
);
// Each port can be had again.
const mixerAgain = new AudioMixer(null, null, { sampleRate: 8000 });
const paths = Array.from({ length: crowd }, () => new SoundPath(mixerAgain));
for (const path of paths) path[Symbol.dispose]();
mixerAgain.close();
console.log(JSON.stringify({ portsAgain: paths.length, secondsToLeave: (performance.now() - begun) / 1000 }));
await stopEngine();
void engine;
