// SPDX-License-Identifier: GPL-2.0-or-later
/** What the system says about this process; Linux only. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** For the `skip` option of `describe` and `it`. */
export const skipWithoutProc: string | false = process.platform === "linux" ? false : "no /proc";

/** The open sockets of every kind, by inode. */
export function openSockets(): Set<string> {
  const targets = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // the folder's own descriptor, closed by now
    }
  });
  return new Set(targets.filter((target) => target.startsWith("socket:")));
}

/** Bytes of memory that are in use and in RAM. */
export function residentBytes(): number {
  const match = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  if (!match) throw new Error("No VmRSS in /proc/self/status");
  return Number(match[1]) * 1024;
}
