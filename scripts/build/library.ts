// SPDX-License-Identifier: GPL-2.0-or-later

import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { keyOf, textOf } from "./digest.ts";
import { BuildFailure } from "./failure.ts";
import { type Layout, SHIM } from "./layout.ts";
import type { Extra } from "./options.ts";
import { archiveOf, ARCHIVES } from "./pjproject.ts";
import type { Report } from "./report.ts";

/** Warnings are errors in the shim; only what is marked SC_API is seen outside. */
export const SHIM_FLAGS: readonly string[] = [
  "-std=gnu11",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-O2",
  "-g",
  "-fPIC",
  "-fvisibility=hidden",
];

/** A file of the shim that stands in for one object of pjproject, where it must be replaced as a whole. */
const REPLACES: Record<string, { readonly archive: string; readonly object: string }> = {
  "hash.c": { archive: "pj", object: "hash.o" },
  "random.c": { archive: "pj", object: "rand.o" },
  "ice_strans.c": { archive: "pjnath", object: "ice_strans.o" },
  "turn_sock.c": { archive: "pjnath", object: "turn_sock.o" },
  "ice_media.c": { archive: "pjmedia", object: "transport_ice.o" },
  "srtp.c": { archive: "pjmedia", object: "transport_srtp.o" },
  "transaction.c": { archive: "pjsip", object: "sip_transaction.o" },
};

/**
 * Extra codecs stay run-time dependencies: not all of Debian's static ones are position-independent, and a
 * library that needs them is one for the machine that it was built on.
 */
const EXTRA_LIBRARIES: Record<Extra, readonly string[]> = {
  amr: ["opencore-amrnb", "opencore-amrwb", "vo-amrwbenc"],
  g729: ["bcg729"],
};

/** What the library may want at run time: the C library, the compiler's own on a Mac, OpenSSL without archives. */
const MAY_NEED =
  /^(libc|libm|libdl|libpthread|librt|libssl|libcrypto|libSystem|libc\+\+|ld-linux[-\w]*)\.[\w.]+$|^\/(System|usr\/lib)\//;

/** What the sanitizer adds, and only in its build. */
const SANITIZER = /^(libasan|libubsan|libgcc_s|libstdc\+\+)\.so/;

/** The sources of the shim. */
export function shimSources(): string[] {
  return shimFiles(".c");
}

function shimFiles(suffix: string): string[] {
  if (!existsSync(SHIM)) return [];
  return readdirSync(SHIM).filter((file) => file.endsWith(suffix)).sort().map((file) => join(SHIM, file));
}

/** A key of all that the shim's objects are made of, other than the headers of pjproject. */
export function shimKey(): string {
  return keyOf(...[...shimFiles(".c"), ...shimFiles(".h")].flatMap((file) => [basename(file), textOf(file)]));
}

/** Compiles those files of the shim whose object, named after all that went into it, is not there yet. */
export async function compileShim(
  report: Report,
  layout: Layout,
  flags: readonly string[],
): Promise<string[]> {
  mkdirSync(layout.objects, { recursive: true });
  const common = keyOf(...flags, ...shimFiles(".h").map(textOf));
  const wanted = shimSources().map((source) => {
    const key = keyOf(common, textOf(source));
    return { source, object: join(layout.objects, `${basename(source, ".c")}-${key}.o`) };
  });
  const missing = wanted.filter(({ object }) => !existsSync(object));
  if (missing.length > 0) {
    await report.step(`compile the shim (${missing.length} of ${wanted.length})`, async () => {
      const queue = [...missing];
      const worker = async (): Promise<void> => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          const { source, object } = next;
          const args = ["cc", ...flags, "-c", source, "-o", `${object}.partial`];
          await report.run({ what: `Compiling ${basename(source)}`, cwd: SHIM, args });
          renameSync(`${object}.partial`, object);
        }
      };
      const workers = Array.from({ length: availableParallelism() }, worker);
      const failed = (await Promise.allSettled(workers)).find((each) => each.status === "rejected");
      if (failed) throw failed.reason;
    });
  }
  const current = new Set(wanted.map(({ object }) => basename(object)));
  for (const file of readdirSync(layout.objects)) {
    if (!current.has(file)) rmSync(join(layout.objects, file));
  }
  return wanted.map(({ object }) => object);
}

