// SPDX-License-Identifier: GPL-2.0-or-later
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { table } from "../ffi/bindings/mod.ts";
import { errors, records } from "../ffi/bindings/records.ts";
import { pcmWake, pcmWords } from "../ffi/pcm_memory.ts";
import type { SymbolTable } from "../ffi/types.ts";
import { layoutOf, ROOT, SHIM } from "../scripts/build/layout.ts";
import {
  countDeclarations,
  enumOf,
  headersIn,
  type Prototype,
  prototypesOf,
  wordsOf,
} from "./support/prototypes.ts";

const BINDINGS = join(ROOT, "ffi", "bindings");
const PJLIB = join(layoutOf(false).pjproject, "pjlib", "include", "pj");

const headers = headersIn(SHIM);
const shim = headers.get("shim") ?? "";
const words = wordsOf(shim);
/** The headers that declare functions. */
const nouns = [...headers].filter(([, text]) => countDeclarations(text) > 0).map(([noun]) => noun);

/** The one table of a file of ffi/bindings. */
async function rowsOf(noun: string): Promise<SymbolTable> {
  const module = await import(`../ffi/bindings/${noun}.ts`) as Record<string, SymbolTable>;
  const tables = Object.values(module);
  assertEquals(tables.length, 1, `ffi/bindings/${noun}.ts exports ${tables.length} things`);
  return tables[0]!;
}

/** What of a row C knows, in its order; a header does not say who may wait. */
function prototypes(rows: SymbolTable): [string, Prototype][] {
  return Object.entries(rows).map(([name, { args, result }]) => [name, { args, result }]);
}

describe("prototypesOf()", () => {
  const some = { ...wordsOf("typedef sc_serial sc_thing;\n") };

  it("prototypesOf() reads every form that a header uses", () => {
    const text = `/* SC_API int32_t sc_no(void); */
SC_API void sc_a(void);
SC_API sc_thing sc_b(sc_text name, sc_bytes args, uint32_t size,
                     sc_status status);
SC_API double sc_c(void (*ring)(void), sc_thing thing);
int32_t sc_internal(void);
`;
    assertEquals(prototypesOf(text, some), {
      sc_a: { args: [], result: "void" },
      sc_b: { args: ["text", "bytes", "u32", "status"], result: "serial:thing" },
      sc_c: { args: ["callback", "serial:thing"], result: "f64" },
    });
    assertEquals(countDeclarations(text), 3);
  });

  it("prototypesOf() refuses types that are no words", () => {
    for (
      const text of ["uint64_t sc_a(void)", "void sc_a(int x)", "void sc_a(char *x)", "void sc_a(sc_other x)"]
    ) {
      assertThrows(() => prototypesOf(`SC_API ${text};`, some), Error, "sc_a");
    }
    assertThrows(() => prototypesOf("SC_API sc_serial sc_a(void);", some), Error, "sc_serial");
  });

  it("enumOf() reads members with their numbers, and refuses what has none", () => {
    assertEquals(enumOf("enum sc_e {\n    A = 1, /* one */\n    B = 20\n};\n", "sc_e"), { A: 1, B: 20 });
    assertThrows(() => enumOf("enum sc_e {\n    A\n};\n", "sc_e"), Error, '"A"');
    assertThrows(() => enumOf("", "sc_e"), Error, "no enum");
  });
});

describe("ffi/bindings", () => {
  it("ffi/bindings has a file for each header with functions, and no other", () => {
    const files = readdirSync(BINDINGS).map((file) => file.replace(/\.ts$/, ""));
    const others = ["mod", "records", "pjlib"];
    assertEquals(files.filter((file) => !others.includes(file)).sort(), nouns);
    assert(nouns.length > 0);
  });

  for (const noun of nouns) {
    it(`ffi/bindings/${noun}.ts has the rows of ${noun}.h in its order`, async () => {
      const declared = prototypesOf(headers.get(noun)!, words);
      assertEquals(Object.keys(declared).length, countDeclarations(headers.get(noun)!));
      assertEquals(prototypes(await rowsOf(noun)), Object.entries(declared));
    });
  }

  it("table holds the rows of every file", async () => {
    const all = await Promise.all([...nouns, "pjlib"].map(rowsOf));
    assertEquals({ ...table }, Object.assign({}, ...all));
    // A name in two files would hide one of the two.
    assertEquals(Object.keys(table).length, all.flatMap((rows) => Object.keys(rows)).length);
  });

  it("table lets sc_bell_wait() alone wait", () => {
    const rows: SymbolTable = table;
    const waiting = Object.keys(rows).filter((name) => rows[name]?.nonblocking);
    assertEquals(waiting, ["sc_bell_wait"]);
  });

  it("pjlib has prototypes of pjproject's own headers", {
    skip: existsSync(PJLIB) ? false : "pjproject is not unpacked in the build folder",
  }, async () => {
    const text = [...headersIn(PJLIB).values()].join("\n");
    const rows = await rowsOf("pjlib");
    for (const [name, row] of prototypes(rows)) {
      const line = text.split("\n").find((line) =>
        line.includes(` ${name}(`) && line.startsWith("PJ_DECL")
      ) ?? "";
      assertEquals(prototypesOf(line, { void: "void", int: "i32", unsigned: "u32" }, "PJ_DECL"), {
        [name]: row,
      });
    }
  });
});

describe("shim.h", () => {
  it("records are those of enum sc_record_kind", () => {
    assertEquals({ ...records }, enumOf(shim, "sc_record_kind"));
    assertEquals(new Set(Object.values(records)).size, Object.keys(records).length);
  });

  it("errors are those of enum sc_error", () => {
    assertEquals({ ...errors }, enumOf(shim, "sc_error"));
  });

  it("what ports and the clock tell each other has the places of pcm_memory.h", () => {
    const header = headers.get("pcm_memory")!;
    assertEquals({ ...pcmWords }, enumOf(header, "sc_pcm_word"));
    assertEquals({ ...pcmWake }, enumOf(header, "sc_pcm_wake"));
  });

  it("SC_ABI is the number that ffi/library.ts asks for", () => {
    const declared = /^#define SC_ABI (\d+)$/m.exec(shim)?.[1];
    const source = readFileSync(join(ROOT, "ffi", "library.ts"), "utf8");
    assert(declared !== undefined);
    assertEquals(/^export const abi = (\d+);$/m.exec(source)?.[1], declared);
  });
});
