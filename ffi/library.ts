// SPDX-License-Identifier: GPL-2.0-or-later
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { table } from "./bindings/mod.ts";
import { runtime } from "./runtime.ts";
import type { Native } from "./types.ts";

/** The functions of the shared library. */
export type NativeLibrary = Native<typeof table>;

/** The form of rows and records that this source was written for; SC_ABI in shim/shim.h. */
export const abi = 9;

/** Why the shared library cannot be used; core turns it into a SIPCoreError of the same code. */
export class LibraryError extends Error {
  override readonly name = "LibraryError";
  readonly code: "LIBRARY_NOT_FOUND" | "LIBRARY_MISMATCH" | "RUNTIME_UNSUPPORTED";

  constructor(message: string, code: LibraryError["code"], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

interface Place {
  readonly path: string;
  readonly source: string;
}

function fileName(): string {
  return process.platform === "darwin" ? "libsipcore.dylib" : "libsipcore.so";
}

/** The file in the platform's package, if that is installed. */
function packaged(): Place[] {
  const name = `@sipcore/${process.platform}-${process.arch}`;
  try {
    return [{
      path: createRequire(import.meta.url).resolve(`${name}/${fileName()}`),
      source: `the package ${name}`,
    }];
  } catch {
    return [];
  }
}

/** The file that the build script of this source tree leaves. */
function built(): Place[] {
  const url = new URL(`../build/${fileName()}`, import.meta.url);
  return url.protocol === "file:" ? [{ path: fileURLToPath(url), source: "the build folder" }] : [];
}

/** Where the library may be, in this order; a path that the user names is the only one. */
function places(libraryPath: string | null): Place[] {
  if (libraryPath !== null) return [{ path: libraryPath, source: "the option libraryPath" }];
  const named = runtime.environment("SIPCORE_LIBRARY");
  if (named) return [{ path: named, source: "the environment variable SIPCORE_LIBRARY" }];
  return [...packaged(), ...built()];
}

function open(libraryPath: string | null): NativeLibrary {
  try {
    runtime.check();
  } catch (cause) {
    throw new LibraryError((cause as Error).message, "RUNTIME_UNSUPPORTED", { cause });
  }
  const tried: string[] = [];
  for (const { path, source } of places(libraryPath)) {
    let native: NativeLibrary;
    try {
      native = runtime.open(path, table);
    } catch (error) {
      tried.push(`${path} (${source}): ${(error as Error).message}`);
      continue;
    }
    if (native.sc_abi() !== abi) {
      throw new LibraryError(
        `The shared library ${path} has the interface number ${native.sc_abi()}, this version of sipcore needs ` +
          `${abi}: run "npm run build", or install library and package of one version`,
        "LIBRARY_MISMATCH",
      );
    }
    return native;
  }
  throw new LibraryError(
    `Cannot open the shared library of sipcore. Tried ${tried.join("; ") || "nothing: no place is known"}. ` +
      `Build it with "npm run build" in sipcore's source tree, or name it in SIPCORE_LIBRARY`,
    "LIBRARY_NOT_FOUND",
  );
}

let library: NativeLibrary | null = null;

/**
 * Opens the library at the first call (later ones get the same, whatever path they name: a process has one).
 * Throws LibraryError.
 */
export function openLibrary(libraryPath: string | null): NativeLibrary {
  library ??= open(libraryPath);
  return library;
}

/** The library, or null before the first `openLibrary()`. */
export function openedLibrary(): NativeLibrary | null {
  return library;
}
