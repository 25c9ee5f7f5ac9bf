// SPDX-License-Identifier: GPL-2.0-or-later
import { table } from "./bindings/mod.ts";
import { LibraryError } from "./library_error.ts";
import { type Place, places } from "./library_places.ts";
import { runtime } from "./runtime.ts";
import type { Native } from "./types.ts";

/** The functions of the shared library. */
export type NativeLibrary = Native<typeof table>;

/** The form of rows and records that this source was written for; SC_ABI in shim/shim.h. */
export const abi = 10;

/** A place where the library is not, or is not to be had from, and why. */
interface Miss {
  readonly place: Place;
  readonly reason: string;
  /** The runtime has forbidden to open it. */
  readonly isForbidden: boolean;
}

function open(libraryPath: string | null): NativeLibrary {
  try {
    runtime.check();
  } catch (cause) {
    throw new LibraryError((cause as Error).message, "RUNTIME_UNSUPPORTED", { cause });
  }
  const misses: Miss[] = [];
  for (const place of places(libraryPath)) {
    const { path, reason } = place;
    if (path === null) {
      misses.push({ place, reason, isForbidden: false });
      continue;
    }
    let native: NativeLibrary;
    try {
      native = runtime.open(path, table);
    } catch (error) {
      const { name, message } = error as Error;
      misses.push({ place, reason: message, isForbidden: name === "NotCapable" });
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
  throw new LibraryError(describe(misses), "LIBRARY_NOT_FOUND");
}

/** Every place and what was wrong with it, a line each, and what to do. */
function describe(misses: readonly Miss[]): string {
  const lines = misses.map(({ place: { source, path }, reason }) =>
    `  ${source}: ${path === null ? reason : `${path}: ${reason.split(`${path}: `).at(-1)}`}`
  );
  const forbidden = misses.find(({ isForbidden }) => isForbidden);
  const remedies = forbidden
    ? [runtime.grants.file(forbidden.place.path!)]
    : misses.map(({ place }) => place.remedy).filter((remedy) => remedy !== "");
  return `Cannot open the shared library of sipcore. Tried:\n${lines.join("\n")}\n` +
    `What helps: ${remedies.join("; or ")}`;
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
