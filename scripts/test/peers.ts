// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs and libraries of others that some tests talk to. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { BuildFailure } from "../build/failure.ts";
import { hasLibrary, inPath, isDebian } from "../build/debian.ts";
import type { Report } from "../build/report.ts";

/** Program or library, and Debian packages. */
const peers: Readonly<Record<string, readonly string[]>> = {
  sipp: ["sip-tester"],
  python3: ["python3"],
  baresip: ["baresip-core"],
  sox: ["sox"],
  openssl: ["openssl"],
  kamailio: ["kamailio", "kamailio-tls-modules", "kamailio-presence-modules", "kamailio-sqlite-modules"],
  sqlite3: ["sqlite3"],
  turnserver: ["coturn"],
  iptables: ["iptables"],
  sysctl: ["procps"],
  // The library's own package has another name in each release.
  "libasound.so.2": ["libasound2-dev"],
};

/** Debian starts the servers among them, now and with the machine; nobody has asked for that. */
const services: Readonly<Record<string, string>> = { kamailio: "kamailio", turnserver: "coturn" };

/** Installs what is missing where that is possible, else says how; the tests that want it are skipped then. */
export async function installPeers(report: Report): Promise<void> {
  const missing = Object.keys(peers).filter((name) => !isThere(name));
  if (missing.length === 0) return;
  const packages = missing.flatMap((program) => peers[program]!);
  const args = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const names = missing.join(", ");
  if (!isDebian()) return report.note(`some tests are skipped without ${names}`);
  if (process.getuid?.() !== 0) {
    return report.note(`some tests are skipped without ${names}: sudo ${args.join(" ")}`);
  }
  const install = { what: args.join(" "), cwd: "/", env: { DEBIAN_FRONTEND: "noninteractive" }, args };
  await report.step(`install ${packages.join(", ")}`, async () => {
    using _quiet = refuseServices();
    if ((await report.run({ ...install, mayFail: true })).status !== 0) {
      await report.run({ what: "apt-get update", cwd: "/", args: ["apt-get", "update"] });
      await report.run(install);
    }
    const units = missing.flatMap((program) => services[program] ?? []);
    if (units.length === 0 || inPath("systemctl") === undefined) return;
    const disable = ["systemctl", "disable", ...units];
    await report.run({ what: disable.join(" "), cwd: "/", args: disable, mayFail: true });
  }).catch((error) => {
    if (!(error instanceof BuildFailure)) throw error;
    report.note(`some tests are skipped without ${names}: ${error.message}`);
  });
}

function isThere(name: string): boolean {
  return name.includes(".so.") ? hasLibrary(name) : inPath(name) !== undefined;
}

/** While this lasts no package starts its service; a policy that the machine has already stays. */
function refuseServices(): Disposable {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return { [Symbol.dispose]: () => {} };
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  return { [Symbol.dispose]: () => rmSync(policy, { force: true }) };
}
