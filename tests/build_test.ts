// SPDX-License-Identifier: GPL-2.0-or-later

import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { inPath } from "../scripts/build/debian.ts";
import { keyOf } from "../scripts/build/digest.ts";
import { BuildFailure } from "../scripts/build/failure.ts";
import { layoutOf, ROOT, SETTINGS } from "../scripts/build/layout.ts";
import { parseOptions } from "../scripts/build/options.ts";
import { CODECS, PJPROJECT } from "../scripts/build/pins.ts";
import { checkVersion } from "../scripts/build/sources.ts";

const SCRIPT = join(ROOT, "scripts", "build-pjsip.ts");
const LAYOUT = layoutOf(false);
/** This very runtime, with what it needs to run a script. */
const RUNTIME = [process.execPath, ...(process.versions["deno"] ? ["run", "-A", "--no-prompt"] : [])];

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the build script with these arguments and an environment of its own. */
function build(args: readonly string[], env: Record<string, string> = {}): Ended {
  const [program, ...first] = RUNTIME;
  const { status, stdout, stderr } = spawnSync(program!, [...first, SCRIPT, ...args], {
    encoding: "utf8",
    env: environment(env),
  });
  return { status, stdout, stderr };
}

/** The environment without what would steer the build, and without a way to the network. */
function environment(env: Record<string, string>): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => !/^(SIPCORE_|INIT_CWD$)/.test(name));
  const nowhere = { http_proxy: "http://127.0.0.1:9", https_proxy: "http://127.0.0.1:9", ALL_PROXY: "" };
  return { ...Object.fromEntries(own) as Record<string, string>, ...nowhere, ...env };
}

