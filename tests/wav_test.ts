// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeWav, duration, encodeWav, readWav, writeWav } from "../scripts/wav.ts";

const sound = { sampleRate: 8000, samples: Int16Array.of(0, 1, -1, 32767, -32768, 258) };

/** A file whose fmt chunk has these values. */
function formatted(format: number, channels: number, bits: number): Uint8Array {
  const bytes = encodeWav(sound);
  const view = new DataView(bytes.buffer);
  view.setUint16(20, format, true);
  view.setUint16(22, channels, true);
  view.setUint16(34, bits, true);
  return bytes;
}

describe("wav", () => {
  it("encodeWav() writes the header that every player knows", () => {
    const bytes = encodeWav(sound);
    const view = new DataView(bytes.buffer);
    const text = new TextDecoder("latin1").decode(bytes);
    assertEquals(text.slice(0, 4) + text.slice(8, 16) + text.slice(36, 40), "RIFFWAVEfmt data");
    assertEquals(view.getUint32(4, true), bytes.length - 8);
    assertEquals(view.getUint32(40, true), 12);
    assertEquals(view.getUint32(28, true), 16000);
    assertEquals([...bytes.subarray(44, 50)], [0, 0, 1, 0, 0xff, 0xff]);
  });

  it("decodeWav() gives back what encodeWav() wrote", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -32768, max: 32767 })),
        fc.integer({ min: 1, max: 192000 }),
        (values, sampleRate) => {
          const samples = Int16Array.from(values);
          assertEquals(decodeWav(encodeWav({ sampleRate, samples })), { sampleRate, samples });
        },
      ),
    );
  });

  it("decodeWav() reads from the middle of a larger buffer, at an odd offset", () => {
    const bytes = encodeWav(sound);
    const larger = new Uint8Array(bytes.length + 7).fill(0xaa);
    larger.set(bytes, 3);
    assertEquals(decodeWav(larger.subarray(3, 3 + bytes.length)), sound);
  });

  it("decodeWav() skips chunks that it does not know, odd sizes padded", () => {
    const bytes = encodeWav(sound);
    const note = Uint8Array.of(...new TextEncoder().encode("LIST"), 3, 0, 0, 0, 1, 2, 3, 0);
    const file = new Uint8Array([...bytes.subarray(0, 36), ...note, ...bytes.subarray(36)]);
    assertEquals(decodeWav(file), sound);
  });

  it("decodeWav() reads the extensible form of PCM", () => {
    const bytes = encodeWav(sound);
    const extension = new Uint8Array(24);
    extension[8] = 1;
    const file = new Uint8Array([...bytes.subarray(0, 36), ...extension, ...bytes.subarray(36)]);
    const view = new DataView(file.buffer);
    view.setUint32(16, 40, true);
    view.setUint16(20, 0xfffe, true);
    assertEquals(decodeWav(file), sound);
  });

  it("decodeWav() ends with the file where the data chunk claims more", () => {
    const bytes = encodeWav(sound);
    new DataView(bytes.buffer).setUint32(40, 0xffffffff, true);
    assertEquals(decodeWav(bytes), sound);
    assertEquals(decodeWav(bytes.subarray(0, bytes.length - 3)).samples.length, 4);
  });

  it("decodeWav() refuses stereo, 8 bits, A-law and a rate of 0", () => {
    assertThrows(() => decodeWav(formatted(1, 2, 16)), Error, "2 channels");
    assertThrows(() => decodeWav(formatted(1, 1, 8)), Error, "8 bits");
    assertThrows(() => decodeWav(formatted(6, 1, 16)), Error, "format 6");
    const bytes = encodeWav(sound);
    new DataView(bytes.buffer).setUint32(24, 0, true);
    assertThrows(() => decodeWav(bytes), Error, "0 Hz");
  });

  it("decodeWav() refuses every beginning of a file that has no sound in it yet", () => {
    const bytes = encodeWav(sound);
    for (let length = 0; length < 44; length++) {
      assertThrows(() => decodeWav(bytes.subarray(0, length)), Error, "Not a WAV file");
    }
  });

  it("decodeWav() answers any bytes with a sound or an Error", () => {
    const head = encodeWav(sound);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(44), (noise, from) => {
      const bytes = new Uint8Array([...head.subarray(0, from), ...noise]);
      try {
        assert(decodeWav(bytes).samples.length * 2 <= bytes.length);
      } catch (error) {
        assert(
          error instanceof Error && /^Not (a WAV file|mono 16-bit PCM)/.test(error.message),
          String(error),
        );
      }
    }));
  });

  it("encodeWav() refuses a rate that is none", () => {
    for (const sampleRate of [0, -8000, 8000.5, NaN]) {
      assertThrows(() => encodeWav({ ...sound, sampleRate }), RangeError);
    }
  });

  it("duration() is in seconds", () => {
    assertEquals(duration({ sampleRate: 8000, samples: new Int16Array(12000) }), 1.5);
  });

  it("readWav() reads what writeWav() wrote, and names the file that it cannot read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sipcore-wav-"));
    try {
      await writeWav(join(folder, "a.wav"), sound);
      assertEquals(await readWav(join(folder, "a.wav")), sound);
      await writeFile(join(folder, "b.wav"), "no sound");
      await assertRejects(() => readWav(join(folder, "b.wav")), Error, "b.wav: Not a WAV file");
      await assertRejects(() => readWav(join(folder, "c.wav")), Error, "ENOENT");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
