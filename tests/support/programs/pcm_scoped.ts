// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Says something to itself and hears it, with the library of its first argument. Prints what became of it as JSON: for
 * runs in which the runtime may not look at memory.
 */
import process from "node:process";
import { openedLibrary } from "../../../ffi/library.ts";
import { pcmFigures, pcmMemory } from "../../../media/pcm_news.ts";
import { AudioMixer, Engine, PCMPort } from "../../../mod.ts";

const [libraryPath = null] = process.argv.slice(2);
await using engine = new Engine();
await engine.start({ libraryPath, ipAddress: "127.0.0.1" });
using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
using port = new PCMPort(mixer);
port.start();
mixer.connectSlots(port, port);
const marked = port.notifications("PCMPortDidReachMark").next();
const writer = port.writable.getWriter();
writer.write(new Int16Array(1600).fill(1000));
port.mark("all");
let heard = 0;
let frames = 0;
for await (const chunk of port.readable) {
  heard += chunk.filter((sample) => sample === 1000).length;
  frames++;
  if (heard === 1600) break;
}
const { reached } = (await marked).value!.data;
await writer.write(new Int16Array(3200));
const flushed = port.flush();
const { isMapped } = pcmMemory(openedLibrary()!);
console.log(JSON.stringify({ isMapped, heard, reached, frames, flushed, wakeUps: pcmFigures().wakeUps }));
