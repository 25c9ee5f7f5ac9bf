// SPDX-License-Identifier: GPL-2.0-or-later
import type { Bell, BellFunctions, Native, Runtime, SymbolTable, Word } from "./types.ts";

/** The part of `bun:ffi` that this adapter uses, written out so that it also type-checks outside Bun. */
interface BunFFI {
  dlopen(path: string, symbols: Record<string, unknown>): { symbols: Record<string, unknown> };
  toArrayBuffer(pointer: number, offset: number, size: number): ArrayBuffer;
  JSCallback: new (
    fn: () => void,
    options: { args: string[]; returns: string; threadsafe: boolean },
  ) => { readonly ptr: number | null };
}

/** Callbacks from foreign threads corrupt the heap of every Bun before this one. */
const leastVersion: readonly [number, number] = [1, 4];

// A specifier that is no literal: other runtimes' checkers do not know the scheme.
const specifier: string = "bun:ffi";
const { dlopen, JSCallback, toArrayBuffer } = await import(specifier) as BunFFI;

const spelling: Record<string, string> = {
  void: "void",
  i32: "i32",
  u32: "u32",
  f64: "f64",
  text: "ptr",
  bytes: "ptr",
  buffer: "ptr",
  status: "ptr",
  memory: "ptr",
  callback: "function",
};

function spell(word: Word): string {
  return word.startsWith("serial:") ? "f64" : spelling[word]!;
}

/** Throws when this version of Bun cannot carry the library; exported for its test. */
export function checkVersion(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < leastVersion[0] || (major === leastVersion[0] && minor < leastVersion[1])) {
    throw new Error(
      `Bun ${version} is too old: sipcore needs Bun ${
        leastVersion.join(".")
      } or newer, because native threads ` +
        `that call JavaScript corrupt the memory of older ones`,
    );
  }
}

function open<T extends SymbolTable>(path: string, table: T): Native<T> {
  const symbols: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    // Bun has no non-blocking call: such a row would stop JavaScript.
    if (row.nonblocking) continue;
    symbols[name] = { args: row.args.map(spell), returns: spell(row.result) };
  }
  return dlopen(path, symbols).symbols as Native<T>;
}

let current: (() => void) | null = null;
/** Made once and never closed: unrooting a callback while a thread may still call it is not safe. */
let callback: { readonly ptr: number | null } | null = null;

/** A thread of the library's calls one void callback without arguments; Bun posts it and the thread goes on. */
function onBell(native: BellFunctions, ring: () => void): Bell {
  current = ring;
  callback ??= new JSCallback(() => current?.(), { args: [], returns: "void", threadsafe: true });
  // The callback alone does not keep the process alive.
  const keepAlive = setInterval(() => {}, 0x7fffffff);
  const failed = native.sc_bell_start(callback.ptr!);
  const close = () => {
    current = null;
    clearInterval(keepAlive);
  };
  if (failed) {
    close();
    throw new Error(`Cannot start the bell thread (status ${failed})`);
  }
  return { close };
}

/** Bun's bundler replaces these calls; without it they are never reached. */
declare const require: (specifier: string) => unknown;

/**
 * `bun build --compile` embeds what such a call names literally, and makes its path of it. A call whose file is not
 * there is left to fail by itself, but only where it stands in a `try` of its own.
 */
function embeddedFile(): string | null {
  const kind = `${process.platform}-${process.arch}`;
  try {
    if (kind === "linux-x64") return String(require("@sipcore/linux-x64/libsipcore.so"));
  } catch {
    // Compiled without this package.
  }
  try {
    if (kind === "linux-arm64") return String(require("@sipcore/linux-arm64/libsipcore.so"));
  } catch {
    // Likewise.
  }
  try {
    return String(require("../build/libsipcore.so"));
  } catch {
    return null;
  }
}

export const runtime: Runtime = {
  name: "bun",
  check: () => checkVersion(process.versions["bun"] ?? "0"),
  open,
  onBell,
  map: (memory, size) => toArrayBuffer(memory as number, 0, size),
  environment: (name) => process.env[name] ?? null,
  mayRead: () => true,
  // It refuses nothing.
  grants: { file: () => "", variable: () => "" },
  isExecutable: import.meta.url.includes("/$bunfs/"),
  embeddedFile,
  mayBind: () => true,
};
