// SPDX-License-Identifier: GPL-2.0-or-later
import process from "node:process";
import { after, afterEach, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "@std/assert";
import { deadline, delay } from "@std/async";
import { openedLibrary } from "../ffi/library.ts";
import { copyPCMMemory, pcmFigures } from "../media/pcm_news.ts";
import {
  AudioMixer,
  type AudioTransport,
  PCMPort,
  type PCMPortOptions,
  PJSIPError,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound, type Voice } from "../scripts/make-sounds.ts";
import { AudioPair } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { readSound, steady, writeSound } from "./support/pcm.ts";
import { until } from "./support/until.ts";

/** Ports that hear themselves. */
function loop(mixer: AudioMixer, options: PCMPortOptions = {}): PCMPort {
  const port = new PCMPort(mixer, options);
  port.start();
  mixer.connectSlots(port, port);
  return port;
}

/** Its band is that of G.711, and comparing is dear. */
const sound8k = makeSound("callee", { seconds: 1, sampleRate: 8000 });

for (const isCopied of [false, true]) {
  describe(isCopied ? "PCMPort in memory that may not be mapped" : "PCMPort", () => {
    /** What does not depend on the way to the memory. */
    const once: typeof it = isCopied ? (() => Promise.resolve()) as unknown as typeof it : it;

    before(async () => {
      await startEngine();
      copyPCMMemory(openedLibrary()!, isCopied);
    });
    afterEach(() => assertEquals(pcmFigures().waiting, 0, "somebody still waits"));
    after(async () => {
      await stopEngine();
      copyPCMMemory(openedLibrary()!, false);
    });

    once("PCMPort has its attributes before, while and after it works, and works once", () => {
      using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
      using port = new PCMPort(mixer);
      const facts = (): unknown[] => [port.isActive, port.slot, mixer.usedSlotCount, port.queued];
      assertEquals([port.sampleRate, port.capacity, port.mixer === mixer], [8000, 400, true]);
      assertEquals(facts(), [false, null, 0, 0]);
      port.start();
      assertEquals(facts(), [true, 1, 1, 0]);
      assertThrows(() => port.start(), SIPCoreInvalidStateError, "started before");
      const nothing = { read: 0, dropped: 0, played: 0, flushed: 0, underruns: 0, silence: 0 };
      assertEquals(port.statistics, nothing);
      port.stop();
      port.stop();
      assertEquals(facts(), [false, null, 0, 0]);
      assertEquals(port.statistics, nothing);
      assertThrows(() => port.start(), SIPCoreInvalidStateError, "ended");
      assertThrows(() => port.mark("late"), SIPCoreInvalidStateError, "ended");
      assertEquals(port.flush(), 0);
    });

    once("PCMPort refuses bad arguments", () => {
      using mixer = new AudioMixer(null, null);
      using odd = new AudioMixer(null, null, { sampleRate: 5000 });
      assertEquals(new PCMPort(odd).sampleRate, 5000);
      const made = (options: PCMPortOptions) => () => new PCMPort(mixer, options);
      assertThrows(() => new PCMPort({} as never), TypeError, "mixer");
      assertThrows(made({ sampleRate: "8000" as never }), TypeError, "sampleRate");
      for (const sampleRate of [0, -8000, 5000, 8001, 96000, NaN, Infinity]) {
        assertThrows(made({ sampleRate }), RangeError, "sampleRate");
      }
      assertThrows(made({ capacity: "1" as never }), TypeError, "capacity");
      for (const capacity of [0, 19, 60_001, 20.5]) assertThrows(made({ capacity }), RangeError, "capacity");
      assertThrows(made({ signal: {} as never }), TypeError, "signal");
      assertThrows(() => new PCMPort(mixer).mark(1 as never), TypeError, "name");
      const aborted = AbortSignal.abort(new Error("no more"));
      assertThrows(made({ signal: aborted }), Error, "no more");
      mixer.close();
      assertThrows(made({}), SIPCoreInvalidStateError, "closed");
    });

    it("PCMPort carries sound at its own rate through mixers of any", async () => {
      const pairs = [[8000, 16000], [16000, 8000], [24000, 8000], [24000, 16000], [48000, 8000], [
        24000,
        44100,
      ]];
      await Promise.all(
        pairs.slice(isCopied ? 4 : 0).map(async ([sampleRate, mixerRate]) => {
          using mixer = new AudioMixer(null, null, { sampleRate: mixerRate! });
          const sound = makeSound("callee", { seconds: 1, sampleRate: sampleRate! });
          using port = loop(mixer, { sampleRate: sampleRate!, capacity: 5000 });
          const written = writeSound(port, sound);
          const heard = await readSound(port, 1500);
          await written;
          assertGreater(correlate(sound8k, heard).median, 0.95, `${sampleRate} in ${mixerRate}`);
        }),
      );
    });

    once(
      "PCMPort.readable gives each reader fresh frames of 20 ms, none when nothing is connected",
      async () => {
        using mixer = new AudioMixer(null, null);
        using port = new PCMPort(mixer, { sampleRate: 24000 });
        port.start();
        const reader = port.readable.getReader();
        const read = reader.read();
        assertEquals(await Promise.race([read, delay(100)]), undefined);
        mixer.connectSlots(port, port);
        const first = (await deadline(read, 5000)).value!;
        const second = (await deadline(reader.read(), 5000)).value!;
        assertEquals([first.length, second.length], [480, 480]);
        assert(first instanceof Int16Array && first.buffer !== second.buffer);
        assertEquals(first.byteLength, first.buffer.byteLength);
        assertThrows(() => port.readable.getReader(), TypeError);
        port.writable.getWriter();
        assertThrows(() => port.writable.getWriter(), TypeError);
      },
    );

    once("PCMPort.writable counts ms and holds back beyond its capacity", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000, capacity: 200 });
      const writer = port.writable.getWriter();
      assertEquals(writer.desiredSize, 200);
      const rooms: (number | null)[] = [];
      while (writer.desiredSize! > 0) {
        writer.write(steady(port, 50));
        rooms.push(writer.desiredSize);
      }
      assertEquals(rooms, [150, 100, 50, 0]);
      // As much as has been played fits in again, and not more.
      const begin = performance.now();
      let written = 200;
      while (performance.now() - begin < 300) {
        await deadline(writer.ready, 5000);
        writer.write(steady(port, 20));
        written += 20;
        assertLess(port.queued, 241);
      }
      // A tick may come early by all but one, and its wake-up too.
      assertLess(written, 200 + (performance.now() - begin) + 20 + 20 + 20 + 1);
      assertGreater(written, 200);
    });

    once("PCMPort.writable takes what is written before start(), up to its capacity", async () => {
      using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
      using port = new PCMPort(mixer, { sampleRate: 8000 });
      const writer = port.writable.getWriter();
      const written = [writer.write(steady(port, 100)), writer.write(steady(port, 40, -1000))];
      assertEquals([port.queued, writer.desiredSize], [140, 260]);
      const read = readSound(port, 300);
      port.start();
      mixer.connectSlots(port, port);
      await deadline(Promise.all(written), 5000);
      const { samples } = await read;
      const loud = samples.filter((sample) => Math.abs(sample) > 500);
      assertEquals(loud.length, 1120);
    });

    once("PCMPort.writable takes Int16Arrays only", async () => {
      using mixer = new AudioMixer(null, null);
      for (const chunk of [new Uint8Array(320), [1, 2], "sound", null, undefined]) {
        using port = loop(mixer);
        const writer = port.writable.getWriter();
        await assertRejects(() => writer.write(chunk as never), TypeError, "Int16Array");
        await assertRejects(() => writer.closed, TypeError);
        // The other direction goes on.
        await readSound(port, 20);
      }
      using port = loop(mixer);
      const writer = port.writable.getWriter();
      await deadline(writer.write(new Int16Array(0)), 5000);
      assertEquals(port.queued, 0);
    });

    it("PCMPort drops the oldest for a reader that is slow, and counts it", async () => {
      const slow = isCopied ? 700 : 1000 * Number(process.env["SIPCORE_PCM_SECONDS"] ?? 1);
      using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
      using port = loop(mixer, { sampleRate: 8000, capacity: 200 });
      const reader = port.readable.getReader();
      await deadline(reader.read(), 5000);
      // What is said counts up, so that a frame tells when it was said.
      const writer = port.writable.getWriter();
      const frames = slow / 20 + 20;
      let next = 1;
      const write = async () => {
        while (next < frames) await writer.write(steady(port, 20, 50 * next++));
      };
      const written = write();
      await until(() => port.statistics.played >= slow, "The time is over", slow + 20_000);
      assertGreater(port.statistics.dropped, slow - 300);
      // 200 ms are there: the newest.
      const last = port.statistics.played / 20;
      const { value } = await deadline(reader.read(), 5000);
      const age = last - value![80]! / 50;
      assert(age >= 9 && age <= 11, `the first is ${age} frames old`);
      reader.releaseLock();
      await deadline(written, 10_000);
    });

    it("PCMPort plays silence for a writer that is late, and counts it", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000 });
      const writer = port.writable.getWriter();
      await delay(60);
      assertEquals([port.statistics.underruns, port.statistics.silence], [0, 0]);
      writer.write(steady(port, 50));
      await until(() => port.statistics.silence > 100, "Silence is counted");
      assertEquals(port.statistics.underruns, 1);
      writer.write(steady(port, 50));
      await until(() => port.statistics.underruns === 2, "A second time");
      assertEquals(port.statistics.played, 100);
      // After a flush, and after the last of all, silence is what is wanted.
      writer.write(steady(port, 400));
      await until(() => port.statistics.played > 100, "More is played");
      port.flush();
      const { underruns, silence } = port.statistics;
      writer.write(steady(port, 30));
      await deadline(writer.close(), 5000);
      await delay(60);
      assertEquals([port.statistics.underruns, port.statistics.silence], [underruns, silence]);
    });

    it("PCMPort.flush() drops what was written before it, and only that", async () => {
      using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
      using port = loop(mixer, { sampleRate: 8000 });
      const writer = port.writable.getWriter();
      // In the ring, half in it, and with the stream.
      const before = [400, 300, 100, 100].map((ms) => writer.write(steady(port, ms, 3000)));
      await delay(0);
      const queued = port.queued;
      const dropped = port.flush();
      const behind = writer.write(steady(port, 100, -3000));
      assert(dropped <= queued && dropped > 700, `${dropped} of ${queued} ms`);
      assertEquals(port.queued, 100);
      assertEquals(port.statistics.flushed, dropped);
      await deadline(Promise.all([...before, behind]), 5000);
      assertEquals(writer.desiredSize, 400);
      await until(() => port.queued === 0, "The rest is played");
      assertEquals(Math.round(port.statistics.played), Math.round(900 - dropped + 100));
      const { samples } = await readSound(port, 300);
      const loud = samples.filter((sample) => sample > 2000).length / 8;
      const low = samples.filter((sample) => sample < -2000).length / 8;
      assertLess(loud, 900 - dropped + 5);
      assertEquals(low, 100);
    });

    once("PCMPort.flush() does not stop what pipes", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000 });
      let made = 0;
      const source = new ReadableStream<Int16Array>({
        pull: (controller) => {
          if (made++ < 60) controller.enqueue(steady(port, 20));
          else controller.close();
        },
      });
      const piped = source.pipeTo(port.writable);
      await until(() => port.queued >= 400, "It is full");
      assertGreater(port.flush(), 300);
      await until(() => port.queued >= 400, "It is full again");
      port.flush();
      await deadline(piped, 10_000);
      const { played, flushed } = port.statistics;
      assertEquals(Math.round(played + flushed), 1200);
    });

    it("PCMPort.mark() tells when what was written has been played, or was flushed", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000 });
      const notes = port.notifications("PCMPortDidReachMark");
      const next = async () => {
        const { value } = await deadline(notes.next(), 5000);
        return [value!.data.name, value!.data.reached];
      };
      const writer = port.writable.getWriter();
      port.mark("nothing");
      writer.write(steady(port, 100));
      port.mark("first");
      port.mark("again");
      writer.write(steady(port, 600));
      port.mark("second");
      assertEquals(notes.pending, 0);
      assertEquals(await next(), ["nothing", true]);
      assertEquals(await next(), ["first", true]);
      assertGreater(port.statistics.played, 99);
      assertLess(port.statistics.played, 600);
      assertEquals(await next(), ["again", true]);
      port.flush();
      writer.write(steady(port, 20));
      port.mark("third");
      assertEquals(await next(), ["second", false]);
      assertEquals(await next(), ["third", true]);
      writer.write(steady(port, 1000));
      port.mark("never");
      port.stop();
      assertEquals(await next(), ["never", false]);
      assertEquals((await deadline(notes.next(), 5000)).done, true);
    });

    once("PCMPort.writable closes when all has been played, and leaves the other direction", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000 });
      const writer = port.writable.getWriter();
      writer.write(steady(port, 420));
      await deadline(writer.close(), 5000);
      assertEquals([port.queued, Math.round(port.statistics.played)], [0, 420]);
      await readSound(port, 300);
      await assertRejects(() => writer.write(steady(port, 20)), TypeError);
      port.mark("after the end");
    });

    once("PCMPort.writable drops what waits when it is aborted, and leaves the other direction", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000 });
      const writer = port.writable.getWriter();
      const reason = new Error("enough");
      writer.write(steady(port, 3000));
      port.mark("unheard");
      const marked = port.notifications("PCMPortDidReachMark").next();
      await until(() => port.statistics.played > 0, "It plays");
      await deadline(writer.abort(reason), 5000);
      await until(() => port.queued === 0, "It is empty");
      assertEquals((await deadline(marked, 5000)).value!.data.reached, false);
      assertEquals(await writer.closed.catch((error) => error), reason);
      assertLess(port.statistics.played, 2900);
      await readSound(port, 100);
    });

    once("PCMPort.readable can be cancelled, and leaves the other direction", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000 });
      for await (const chunk of port.readable) {
        assertEquals(chunk.length, 160);
        break;
      }
      const { value, done } = await port.readable.getReader().read();
      assertEquals([value, done], [undefined, true]);
      await writeSound(port, { sampleRate: 8000, samples: steady(port, 500) });
      await until(() => port.queued === 0, "It is played");
      assertEquals(Math.round(port.statistics.played), 500);
      assertEquals(port.statistics.read, 20);
    });

    it("PCMPort.stop() ends both streams: what is there can be read, what waits is refused", async () => {
      using mixer = new AudioMixer(null, null);
      const rejections: unknown[] = [];
      const note = (reason: unknown) => void rejections.push(reason);
      process.on("unhandledRejection", note);
      const port = loop(mixer, { sampleRate: 8000 });
      const writer = port.writable.getWriter();
      const waiting = writer.write(steady(port, 5000));
      // Nobody looks at this one.
      writer.write(steady(port, 20));
      await until(() => port.statistics.played > 100, "It plays");
      port.stop();
      await assertRejects(() => waiting, SIPCoreInvalidStateError, "ended");
      await assertRejects(() => writer.closed, SIPCoreInvalidStateError, "ended");
      await assertRejects(() => writer.write(steady(port, 20)), SIPCoreInvalidStateError, "ended");
      let frames = 0;
      for await (const chunk of port.readable) frames += chunk.length / 160;
      assert(frames >= 4 && frames <= 20, `${frames} frames`);
      assertEquals(port.statistics.read, frames * 20);
      await delay(20);
      process.off("unhandledRejection", note);
      assertEquals(rejections, []);
    });

    once("PCMPort ends with its mixer, before and after start(), and by its signal", async () => {
      const abort = new AbortController();
      const ways: [string, (mixer: AudioMixer) => void][] = [
        ["close()", (mixer) => mixer.close()],
        ["abort", () => abort.abort()],
      ];
      for (const [name, end] of ways) {
        using mixer = new AudioMixer(null, null);
        const ports = [
          new PCMPort(mixer, { signal: abort.signal }),
          loop(mixer, { signal: abort.signal }),
        ];
        await readSound(ports[1]!, 20);
        const reads = ports.map((port) => port.readable.getReader().closed);
        const writes = ports.map((port) => port.writable.getWriter().closed);
        const marks = ports[1]!.notifications();
        end(mixer);
        assertEquals(ports.map(({ isActive, slot }) => [isActive, slot]), [[false, null], [false, null]]);
        // One that waits is left to its reader.
        for (const read of reads.slice(0, 1)) await deadline(read, 5000);
        for (const write of writes) {
          await assertRejects(() => write, SIPCoreInvalidStateError, name && "ended");
        }
        assertEquals((await deadline(marks.next(), 5000)).done, true);
        assertThrows(() => ports[0]!.start(), SIPCoreInvalidStateError);
      }
    });

    it("PCMPort ends with the engine, and stays ended after a restart", async () => {
      const mixer = new AudioMixer(null, null);
      const port = loop(mixer);
      await readSound(port, 40);
      const writer = port.writable.getWriter();
      const waiting = writer.write(steady(port, 5000));
      await stopEngine();
      await assertRejects(() => waiting, SIPCoreInvalidStateError, "ended");
      for await (const _ of port.readable);
      assertEquals([port.isActive, port.flush(), port.queued], [false, 0, 0]);
      await startEngine();
      assertThrows(() => port.start(), SIPCoreInvalidStateError);
      // Whatever the clock had told last, it tells again.
      for (let i = 0; i < 3; i++) {
        const later = new AudioMixer(null, null);
        const fresh = Array.from({ length: 5 }, () => loop(later));
        await Promise.all(fresh.map((one) => readSound(one, 40)));
        const reads = fresh.map((one) => one.readable.getReader().read());
        await stopEngine();
        await deadline(Promise.all(reads), 5000);
        await startEngine();
      }
    });

    it("PCMPort wakes JavaScript once a tick for all ports, and never when nobody waits", async () => {
      using mixer = new AudioMixer(null, null);
      const ports = Array.from({ length: 20 }, () => loop(mixer));
      await delay(100);
      const idle = pcmFigures().wakeUps;
      await delay(200);
      assertEquals(pcmFigures().wakeUps, idle);
      const begin = performance.now();
      const before = pcmFigures().wakeUps;
      await Promise.all(ports.map((port) => readSound(port, 600)));
      const ticks = (performance.now() - begin) / 20;
      const woken = pcmFigures().wakeUps - before;
      assert(woken >= 5 && woken <= ticks + 5, `${woken} wake-ups in ${ticks} ticks`);
      for (const port of ports) port.stop();
      const end = pcmFigures().wakeUps;
      await delay(60);
      assertLess(pcmFigures().wakeUps, end + 2);
    });

    once("PCMPort's streams pipe, tee and transform", async () => {
      using mixer = new AudioMixer(null, null);
      using port = loop(mixer, { sampleRate: 8000 });
      const [left, right] = port.readable.tee();
      const twice = new TransformStream<Int16Array, Int16Array>({
        transform: (chunk, controller) => controller.enqueue(chunk.map((sample) => sample * 2)),
      });
      const doubled = left.pipeThrough(twice).getReader();
      const plain = right.getReader();
      const source = new ReadableStream<Int16Array>({
        start: (controller) => {
          for (let i = 0; i < 2; i++) controller.enqueue(steady(port, 60));
          controller.close();
        },
      });
      await deadline(source.pipeTo(port.writable), 5000);
      let heard = 0;
      while (heard < 4) {
        const [one, other] = await deadline(Promise.all([doubled.read(), plain.read()]), 5000);
        assertEquals([...one.value!], [...other.value!.map((sample) => sample * 2)]);
        if (other.value!.some((sample) => sample > 900)) heard++;
      }
      await Promise.all([doubled.cancel(), plain.cancel()]);
      using echo = new PCMPort(mixer, { sampleRate: 8000 });
      echo.start();
      mixer.connectSlots(echo, echo);
      const piped = echo.readable.pipeTo(echo.writable);
      await until(() => echo.statistics.read > 200, "It flows");
      echo.stop();
      await assertRejects(() => piped, SIPCoreInvalidStateError, "ended");
    });
  });
}

