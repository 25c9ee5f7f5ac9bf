// SPDX-License-Identifier: GPL-2.0-or-later
import type { Bell, BellFunctions, Native, Runtime, SymbolTable, Word } from "./types.ts";

/** The part of Deno's API that this adapter uses, written out so that it also type-checks outside Deno. */
interface DenoAPI {
  dlopen(path: string, symbols: Record<string, unknown>): { symbols: Record<string, unknown> };
  permissions: {
    querySync(
      descriptor: { name: "env"; variable: string } | { name: "net"; host: string } | { name: "ffi" },
    ): { state: string };
  };
  env: { get(name: string): string | undefined };
  UnsafePointerView: { getArrayBuffer(pointer: unknown, size: number): ArrayBuffer };
}

const deno = (globalThis as unknown as { Deno: DenoAPI }).Deno;

const spelling: Record<string, string> = {
  void: "void",
  i32: "i32",
  u32: "u32",
  f64: "f64",
  text: "buffer",
  bytes: "buffer",
  buffer: "buffer",
  status: "buffer",
  memory: "pointer",
  callback: "function",
};

function spell(word: Word): string {
  return word.startsWith("serial:") ? "f64" : spelling[word]!;
}

function open<T extends SymbolTable>(path: string, table: T): Native<T> {
  const symbols: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    symbols[name] = {
      parameters: row.args.map(spell),
      result: spell(row.result),
      nonblocking: row.nonblocking ?? false,
    };
  }
  return deno.dlopen(path, symbols).symbols as Native<T>;
}

/**
 * A native wait in a thread of the runtime's. A callback from a foreign thread would park that thread until
 * JavaScript has run, and crashes the process when an exception goes uncaught meanwhile.
 */
function onBell(native: BellFunctions, ring: () => void): Bell {
  let open = true;
  const run = native.sc_bell_run();
  const wait = async () => {
    while (await native.sc_bell_wait(run) && open) ring();
  };
  wait();
  return {
    close() {
      open = false;
    },
  };
}

/** Looking at memory takes a grant that names no path. */
function map(memory: object | number, size: number): ArrayBuffer | null {
  if (deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  return deno.UnsafePointerView.getArrayBuffer(memory, size);
}

/** Reading without a grant would stop an interactive run with a question. */
function mayRead(name: string): boolean {
  return deno.permissions.querySync({ name: "env", variable: name }).state === "granted";
}

function environment(name: string): string | null {
  return mayRead(name) ? deno.env.get(name) ?? null : null;
}

/** Binding without a grant throws where nobody can catch it, and ends the process. */
function mayBind(address: string): boolean {
  const host = `${address.includes(":") ? `[${address}]` : address}:0`;
  return deno.permissions.querySync({ name: "net", host }).state === "granted";
}

export const runtime: Runtime = {
  name: "deno",
  check() {},
  open,
  onBell,
  map,
  environment,
  mayRead,
  grants: {
    file: (path) => `start Deno with --allow-ffi=${path}`,
    variable: (name) => `start Deno with --allow-env=${name}`,
  },
  // Its executables keep the paths of their files.
  isExecutable: false,
  embeddedFile: () => null,
  mayBind,
};
