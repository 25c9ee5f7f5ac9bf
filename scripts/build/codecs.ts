// SPDX-License-Identifier: GPL-2.0-or-later

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Layout } from "./layout.ts";
import type { Pin } from "./pins.ts";
import type { Report } from "./report.ts";
import type { Source } from "./sources.ts";

const CONFIGURE: Record<string, readonly string[]> = {
  opus: ["--disable-doc", "--disable-extra-programs"],
  speex: ["--disable-binaries"],
  speexdsp: ["--disable-examples"],
  // OpenSSL's AES is the fast one, and the only one with the 256 bit and GCM suites; no capture library.
  srtp2: ["--enable-openssl", "--disable-pcap"],
};

const LIBTOOL = ["--disable-shared", "--enable-static", "--with-pic", "--disable-dependency-tracking"];

/** The codecs are older than the C that newer compilers take by default. */
const STANDARD = "-std=gnu17";

/** Speex writes on stderr otherwise: of a packet that is broken, of an echo that its canceller gave up on. */
const SILENT = "-DDISABLE_WARNINGS -DDISABLE_NOTIFICATIONS";

/** The switches that make a codec what it is, for its key. */
export const CODEC_RECIPE: string = JSON.stringify([CONFIGURE, LIBTOOL, STANDARD, SILENT]);

/** Builds the codecs as position-independent static libraries; returns the folder with include/ and lib/. */
export async function buildCodecs(
  report: Report,
  layout: Layout,
  key: string,
  codecs: readonly { readonly pin: Pin; readonly source: Source }[],
  cflags: string,
): Promise<string> {
  const prefix = join(layout.trees, `codecs-${key}`);
  if (existsSync(join(prefix, "complete"))) return prefix;
  rmSync(prefix, { recursive: true, force: true });
  const names = codecs.map(({ pin }) => pin.name);
  await report.step(`build ${names.join(", ")}`, async () => {
    const jobs = Math.max(1, Math.floor(availableParallelism() / codecs.length) + 1);
    const builds = codecs.map(({ pin, source }) =>
      buildCodec(report, prefix, pin.name, source, cflags, jobs)
    );
    // All must have ended before one's failure is told: none may go on in the background.
    const failed = (await Promise.allSettled(builds)).find((build) => build.status === "rejected");
    if (failed) throw failed.reason;
  });
  rmSync(join(prefix, "src"), { recursive: true, force: true });
  writeFileSync(join(prefix, "complete"), "");
  return prefix;
}

async function buildCodec(
  report: Report,
  prefix: string,
  name: string,
  source: Source,
  cflags: string,
  jobs: number,
): Promise<void> {
  const folder = join(prefix, "src", name);
  mkdirSync(folder, { recursive: true });
  const unpack = ["tar", "--no-same-owner", "-xf", source.path, "-C", folder];
  await report.run({ what: `Unpacking ${name}`, cwd: folder, args: unpack });
  const cwd = join(folder, readdirSync(folder)[0]!);
  const target = name === "srtp2" ? ["libsrtp2.a"] : [];
  const configure = [
    "./configure",
    `--prefix=${prefix}`,
    `--libdir=${join(prefix, "lib")}`,
    ...(name === "srtp2" ? [] : LIBTOOL),
    ...(CONFIGURE[name] ?? []),
    `CFLAGS=${STANDARD} ${cflags} ${name.startsWith("speex") ? SILENT : ""}`,
  ];
  await report.run({ what: `Configuring ${name}`, cwd, args: configure });
  await report.run({ what: `Building ${name}`, cwd, args: ["make", `-j${jobs}`, ...target] });
  await report.run({ what: `Installing ${name}`, cwd, args: ["make", "install"] });
}
