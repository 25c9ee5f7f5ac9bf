// SPDX-License-Identifier: GPL-2.0-or-later
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { table } from "../ffi/bindings/mod.ts";
import { inPath } from "../scripts/build/debian.ts";
import { SHIM } from "../scripts/build/layout.ts";
import { libraryFile } from "./support/library_file.ts";

const program = fileURLToPath(new URL("./support/open_library.ts", import.meta.url));
const isDeno = process.versions["deno"] !== undefined;
const folder = mkdtempSync(join(tmpdir(), "sipcore-library-"));
after(() => rmSync(folder, { recursive: true }));

/** What support/open_library.ts prints. */
interface Printed {
  readonly abi?: number;
  readonly same?: boolean;
  readonly before?: null;
  readonly code?: string;
  readonly message?: string;
  readonly after?: null;
}

/** The environment of this process with this instead of its own SIPCORE_LIBRARY; null: without. */
function environment(library: string | null): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => name !== "SIPCORE_LIBRARY");
  return {
    ...Object.fromEntries(own) as Record<string, string>,
    ...(library ? { SIPCORE_LIBRARY: library } : {}),
  };
}

/** The present runtime running the program. */
function command(permissions: readonly string[], args: readonly string[]): [string, ...string[]] {
  return [process.execPath, ...(isDeno ? ["run", ...permissions] : []), program, ...args];
}

/** Opens in a process of its own. */
function open(args: readonly string[], library: string | null = null, permissions = ["-A"]): Printed {
  const [path, ...rest] = command(permissions, args);
  const { stdout, stderr } = spawnSync(path, rest, { encoding: "utf8", env: environment(library) });
  try {
    return JSON.parse(stdout) as Printed;
  } catch {
    throw new Error(`The program said ${JSON.stringify(stdout)}\n${stderr}`);
  }
}

/** A library with these functions and nothing in them. */
function compile(name: string, functions: readonly string[], abi: number): string {
  const [source, library] = [join(folder, `${name}.c`), join(folder, `${name}.so`)];
  const empty = functions.filter((each) => each !== "sc_abi").map((each) => `void ${each}(void) {}\n`);
  writeFileSync(source, `unsigned sc_abi(void) { return ${abi}; }\n${empty.join("")}`);
  const { status, stderr } = spawnSync("cc", ["-shared", "-fPIC", "-o", library, source], {
    encoding: "utf8",
  });
  assertEquals(status, 0, stderr);
  return library;
}

/** The interface number of the library that the build has left. */
const built = Number(/^#define SC_ABI (\d+)$/m.exec(readFileSync(join(SHIM, "shim.h"), "utf8"))![1]);
const nowhere = join(folder, "nowhere", "libsipcore.so");
const withoutCompiler = inPath("cc") ? false : "there is no C compiler";

describe("openLibrary()", () => {
  it("openLibrary() opens what the build has left", () => {
    const { abi, same, before } = open([], libraryFile);
    assertEquals({ abi, same, before }, { abi: built, same: true, before: null });
  });

  it("openLibrary() takes the path of its first call, and no other after that", () => {
    const copy = join(folder, "copy.so");
    copyFileSync(libraryFile, copy);
    assertEquals(open([copy, nowhere, libraryFile], nowhere), { abi: built, same: true, before: null });
  });

  it("openLibrary() names the path that it was given, and no other, where that does not open", () => {
    const { code, message, after } = open([nowhere], libraryFile);
    assertEquals([code, after], ["LIBRARY_NOT_FOUND", null]);
    assertStringIncludes(message!, `Tried ${nowhere} (the option libraryPath)`);
    assertStringIncludes(message!, "npm run build");
    assertEquals(message!.includes(libraryFile), false);
  });

  it("openLibrary() goes by SIPCORE_LIBRARY alone where that is set", () => {
    const { code, message } = open([], nowhere);
    assertEquals(code, "LIBRARY_NOT_FOUND");
    assertStringIncludes(message!, `Tried ${nowhere} (the environment variable SIPCORE_LIBRARY)`);
    assertEquals(message!.split(";").length, 1);
  });

  it("openLibrary() refuses a file that is no library", () => {
    const text = join(folder, "text.so");
    writeFileSync(text, "not a library\n");
    const { code, message } = open([text]);
    assertEquals(code, "LIBRARY_NOT_FOUND");
    assertStringIncludes(message!, text);
  });

  it("openLibrary() refuses a library of another interface number", { skip: withoutCompiler }, () => {
    const other = compile("other", Object.keys(table), 999);
    for (const { code, message, after } of [open([other]), open([], other)]) {
      assertEquals([code, after], ["LIBRARY_MISMATCH", null]);
      assertStringIncludes(message!, `${other} has the interface number 999`);
    }
  });

  it("openLibrary() refuses a library that lacks a function, and names it", { skip: withoutCompiler }, () => {
    const lacking = compile("lacking", Object.keys(table).filter((name) => name !== "sc_invitation_end"), 1);
    const { code, message } = open([lacking]);
    assertEquals(code, "LIBRARY_NOT_FOUND");
    assertStringIncludes(message!, "sc_invitation_end");
  });
});

describe("openLibrary() and permissions", {
  skip: isDeno ? false : "this runtime has no permissions",
}, () => {
  it("openLibrary() needs --allow-ffi for the library alone", () => {
    assertEquals(open([libraryFile], null, [`--allow-ffi=${libraryFile}`]).abi, built);
  });

  it("openLibrary() reads SIPCORE_LIBRARY only where it may", () => {
    const permissions = ["--allow-ffi", "--no-prompt"];
    assertEquals(open([], nowhere, permissions).abi, built);
    assertEquals(
      open([], nowhere, [...permissions, "--allow-env=SIPCORE_LIBRARY"]).code,
      "LIBRARY_NOT_FOUND",
    );
  });

  it("openLibrary() asks the user on a terminal nothing", {
    skip: process.platform === "linux" && inPath("script")
      ? false
      : "there is no script(1) of util-linux, which lends a terminal",
  }, async () => {
    const words = command(["--allow-ffi"], []).map((word) => `'${word}'`).join(" ");
    const args = ["--quiet", "--return", "--command", words, join(folder, "typescript")];
    // Its input stays open: a question would be waiting for an answer.
    const child = spawn("script", args, { env: environment(null), stdio: ["pipe", "pipe", "inherit"] });
    let said = "";
    const { promise, resolve } = Promise.withResolvers<number | null>();
    child.on("close", (code) => resolve(code));
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (said.includes("Allow?")) child.kill();
    }
    assertEquals(await promise, 0, said);
    assertStringIncludes(said, `"abi":${built}`);
  });
});