/** A build folder of its own, gone after the test. */
async function withFolder(work: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sipcore-build-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Exit status 1, one line that says `what`, no stack, and nothing that a later run would take for a library. */
function assertRefused(ended: Ended, folder: string, what: RegExp): void {
  assertEquals(ended.status, 1);
  assertMatch(ended.stderr, what);
  assertEquals(ended.stderr.trim().split("\n").length, 1, ended.stderr);
  for (const file of ["stamp.json", "libsipcore.so", "libsipcore.debug.so", "lock"]) {
    assert(!existsSync(join(folder, file)), `${file} was left`);
  }
}

/** Output of a tool on the library. */
function tool(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assertEquals(status, 0, stderr);
  return stdout;
}

const LINUX = process.platform === "linux";
const onlyLinux = "it needs Linux";

describe("libsipcore", () => {
  it("libsipcore.so needs the C library only", { skip: LINUX ? false : onlyLinux }, () => {
    const stamp = JSON.parse(readFileSync(LAYOUT.stamp, "utf8")) as { extras: string[] };
    const needed = [...tool("readelf", "-d", LAYOUT.library).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((
      [, name],
    ) => name!);
    const alien = needed.filter((name) => !/^(libc|libm|libpthread|libdl|ld-linux.*)\.so/.test(name));
    assert(needed.some((name) => name.startsWith("libc.")), needed.join());
    if (stamp.extras.length === 0) assertEquals(alien, []);
  });

  it(
    "libsipcore.so stays mapped when a runtime closes it, and calls its own functions",
    { skip: LINUX ? false : onlyLinux },
    () => {
      const dynamic = tool("readelf", "-d", LAYOUT.library);
      assertMatch(dynamic, /FLAGS_1.*NODELETE/);
      assertMatch(dynamic, /SYMBOLIC/);
    },
  );

  it("libsipcore.so exports pj and sc functions, and nothing of its codecs and OpenSSL", {
    skip: LINUX ? false : onlyLinux,
  }, () => {
    const names = tool("nm", "-D", "--defined-only", LAYOUT.library).split("\n").map((line) =>
      line.split(" ")[2] ?? ""
    );
    assert(names.includes("pj_get_version"));
    assert(names.some((name) => name.startsWith("sc_")));
    const private_ = names.filter((name) =>
      /^(opus_|speex_(bits|decode|encode|resampler|preprocess)|srtp_|gsm_|SSL_|EVP_|_Zn|_ZSt|__cxa_)/.test(
        name,
      )
    );
    assertEquals(private_, []);
  });

  it(
    "libsipcore.so carries no symbols that only a debugger wants",
    { skip: LINUX ? false : onlyLinux },
    () => {
      assert(!tool("readelf", "-S", "-W", LAYOUT.library).includes(".debug_info"));
      assertStringIncludes(tool("readelf", "-S", "-W", LAYOUT.debugLibrary), ".debug_info");
    },
  );
});

describe("config_site.h", () => {
  it("config_site.h: every setting takes effect in pjproject's headers", () => {
    const flags = ["pjlib", "pjlib-util", "pjnath", "pjmedia", "pjsip"].map((part) =>
      `-I${join(LAYOUT.pjproject, part, "include")}`
    );
    const wanted = [...readFileSync(SETTINGS, "utf8").matchAll(/^#define (\w+) (.+)$/gm)];
    assert(wanted.length > 20);
    const headers = "#include <pjsip.h>\n#include <pjmedia.h>\n#include <pjnath.h>\n";
    // A setting that a header overrides, or guards in another way, comes out with another value here.
    const { status, stdout, stderr } = spawnSync("cc", [
      "-E",
      "-dM",
      "-DPJ_AUTOCONF=1",
      ...flags,
      "-x",
      "c",
      "-",
    ], {
      encoding: "utf8",
      input: headers,
    });
    assertEquals(status, 0, stderr);
    const found = new Map(
      [...stdout.matchAll(/^#define (\w+) (.+)$/gm)].map(([, name, value]) => [name, value]),
    );
    for (const [, name, value] of wanted) assertEquals(found.get(name), value, name);
  });

  it("config_site.h: every setting is known to pjproject's sources", () => {
    const names = [...readFileSync(SETTINGS, "utf8").matchAll(/^#define (PJ\w+) /gm)].map(([, name]) =>
      name!
    );
    for (const name of names) {
      const folders = ["pjlib", "pjnath", "pjmedia", "pjsip"].flatMap((part) =>
        ["src", "include"].map((folder) => join(LAYOUT.pjproject, part, folder))
      );
      const { stdout } = spawnSync("grep", ["-rlw", "--include=*.[ch]", name, ...folders], {
        encoding: "utf8",
      });
      const elsewhere = stdout.split("\n").filter((file) => file && !file.includes("config_site"));
      assert(elsewhere.length > 0, `${name} is a word that pjproject does not know`);
    }
  });
});

describe("build-pjsip.ts", () => {
  it("build-pjsip.ts does nothing the second time, within two seconds", () => {
    const first = build([]);
    assertEquals(first.status, 0, first.stderr);
    const before = statSync(LAYOUT.library).mtimeMs;
    const start = performance.now();
    const second = build([]);
    assertLess(performance.now() - start, 2_000);
    assertEquals(second.status, 0, second.stderr);
    assertMatch(second.stdout, /^\S*libsipcore\.\w+ is up to date \([\d.]+ s\)\n$/);
    assertEquals(statSync(LAYOUT.library).mtimeMs, before);
  });

  it("build-pjsip.ts refuses what it does not know", () =>
    withFolder((folder) => {
      const env = { SIPCORE_BUILD: folder };
      assertRefused(build(["--sanitize"], env), folder, /no option "--sanitize"/);
      assertRefused(build(["--with", "g729,opus2"], env), folder, /not "opus2"/);
    }));

  it("build-pjsip.ts --help says every option", () => {
    const { status, stdout } = build(["--help"]);
    assertEquals(status, 0);
    for (const option of ["--source", "--with", "--asan", "--samples", "--clean"]) {
      assertStringIncludes(stdout, option);
    }
  });

  it("build-pjsip.ts --source refuses a tarball with another checksum", () =>
    withFolder((folder) => {
      const tarball = join(folder, "pjproject.tar.xz");
      writeFileSync(tarball, "not what was pinned");
      const ended = build(["--source", tarball], { SIPCORE_BUILD: folder });
      assertRefused(ended, folder, /pjproject\.tar\.xz has SHA-256 [0-9a-f]{64}, which is not/);
    }));

  it("build-pjsip.ts --source refuses a tree of another version, and what is no tree", () =>
    withFolder((folder) => {
      const env = { SIPCORE_BUILD: join(folder, "build") };
      const tree = join(folder, "tree");
      mkdirSync(tree);
      assertRefused(build(["--source", tree], env), env.SIPCORE_BUILD, /no version\.mak/);
      writeFileSync(
        join(tree, "version.mak"),
        "export PJ_VERSION_MAJOR  := 2\nexport PJ_VERSION_MINOR  := 16\n",
      );
      assertRefused(build(["--source", tree], env), env.SIPCORE_BUILD, /is pjproject 2\.16/);
      assertRefused(build(["--source", join(folder, "none")], env), env.SIPCORE_BUILD, /no pjproject at/);
    }));

  it("build-pjsip.ts says which tools are missing", () =>
    withFolder((folder) => {
      const ended = build([], { SIPCORE_BUILD: folder, PATH: folder });
      assertRefused(ended, folder, /^The build needs .*\bcc\b.*\bmake\b.* in PATH/);
    }));

  it(
    "build-pjsip.ts takes no damaged file out of the cache",
    { skip: LINUX ? false : onlyLinux },
    () =>
      withFolder((folder) => {
        // A PATH with the compilers and without apt: a file that is not good cannot be fetched again.
        const path = join(folder, "path");
        mkdirSync(path);
        for (const tool of ["bash", "cc", "c++", "make", "ar", "ld", "strip", "tar", "xz", "pkg-config"]) {
          symlinkSync(inPath(tool)!, join(path, tool));
        }
        const cache = join(folder, "cache");
        mkdirSync(cache);
        writeFileSync(join(cache, PJPROJECT.file), "half a tarball");
        const ended = build([], { SIPCORE_BUILD: folder, SIPCORE_CACHE: cache, PATH: path });
        assertRefused(ended, folder, /is not in .*cache, and without apt it cannot be fetched/);
        assert(!existsSync(join(cache, PJPROJECT.file)));
      }),
  );

  it("build-pjsip.ts takes over the lock of a build that died", () =>
    withFolder((folder) => {
      const dead = spawnSync(process.execPath, ["--version"]).pid;
      writeFileSync(join(folder, "lock"), String(dead));
      assertRefused(build([], { SIPCORE_BUILD: folder, PATH: folder }), folder, /^The build needs/);
    }));

  it(
    "build-pjsip.ts ended in the middle leaves no library and no process",
    { skip: LINUX ? cached() ? false : "the sources are not in the cache" : onlyLinux },
    () =>
      withFolder(async (folder) => {
        const [program, ...first] = RUNTIME;
        const env = environment({ SIPCORE_BUILD: folder, SIPCORE_CACHE: LAYOUT.cache });
        const child = spawn(program!, [...first, SCRIPT], { env, stdio: ["ignore", "pipe", "pipe"] });
        const ended = exit(child);
        // The codecs' configure scripts are the first long thing; their folder shows that they run.
        while (!existsSync(join(folder, "trees")) && child.exitCode === null) await turn();
        child.kill("SIGTERM");
        assertEquals(await ended, 143);
        assertEquals(processesWith(join(folder, "trees")), []);
        for (const file of ["stamp.json", "libsipcore.so", "lock"]) {
          assert(!existsSync(join(folder, file)), file);
        }
      }),
  );
});

/** Whether all sources are there, so that a build needs no network. */
function cached(): boolean {
  return [PJPROJECT, ...CODECS].every(({ file }) => existsSync(join(LAYOUT.cache, file)));
}

/** The command lines of running processes that have `text` in them. */
function processesWith(text: string): string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const line = readFileSync(join("/proc", name, "cmdline"), "utf8");
      return line.includes(text) ? [line] : [];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

function exit(child: ChildProcess): Promise<number | null> {
  // A status of 143 is an end by SIGTERM to one runtime, and a number to the other.
  return new Promise((resolve) =>
    child.on("exit", (status, signal) => resolve(status ?? (signal === "SIGTERM" ? 143 : null)))
  );
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The sentence that `work` fails with. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof BuildFailure) return error.message;
    throw error;
  }
  throw new Error("Nothing was refused");
}

describe("parseOptions()", () => {
  it("parseOptions() takes a value with a blank or an equals sign", () => {
    assertEquals(parseOptions(["--with", "g729"]).extras, ["g729"]);
    assertEquals(parseOptions(["--with=g729,amr"]).extras, ["amr", "g729"]);
    assertEquals(parseOptions(["--with=none"]).extras, []);
    assertEquals(parseOptions([]).extras, undefined);
  });

  it("parseOptions() refuses a missing value and a value where none belongs", () => {
    assertMatch(refusal(() => parseOptions(["--source"])), /--source wants a value/);
    assertMatch(refusal(() => parseOptions(["--source", "--clean"])), /--source wants a value/);
    assertMatch(refusal(() => parseOptions(["--clean=yes"])), /no option "--clean"/);
    assertMatch(refusal(() => parseOptions(["constructor"])), /no option "constructor"/);
    assertMatch(refusal(() => parseOptions(["--toString"])), /no option "--toString"/);
  });

  it("parseOptions() finds --source from the folder where it was typed", () => {
    const before = process.env["INIT_CWD"];
    process.env["INIT_CWD"] = "/somewhere";
    try {
      assertEquals(parseOptions(["--source", "pj.tar.gz"]).source, "/somewhere/pj.tar.gz");
    } finally {
      if (before === undefined) delete process.env["INIT_CWD"];
      else process.env["INIT_CWD"] = before;
    }
  });
});

describe("keyOf()", () => {
  it("keyOf() tells parts apart that join to the same text", () => {
    assert(keyOf("ab", "c") !== keyOf("a", "bc"));
    assert(keyOf("ab") !== keyOf("ab", ""));
    assertEquals(keyOf("ab", "c"), keyOf("ab", "c"));
  });
});

describe("checkVersion()", () => {
  it("checkVersion() accepts the pinned version only, suffix and revision included", () =>
    withFolder((folder) => {
      const version = (major: string, minor: string, rev: string, suffix: string): void =>
        writeFileSync(
          join(folder, "version.mak"),
          `export PJ_VERSION_MAJOR  := ${major}\nexport PJ_VERSION_MINOR  := ${minor}\n` +
            `export PJ_VERSION_REV    := ${rev}\nexport PJ_VERSION_SUFFIX := ${suffix}\n`,
        );
      version("2", "17", "", "");
      checkVersion(folder, "it");
      version("2", "17", "1", "");
      assertMatch(refusal(() => checkVersion(folder, "it")), /it is pjproject 2\.17\.1/);
      version("2", "17", "", "-dev");
      assertMatch(refusal(() => checkVersion(folder, "it")), /it is pjproject 2\.17-dev/);
    }));
});

describe("run.mjs", () => {
  it("run.mjs names its tasks when there is no such task", () => {
    const [program, ...first] = RUNTIME;
    const args = [...first, join(ROOT, "scripts", "run.mjs"), "toString"];
    const { status, stderr } = spawnSync(program!, args, { encoding: "utf8" });
    assertEquals(status, 1);
    assertMatch(
      stderr,
      /^sipcore: There is no task "toString"; there are build, package, sipcore, demo, .*\n$/,
    );
  });

  it("run.mjs hands arguments to the task and its exit status back", () => {
    const [program, ...first] = RUNTIME;
    const args = [...first, join(ROOT, "scripts", "run.mjs"), "build", "--sanitize"];
    const { status, stderr } = spawnSync(program!, args, { encoding: "utf8", env: environment({}) });
    assertEquals(status, 1);
    assertMatch(stderr, /no option "--sanitize"/);
  });

  it("package.json and deno.json have the same tasks, and run.mjs all of them", () => {
    const read = (file: string): Record<string, Record<string, string>> =>
      JSON.parse(readFileSync(join(ROOT, file), "utf8")) as Record<string, Record<string, string>>;
    const scripts = read("package.json")["scripts"]!;
    // "node" is whatever runs the task where there is no Node; "deno" would be what npm put into node_modules.
    assertEquals(read("deno.json")["tasks"], scripts);
    for (const [name, command] of Object.entries(scripts)) {
      assertEquals(command, `node scripts/run.mjs ${name}`);
    }
    const source = readFileSync(join(ROOT, "scripts", "run.mjs"), "utf8");
    for (const name of Object.keys(scripts)) assertMatch(source, new RegExp(`^  "?${name}"?: \\{`, "m"));
  });
});
