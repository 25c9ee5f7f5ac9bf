// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Ports of which the program has kept nothing, or no more than a promise or a stream, while garbage is collected. Prints
 * as JSON what became of them.
 */
import { delay } from "@std/async";
import { openedLibrary } from "../../../ffi/library.ts";
import { pcmFigures } from "../../../media/pcm_news.ts";
import { AudioMixer, Engine, NotificationCenter, PCMPort } from "../../../mod.ts";
import { collectGarbage } from "../program.ts";
import { until } from "../until.ts";

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1" });
const mixer = new AudioMixer(null, null, { sampleRate: 8000 });
const forgotten: string[] = [];
new NotificationCenter().addObserver(({ data }) => {
  if (data.kind === "forgotten") forgotten.push(data.message);
}, { name: "SIPEngineGotWarning" });

async function collect(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    collectGarbage();
    await delay(10);
  }
}

/** Neither read nor written. */
function forget(): void {
  const port = new PCMPort(mixer);
  port.start();
}

/** Its frame comes long after nobody but the read knows of it. */
function readLater(): { read: Promise<number>; slot: number } {
  const port = new PCMPort(mixer);
  port.start();
  const read = port.readable.getReader().read().then(({ value }) => value!.length);
  return { read, slot: port.slot! };
}

/** What is written is more than fits. */
function writeMuch(): { written: Promise<void>; slot: number } {
  const port = new PCMPort(mixer);
  port.start();
  return { written: port.writable.getWriter().write(new Int16Array(8000)), slot: port.slot! };
}

/** A port that ends before it was started leaves nothing, and one that is piped into itself goes on. */
function neverStart(): void {
  new PCMPort(mixer).readable.getReader().read();
}

for (let i = 0; i < 5; i++) {
  forget();
  neverStart();
}
const reader = readLater();
const writer = writeMuch();
await collect();
await until(() => forgotten.length === 5, `Five are told, not ${forgotten.length}`);
mixer.connectSlots(writer.slot, reader.slot);
const read = await reader.read;
await writer.written;
await collect();
const { waiting } = pcmFigures();
await engine.stop();
console.log(JSON.stringify({
  forgotten: [...new Set(forgotten)],
  read,
  waiting,
  liveObjects: openedLibrary()!.sc_live_objects(),
}));
