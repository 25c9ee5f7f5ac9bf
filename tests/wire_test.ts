// SPDX-License-Identifier: GPL-2.0-or-later
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assertEquals, assertInstanceOf, assertNotStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { cstring, readAnswer, Reader, Writer } from "../ffi/wire.ts";
import { inPath } from "../scripts/build/debian.ts";
import { layoutOf, SHIM } from "../scripts/build/layout.ts";

/** A value with the word that carries it: u8, u32, i32 or text, by the letters of fixtures/wire_twin.c. */
type Value =
  | readonly ["u", number]
  | readonly ["U", number]
  | readonly ["i", number]
  | readonly ["t", string];

const text = fc.string({ unit: "binary" });
const value: fc.Arbitrary<Value> = fc.oneof<fc.Arbitrary<Value>[]>(
  fc.tuple(fc.constant("u" as const), fc.integer({ min: 0, max: 255 })),
  fc.tuple(fc.constant("U" as const), fc.integer({ min: 0, max: 0xffffffff })),
  fc.tuple(fc.constant("i" as const), fc.integer({ min: -0x80000000, max: 0x7fffffff })),
  fc.tuple(fc.constant("t" as const), text),
);
const values: fc.Arbitrary<Value[]> = fc.array(value, { maxLength: 40 });

function write(writer: Writer, all: readonly Value[]): Writer {
  for (const one of all) {
    if (one[0] === "u") writer.u8(one[1]);
    else if (one[0] === "U") writer.u32(one[1]);
    else if (one[0] === "i") writer.i32(one[1]);
    else writer.text(one[1]);
  }
  return writer;
}

/** The block as it is handed to C. */
function blockOf(all: readonly Value[]): Uint8Array {
  const writer = write(new Writer(), all);
  return writer.block.slice(0, writer.size);
}

/** Reads the same words again. */
function read(reader: Reader, all: readonly Value[]): Value[] {
  return all.map(([letter]): Value => {
    if (letter === "u") return [letter, reader.u8()];
    if (letter === "U") return [letter, reader.u32()];
    if (letter === "i") return [letter, reader.i32()];
    return [letter, reader.text()];
  });
}

/** A reader of these bytes, with others of 0xff before and behind them, as in the pump's buffer. */
function readerOf(bytes: Uint8Array, before = 24): Reader {
  const buffer = new Uint8Array(before + bytes.length + 32).fill(0xff);
  buffer.set(bytes, before);
  return new Reader(buffer, new DataView(buffer.buffer), before, before + bytes.length);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

describe("Writer", () => {
  it("Writer and Reader are inverse for every word, at any place", () => {
    fc.assert(fc.property(values, fc.nat(100), (all, before) => {
      const reader = readerOf(blockOf(all), before);
      assertEquals(read(reader, all), all);
      assertEquals(reader.done, true);
    }));
  });

  it("Writer.bytes() carries any bytes, also more than its first buffer holds", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 }), (all) => {
      const writer = new Writer();
      for (const bytes of all) writer.bytes(bytes);
      const reader = readerOf(writer.block.slice(0, writer.size));
      for (const bytes of all) assertEquals([...reader.bytes()], [...bytes]);
      assertEquals(reader.done, true);
    }));
  });

  it("Writer.list() puts the number of elements ahead, also of what can be counted only once", () => {
    const letters = new Set(["a", "bc", ""]);
    const writer = new Writer().u8(1).list(letters.values(), (writer, letter) => writer.text(letter)).u8(2);
    const reader = readerOf(writer.block.slice(0, writer.size));
    assertEquals([reader.u8(), reader.u32()], [1, 3]);
    assertEquals([reader.text(), reader.text(), reader.text(), reader.u8()], ["a", "bc", "", 2]);
    assertEquals(reader.done, true);
  });

  it("Writer.list() may grow the buffer between the number and its elements", () => {
    const long = ["x".repeat(2000), "y".repeat(5000)];
    const writer = new Writer().list(long, (writer, text) => writer.text(text));
    const reader = readerOf(writer.block.slice(0, writer.size));
    assertEquals([reader.u32(), reader.text(), reader.text()], [2, ...long]);
  });

  it("Writer grows with every word when there is no room left", () => {
    const writer = new Writer();
    for (let count = 0; count < 2000; count++) writer.u8(count % 256);
    assertEquals(writer.size, 2000);
    assertEquals(
      [...writer.block.subarray(0, 2000)],
      Array.from({ length: 2000 }, (_, index) => index % 256),
    );
  });

  it("Writer.block has an address even when nothing was written", () => {
    const writer = new Writer();
    assertEquals(writer.size, 0);
    assertEquals(writer.block.length > 0, true);
  });

  it("Writer.text() writes U+FFFD for a lone surrogate, never bytes that are no UTF-8", () => {
    assertEquals(readerOf(blockOf([["t", "a\ud800b"]])).text(), "a\ufffdb");
  });
});

