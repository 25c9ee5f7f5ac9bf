// SPDX-License-Identifier: GPL-2.0-or-later
// Builds the shared library: pinned sources, checked; codecs; pjproject; the shim; one file. See --help.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
} from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { buildCodecs, CODEC_RECIPE } from "./build/codecs.ts";
import { inPath, installPackages, isDebian } from "./build/debian.ts";
import { keyOf, textOf } from "./build/digest.ts";
import { BuildFailure } from "./build/failure.ts";
import { type Layout, layoutOf, ROOT, SETTINGS } from "./build/layout.ts";
import { compileShim, linkLibrary, SHIM_FLAGS, shimKey } from "./build/library.ts";
import { lockFolder } from "./build/lock.ts";
import { type Extra, HELP, type Options, parseOptions } from "./build/options.ts";
import { CODECS, PJPROJECT, UPSTREAM } from "./build/pins.ts";
import { buildPjproject, headerFlags, PJPROJECT_RECIPE } from "./build/pjproject.ts";
import { Report } from "./build/report.ts";
import { buildSamples, samplesAreThere } from "./build/samples.ts";
import { namedSource, type Source, Sources } from "./build/sources.ts";
import { readStamp, type Stamp, writeStamp } from "./build/stamp.ts";

const DISK_SPACE_MB = 600;
const TOOLS = ["bash", "cc", "c++", "make", "ar", "ld", "strip", "tar", "xz", "pkg-config"];
const PJPROJECT_PIN = `${UPSTREAM.sha256} ${PJPROJECT.sha256}`;

/** The flags of everything that is compiled. */
function flagsOf(asan: boolean): string {
  // Without assertions in both: hostile input must get an error, not an abort.
  const common = "-O2 -g -fPIC -fno-semantic-interposition -DNDEBUG";
  return asan
    ? `${common} -fsanitize=address -fno-omit-frame-pointer -DPJ_POOL_DEBUG=1`
    : `${common} -fstack-protector-strong -D_FORTIFY_SOURCE=2`;
}

