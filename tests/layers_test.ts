// SPDX-License-Identifier: GPL-2.0-or-later
import { isBuiltin } from "node:module";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { version } from "../core/version.ts";
import { importsOf, readSource, resolveImport, sourceFiles, withoutComments } from "./support/sources.ts";

const files = sourceFiles();
const typescript = files.filter((file) => file.endsWith(".ts"));

/** The layers of the library, each with those that it may import. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  ffi: ["ffi"],
  core: ["core", "ffi"],
  media: ["media", "core", "ffi"],
  "mod.ts": ["media", "core", "ffi"],
  cli: ["cli", "mod.ts"],
};

/** The files that may know the runtimes. */
const adapters = ["ffi/deno.ts", "ffi/bun.ts", "ffi/runtime.ts", "cli/commands/version.ts"];

function layerOf(file: string): string {
  return file.split("/")[0]!;
}

const library = typescript.filter((file) => layerOf(file) in arrows);

describe("importsOf()", () => {
  it("importsOf() finds every form, over lines, and none in a comment", () => {
    const text = `// import "./comment.ts";
import "./bare.ts";
import type { A } from "./type.ts";
import {
  b, // from "./no.ts"
  type C,
} from "./list.ts";
/* export * from "./block.ts"; */
export * from "./star.ts";
export type { D } from "./export-type.ts";
const x = await import("./dynamic.ts"), y = "/* import './string.ts' */";
export const from = "value";
`;
    assertEquals(importsOf(text), [
      { specifier: "./bare.ts", isType: false },
      { specifier: "./type.ts", isType: true },
      { specifier: "./list.ts", isType: false },
      { specifier: "./star.ts", isType: false },
      { specifier: "./export-type.ts", isType: true },
      { specifier: "./dynamic.ts", isType: false },
    ]);
  });

  it("withoutComments() keeps strings and regular expressions", () => {
    assertEquals(
      withoutComments('a = "//x"; // y\nb = /"\\/\\/[/"]/; /* z */c = `//`;').replace(/ +/g, " "),
      'a = "//x"; \nb = /"\\/\\/[/"]/; c = `//`;',
    );
  });
});

describe("layers", () => {
  it("layers are all there", () => {
    for (const layer of Object.keys(arrows)) {
      assert(library.some((file) => layerOf(file) === layer), `There is no ${layer}`);
    }
  });

  it("layers import downward only", () => {
    const wrong = library.flatMap((file) =>
      importsOf(readSource(file))
        .filter(({ specifier, isType }) => specifier.startsWith(".") && !isType)
        .map(({ specifier }) => resolveImport(file, specifier))
        .filter((target) => !arrows[layerOf(file)]!.includes(layerOf(target)))
        .map((target) => `${file} imports ${target}`)
    );
    assertEquals(wrong, []);
  });

  it("layers import nobody's tests, scripts or examples, not even their types", () => {
    const wrong = typescript.filter((file) => !/^(tests|scripts)\//.test(file)).flatMap((file) =>
      importsOf(readSource(file))
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => resolveImport(file, specifier))
        .filter((target) => /^(tests|scripts|examples)\//.test(target))
        .map((target) => `${file} imports ${target}`)
    );
    assertEquals(wrong, []);
  });

  it("layers need no package: what is not their own is built into both runtimes", () => {
    const wrong = library.flatMap((file) =>
      importsOf(readSource(file))
        .filter(({ specifier }) => !specifier.startsWith("."))
        .filter(({ specifier }) => !specifier.startsWith("node:") || !isBuiltin(specifier))
        .map(({ specifier }) => `${file} imports ${specifier}`)
    );
    assertEquals(wrong, []);
  });

  it("layers name no runtime outside the adapters", () => {
    const wrong = library.filter((file) => !adapters.includes(file)).flatMap((file) =>
      withoutComments(readSource(file)).split("\n")
        .filter((line) => /\b(?:Deno|Bun)\b|\bbun:/.test(line))
        .map((line) => `${file}: ${line.trim()}`)
    );
    assertEquals(wrong, []);
  });

  it("examples import the public names only", () => {
    const wrong = typescript.filter((file) => layerOf(file) === "examples").flatMap((file) =>
      importsOf(readSource(file))
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => resolveImport(file, specifier))
        .filter((target) => target !== "mod.ts")
        .map((target) => `${file} imports ${target}`)
    );
    assertEquals(wrong, []);
  });
});

describe("sources", () => {
  it("sources begin with their licence", () => {
    const line = /^(?:#!.*\n)?(?:\/\/|\/\*|#) SPDX-License-Identifier: GPL-2\.0-or-later(?: \*\/)?\n/;
    assertEquals(files.filter((file) => !line.test(readSource(file))), []);
    assert(files.length > 100);
  });

  it("sources are named in lower case, with one mark between words", () => {
    const named = files.map((file) => file.split("/").at(-1)!);
    assertEquals(
      named.filter((name) => !/^[a-z0-9]+(?:[_-][a-z0-9]+)*(?:\.(?:ts|mjs|c|h))?$/.test(name)),
      [],
    );
    const mark = (file: string) => /^scripts\//.test(file) ? "_" : "-";
    assertEquals(typescript.filter((file) => file.split("/").at(-1)!.includes(mark(file))), []);
  });

  it("sources hold no switched-off or favoured test", () => {
    const switches = new RegExp(
      "\\b(?:it|test|describe|suite|t)\\.(?:only|skip|todo)\\(|\\b(?:only|todo): true",
    );
    const tests = typescript.filter((file) => file.endsWith("_test.ts") && file !== "tests/layers_test.ts");
    assertEquals(tests.filter((file) => switches.test(withoutComments(readSource(file)))), []);
  });
});

describe("manifests", () => {
  const npm = JSON.parse(readSource("package.json")) as Record<string, unknown>;
  const deno = JSON.parse(readSource("deno.json")) as Record<string, unknown>;

  it("manifests and core/version.ts have one version", () => {
    assertEquals([npm["version"], deno["version"]], [version, version]);
    assertEquals(npm["license"], deno["license"]);
  });

  it("manifests bring no package into a user's program", () => {
    for (const kind of ["dependencies", "peerDependencies", "bundleDependencies"]) {
      assertEquals(npm[kind], undefined);
    }
    const imports = Object.values(deno["imports"] ?? {}) as string[];
    assertEquals(imports.filter((target) => !target.startsWith("./tests/")), []);
  });
});