describe("Reader", () => {
  it("Reader throws a RangeError wherever a record is cut off, whatever lies behind it", () => {
    fc.assert(fc.property(fc.array(value, { minLength: 1, maxLength: 10 }), fc.nat(), (all, n) => {
      const block = blockOf(all);
      const cut = block.subarray(0, n % block.length);
      assertThrows(() => read(readerOf(cut), all), RangeError, "ends too early");
    }));
  });

  it("Reader throws a RangeError for a size that lies", () => {
    for (const size of [5, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const block = write(new Writer(), [["U", size], ["i", -1]]).block.slice(0, 8);
      assertThrows(() => readerOf(block).text(), RangeError);
      assertThrows(() => readerOf(block).bytes(), RangeError);
    }
  });

  it("Reader answers random bytes with a value or a RangeError", () => {
    const words = fc.array(fc.constantFrom("u", "U", "i", "t", "f", "b"), { maxLength: 20 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), words, (bytes, letters) => {
      const reader = readerOf(bytes);
      try {
        for (const letter of letters) {
          if (letter === "f") reader.f64();
          else if (letter === "b") reader.bytes();
          else read(reader, [[letter, ""] as Value]);
        }
      } catch (error) {
        assertInstanceOf(error, RangeError);
      }
    }));
  });

  it("Reader.text() keeps U+FFFD in the place of what is no UTF-8", () => {
    assertEquals(readerOf(bytesOf("0300000061ff62")).text(), "a\ufffdb");
  });

  it("Reader.text() keeps a byte order mark: it is the peer's, and part of the text", () => {
    assertEquals(readerOf(blockOf([["t", "\ufeffa"]])).text(), "\ufeffa");
  });

  it("Reader.f64() reads whole serials and fractions", () => {
    const view = new DataView(new ArrayBuffer(16));
    view.setFloat64(0, Number.MAX_SAFE_INTEGER, true);
    view.setFloat64(8, 0.25, true);
    const reader = new Reader(new Uint8Array(view.buffer), view, 0, 16);
    assertEquals([reader.f64(), reader.f64(), reader.done], [Number.MAX_SAFE_INTEGER, 0.25, true]);
  });

  it("Reader.skip() passes over texts and bytes, and fork() reads on by itself", () => {
    const reader = readerOf(blockOf([["t", "a"], ["t", ""], ["t", "bc"], ["U", 7]]));
    const fork = reader.fork();
    assertEquals([reader.skip(3).u32(), reader.done], [7, true]);
    assertEquals([fork.text(), fork.skip(1).text(), fork.fork().u32(), fork.done], ["a", "bc", 7, false]);
    assertThrows(() => fork.skip(1), RangeError);
  });
});

describe("cstring()", () => {
  it("cstring() ends with its only NUL", () => {
    assertEquals([...cstring("aé")], [0x61, 0xc3, 0xa9, 0]);
    assertEquals([...cstring("")], [0]);
  });
});

describe("readAnswer()", () => {
  it("readAnswer() asks again with a buffer of the size that was needed, and keeps that", () => {
    const capacities: number[] = [];
    const size = 100_000;
    const call = (buffer: Uint8Array, capacity: number) => {
      assertEquals(buffer.length, capacity);
      capacities.push(capacity);
      if (capacity < size) return -size;
      buffer[0] = 42;
      return size;
    };
    assertEquals(readAnswer(call)?.u8(), 42);
    assertEquals(readAnswer(call)?.u8(), 42);
    assertEquals(capacities.slice(1), [size, size]);
  });

  it("readAnswer() gives null for no answer, and ends where the answer ends", () => {
    assertEquals(readAnswer(() => 0), null);
    const reader = readAnswer((buffer) => {
      buffer.set([1, 0, 0, 0]);
      return 4;
    });
    assertEquals([reader?.u32(), reader?.done], [1, true]);
    assertThrows(() => reader?.u8(), RangeError);
  });
});

/** What C has written once; the names are those of the three forms. */
interface Recorded {
  readonly values: readonly Value[];
  /** An argument block: what Writer writes, and C reads. */
  readonly block: string;
  /** An answer, u8 being u32 there; a record without its time. Both are what C writes, and Reader reads. */
  readonly answer: string;
  readonly record: string;
}

const fixtures = fileURLToPath(new URL("./fixtures/", import.meta.url));
const recorded = JSON.parse(readFileSync(join(fixtures, "wire.json"), "utf8")) as Recorded;
const recordKind = 33;

