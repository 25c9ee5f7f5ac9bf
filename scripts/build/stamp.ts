// SPDX-License-Identifier: GPL-2.0-or-later

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Extra } from "./options.ts";

/** What the present library was made from; written last, so a build that broke off leaves none. */
export interface Stamp {
  /** The pjproject source that was named, or null for the pinned one. */
  readonly source: string | null;
  /** What was used for each component: its pin then, and the id of what really went in. */
  readonly used: Record<string, { readonly pin: string; readonly id: string }>;
  readonly extras: readonly Extra[];
  /** Keys of the two trees and of the library. */
  readonly codecs: string;
  readonly pjproject: string;
  readonly library: string;
}

/** The stamp of the last good build; undefined when there is none that can be read. */
export function readStamp(path: string): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Stamp;
  } catch {
    return undefined;
  }
}

/** Puts the stamp in place in one go. */
export function writeStamp(path: string, stamp: Stamp): void {
  writeFileSync(`${path}.partial`, `${JSON.stringify(stamp, null, 2)}\n`);
  renameSync(`${path}.partial`, path);
}
