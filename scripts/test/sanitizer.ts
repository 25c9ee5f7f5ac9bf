// SPDX-License-Identifier: GPL-2.0-or-later
/** The address sanitizer's library, and what lets the two runtimes live with it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { layoutOf, ROOT } from "../build/layout.ts";
import type { Check } from "./checks.ts";

/** Builds the library with the sanitizer where it is missing or old. */
export const sanitizedBuild: Check = {
  title: "build with the address sanitizer",
  args: [
    process.execPath,
    ...(process.versions["deno"] ? ["run", "-A", "--no-prompt"] : ["run"]),
    join(ROOT, "scripts", "build-pjsip.ts"),
    "--asan",
  ],
};

/**
 * The environment in which a runtime's own binary carries that library. The runtimes handle SIGSEGV themselves, hold
 * memory to their end, and share names with the library.
 */
export function sanitizerEnvironment(): Record<string, string> {
  const { stdout } = spawnSync("gcc", ["-print-file-name=libasan.so"], { encoding: "utf8" });
  return {
    SIPCORE_LIBRARY: layoutOf(true).library,
    LD_PRELOAD: stdout.trim(),
    ASAN_OPTIONS: "detect_leaks=0:handle_segv=0:allow_user_segv_handler=1:detect_odr_violation=0",
  };
}
