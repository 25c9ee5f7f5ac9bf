// SPDX-License-Identifier: GPL-2.0-or-later

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";

/** Holds the build folder for this process; a second build waits, and takes over from one that died. */
export async function lockFolder(path: string): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true });
  for (let told = false;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    }
    const owner = ownerOf(path);
    if (owner === undefined) {
      rmSync(path, { force: true });
    } else {
      if (!told) console.log(`  waiting for another build (process ${owner})`);
      told = true;
      await delay(200);
    }
  }
}

/** The living process that holds the lock; undefined when it has died. */
function ownerOf(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // Between making the file and writing into it there is a moment without a number.
    if (!Number.isInteger(pid) || pid <= 0) return process.ppid;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM" ? Number(readFileSync(path, "utf8")) : undefined;
  }
}
