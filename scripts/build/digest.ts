// SPDX-License-Identifier: GPL-2.0-or-later

import { createHash } from "node:crypto";
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** SHA-256 of a file, in hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** One key for all the parts; the length goes in too, so that ["ab", "c"] and ["a", "bc"] differ. */
export function keyOf(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest("hex").slice(0, 16);
}

/** A key of a folder by name, size and time of each file below it: cheap enough to ask at each run. */
export function keyOfTree(folder: string): string {
  const facts: string[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== ".git") walk(path);
      } else if (entry.isFile()) {
        const { size, mtimeMs } = statSync(path);
        facts.push(`${path} ${size} ${mtimeMs}`);
      }
    }
  };
  walk(folder);
  return keyOf(...facts.sort());
}

/** Text of a file, for a key; a part of the recipe is such a text too: a changed script is a changed build. */
export function textOf(path: string): string {
  return readFileSync(path, "utf8");
}
