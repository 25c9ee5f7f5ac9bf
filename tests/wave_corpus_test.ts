// SPDX-License-Identifier: GPL-2.0-or-later
/** Good files and bad ones, by hand and by chance: only good ones open, and those play. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import { openedLibrary } from "../ffi/library.ts";
import { AudioMixer, PJSIPError, WaveFile } from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { until } from "./support/until.ts";
import { ALAW, chunk, type Format, PCM, ULAW, wav } from "./support/wave_bytes.ts";

const EXTENSIBLE = 0xfffe;
const HEAD = 12;
const DATA = 36;

/** 100 ms at 16 kHz, and nothing of it zero. */
const sound = new Uint8Array(3200).fill(17);

type Change = (view: DataView, bytes: Uint8Array) => void;

describe("WAV files", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-corpus-"));
    await startEngine();
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  const good: Readonly<Record<string, Uint8Array>> = {
    "plain": wav({}, sound),
    "A-law": wav({ tag: ALAW, bits: 8, rate: 8000 }, sound),
    "µ-law": wav({ tag: ULAW, bits: 8, rate: 8000 }, sound),
    "two channels": wav({ channels: 2 }, sound),
    "4 kHz": wav({ rate: 4000 }, sound),
    "192 kHz": wav({ rate: 192000 }, new Uint8Array(192000).fill(17)),
    "a tick and no more": wav({}, sound.subarray(0, 640)),
    "an odd number of bytes": wav({}, sound.subarray(0, 3199)),
    "a size of the file that is wrong": changed({}, (view) => view.setUint32(4, 3, true)),
    "a data rate that is wrong": changed({}, (view) => view.setUint32(28, 0, true)),
    "sound to the end of the file": changed({}, (view) => view.setUint32(40, 0xffffffff, true)),
    "less sound than it says": wav({}, sound).slice(0, 44 + 1000),
    "something behind its sound": joined(wav({}, sound), chunk("LIST", 3200)),
    "a chunk of odd size": inserted(HEAD, joined(chunk("JUNK", 13), new Uint8Array(1))),
    "a chunk of nothing": inserted(DATA, chunk("fact", 0)),
    "a hundred chunks": inserted(HEAD, joined(...Array.from({ length: 100 }, () => chunk("JUNK", 2)))),
    "a format chunk of 18 bytes": widened(18),
    "an extensible format": widened(40, (view) => {
      view.setUint16(20, EXTENSIBLE, true);
      view.setUint16(44, PCM, true);
    }),
  };

  const bad: Readonly<Record<string, Uint8Array>> = {
    "nothing": new Uint8Array(0),
    "one byte": new Uint8Array(1).fill(82),
    "the first word": new TextEncoder().encode("RIFF"),
    "text": new TextEncoder().encode("This is not a sound. ".repeat(100)),
    "zeros": new Uint8Array(5000),
    "an MP3": new Uint8Array(5000).fill(0xff),
    "other words": changed({}, (_, bytes) => bytes.set(new TextEncoder().encode("RIFX"))),
    "another form": changed({}, (_, bytes) => bytes.set(new TextEncoder().encode("AVI "), 8)),
    "no format": changed({}, (_, bytes) => bytes.set(new TextEncoder().encode("JUNK"), 12)),
    "no sound": changed({}, (_, bytes) => bytes.set(new TextEncoder().encode("JUNK"), DATA)),
    "the format behind the sound": joined(
      wav({}, sound).slice(0, 12),
      wav({}, sound).slice(DATA),
      wav({}, sound).slice(12, DATA),
    ),
    "two formats": inserted(DATA, wav({}, sound).slice(12, DATA)),
    "a format chunk of 14 bytes": changed({}, (view) => view.setUint32(16, 14, true)),
    "a format chunk beyond the end": changed({}, (view) => view.setUint32(16, 0xffffffff, true)),
    "a chunk beyond the end": inserted(
      HEAD,
      (() => {
        const junk = chunk("JUNK", 8);
        new DataView(junk.buffer).setUint32(4, 0xfffffff0, true);
        return junk;
      })(),
    ),
    "a format that ends with the file": wav({}, sound).slice(0, 30),
    "a file that ends with the format": wav({}, sound).slice(0, DATA),
    "a file that ends with the head of its sound": wav({}, sound).slice(0, 44),
    "less than a tick": wav({}, sound.subarray(0, 638)),
    "less than a tick of what it says": wav({}, sound).slice(0, 44 + 100),
    "ten thousand chunks": inserted(HEAD, joined(...Array.from({ length: 10_000 }, () => chunk("JUNK", 0)))),
    "an extensible format without the rest": changed({ tag: EXTENSIBLE }),
    "an extensible format of floats": widened(40, (view) => {
      view.setUint16(20, EXTENSIBLE, true);
      view.setUint16(44, 3, true);
    }),
    ...Object.fromEntries(
      ([
        { rate: 0 },
        { rate: 1 },
        { rate: 3999 },
        { rate: 11025 },
        { rate: 192050 },
        { rate: 0x7fffffff },
        { rate: 0x80000000 },
        { rate: 0xffffffff },
        { channels: 0 },
        { channels: 3 },
        { channels: 0xffff },
        { bits: 0 },
        { bits: 8 },
        { bits: 12 },
        { bits: 24 },
        { bits: 32 },
        { bits: 0xffff },
        { tag: 0 },
        { tag: 2, bits: 4 },
        { tag: 3, bits: 32 },
        { tag: 17, bits: 4 },
        { tag: 49 },
        { tag: 85 },
        { tag: 0xffff },
        { tag: ALAW, bits: 16 },
        { tag: ULAW, bits: 0 },
      ] satisfies Format[]).map((format) => [JSON.stringify(format), changed(format)]),
    ),
    ...Object.fromEntries(
      [0, 1, 3, 4, 0xffff].map((block) => [
        `blocks of ${block}`,
        changed({}, (view) => view.setUint16(32, block, true)),
      ]),
    ),
  };

  it("A good WAV file opens and plays", async () => {
    using mixer = new AudioMixer(null, null, { slotCount: 100 });
    const waves = await Promise.all(
      Object.entries(good).map(async ([name, bytes], index) => {
        await writeFile(file(`good-${index}.wav`), bytes);
        const wave = new WaveFile(mixer, file(`good-${index}.wav`));
        assert(isGood(bytes), `the test takes it for bad: ${name}`);
        try {
          wave.start();
        } catch (error) {
          throw new Error(`with ${name}: ${error}`);
        }
        return { name, wave };
      }),
    );
    for (const { wave } of waves) mixer.connectSlots(wave, 0);
    await until(() => waves.every(({ wave }) => !wave.isActive), "They do not end");
  });

  it("A bad WAV file does not open, and is named", async () => {
    using mixer = new AudioMixer(null, null);
    const live = openedLibrary()!.sc_live_objects();
    for (const [name, bytes] of Object.entries(bad)) {
      await writeFile(file("bad.wav"), bytes);
      assert(!isGood(bytes), `the test takes it for good: ${name}`);
      const wave = new WaveFile(mixer, file("bad.wav"));
      assertThrows(() => wave.start(), PJSIPError, `Could not play ${file("bad.wav")}`, name);
      assertEquals([wave.isActive, wave.slot, mixer.usedSlotCount], [false, null, 0]);
    }
    assertEquals(openedLibrary()!.sc_live_objects(), live);
  });

  it("What is no file does not open, at once", async () => {
    using mixer = new AudioMixer(null, null);
    execFileSync("mkfifo", [file("pipe")]);
    await symlink("circle", file("circle"));
    await writeFile(file("huge.wav"), wav({}, sound).slice(0, 12));
    // A terabyte without one chunk.
    await truncate(file("huge.wav"), 2 ** 40);
    const begin = performance.now();
    const names = [
      ...[folder, file("pipe"), file("circle"), file("huge.wav"), file("missing.wav")],
      ...["", "/", "/dev/null", "/dev/zero", "/proc/self/mem", "x".repeat(300), `/${"y/".repeat(5000)}`],
    ];
    for (const name of names) {
      assertThrows(() => new WaveFile(mixer, name).start(), PJSIPError, "Could not play");
    }
    assertLess(performance.now() - begin, 5000);
  });

  it("Of WAV files with any changes those open that are good", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    const live = openedLibrary()!.sc_live_objects();
    const bases = Object.values(good).filter(({ length }) => length < 10_000);
    const change = fc.tuple(fc.nat(60), fc.constantFrom(0, 1, 2, 6, 7, 8, 16, 127, 128, 254, 255));
    let opened = 0;
    const runs = Number(process.env.SIPCORE_WAVES ?? 500);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...bases),
        fc.array(change, { maxLength: 4 }),
        fc.option(fc.nat(4000), { freq: 4 }),
        async (base, changes, length) => {
          const bytes = base.slice(0, length ?? base.length);
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          await writeFile(file("any.wav"), bytes);
          using wave = new WaveFile(mixer, file("any.wav"), { loop: opened % 2 === 0 });
          try {
            wave.start();
            mixer.connectSlots(wave, 0);
          } catch (error) {
            assert(error instanceof PJSIPError, String(error));
          }
          assertEquals(wave.isActive, isGood(bytes));
          if (wave.isActive) opened++;
        },
      ),
      { numRuns: runs },
    );
    assertGreater(opened, runs / 10);
    await until(() => openedLibrary()!.sc_live_objects() === live, "Objects are left");
  });
});

