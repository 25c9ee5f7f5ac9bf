// SPDX-License-Identifier: GPL-2.0-or-later

import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { BuildFailure } from "./failure.ts";
import { type Layout, SETTINGS } from "./layout.ts";
import type { Extra } from "./options.ts";
import type { Report } from "./report.ts";
import { checkVersion, type Source } from "./sources.ts";

/** What of a source tree is not in Debian's copy of it; a codec of its own is taken where there is one. */
const BUNDLED: readonly { readonly file: string; readonly without: readonly string[] }[] = [
  { file: "third_party/gsm/src/code.c", without: ["--with-external-gsm"] },
  { file: "third_party/ilbc/iLBC_encode.c", without: ["--disable-ilbc-codec"] },
];

const SWITCHES: readonly string[] = [
  "--enable-epoll",
  // Speex's resampler in place of the one that Debian leaves out.
  "--enable-speex-resample",
  "--with-external-speex",
  "--with-external-srtp",
  // libuuid's static library has a thread-local that cannot go into a shared object.
  "--disable-libuuid",
  // The null device; a sound system must never be a hard dependency of the library.
  "--disable-sound",
  "--disable-video",
  "--disable-sdl",
  "--disable-ffmpeg",
  "--disable-v4l2",
  "--disable-openh264",
  "--disable-vpx",
  "--disable-libyuv",
  "--disable-libwebrtc",
  "--disable-libwebrtc-aec3",
  "--disable-g7221-codec",
  "--disable-upnp",
  "--disable-silk",
  "--disable-lyra",
  "--disable-pjsua2",
];

const EXTRA_SWITCHES: Record<Extra, string> = { amr: "--disable-opencore-amr", g729: "--disable-bcg729" };

/** The folders whose libraries are wanted, in the order in which they must be made, and what to make there. */
const MAKE: readonly (readonly [folder: string, targets: readonly string[]])[] = [
  ["pjlib/build", ["pjlib"]],
  ["pjlib-util/build", ["pjlib-util"]],
  ["pjnath/build", ["pjnath"]],
  ["third_party/build", ["lib"]],
  ["pjmedia/build", ["pjmedia", "pjmedia-codec", "pjmedia-audiodev"]],
  ["pjsip/build", ["pjsip", "pjsip-simple", "pjsip-ua"]],
];

/** The archives of the library, each before those that it needs. pjsdp repeats objects of pjmedia. */
export const ARCHIVES: readonly (readonly [folder: string, name: string])[] = [
  ["pjsip", "pjsip-ua"],
  ["pjsip", "pjsip-simple"],
  ["pjsip", "pjsip"],
  ["pjmedia", "pjmedia-codec"],
  ["pjmedia", "pjmedia-audiodev"],
  ["pjmedia", "pjmedia"],
  ["pjnath", "pjnath"],
  ["pjlib-util", "pjlib-util"],
  ["pjlib", "pj"],
];

/** The recipe, for the key of a tree. */
export const PJPROJECT_RECIPE: string = JSON.stringify([BUNDLED, SWITCHES, EXTRA_SWITCHES, MAKE]);

/** Unpacks, configures and builds pjproject with the settings of config_site.h; returns its folder. */
export async function buildPjproject(
  report: Report,
  layout: Layout,
  key: string,
  source: Source,
  codecs: string,
  cflags: string,
  extras: readonly Extra[],
): Promise<string> {
  const tree = join(layout.trees, `pjproject-${key}`);
  if (existsSync(join(tree, "complete"))) return tree;
  await report.step("unpack pjproject", () => unpack(report, source, tree));
  await report.step("configure pjproject", () => configure(report, tree, codecs, cflags, extras));
  await report.step("build pjproject", async () => {
    for (const [folder, targets] of MAKE) {
      const args = ["make", `-j${availableParallelism()}`, "-C", folder, ...targets];
      await report.run({ what: "Building pjproject", cwd: tree, args });
    }
  });
  writeFileSync(join(tree, "complete"), "");
  return tree;
}

async function unpack(report: Report, source: Source, tree: string): Promise<void> {
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  if (source.tree) {
    await report.run({ what: "Copying pjproject", cwd: tree, args: ["cp", "-R", `${source.path}/.`, tree] });
    // What was built in it, or set for it, was so under other flags.
    const made = ["(", "-name", "*.[oa]", "-o", "-name", ".*.depend", "-o", "-name", "user.mak", ")"];
    const args = ["find", tree, "-type", "f", ...made, "-delete"];
    await report.run({ what: "Clearing the copy of pjproject", cwd: tree, args });
    rmSync(join(tree, ".git"), { recursive: true, force: true });
  } else {
    const args = ["tar", "--no-same-owner", "--strip-components=1", "-xf", source.path, "-C", tree];
    await report.run({ what: "Unpacking pjproject", cwd: tree, args });
    checkVersion(tree, source.path);
  }
  copyFileSync(SETTINGS, join(tree, "pjlib", "include", "pj", "config_site.h"));
  // Debian removed this file for its licence, while the Makefile still names it.
  closeSync(openSync(join(tree, "pjmedia", "src", "pjmedia-audiodev", "bdimad_dev.c"), "a"));
  for (const [folder] of ARCHIVES) mkdirSync(join(tree, folder, "lib"), { recursive: true });
  mkdirSync(join(tree, "third_party", "lib"), { recursive: true });
}

async function configure(
  report: Report,
  tree: string,
  codecs: string,
  cflags: string,
  extras: readonly Extra[],
): Promise<void> {
  const left = BUNDLED.filter(({ file }) => !existsSync(join(tree, file))).flatMap(({ without }) => without);
  const off = (Object.keys(EXTRA_SWITCHES) as Extra[]).filter((extra) => !extras.includes(extra));
  await report.run({
    what: "Configuring pjproject",
    cwd: tree,
    args: [
      "./aconfigure",
      ...SWITCHES,
      ...left,
      ...off.map((extra) => EXTRA_SWITCHES[extra]),
      `--with-opus=${codecs}`,
      `CFLAGS=${cflags} -I${join(codecs, "include")}`,
      `CXXFLAGS=${cflags}`,
      `LDFLAGS=-L${join(codecs, "lib")}`,
    ],
  });
}

/** One of pjproject's archives; its name ends with the machine's, which only configure knows. */
export function archiveOf(tree: string, folder: string, name: string): string {
  const lib = join(tree, folder, "lib");
  const file = readdirSync(lib).find((each) => each.startsWith(`lib${name}-`) && isTarget(each, name));
  if (!file) throw new BuildFailure(`pjproject was built without lib${name}: build again with --clean`);
  return join(lib, file);
}

/** libpjsip-x86_64-….a is pjsip's, libpjsip-simple-x86_64-….a is not. */
function isTarget(file: string, name: string): boolean {
  const others = ARCHIVES.map(([, other]) => other).filter((other) => other.startsWith(`${name}-`));
  return file.endsWith(".a") && !others.some((other) => file.startsWith(`lib${other}-`));
}

/** The compiler flags that make pjproject's headers mean what the archives were built with. */
export async function headerFlags(report: Report, tree: string): Promise<string[]> {
  const makefile = join(tree, "flags.mak");
  writeFileSync(makefile, "include build.mak\nflags:\n\t@echo $(APP_CFLAGS)\n");
  const args = ["make", "-s", "-f", makefile, "flags"];
  const { stdout } = await report.run({ what: "Asking pjproject for its flags", cwd: tree, args });
  return [...new Set(stdout.trim().split(/\s+/).filter((flag) => /^-[DI]/.test(flag)))];
}
