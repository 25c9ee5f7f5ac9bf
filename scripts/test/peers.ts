// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs of others that some tests talk to. */
import { BuildFailure } from "../build/failure.ts";
import { inPath, isDebian } from "../build/debian.ts";
import type { Report } from "../build/report.ts";
import process from "node:process";

/** Program and Debian package. */
const peers: readonly (readonly [program: string, debianPackage: string])[] = [
  ["sipp", "sip-tester"],
  ["baresip", "baresip-core"],
  ["sox", "sox"],
  ["openssl", "openssl"],
];

/** Installs what is missing where that is possible, else says how; the tests that want it are skipped then. */
export async function installPeers(report: Report): Promise<void> {
  const missing = peers.filter(([program]) => inPath(program) === undefined);
  if (missing.length === 0) return;
  const packages = missing.map(([, debianPackage]) => debianPackage);
  const args = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const programs = missing.map(([program]) => program).join(", ");
  if (!isDebian()) return report.note(`some tests are skipped without ${programs}`);
  if (process.getuid?.() !== 0) {
    return report.note(`some tests are skipped without ${programs}: sudo ${args.join(" ")}`);
  }
  const install = { what: args.join(" "), cwd: "/", env: { DEBIAN_FRONTEND: "noninteractive" }, args };
  await report.step(`install ${packages.join(", ")}`, async () => {
    if ((await report.run({ ...install, mayFail: true })).status === 0) return;
    await report.run({ what: "apt-get update", cwd: "/", args: ["apt-get", "update"] });
    await report.run(install);
  }).catch((error) => {
    if (!(error instanceof BuildFailure)) throw error;
    report.note(`some tests are skipped without ${programs}: ${error.message}`);
  });
}