/** What RIFF and the documentation of WaveFile say of a file. */
function isGood(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number): string => new TextDecoder("latin1").decode(bytes.subarray(at, at + 4));
  if (word(0) !== "RIFF" || word(8) !== "WAVE") return false;
  let block = 0;
  let rate = 0;
  let chunks = 0;
  for (let at = 12; at + 8 <= bytes.length && chunks++ < 1000;) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (word(at) === "fmt ") {
      if (block !== 0 || size < 16 || body + Math.min(size, 40) > bytes.length) return false;
      const stated = view.getUint16(body, true);
      const tag = stated === EXTENSIBLE && size >= 40 ? view.getUint16(body + 24, true) : stated;
      const channels = view.getUint16(body + 2, true);
      rate = view.getUint32(body + 4, true);
      block = view.getUint16(body + 12, true);
      const bits = tag === PCM ? 16 : tag === ALAW || tag === ULAW ? 8 : null;
      if (bits !== view.getUint16(body + 14, true) || block !== channels * bits / 8) return false;
      if (channels < 1 || channels > 2 || rate < 4000 || rate > 192000 || rate % 50 !== 0) return false;
    } else if (word(at) === "data") {
      return block !== 0 && Math.floor(Math.min(size, bytes.length - body) / block) >= rate / 50;
    }
    at = body + size + size % 2;
  }
  return false;
}

function changed(format: Format, change: Change = () => {}): Uint8Array {
  const bytes = wav(format, sound);
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

/** The plain file with something at this place. */
function inserted(at: number, bytes: Uint8Array): Uint8Array {
  const plain = wav({}, sound);
  return joined(plain.slice(0, at), bytes, plain.slice(at));
}

/** The plain file with a format chunk of so many bytes. */
function widened(size: number, change: Change = () => {}): Uint8Array {
  const bytes = inserted(DATA, new Uint8Array(size - 16));
  const view = new DataView(bytes.buffer);
  view.setUint32(16, size, true);
  change(view, bytes);
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
