// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Opens RTP transports until there is no port or no file descriptor left, closes them, and again, so many rounds (the
 * argument), every other one with ICE. Prints a line of JSON: how many it could open, what the one too many was told, how
 * many sockets are open at the end beyond the first rounds', and whether a call with sound is possible then.
 */
import process from "node:process";
import { delay } from "@std/async";
import { AudioMixer, Engine, RTPTransport } from "../../../mod.ts";
import { openedLibrary } from "../../../ffi/library.ts";
import { AudioPair } from "../audio_pair.ts";
import { networkSockets } from "../process_figures.ts";
import { until } from "../until.ts";

const [rounds = 1, first = 0, last = 0] = process.argv.slice(2).map(Number);

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", rtpPortRange: [first, last] });
const opened = new Set<number>();
const reasons = new Set<string>();
let sockets = 0;
for (let round = 0; round < rounds; round++) {
  const open: RTPTransport[] = [];
  for (;;) {
    const transport = new RTPTransport({ useIce: round % 2 === 1 });
    try {
      transport.setInit();
    } catch (error) {
      const { name, message } = error as Error;
      reasons.add(`${name}: ${message}`);
      if (transport.state !== "NULL") reasons.add(`it is ${transport.state}`);
      break;
    } finally {
      open.push(transport);
    }
  }
  opened.add(open.length - 1);
  for (const transport of open) transport.close();
  // What is told about the transports that there were.
  if (round % 10 === 0) await delay(1);
  if (round === 1) sockets = networkSockets().length;
}
const more = networkSockets().length - sockets;
const mixer = new AudioMixer(null, null);
const pair = new AudioPair(mixer).start();
await until(() => pair.right.statistics!.rx.packets > 5, "sound");
pair[Symbol.dispose]();
mixer.close();
await engine.stop();
const left = openedLibrary()!.sc_live_objects();
console.log(JSON.stringify({ opened: [...opened].sort((a, b) => a - b), reasons: [...reasons], more, left }));
