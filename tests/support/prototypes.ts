// SPDX-License-Identifier: GPL-2.0-or-later
/** Reads C headers as the rows of ffi/bindings; only the forms that the shim's headers keep to. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A prototype in the words of the border. */
export interface Prototype {
  readonly args: readonly string[];
  readonly result: string;
}

const scalars: Readonly<Record<string, string>> = {
  void: "void",
  int32_t: "i32",
  uint32_t: "u32",
  double: "f64",
  sc_text: "text",
  sc_bytes: "bytes",
  sc_buffer: "buffer",
  sc_status: "status",
  sc_memory: "memory",
};

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "");
}

/** The C types of the border with their words: the scalars, and a serial for each typedef in shim.h. */
export function wordsOf(shimHeader: string): Record<string, string> {
  const nouns = withoutComments(shimHeader).matchAll(/^typedef sc_serial (sc_(\w+));$/gm);
  return { ...scalars, ...Object.fromEntries([...nouns].map(([, type, noun]) => [type, `serial:${noun}`])) };
}

/**
 * The functions that a header declares, in its order.
 *
 * @param macro what stands before a declaration: "SC_API", or "PJ_DECL(…)" for pjproject's.
 * @throws Error when a type is no word of the border.
 */
export function prototypesOf(
  text: string,
  words: Readonly<Record<string, string>>,
  macro: "SC_API" | "PJ_DECL" = "SC_API",
): Record<string, Prototype> {
  const head = macro === "SC_API" ? /SC_API\s+(\w+)\s+/ : /PJ_DECL\((\w+)\)\s+/;
  const declaration = new RegExp(`^${head.source}(\\w+)\\(((?:[^()]|\\([^()]*\\))*)\\);`, "gm");
  const found: Record<string, Prototype> = {};
  for (const [, result, name, args] of withoutComments(text).matchAll(declaration)) {
    found[name!] = { args: argumentsOf(name!, args!, words), result: wordOf(name!, result!, words) };
  }
  return found;
}

function argumentsOf(name: string, text: string, words: Readonly<Record<string, string>>): string[] {
  if (text.trim() === "void") return [];
  return text.split(",").map((argument) => {
    const [, type, pointer] = /^\s*(\w+) (\(\*)?\w+(?:\)\(void\))?\s*$/.exec(argument) ?? [];
    if (type === undefined) throw new Error(`${name}: what is the argument "${argument.trim()}"?`);
    return pointer ? "callback" : wordOf(name, type, words);
  });
}

function wordOf(name: string, type: string, words: Readonly<Record<string, string>>): string {
  const word = Object.hasOwn(words, type) ? words[type] : undefined;
  if (word === undefined) throw new Error(`${name}: the type ${type} is no word of the border`);
  return word;
}

/** How often a header says SC_API: none may be in a form that `prototypesOf()` does not see. */
export function countDeclarations(text: string): number {
  return [...withoutComments(text).matchAll(/^SC_API\b/gm)].length;
}

/** The names and numbers of an enum. */
export function enumOf(text: string, name: string): Record<string, number> {
  const [, body] = new RegExp(`^enum ${name} \\{([^}]*)\\};`, "m").exec(withoutComments(text)) ?? [];
  if (body === undefined) throw new Error(`There is no enum ${name}`);
  const members = body.split(",").map((member) => {
    const [, key, value] = /^\s*(\w+) = (\d+)\s*$/.exec(member) ?? [];
    if (key === undefined) throw new Error(`enum ${name}: what is "${member.trim()}"?`);
    return [key, Number(value)] as const;
  });
  return Object.fromEntries(members);
}

/** The texts of a folder's headers, by file name without suffix. */
export function headersIn(folder: string): Map<string, string> {
  const files = readdirSync(folder).filter((file) => file.endsWith(".h")).sort();
  return new Map(files.map((file) => [file.slice(0, -2), readFileSync(join(folder, file), "utf8")]));
}
