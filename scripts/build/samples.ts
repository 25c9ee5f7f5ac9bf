// SPDX-License-Identifier: GPL-2.0-or-later

import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { type Layout, ROOT } from "./layout.ts";
import { sharedLibraries, staticLibraries } from "./library.ts";
import type { Extra } from "./options.ts";
import { archiveOf, ARCHIVES } from "./pjproject.ts";
import type { Report } from "./report.ts";

/** The bench's own program, in C with pjmedia alone. */
const MEDIA = join(ROOT, "scripts", "bench", "media.c");

/** What a program is made of. */
interface Making {
  readonly tree: string;
  readonly codecs: string;
  readonly flags: readonly string[];
  readonly extras: readonly Extra[];
  readonly asan: boolean;
}

/** Whether the programs of the benchmark are built, from the source that lies there. */
export function samplesAreThere({ perf, media }: Layout): boolean {
  return existsSync(perf) && existsSync(media) && statSync(media).mtimeMs >= statSync(MEDIA).mtimeMs;
}

/** Builds what the benchmark measures against, from the same tree, settings and codecs: pjproject's load generator too. */
export async function buildSamples(report: Report, layout: Layout, making: Making): Promise<void> {
  const perf = join(making.tree, "pjsip-apps", "src", "samples", "pjsip-perf.c");
  await buildProgram(report, perf, layout.perf, making);
  await buildProgram(report, MEDIA, layout.media, making);
}

async function buildProgram(
  report: Report,
  source: string,
  program: string,
  { tree, codecs, flags, extras, asan }: Making,
): Promise<void> {
  const name = basename(program);
  const partial = `${program}.partial`;
  mkdirSync(dirname(program), { recursive: true });
  const linux = process.platform === "linux";
  await report.step(`build ${name}`, async () => {
    const object = `${partial}.o`;
    const compile = ["cc", "-O2", "-g", ...flags, "-c", source, "-o", object];
    await report.run({ what: `Compiling ${name}`, cwd: tree, args: compile });
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
    await report.run({ what: `Linking ${name}`, cwd: tree, args });
    rmSync(object);
    renameSync(partial, program);
  });
}
