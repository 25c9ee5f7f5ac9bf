// SPDX-License-Identifier: GPL-2.0-or-later
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { table } from "../ffi/bindings/mod.ts";
import { libraryFile } from "./support/library_file.ts";

/** The functions that the library shows to the outside. */
function exported(): string[] {
  const args = process.platform === "darwin" ? ["-gU"] : ["-D", "--defined-only"];
  const { status, stdout, stderr } = spawnSync("nm", [...args, libraryFile], {
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  assertEquals(status, 0, stderr);
  // A Mac writes an underscore before every name of C.
  const prefix = process.platform === "darwin" ? "_" : "";
  const names = [...stdout.matchAll(new RegExp(`^\\S+ T ${prefix}(\\w+)$`, "gm"))];
  return names.map(([, name]) => name!).sort();
}

describe("libsipcore", () => {
  const rows = Object.keys(table).sort();
  const names = exported();

  it("libsipcore exports the sc_ functions of the table, and no other", () => {
    const own = (name: string) => name.startsWith("sc_");
    assert(names.some(own));
    assertEquals(names.filter(own), rows.filter(own));
  });

  it("libsipcore exports what the table calls of PJSIP directly", () => {
    const direct = rows.filter((name) => !name.startsWith("sc_"));
    assert(direct.length > 0);
    assertEquals(direct.filter((name) => !names.includes(name)), []);
  });
});
