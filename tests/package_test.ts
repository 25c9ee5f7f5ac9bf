// SPDX-License-Identifier: GPL-2.0-or-later
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { version } from "../mod.ts";
import { layoutOf, ROOT } from "../scripts/build/layout.ts";
import { Child } from "../scripts/bench/child.ts";
import { runtimeCommand } from "../scripts/demo/runtimes.ts";
import { libraryManifest, platformsIn } from "../scripts/package/manifest.ts";
import { sipcore, startListening } from "./support/command_line.ts";
import { Registry } from "./support/registry.ts";
import {
  filesIn,
  installPackages,
  makePackages,
  type Packages,
  run,
  runtimeArgs,
  skipWithoutNpm,
} from "./support/packages.ts";
import { ownName } from "./support/program.ts";
import { importsOf } from "./support/sources.ts";

const patient = { timeout: 120_000 };
/** What has no place in any package. */
const unpublished = /^(tests|scripts|build|examples|dist)\/|\.[ch]$/;
const platform = `${process.platform}-${process.arch}`;

describe("npm run package", { skip: skipWithoutNpm }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sipcore-package-"));
  const project = join(folder, "project");
  let packages: Packages;

  before(() => {
    packages = makePackages();
    installPackages(project, packages);
  }, patient);
  after(() => rmSync(folder, { recursive: true, force: true }));

  const manifest = (name: string) =>
    JSON.parse(
      readFileSync(join(project, "node_modules", "@sipcore", name, "package.json"), "utf8"),
    ) as Record<
      string,
      unknown
    >;
  const command = join(project, "node_modules", ".bin", "sipcore");

  it("the main package names the platforms whose tarballs lie beside it", () => {
    const files = [
      `sipcore-linux-arm64-${version}.tgz`,
      "sipcore-darwin-arm64-0.0.1.tgz",
      `sipcore-sipcore-${version}.tgz`,
      "sipcore-bun",
      "stamp",
    ];
    assertEquals(platformsIn(files), [...new Set(["linux-arm64", platform])].sort());
    const { optionalDependencies } = libraryManifest(["linux-arm64", "linux-x64"]) as Record<string, unknown>;
    assertEquals(optionalDependencies, { "@sipcore/linux-arm64": version, "@sipcore/linux-x64": version });
  });

  it("the library's package holds the shared library, its papers, and nothing else", () => {
    assertEquals(
      filesIn(packages.tarballs[1]),
      [
        "LICENSE",
        "NOTICE",
        "README.md",
        "index.d.ts",
        "index.js",
        layoutOf(false).library.split("/").at(-1),
        "package.json",
      ].sort(),
    );
    const { name, version: own, os, cpu, libc, license } = manifest(platform);
    assertEquals([name, own, os, cpu], [`@sipcore/${platform}`, version, [process.platform], [process.arch]]);
    assertEquals([libc, license], [process.platform === "linux" ? ["glibc"] : undefined, "GPL-3.0-or-later"]);
    const notice = readFileSync(join(project, "node_modules", "@sipcore", platform, "NOTICE"), "utf8");
    for (const word of ["opus", "speex", "srtp", "Apache License"]) assertStringIncludes(notice, word);
  });

  it("the main package holds JavaScript, declarations and papers: no test, no source in C, no tarball", () => {
    const files = filesIn(packages.tarballs[0]);
    const folders = new Set(files.filter((file) => file.includes("/")).map((file) => file.split("/")[0]));
    assertEquals([...folders].filter((each) => each !== "docs").sort(), [
      "bin",
      "cli",
      "core",
      "ffi",
      "media",
    ]);
    const outside = files.filter((file) => !file.includes("/")).sort();
    assertEquals(outside, ["CHANGELOG.md", "LICENSE", "README.md", "mod.d.ts", "mod.js", "package.json"]);
    const inside = files.filter((file) => file.includes("/") && !file.startsWith("docs/"));
    assertEquals(inside.filter((file) => !/\.(d\.ts|js)$/.test(file)), []);
    assertEquals(files.filter((file) => /test|\.[ch]$|\.tar|\.tgz|\.so$/.test(file)), []);
    const declared = inside.filter((file) => file.endsWith(".js") && !/^(cli|bin)\//.test(file));
    assertEquals(declared.filter((file) => !files.includes(file.replace(/\.js$/, ".d.ts"))), []);
  });

  it("the main package's modules import what is in it, by JavaScript's names, and no other package", () => {
    const root = join(project, "node_modules", "@sipcore", "sipcore");
    const modules = filesIn(packages.tarballs[0]).filter((file) =>
      /\.(js|d\.ts)$/.test(file) && file !== "bin/sipcore.js"
    );
    const wrong = modules.flatMap((file) =>
      importsOf(readFileSync(join(root, file), "utf8"))
        .filter(({ specifier }) => !specifier.startsWith("node:"))
        .filter(({ specifier }) =>
          !specifier.endsWith(".js") || !existsSync(join(root, dirname(file), specifier))
        )
        .map(({ specifier }) => `${file} imports ${specifier}`)
    );
    assertEquals(wrong, []);
    const { dependencies, optionalDependencies, version: own } = manifest("sipcore");
    assertEquals([dependencies, own], [undefined, version]);
    assertEquals((optionalDependencies as Record<string, string>)[`@sipcore/${platform}`], version);
  });

  it(
    "a program finds its library in node_modules, by --allow-ffi of it alone, and inside of an executable",
    patient,
    () => {
      const program = join(project, "program.ts");
      writeFileSync(
        program,
        `import { Engine, type SIPNotification } from "@sipcore/sipcore";
import { libraryPath } from "@sipcore/${platform}";
const engine = new Engine();
const notes = engine.notifications("SIPEngineDidStart");
await engine.start({ ipAddress: "127.0.0.1" });
const started: SIPNotification<"SIPEngineDidStart"> = (await notes.next()).value!;
console.log(started.name, engine.pjsipVersion, libraryPath);
await engine.stop();
`,
      );
      const library = join(project, "node_modules", "@sipcore", platform, "libsipcore.so");
      const permissions = ["--no-prompt", `--allow-ffi=${library}`];
      const args = runtimeArgs(program, permissions);
      assertEquals(run(process.execPath, args, project), `SIPEngineDidStart 2.17 ${library}\n`);
      if (ownName === "Bun") {
        const [executable, empty] = [join(folder, "program"), mkdtempSync(join(folder, "empty-"))];
        run(process.execPath, ["build", "--compile", program, "--outfile", executable], project);
        renameSync(join(project, "node_modules"), join(project, "away"));
        const said = run("env", ["-i", `TMPDIR=${empty}`, executable], empty);
        renameSync(join(project, "away"), join(project, "node_modules"));
        assertMatch(said, /^SIPEngineDidStart 2\.17 /);
      }
      if (ownName === "Deno") run(process.execPath, ["check", program], project);
      else {
        const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
        const options = [
          "--noEmit",
          "--strict",
          "--module",
          "nodenext",
          "--target",
          "esnext",
          "--skipLibCheck",
          "false",
        ];
        const lib = ["--lib", "esnext,dom,dom.iterable,dom.asynciterable"];
        run(process.execPath, [tsc, ...options, ...lib, program], project);
      }
    },
  );

  it("sipcore is a command of the package, for whichever runtime is there", patient, async () => {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, ownName.toLowerCase()));
    const env = { PATH: `${bin}:/usr/bin:/bin` };
    assertMatch(
      run(command, ["version"], folder, env),
      new RegExp(`^sipcore ${version}, PJSIP 2\\.17, ${ownName} `),
    );
    assertMatch(run(process.execPath, [...runtimeArgs(command), "version"], folder), /^sipcore /);
    const { child, port } = await startListening(["--once"], { command: [command], env });
    const uri = `sip:bob@127.0.0.1:${port}`;
    const called = await sipcore(["call", uri, "--seconds", "0.5"], { command: [command], env });
    assertEquals(called.status, 0, called.output);
    assertEquals(await child.end(10_000), 0);
  });

  it("the packages come from a registry too, and Deno needs no node_modules for them", patient, async () => {
    await using registry = await Registry.start(packages);
    const place = mkdtempSync(join(folder, "registry-"));
    const program = join(place, "program.ts");
    const name = ownName === "Deno" ? `npm:@sipcore/sipcore@${version}` : "@sipcore/sipcore";
    writeFileSync(
      program,
      `import { Engine } from "${name}";
await using engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1" });
console.log("It runs:", engine.isRunning);
`,
    );
    const env = { ...registry.env, DENO_DIR: join(place, "deno"), BUN_INSTALL_CACHE_DIR: join(place, "bun") };
    if (ownName === "Bun") {
      writeFileSync(join(place, "package.json"), "{}");
      const added = new Child(
        "bun add",
        process.execPath,
        ["add", `@sipcore/sipcore@${version}`],
        env,
        place,
      );
      assertEquals(await added.end(30_000), 0, added.output.join("\n"));
    }
    // The path of the library is deep in a cache: all of FFI, and nothing else.
    const args = runtimeArgs(program, ["--no-prompt", "--allow-ffi"]);
    const child = new Child("program", process.execPath, args, env, place);
    assertEquals(await child.end(30_000), 0, child.output.join("\n"));
    assertEquals(child.output.at(-1), "It runs: true");
  });

  it("npm pack finds nothing wrong in the source tree, and takes no test along", patient, () => {
    const [packed] = JSON.parse(run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], ROOT)) as {
      files: { path: string }[];
    }[];
    const paths = packed!.files.map(({ path }) => path);
    assert(paths.includes("mod.ts") && paths.includes("cli/main.ts"));
    assertEquals(paths.filter((path) => unpublished.test(path)), []);
  });

  it("deno publish finds no slow type and nothing else wrong, and takes no test along", {
    ...patient,
    skip: ownName === "Deno" ? false : "once is enough: Deno's tests do it",
  }, () => {
    const [deno] = runtimeCommand("Deno", ROOT);
    // The types themselves are checked in another place.
    const options = ["publish", "--dry-run", "--allow-dirty", "--no-check"];
    const { status, stderr } = spawnSync(deno, options, {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    assertEquals(status, 0, stderr);
    // Modules of one runtime only, and the platform's package, are no imports that it could follow.
    const followed = /^unanalyzable-(dynamic-import|import-meta-resolve)$/;
    const warnings = [...stderr.matchAll(/^(?:warning|error)\[([\w-]+)\]/gm)].map(([, kind]) => kind!);
    assertEquals(warnings.filter((kind) => !followed.test(kind)), [], stderr);
    const paths = [...stderr.matchAll(/file:\/\/(\S+) \(/g)].map(([, path]) => relative(ROOT, path!));
    assert(paths.includes("mod.ts") && paths.includes("cli/main.ts"), stderr);
    assertEquals(paths.filter((path) => unpublished.test(path)), []);
  });
});