/** Links all of it into one shared library, and leaves it under its name only when it is whole and lean. */
export async function linkLibrary(
  report: Report,
  layout: Layout,
  build: {
    readonly tree: string;
    readonly codecs: string;
    readonly objects: readonly string[];
    readonly extras: readonly Extra[];
    readonly asan: boolean;
  },
): Promise<void> {
  const debug = `${layout.debugLibrary}.partial`;
  const lean = `${layout.library}.partial`;
  await report.step(`link ${basename(layout.library)}`, async () => {
    const args = await linkCommand(report, layout, build, debug);
    await report.run({ what: "Linking the library", cwd: layout.folder, args });
    if (build.asan) {
      copyFileSync(debug, lean);
    } else {
      const strip = process.platform === "darwin" ? ["strip", "-x"] : ["strip", "--strip-unneeded"];
      await report.run({
        what: "Stripping the library",
        cwd: layout.folder,
        args: [...strip, "-o", lean, debug],
      });
    }
    const extra = build.extras.flatMap((each) => EXTRA_LIBRARIES[each]);
    const alien = (await neededBy(report, lean)).filter((name) =>
      !MAY_NEED.test(name) && !(build.asan && SANITIZER.test(name)) && !name.includes("libsipcore") &&
      !extra.some((each) => name.startsWith(`lib${each}.`))
    );
    if (alien.length > 0) {
      throw new BuildFailure(`The library would need ${alien.join(", ")} at run time; see ${layout.log}`);
    }
    renameSync(debug, layout.debugLibrary);
    renameSync(lean, layout.library);
  });
}

async function linkCommand(
  report: Report,
  layout: Layout,
  build: Parameters<typeof linkLibrary>[2],
  output: string,
): Promise<string[]> {
  const { tree, codecs, objects, extras, asan } = build;
  const archives: string[] = [];
  for (const [folder, name] of ARCHIVES) {
    archives.push(await withoutReplaced(report, layout, archiveOf(tree, folder, name), name));
  }
  const sanitizer = asan ? ["-fsanitize=address"] : [];
  const libraries = await staticLibraries(report, tree, codecs);
  const system = [...await sharedLibraries(report, extras), "-lm", "-lpthread"];
  if (process.platform === "darwin") {
    const all = archives.flatMap((archive) => ["-Wl,-force_load", archive]);
    const frameworks = ["-framework", "CoreFoundation", "-framework", "Security"];
    const name = ["-install_name", `@rpath/${basename(layout.library)}`];
    return [
      "c++",
      "-dynamiclib",
      "-o",
      output,
      ...name,
      ...objects,
      ...all,
      ...libraries,
      ...system,
      ...frameworks,
    ];
  }
  return [
    "c++",
    "-shared",
    "-o",
    output,
    ...sanitizer,
    // pj's lock-free queue is C++; its small run time comes along.
    ...(asan ? [] : ["-static-libstdc++", "-static-libgcc"]),
    // A runtime that closes the library between two tests must not unmap it under live threads.
    "-Wl,-z,nodelete",
    "-Wl,-z,relro,-z,now",
    "-Wl,-z,noexecstack",
    ...(asan ? [] : ["-Wl,-z,defs"]),
    // Our own copies are called, even if the process has others under the same names, and nobody else sees them.
    "-Wl,-Bsymbolic",
    // The transport layer's calls of the parser come to ffi/shim/parse_guard.c.
    "-Wl,--wrap=pjsip_parse_rdata",
    // And those of zeroed memory to ffi/shim/rx_buffer.c.
    ...(asan ? [] : ["-Wl,--wrap=pj_pool_calloc"]),
    `-Wl,--exclude-libs,${[...libraries.map((path) => basename(path)), "libstdc++.a", "libgcc.a"].join(":")}`,
    ...objects,
    "-Wl,--whole-archive",
    ...archives,
    "-Wl,--no-whole-archive",
    ...libraries,
    ...system,
    "-ldl",
  ];
}

