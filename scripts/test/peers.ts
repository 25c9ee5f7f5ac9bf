// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs and libraries of others that some tests talk to. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BuildFailure } from "../build/failure.ts";
import { inPath, isDebian } from "../build/debian.ts";
import type { Report } from "../build/report.ts";
import process from "node:process";

/** Program or library, and Debian package. */
const peers: readonly (readonly [name: string, debianPackage: string])[] = [
  ["sipp", "sip-tester"],
  ["baresip", "baresip-core"],
  ["sox", "sox"],
  ["openssl", "openssl"],
  // The library's own package has another name in each release.
  ["libasound.so.2", "libasound2-dev"],
];

/** Whether the system has a shared library of this name. */
export function hasLibrary(name: string): boolean {
  const folders = ["/usr/lib", "/usr/lib64"].filter((folder) => existsSync(folder));
  const all = folders.flatMap((
    folder,
  ) => [folder, ...readdirSync(folder).map((inner) => join(folder, inner))]);
  return all.some((folder) => existsSync(join(folder, name)));
}

function isThere(name: string): boolean {
  return name.includes(".so.") ? hasLibrary(name) : inPath(name) !== undefined;
}

/** Installs what is missing where that is possible, else says how; the tests that want it are skipped then. */
export async function installPeers(report: Report): Promise<void> {
  const missing = peers.filter(([name]) => !isThere(name));
  if (missing.length === 0) return;
  const packages = missing.map(([, debianPackage]) => debianPackage);
  const args = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const names = missing.map(([name]) => name).join(", ");
  if (!isDebian()) return report.note(`some tests are skipped without ${names}`);
  if (process.getuid?.() !== 0) {
    return report.note(`some tests are skipped without ${names}: sudo ${args.join(" ")}`);
  }
  const install = { what: args.join(" "), cwd: "/", env: { DEBIAN_FRONTEND: "noninteractive" }, args };
  await report.step(`install ${packages.join(", ")}`, async () => {
    if ((await report.run({ ...install, mayFail: true })).status === 0) return;
    await report.run({ what: "apt-get update", cwd: "/", args: ["apt-get", "update"] });
    await report.run(install);
  }).catch((error) => {
    if (!(error instanceof BuildFailure)) throw error;
    report.note(`some tests are skipped without ${names}: ${error.message}`);
  });
}
