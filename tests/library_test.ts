// SPDX-License-Identifier: GPL-2.0-or-later
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { table } from "../ffi/bindings/mod.ts";
import { abi } from "../ffi/library.ts";
import { Child } from "../scripts/bench/child.ts";
import { inPath } from "../scripts/build/debian.ts";
import { libraryFile } from "./support/library_file.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
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

const nowhere = join(folder, "nowhere", "libsipcore.so");
const withoutCompiler = inPath("cc") ? false : "there is no C compiler";

describe("openLibrary()", () => {
  it("openLibrary() opens what the build has left", () => {
    assertEquals(open([], libraryFile), { abi, same: true, before: null });
  });

  it("openLibrary() takes the path of its first call, and no other after that", () => {
    const copy = join(folder, "copy.so");
    copyFileSync(libraryFile, copy);
    assertEquals(open([copy, nowhere, libraryFile], nowhere), { abi, same: true, before: null });
  });

  it("openLibrary() names the path that it was given, and no other, where that does not open", () => {
    const { code, message, after } = open([nowhere], libraryFile);
    assertEquals([code, after], ["LIBRARY_NOT_FOUND", null]);
    assertStringIncludes(message!, `the option libraryPath: ${nowhere}: `);
    assertStringIncludes(message!, "What helps: correct libraryPath");
    assertEquals(message!.includes(libraryFile), false);
  });

  it("openLibrary() goes by SIPCORE_LIBRARY alone where that is set", () => {
    const { code, message } = open([], nowhere);
    assertEquals(code, "LIBRARY_NOT_FOUND");
    assertStringIncludes(message!, `the environment variable SIPCORE_LIBRARY: ${nowhere}: `);
    assertEquals(message!.split("\n").length, 3);
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

describe("openLibrary() in each way of use", () => {
  it("openLibrary() tells every place that it has tried, and what helps", () => {
    // A copy of the source tree that was never built.
    const copy = join(folder, "unbuilt");
    mkdirSync(copy);
    for (const part of ["ffi", "core"]) cpSync(join(root, part), join(copy, part), { recursive: true });
    cpSync(program, join(copy, "tests", "support", "open_library.ts"));
    const [path, ...args] = command(["--allow-ffi", "--no-prompt"], []);
    args[args.length - 1] = join(copy, "tests", "support", "open_library.ts");
    const { stdout } = spawnSync(path, args, { encoding: "utf8", env: environment(null), cwd: copy });
    const { code, message } = JSON.parse(stdout) as Printed;
    assertEquals(code, "LIBRARY_NOT_FOUND");
    const platform = `@sipcore/${process.platform}-${process.arch}`;
    const variable = isDeno
      ? "not looked at: that is not allowed (start Deno with --allow-env=SIPCORE_LIBRARY)"
      : "not set";
    const lines = message!.split("\n");
    assertEquals(lines.slice(0, 3), [
      "Cannot open the shared library of sipcore. Tried:",
      `  the environment variable SIPCORE_LIBRARY: ${variable}`,
      `  the package ${platform}: not installed`,
    ]);
    assertStringIncludes(lines[3]!, `  the build folder: ${join(copy, "build", basename(libraryFile))}: `);
    assertEquals(
      lines[4],
      `What helps: run "npm install ${platform}"; or run "npm run build" in the source tree of sipcore`,
    );
  });

  it("openLibrary() under Deno finds what SIPCORE_LIBRARY names where the modules come from the web", {
    skip: isDeno ? false : "this runtime imports no modules from the web",
  }, async () => {
    const server = createServer((request, response) => {
      const file = join(root, request.url!);
      response.writeHead(existsSync(file) ? 200 : 404, { "content-type": "application/typescript" });
      response.end(existsSync(file) ? readFileSync(file) : "");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const run = async (variables: Record<string, string>) => {
      const permissions = [`--allow-import=127.0.0.1:${port}`, "--allow-ffi", "--allow-env=SIPCORE_LIBRARY"];
      const url = `http://127.0.0.1:${port}/tests/support/open_library.ts`;
      const child = new Child(
        "deno",
        process.execPath,
        [
          "run",
          "--no-prompt",
          "--no-config",
          "--no-check",
          ...permissions,
          url,
        ],
        { SIPCORE_LIBRARY: "", DENO_DIR: join(folder, "deno"), ...variables },
        folder,
      );
      const { match } = await child.line(/^\{.*\}$/, 30_000);
      await child.end(10_000);
      return JSON.parse(match[0]) as Printed;
    };
    try {
      assertEquals(await run({ SIPCORE_LIBRARY: libraryFile }), { abi, same: true, before: null });
      const { code, message } = await run({});
      assertEquals(code, "LIBRARY_NOT_FOUND");
      assertStringIncludes(
        message!,
        "What helps: name the file in the environment variable SIPCORE_LIBRARY or in the option libraryPath",
      );
    } finally {
      server.close();
    }
  });

  it("the import of mod.ts loads no library, neither ours nor ALSA's", {
    skip: process.platform === "linux" ? false : "only Linux tells what a process has loaded",
  }, () => {
    const text = `import { readFileSync } from "node:fs"; await import(${
      JSON.stringify(join(root, "mod.ts"))
    });
      console.log(/libsipcore|libasound/.test(readFileSync("/proc/self/maps", "utf8")));`;
    const file = join(folder, "import.ts");
    writeFileSync(file, text);
    const [path, ...args] = command(["-A", "--no-check"], []);
    const { stdout } = spawnSync(path, [...args.slice(0, -1), file], { encoding: "utf8" });
    assertEquals(stdout, "false\n");
  });
});

describe("openLibrary() and permissions", {
  skip: isDeno ? false : "this runtime has no permissions",
}, () => {
  it("openLibrary() needs --allow-ffi for the library alone, and says so", () => {
    assertEquals(open([libraryFile], null, [`--allow-ffi=${libraryFile}`]).abi, abi);
    const { code, message } = open([libraryFile], null, ["--no-prompt", "--allow-env=HOME"]);
    assertEquals(code, "LIBRARY_NOT_FOUND");
    assertStringIncludes(message!, `What helps: start Deno with --allow-ffi=${libraryFile}`);
  });

  it("A call with sound and a recording needs --allow-ffi of the library alone", () => {
    const called = fileURLToPath(new URL("./support/programs/scoped_call.ts", import.meta.url));
    const recording = join(folder, "scoped.wav");
    const options = ["run", "--no-prompt", "--no-check", `--allow-ffi=${libraryFile}`];
    const { stdout, stderr } = spawnSync(process.execPath, [...options, called, libraryFile, recording], {
      encoding: "utf8",
      env: environment(null),
    });
    assertEquals(stdout, "called\n", stderr);
    assertEquals(existsSync(recording), true);
  });

  it("openLibrary() reads SIPCORE_LIBRARY only where it may", () => {
    const permissions = ["--allow-ffi", "--no-prompt"];
    assertEquals(open([], nowhere, permissions).abi, abi);
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
    assertStringIncludes(said, `"abi":${abi}`);
  });
});
