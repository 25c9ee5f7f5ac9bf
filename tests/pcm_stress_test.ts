// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * PCM ports that are used as nobody should: at the border, without memory, forgotten, and by dice at every moment. Run
 * against the address sanitizer it tells most. SIPCORE_RACES in place of a few makes it as many ports.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { after, afterEach, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "@std/assert";
import { deadline, delay } from "@std/async";
import { errors } from "../ffi/bindings/records.ts";
import { openedLibrary } from "../ffi/library.ts";
import type { Serial } from "../ffi/types.ts";
import { readAnswer } from "../ffi/wire.ts";
import { copyPCMMemory, pcmFigures } from "../media/pcm_news.ts";
import { AudioMixer, PCMPort, PJSIPError, SIPCoreInvalidStateError } from "../mod.ts";
import { AudioPair } from "./support/audio_pair.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { libraryFile } from "./support/library_file.ts";
import { readSound, steady } from "./support/pcm.ts";
import { residentBytes, skipMemory } from "./support/process_figures.ts";
import { startProgram } from "./support/program.ts";
import { until } from "./support/until.ts";

const races = Number(process.env["SIPCORE_RACES"] ?? 40);
const isDeno = process.versions["deno"] !== undefined;

describe("PCMPort under stress", () => {
  before(async () => void await startEngine());
  afterEach(() => assertEquals(pcmFigures().waiting, 0, "somebody still waits"));
  after(stopEngine);

  it("sc_pcm_port rows answer wrong arguments, and stale serials", () => {
    const native = openedLibrary()!;
    const status = new Int32Array(1);
    using mixer = new AudioMixer(null, null);
    using port = new PCMPort(mixer);
    port.start();
    for (
      const [rate, capacity] of [[0, 20], [49, 20], [8001, 20], [1e6, 20], [8000, 0], [8000, 3001]] as const
    ) {
      assertEquals(native.sc_pcm_port_create(mixer.serial, rate, capacity, status), 0, `${rate} ${capacity}`);
      assertEquals(status[0], errors.SC_EARGS);
    }
    for (const serial of [0, -1, 0.5, NaN, Infinity, 2 ** 52, mixer.serial] as number[]) {
      const wrong = serial as Serial<"pcm_port">;
      if (serial !== mixer.serial) {
        assertEquals(native.sc_pcm_port_create(serial as Serial<"audio_mixer">, 8000, 20, status), 0);
        assertEquals(status[0], errors.SC_EGONE);
      }
      assertEquals(native.sc_pcm_port_close(wrong), errors.SC_EGONE);
      assertEquals(native.sc_pcm_port_flush(wrong), -errors.SC_EGONE);
      assertEquals(readAnswer((buffer, size) => native.sc_pcm_port_info(wrong, buffer, size)), null);
    }
  });

  it("sc_pcm_memory rows answer wrong arguments", () => {
    const native = openedLibrary()!;
    using mixer = new AudioMixer(null, null);
    using port = new PCMPort(mixer);
    port.start();
    const size = native.sc_pcm_memory_size(0);
    assertGreater(size, 0);
    for (const segment of [255, 256, 1000, 2 ** 32 - 1]) {
      assertEquals(native.sc_pcm_memory_size(segment), 0);
      assertEquals(native.sc_pcm_memory_segment(segment), null);
      assertEquals(native.sc_pcm_memory_sync(segment, new Uint8Array(8), 8), errors.SC_EARGS);
    }
    assertEquals(native.sc_pcm_memory_sync(0, new Uint8Array(8), 8), errors.SC_EARGS);
    assertEquals(
      native.sc_pcm_memory_sync(0, new Uint8Array(size + 8).subarray(1, size + 1), size),
      errors.SC_EARGS,
    );
    // What stands there is no address: nonsense goes no further than the port that it is said to.
    const nonsense = new Uint8Array(size).fill(0xfe);
    assertEquals(native.sc_pcm_memory_sync(0, nonsense, size), 0);
    mixer.connectSlots(port, port);
    assertEquals(native.sc_pcm_memory_sync(0, nonsense, size), 0);
    port.stop();
  });

  it("PCMPort.start() throws when there is no memory, and leaves nothing", () => {
    const native = openedLibrary()!;
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    let failures = 0;
    for (let n = 1; n <= 4; n++) {
      using port = new PCMPort(mixer, { sampleRate: 48000, capacity: 60_000 });
      native.sc_fail_after(n);
      try {
        port.start();
      } catch (error) {
        assert(error instanceof PJSIPError, String(error));
        failures++;
      } finally {
        native.sc_fail_after(0);
      }
      assertEquals(mixer.usedSlotCount, port.isActive ? 1 : 0);
    }
    assertGreater(failures, 1);
  });

  it("PCMPort takes an hour at once, and needs no memory for it", { skip: skipMemory }, async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using port = new PCMPort(mixer);
    port.start();
    mixer.connectSlots(port, port);
    const hour = new Int16Array(8000 * 3600).fill(1);
    const before = residentBytes();
    const writer = port.writable.getWriter();
    const written = writer.write(hour);
    port.mark("in an hour");
    const marked = port.notifications("PCMPortDidReachMark").next();
    await readSound(port, 300);
    assertLess(residentBytes() - before, 20e6);
    assertGreater(port.queued, 3_599_000);
    assertGreater(port.flush(), 3_599_000);
    await deadline(written, 5000);
    assertEquals((await deadline(marked, 5000)).value!.data.reached, false);
    // The same in pieces that nobody waits for.
    for (let i = 0; i < 180_000; i++) writer.write(hour.subarray(0, 160));
    assertEquals(Math.round(port.queued / 1000), 3600);
    assertGreater(port.flush(), 3_599_000);
    await deadline(writer.write(steady(port, 20)), 20_000);
    assertEquals(writer.desiredSize, 400);
  });

  it("PCMPort loses no count of chunks whose memory goes elsewhere", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using port = new PCMPort(mixer);
    port.start();
    mixer.connectSlots(port, port);
    const writer = port.writable.getWriter();
    const chunks = [1000, 100, 100].map((ms) => steady(port, ms));
    const written = chunks.map((chunk) => writer.write(chunk));
    await delay(0);
    // In the ring by part, and with the stream.
    for (const chunk of chunks) structuredClone(chunk.buffer, { transfer: [chunk.buffer] });
    await deadline(Promise.all(written), 5000);
    assertLess(port.queued, 401);
    await until(() => port.queued === 0, "All is played");
    const { played } = port.statistics;
    assert(played > 399 && played < 1000, `${played} ms`);
  });

  it("AudioTransport.pcm() ends in the middle of everything when the call does", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    const [echo, talker] = [pair.left.pcm(), pair.right.pcm({ sampleRate: 24000 })];
    const piped = echo.readable.pipeTo(echo.writable);
    const [one, other] = talker.readable.tee();
    const writer = talker.writable.getWriter();
    const pending = Array.from({ length: 50 }, () => writer.write(steady(talker, 100)));
    const closed = writer.close();
    closed.catch(() => {});
    await until(() => echo.statistics.read > 200, "It flows");
    pair.left.stop();
    pair.right.stop();
    await assertRejects(() => piped, SIPCoreInvalidStateError, "ended");
    await assertRejects(() => closed, SIPCoreInvalidStateError, "ended");
    const outcomes = await Promise.allSettled(pending);
    assertEquals(outcomes.at(-1)!.status, "rejected");
    for (const stream of [one, other]) {
      let frames = 0;
      for await (const chunk of stream) frames += chunk.length / 480;
      assert(frames > 0, "What was there could be read");
    }
  });

  it("PCMPort of which nobody has kept anything is told of, one that is waited for is kept", async () => {
    const program = startProgram("pcm_forgotten", [], { isMeasured: true });
    const { match } = await program.line(/^\{.*\}$/, 30_000);
    assertEquals(JSON.parse(match[0]), {
      forgotten: ["A PCMPort was forgotten without stop() or close(); it is freed when the engine stops"],
      read: 320 / 2,
      waiting: 0,
      liveObjects: 0,
    });
    assertEquals(await program.end(10_000), 0);
  });

  it("PCMPort works where Deno may not look at memory", {
    skip: isDeno ? false : "this runtime has no permissions",
  }, () => {
    const program = fileURLToPath(new URL("./support/programs/pcm_scoped.ts", import.meta.url));
    const run = (...permissions: string[]) => {
      const args = ["run", "--no-prompt", ...permissions, program, libraryFile];
      const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
      assert(stdout.startsWith("{"), stderr);
      return JSON.parse(stdout) as Record<string, number>;
    };
    for (
      const [permission, isMapped] of [[`--allow-ffi=${libraryFile}`, false], ["--allow-ffi", true]] as const
    ) {
      const { frames, flushed, wakeUps, ...rest } = run(permission);
      assertEquals(rest, { isMapped, heard: 1600, reached: true } as never);
      assert(frames! >= 10 && frames! < 100, `${frames} frames`);
      assert(wakeUps! <= frames! + 5, `${wakeUps} wake-ups for ${frames} frames`);
      assert(flushed! > 300 && flushed! <= 400, `${flushed} ms`);
    }
  });

  for (const isCopied of [false, true]) {
    it(`PCMPort ends well whatever is done to it${isCopied ? ", also in a copy" : ""}`, async () => {
      copyPCMMemory(openedLibrary()!, isCopied);
      const dice = new Dice(4711);
      const rejections: unknown[] = [];
      const note = (reason: unknown) => void rejections.push(reason);
      process.on("unhandledRejection", note);
      for (let left = races; left > 0; left -= 20) await play(dice, Math.min(20, left));
      await delay(10);
      process.off("unhandledRejection", note);
      assertEquals(rejections, []);
      copyPCMMemory(openedLibrary()!, false);
    });
  }
});