/** The time is the moment's. */
function withoutTime(record: Uint8Array): Uint8Array {
  return Uint8Array.of(...record.subarray(0, 16), ...record.subarray(24));
}

describe("wire.ts and recorded bytes", () => {
  it("Writer writes what C has read", () => {
    assertEquals(blockOf(recorded.values), bytesOf(recorded.block));
  });

  it("Reader reads what C has written as an answer", () => {
    const wide = recorded.values.map((one): Value => one[0] === "u" ? ["U", one[1]] : one);
    const reader = readerOf(bytesOf(recorded.answer));
    assertEquals(read(reader, wide), wide);
    assertEquals(reader.done, true);
  });

  it("Reader reads what C has written as a record", () => {
    const bytes = bytesOf(recorded.record);
    const reader = readerOf(bytes);
    // The time of 8 bytes was left out.
    assertEquals([reader.u32(), reader.u32(), reader.f64()], [bytes.length + 8, recordKind, 1]);
    assertEquals(read(reader, recorded.values), recorded.values);
    assertEquals(reader.done, true);
  });
});

const { pjproject, library } = layoutOf(false);

describe("wire.ts and wire.c", {
  skip: !inPath("cc")
    ? "there is no C compiler"
    : !existsSync(library) || !existsSync(pjproject)
    ? "pjproject is not built in the build folder"
    : false,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "sipcore-wire-"));
  after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "wire_twin");
  let compiled = false;

  /** Builds wire.c and ring.c into a program, which takes pjlib from the library. */
  function compile(): void {
    const headers = ["pjlib", "pjlib-util", "pjnath", "pjmedia", "pjsip"]
      .map((part) => `-isystem${join(pjproject, part, "include")}`);
    const sources = [join(fixtures, "wire_twin.c"), join(SHIM, "wire.c"), join(SHIM, "ring.c")];
    const link = [library, `-Wl,-rpath,${dirname(library)}`];
    const flags = ["-std=gnu11", "-DPJ_AUTOCONF=1", `-I${SHIM}`, "-pthread"];
    const { status, stderr } = spawnSync("cc", [...flags, ...headers, ...sources, "-o", program, ...link], {
      encoding: "utf8",
    });
    assertEquals(status, 0, stderr);
    compiled = true;
  }

  /** What the program writes for this block; null when it says that the block ends too early. */
  function run(all: readonly Value[], block: Uint8Array, ...args: readonly string[]): Uint8Array | null {
    if (!compiled) compile();
    const letters = all.map(([letter]) => letter).join("");
    const { status, stdout } = spawnSync(program, [letters, ...args], { input: block, maxBuffer: 64 << 20 });
    if (status === 2) return null;
    assertEquals(status, 0);
    return new Uint8Array(stdout);
  }

  it("wire_twin.c still writes what was recorded", () => {
    const block = bytesOf(recorded.block);
    assertEquals(run(recorded.values, block), bytesOf(recorded.answer));
    assertEquals(withoutTime(run(recorded.values, block, String(recordKind))!), bytesOf(recorded.record));
  });

  it("wire.c reads what Writer writes, and writes what Reader reads", () => {
    const all = fc.sample(values, 100).flat();
    const narrow = all.filter(([letter]) => letter !== "u");
    assertEquals(read(readerOf(run(narrow, blockOf(narrow))!), narrow), narrow);
    const records = run(all, blockOf(all), String(recordKind))!;
    const rest = [...all];
    let serial = 1;
    for (let at = 0; at < records.length;) {
      const header = new DataView(records.buffer, at);
      const size = header.getUint32(0, true);
      assertEquals([header.getUint32(4, true), header.getFloat64(8, true)], [recordKind, serial++]);
      const reader = readerOf(records.subarray(at + 24, at + size));
      const some: Value[] = [];
      while (!reader.done) some.push(...read(reader, [rest[some.length]!]));
      assertEquals(some, rest.splice(0, some.length));
      at += size;
    }
    assertEquals(rest, []);
  });

  it("wire.c answers a block that was cut off like Reader: it does not read on", () => {
    const block = blockOf(recorded.values);
    for (let size = 0; size < block.length; size++) {
      assertEquals(run(recorded.values, block.subarray(0, size)), null);
    }
    assertNotStrictEquals(run(recorded.values, block), null);
  });

  it("wire.c refuses a size that lies", () => {
    for (const size of [5, 0x7fffffff, 0x80000000, 0xffffffff]) {
      assertEquals(run([["t", ""]], write(new Writer(), [["U", size], ["i", -1]]).block.slice(0, 8)), null);
    }
  });
});
