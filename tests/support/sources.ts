// SPDX-License-Identifier: GPL-2.0-or-later
/** The project's own source files, as text. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { ROOT } from "../../scripts/build/layout.ts";

/** Where sources are: files and folders, relative to the project. */
const roots = ["mod.ts", "ffi", "core", "media", "cli", "scripts", "examples", "tests", ".ci"];

/** The paths of all source files, relative to the project. */
export function sourceFiles(): string[] {
  const here = roots.filter((root) => existsSync(join(ROOT, root)));
  return here.flatMap((root) => {
    if (statSync(join(ROOT, root)).isFile()) return [root];
    const files = readdirSync(join(ROOT, root), { recursive: true, encoding: "utf8" });
    return files.map((file) => posix.join(root, file)).filter((file) => statSync(join(ROOT, file)).isFile());
  }).filter((file) => /\.(ts|mjs|c|h)$/.test(file) || file === ".ci/run").sort();
}

export function readSource(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** TypeScript without its comments; what strings and templates hold stays. */
export function withoutComments(text: string): string {
  const tokens =
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[dgimsuvy]*(?=[\s.,;)\]]))|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(tokens, (_, kept: string | undefined) => kept ?? " ");
}

export interface Import {
  readonly specifier: string;
  /** `import type`: gone when the program runs. */
  readonly isType: boolean;
}

/** What a file imports or re-exports, also by `import()` of a literal. */
export function importsOf(text: string): Import[] {
  const statements =
    /\b(import|export)\s+(type\s+)?(?:[\w$*{][^;"'`]*?\sfrom\s*|)"([^"]+)"|\bimport\(\s*"([^"]+)"\s*[,)]/g;
  return [...withoutComments(text).matchAll(statements)].map(([, , type, specifier, dynamic]) => ({
    specifier: (specifier ?? dynamic)!,
    isType: type !== undefined,
  }));
}

/** The file that a relative import names, relative to the project. */
export function resolveImport(file: string, specifier: string): string {
  return posix.join(dirname(file), specifier);
}
