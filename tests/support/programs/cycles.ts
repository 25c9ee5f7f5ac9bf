// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Starts and stops the engine so many times, with a mixer and an RTP transport in between. Prints a line of JSON after
 * each, or each so many: what is left of it, and how many ms it took.
 */
import process from "node:process";
import { openedLibrary } from "../../../ffi/library.ts";
import { AudioMixer, Engine, RTPTransport } from "../../../mod.ts";
import { openFiles, residentBytes } from "../process_figures.ts";
import { collectGarbage } from "../program.ts";
import { until } from "../until.ts";

const engine = new Engine();

const [times, step = 1] = process.argv.slice(2).map(Number);

for (let count = 1; count <= times!; count++) {
  const start = performance.now();
  await engine.start({ ipAddress: "127.0.0.1", rtpPortRange: [43000, 43099] });
  new AudioMixer(null, null);
  new RTPTransport().setInit();
  await engine.stop();
  const ms = performance.now() - start;
  if (count % step !== 0) continue;
  const native = openedLibrary()!;
  // The bell's thread ends a little after it has been told to.
  await until(() => native.sc_live_threads() === 0, "no thread of ours", 2000);
  collectGarbage();
  native.sc_trim();
  console.log(JSON.stringify({
    ms,
    liveObjects: native.sc_live_objects(),
    files: openFiles().length,
    residentBytes: residentBytes(),
  }));
}
