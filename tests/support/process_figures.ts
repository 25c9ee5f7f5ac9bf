// SPDX-License-Identifier: GPL-2.0-or-later
/** What the system says about this process; Linux only. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** For the `skip` option of `describe` and `it`. */
export const skipWithoutProc: string | false = process.platform === "linux" ? false : "no /proc";

/** The same for what compares memory. */
export const skipMemory: string | false = process.env["ASAN_OPTIONS"] === undefined
  ? skipWithoutProc
  : "the address sanitizer holds on to freed memory";

/** What is open: "socket:[4711]", a path, … */
export function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the folder itself, closed by now
    }
  });
}

/** The open UDP and TCP sockets, sorted; pipes and the like are the runtime's. */
export function networkSockets(): string[] {
  const inodes = ["udp", "udp6", "tcp", "tcp6"].flatMap((protocol) =>
    readFileSync(`/proc/self/net/${protocol}`, "utf8").split("\n").slice(1).map((line) =>
      line.trim().split(/\s+/)[9]
    )
  );
  const names = new Set(inodes.map((inode) => `socket:[${inode}]`));
  return openFiles().filter((file) => names.has(file)).sort();
}

/** Bytes of memory that a process has in use and in RAM. */
export function residentBytes(pid: number | "self" = "self"): number {
  const match = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (!match) throw new Error(`No VmRSS in /proc/${pid}/status`);
  return Number(match[1]) * 1024;
}

/** CPU time in ms of this process's threads so far, but for those of PJSIP and of the mixers' clock. */
export function runtimeCpu(): number {
  const others = new Set(["sc-clock", "sc-sip", "media"]);
  return readdirSync("/proc/self/task").reduce((sum, id) => {
    try {
      const name = readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim();
      const [time] = readFileSync(`/proc/self/task/${id}/schedstat`, "utf8").split(" ");
      return others.has(name) ? sum : sum + Number(time) / 1e6;
    } catch {
      return sum; // it has ended meanwhile
    }
  }, 0);
}