describe("AudioTransport.pcm()", () => {
  before(async () => void await startEngine());
  after(stopEngine);

  it("AudioTransport.pcm() carries the sound of a call both ways through any codec", async () => {
    await Promise.all(["opus", "G722", "PCMU", "PCMA"].map(async (codec) => {
      using mixer = new AudioMixer(null, null);
      using pair = new AudioPair(mixer, { codecs: [codec] }).start();
      const pass = async (voice: Voice, from: AudioTransport, to: AudioTransport) => {
        const sound = makeSound(voice, { seconds: 1.5, sampleRate: 24000 });
        const narrow = makeSound(voice, { seconds: 1.5, sampleRate: 8000 });
        let median = 0;
        // A machine that is busy with other things keeps packets waiting, and then some are missed.
        for (let attempt = 0; attempt < 4 && median <= 0.9; attempt++) {
          // While one sound is compared the others go on.
          using mouth = from.pcm({ sampleRate: 24000, capacity: 5000 });
          using ear = to.pcm({ sampleRate: 24000, capacity: 5000 });
          const written = writeSound(mouth, sound);
          const heard = await readSound(ear, 2000);
          await written;
          median = correlate(narrow, heard).median;
        }
        assertGreater(median, 0.9, `${voice} through ${codec}: ${median}`);
      };
      await Promise.all([pass("caller", pair.left, pair.right), pass("callee", pair.right, pair.left)]);
      const [left, right] = [pair.left.pcm(), pair.right.pcm()];
      pair.left.stop();
      assertEquals([left.isActive, right.isActive], [false, true]);
      await assertRejects(() => left.writable.getWriter().closed, SIPCoreInvalidStateError);
    }));
  });

  it("AudioTransport.pcm() needs a call, and gives one back that has its own end", () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer);
    assertThrows(() => pair.left.pcm(), SIPCoreInvalidStateError, "not active");
    pair.start();
    const port = pair.left.pcm();
    assertEquals([port.sampleRate, port.isActive], [16000, true]);
    assertEquals(mixer.connectedSlots, [[pair.left.slot, port.slot], [port.slot, pair.left.slot]] as never);
    port.stop();
    assertEquals(mixer.connectedSlots, []);
    assertThrows(() => pair.left.pcm({ sampleRate: 1 }), RangeError);
    using small = new AudioMixer(null, null, { slotCount: 3 });
    using full = new AudioPair(small).start();
    assertThrows(() => full.left.pcm(), PJSIPError, "Could not start the PCM port");
    assertEquals(small.usedSlotCount, 2);
  });
});
