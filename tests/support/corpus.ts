// SPDX-License-Identifier: GPL-2.0-or-later
/** The message corpora that may stand beside the project, in ../shared/corpus; they are no part of it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../../../shared/corpus/", import.meta.url);

/** For the `skip` option of `describe`: false when the corpus is there, else the reason. */
export const skipWithoutCorpus: string | false = existsSync(ROOT) ? false : "no corpus beside the project";

/** The bytes of each file of a folder of the corpus, by file name; empty when it is not there. */
export function readFolder(folder: string): Map<string, Uint8Array> {
  if (skipWithoutCorpus) return new Map();
  const url = new URL(`${folder}/`, ROOT);
  return new Map(
    readdirSync(url).sort().map((name) => [name, new Uint8Array(readFileSync(new URL(name, url)))]),
  );
}

/** The bytes of a file of the corpus; null when it is not there. */
export function readFile(file: string): Uint8Array | null {
  return skipWithoutCorpus ? null : new Uint8Array(readFileSync(new URL(file, ROOT)));
}

/** The rows of a tab-separated file of the corpus, without comments; empty when it is not there. */
export function readTable(file: string): string[][] {
  if (skipWithoutCorpus) return [];
  const lines = readFileSync(new URL(file, ROOT), "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split("\t"));
}