/** pjproject's own third_party archives, where the source had them; the codecs built for it; the system's; OpenSSL. */
export async function staticLibraries(report: Report, tree: string, codecs: string): Promise<string[]> {
  const third = join(tree, "third_party", "lib");
  const bundled = readdirSync(third).filter((file) => file.endsWith(".a"));
  const own = ["opus", "speex", "speexdsp", "srtp2"].map((name) => join(codecs, "lib", `lib${name}.a`));
  const libraries = [...bundled.map((file) => join(third, file)), ...own];
  if (!bundled.some((file) => file.startsWith("libgsmcodec-"))) {
    const gsm = await staticLibrary(report, "libgsm.a");
    if (gsm === null) throw new BuildFailure("There is no static GSM library (libgsm.a) on this machine");
    libraries.push(gsm);
  }
  return [...libraries, ...await staticOpenSSL(report) ?? []];
}

/** Where the compiler finds that archive; null: nowhere. */
async function staticLibrary(report: Report, name: string): Promise<string | null> {
  const args = ["cc", `-print-file-name=${name}`];
  const { stdout } = await report.run({ what: `Looking for ${name}`, cwd: "/", args });
  return stdout.startsWith("/") ? stdout.trim() : null;
}

/** OpenSSL's archives, so that the library also runs where another version of it is installed, or none. */
async function staticOpenSSL(report: Report): Promise<string[] | null> {
  const [ssl, crypto] = [await staticLibrary(report, "libssl.a"), await staticLibrary(report, "libcrypto.a")];
  return ssl !== null && crypto !== null ? [ssl, crypto] : null;
}

/** The linker flags for what stays a run-time dependency: the extra codecs, and OpenSSL where it has no archives. */
export async function sharedLibraries(report: Report, extras: readonly Extra[]): Promise<string[]> {
  const openssl = await staticOpenSSL(report) ? [] : ["-lssl", "-lcrypto"];
  return [...extras.flatMap((extra) => EXTRA_LIBRARIES[extra]).map((name) => `-l${name}`), ...openssl];
}

/** The archive itself, or a copy of it without the objects for which the shim has its own. */
async function withoutReplaced(
  report: Report,
  layout: Layout,
  archive: string,
  name: string,
): Promise<string> {
  const sources = new Set(shimSources().map((path) => basename(path)));
  const objects = Object.entries(REPLACES)
    .filter(([source, replaced]) => sources.has(source) && replaced.archive === name)
    .map(([, { object }]) => object);
  if (objects.length === 0) return archive;
  const copy = join(layout.trees, `replaced-${basename(archive)}`);
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(archive, copy);
  const args = ["ar", "d", copy, ...objects];
  await report.run({
    what: `Taking ${objects.join(", ")} out of ${basename(archive)}`,
    cwd: layout.trees,
    args,
  });
  return copy;
}

/** The shared libraries that a file asks the loader for. */
async function neededBy(report: Report, path: string): Promise<string[]> {
  const what = "Reading the library's dependencies";
  if (process.platform === "darwin") {
    const { stdout } = await report.run({ what, cwd: "/", args: ["otool", "-L", path] });
    return stdout.split("\n").slice(1).map((line) => line.trim().split(" ")[0]!).filter(Boolean);
  }
  const { stdout } = await report.run({ what, cwd: "/", args: ["readelf", "-d", path] });
  return [...stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name!);
}