/** The keys that follow from the sources, the settings, the recipes and the shim. */
function keysFor(
  options: Options,
  stamp: Pick<Stamp, "used" | "extras">,
): Omit<Stamp, "source" | "used" | "extras"> {
  const flags = flagsOf(options.asan);
  const codecs = keyOf(CODEC_RECIPE, flags, ...CODECS.map(({ name }) => stamp.used[name]?.id ?? ""));
  // A better word in a comment is no reason to compile for a minute.
  const settings = textOf(SETTINGS).replace(/\/\*[\s\S]*?\*\//g, "").replace(/\s+/g, " ");
  const extras = stamp.extras.join();
  const pjproject = keyOf(
    PJPROJECT_RECIPE,
    codecs,
    flags,
    settings,
    extras,
    stamp.used["pjproject"]?.id ?? "",
  );
  const recipe = textOf(join(ROOT, "scripts", "build", "library.ts"));
  return { codecs, pjproject, library: keyOf(recipe, pjproject, shimKey()) };
}

/** Whether the last build was made from what the pins say now. */
function fromPins(options: Options, stamp: Stamp): boolean {
  if (CODECS.some(({ name, sha256 }) => stamp.used[name]?.pin !== sha256)) return false;
  return options.source !== undefined || stamp.used["pjproject"]?.pin === PJPROJECT_PIN;
}

/** Whether the library that lies there is what a build would make now; costs reading the shim, not more. */
async function upToDate(options: Options, layout: Layout, stamp: Stamp | undefined): Promise<boolean> {
  if (options.clean || !stamp || !existsSync(layout.library) || !existsSync(layout.debugLibrary)) {
    return false;
  }
  if (options.samples && !samplesAreThere(layout)) return false;
  if (options.extras && options.extras.join() !== stamp.extras.join()) return false;
  if (stamp.source !== (options.source ?? null)) return false;
  if (options.source && (await namedSource(options.source)).id !== stamp.used["pjproject"]?.id) return false;
  if (!fromPins(options, stamp)) return false;
  const keys = keysFor(options, stamp);
  return keys.library === stamp.library && keys.pjproject === stamp.pjproject;
}

/** Compilers, packages and room on the disk, before a minute is spent. */
async function prepare(report: Report, extras: readonly Extra[], layout: Layout): Promise<void> {
  if (isDebian()) await installPackages(report, extras);
  const missing = TOOLS.filter((tool) => inPath(tool) === undefined);
  if (missing.length > 0) {
    const hint = process.platform === "darwin"
      ? "xcode-select --install; brew install pkg-config openssl opus"
      : "on Debian: apt-get install build-essential pkg-config xz-utils";
    throw new BuildFailure(`The build needs ${missing.join(", ")} in PATH (${hint})`);
  }
  const { bavail, bsize } = statfsSync(layout.folder);
  const free = Math.floor(Number(bavail) * Number(bsize) / 1_000_000);
  if (free < DISK_SPACE_MB) {
    throw new BuildFailure(
      `${layout.folder} has ${free} MB of disk space left; the build wants ${DISK_SPACE_MB} MB`,
    );
  }
}

/** Points a symbolic link at the tree in use, in one step. */
function pointAt(link: string, target: string): void {
  rmSync(`${link}.partial`, { force: true });
  symlinkSync(relative(join(link, ".."), target), `${link}.partial`);
  renameSync(`${link}.partial`, link);
}

/** Removes what an earlier build left; never the cache. */
function clean(layout: Layout): void {
  for (const file of readdirSync(layout.folder)) {
    const path = join(layout.folder, file);
    const keep = [layout.cache, layout.lock, layout.log].includes(path) ||
      layout.cache.startsWith(`${path}/`);
    if (!keep && !(file === "asan" && lstatSync(path).isDirectory())) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** pjproject and its codecs, ready to link; what is needed of them and was built before is taken as it is. */
async function buildTrees(
  options: Options,
  layout: Layout,
  report: Report,
  extras: readonly Extra[],
  old: Stamp | undefined,
): Promise<{ tree: string; prefix: string; used: Stamp["used"]; keys: ReturnType<typeof keysFor> }> {
  if (old && !options.source && old.source === null && fromPins(options, old)) {
    const keys = keysFor(options, { used: old.used, extras });
    const prefix = join(layout.trees, `codecs-${keys.codecs}`);
    const tree = join(layout.trees, `pjproject-${keys.pjproject}`);
    const ready = [prefix, tree].every((folder) => existsSync(join(folder, "complete")));
    if (ready) return { tree, prefix, used: old.used, keys };
  }
  const sources = new Sources(report, layout);
  const [pjproject, ...codecs] = await report.step("get and check the sources", async () => {
    const found: Source[] = [await sources.pjproject(options.source)];
    for (const pin of CODECS) found.push(await sources.debian(pin));
    sources.forgetLists();
    return found;
  });
  const used: Record<string, { pin: string; id: string }> = {
    pjproject: { pin: PJPROJECT_PIN, id: pjproject!.id },
  };
  CODECS.forEach(({ name, sha256 }, index) => used[name] = { pin: sha256, id: codecs[index]!.id });
  const keys = keysFor(options, { used, extras });
  const flags = flagsOf(options.asan);
  const paired = CODECS.map((pin, index) => ({ pin, source: codecs[index]! }));
  const prefix = await buildCodecs(report, layout, keys.codecs, paired, flags);
  const tree = await buildPjproject(report, layout, keys.pjproject, pjproject!, prefix, flags, extras);
  return { tree, prefix, used, keys };
}

async function build(options: Options, layout: Layout, report: Report): Promise<void> {
  const old = options.clean ? undefined : readStamp(layout.stamp);
  const extras = options.extras ?? old?.extras ?? [];
  await prepare(report, extras, layout);
  if (options.clean) clean(layout);

  if (extras.length > 0) {
    report.note(`with ${extras.join(", ")}: this library may be passed on under GPL-3 only`);
  }
  const { tree, prefix, used, keys } = await buildTrees(options, layout, report, extras, old);
  pointAt(layout.codecs, prefix);
  pointAt(layout.pjproject, tree);

  const headers = await headerFlags(report, tree);
  const system = headers.flatMap((flag) => flag.startsWith("-I") ? [`-isystem${flag.slice(2)}`] : [flag]);
  const own = flagsOf(options.asan).split(" ").filter((flag) =>
    flag.startsWith("-f") || flag.startsWith("-D_")
  );
  const objects = await compileShim(report, layout, [...SHIM_FLAGS, ...own, ...system]);
  await linkLibrary(report, layout, { tree, codecs: prefix, objects, extras, asan: options.asan });
  const fresh = old?.pjproject === keys.pjproject;
  if (options.samples || (!fresh && existsSync(layout.perf))) {
    await buildSamples(report, layout, { tree, codecs: prefix, flags: headers, extras, asan: options.asan });
  }

  writeStamp(layout.stamp, { source: options.source ?? null, used, extras, ...keys });
  for (const name of readdirSync(layout.trees)) {
    const path = join(layout.trees, name);
    if (path !== tree && path !== prefix) rmSync(path, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const start = performance.now();
  let report: Report | undefined;
  let unlock = (): void => {};
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options.help) {
      console.log(HELP);
      return 0;
    }
    const layout = layoutOf(options.asan);
    mkdirSync(layout.folder, { recursive: true });
    const seconds = (): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;
    const shown = relative(process.cwd(), layout.library);
    unlock = await lockFolder(layout.lock);
    for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
      process.once(signal, async () => {
        await report?.stop();
        unlock();
        process.exit(status);
      });
    }
    if (await upToDate(options, layout, readStamp(layout.stamp))) {
      console.log(`${shown} is up to date (${seconds()})`);
      return 0;
    }
    report = new Report(layout.log);
    await build(options, layout, report);
    console.log(`${shown} is built (${seconds()})`);
    return 0;
  } catch (error) {
    console.error(sentence(error, report));
    return 1;
  } finally {
    unlock();
  }
}

/** One sentence for the terminal; a fault of the script itself keeps its stack in the log. */
function sentence(error: unknown, report: Report | undefined): string {
  if (error instanceof BuildFailure) return error.message;
  const { code, message, stack } = error as Error & { code?: string };
  if (code === "ENOSPC") return "The build ran out of disk space; free some and run it again";
  if (code === "EACCES" || code === "EROFS") return `The build folder cannot be written: ${message}`;
  report?.note(stack ?? message);
  return `The build script failed: ${message}${report ? ` (details: ${report.log})` : ""}`;
}

process.exit(await main());
