// SPDX-License-Identifier: GPL-2.0-or-later

import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** Where the shim and the settings of pjproject are. */
export const SHIM: string = join(ROOT, "ffi", "shim");

/** The compile-time settings of pjproject. */
export const SETTINGS: string = join(SHIM, "config_site.h");

/** Where one build puts its things. */
export interface Layout {
  readonly folder: string;
  readonly cache: string;
  readonly log: string;
  /** Trees under names of their own content: a change builds beside the old one, which stays good meanwhile. */
  readonly trees: string;
  /** Symbolic links to the trees in use. */
  readonly pjproject: string;
  readonly codecs: string;
  readonly objects: string;
  readonly library: string;
  readonly debugLibrary: string;
  readonly perf: string;
  readonly media: string;
  readonly stamp: string;
  readonly lock: string;
}

/** The folders of the release build, or those of the sanitizer build below them. */
export function layoutOf(asan: boolean): Layout {
  const base = resolve(process.env["SIPCORE_BUILD"] || join(ROOT, "build"));
  const folder = asan ? join(base, "asan") : base;
  const suffix = process.platform === "darwin" ? "dylib" : "so";
  return {
    folder,
    cache: resolve(process.env["SIPCORE_CACHE"] || join(base, "cache")),
    log: join(folder, "build.log"),
    trees: join(folder, "trees"),
    pjproject: join(folder, "pjproject"),
    codecs: join(folder, "codecs"),
    objects: join(folder, "objects"),
    library: join(folder, `libsipcore.${suffix}`),
    debugLibrary: join(folder, `libsipcore.debug.${suffix}`),
    perf: join(folder, "bin", "pjsip-perf"),
    media: join(folder, "bin", "media"),
    stamp: join(folder, "stamp.json"),
    lock: join(base, "lock"),
  };
}