const quiet = (): void => {};

/** So many ports at a time, and something with one of them every now and then; then all have ended. */
async function play(dice: Dice, count: number): Promise<void> {
  const mixers = [8000, 16000, 44100].map((sampleRate) => new AudioMixer(null, null, { sampleRate }));
  const abort = new AbortController();
  const promises: Promise<unknown>[] = [];
  const settle = (promise: Promise<unknown> | undefined) => promise && promises.push(promise.catch(quiet));
  const ports = Array.from({ length: count }, () => {
    const mixer = mixers[dice.throw(3)]!;
    const sampleRate = [8000, 16000, 24000, 48000][dice.throw(4)]!;
    return new PCMPort(mixer, { sampleRate, capacity: 20 + dice.throw(500), signal: abort.signal });
  });
  const deeds: ((port: PCMPort) => void)[] = [
    (port) => port.start(),
    (port) => port.mixer.connectSlots(port, ports.find((other) => other.slot && other.mixer === port.mixer)!),
    (port) => settle(write(port, dice.throw(20_000))),
    (port) => settle(read(port)),
    (port) => settle(port.readable.cancel("enough")),
    (port) => settle(port.writable.abort("enough")),
    (port) => settle(port.writable.close()),
    (port) => void port.flush(),
    (port) => port.mark("here"),
    (port) => port.stop(),
    (port) => settle(port.readable.pipeTo(ports[dice.throw(count)]!.writable)),
    (port) => void settle(port.readable.pipeTo(new WritableStream(), { signal: AbortSignal.timeout(30) })),
    (port) => void port.statistics.played,
    (port) => settle(port.writable.getWriter().write("nonsense" as never)),
    (port) => {
      for (const stream of port.readable.tee()) settle(stream.cancel());
    },
  ];
  for (let i = 0; i < count * 30; i++) {
    // What is often done more often.
    const deed = deeds[dice.percent(60) ? dice.throw(4) : dice.throw(deeds.length)]!;
    try {
      deed(ports[dice.throw(count)]!);
    } catch (error) {
      assert(error instanceof SIPCoreInvalidStateError || error instanceof TypeError, String(error));
    }
    if (dice.percent(10)) await delay(dice.throw(4));
  }
  mixers[0]!.close();
  if (dice.percent(50)) abort.abort();
  for (const port of ports) port.stop();
  for (const mixer of mixers) mixer.close();
  await deadline(Promise.all(promises), 20_000);
  assertThrows(() => ports[0]!.start(), SIPCoreInvalidStateError);
  assertEquals(ports.map(({ isActive, queued }) => [isActive, queued]), ports.map(() => [false, 0]));
}

async function write(port: PCMPort, samples: number): Promise<void> {
  const writer = port.writable.getWriter();
  const written = writer.write(new Int16Array(samples));
  writer.releaseLock();
  await written;
}

async function read(port: PCMPort): Promise<void> {
  const reader = port.readable.getReader();
  const done = reader.read();
  await done;
  reader.releaseLock();
}
