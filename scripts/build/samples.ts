// SPDX-License-Identifier: GPL-2.0-or-later

import { mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import type { Layout } from "./layout.ts";
import { sharedLibraries, staticLibraries } from "./library.ts";
import type { Extra } from "./options.ts";
import { archiveOf, ARCHIVES } from "./pjproject.ts";
import type { Report } from "./report.ts";

/** Builds pjproject's own load generator from the same tree, settings and codecs, for the benchmark. */
export async function buildPerf(
  report: Report,
  layout: Layout,
  build: {
    readonly tree: string;
    readonly codecs: string;
    readonly flags: readonly string[];
    readonly extras: readonly Extra[];
    readonly asan: boolean;
  },
): Promise<void> {
  const { tree, codecs, flags, extras, asan } = build;
  const partial = `${layout.perf}.partial`;
  mkdirSync(dirname(layout.perf), { recursive: true });
  const linux = process.platform === "linux";
  await report.step("build pjsip-perf", async () => {
    const source = join(tree, "pjsip-apps", "src", "samples", "pjsip-perf.c");
    const object = `${partial}.o`;
    const compile = ["cc", "-O2", "-g", ...flags, "-c", source, "-o", object];
    await report.run({ what: "Compiling pjsip-perf", cwd: tree, args: compile });
    const args = [
      "c++",
      ...(asan ? ["-fsanitize=address"] : []),
      "-o",
      partial,
      object,
      ...(linux ? ["-Wl,--start-group"] : []),
      ...ARCHIVES.map(([folder, name]) => archiveOf(tree, folder, name)),
      ...(linux ? ["-Wl,--end-group"] : []),
      ...await staticLibraries(report, tree, codecs),
      ...await sharedLibraries(report, extras),
      "-lm",
      "-lpthread",
      ...(linux ? [] : ["-framework", "CoreFoundation", "-framework", "Security"]),
    ];
    await report.run({ what: "Linking pjsip-perf", cwd: tree, args });
    rmSync(object);
    renameSync(partial, layout.perf);
  });
}
