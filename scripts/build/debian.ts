// SPDX-License-Identifier: GPL-2.0-or-later

import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { BuildFailure } from "./failure.ts";
import type { Extra } from "./options.ts";
import type { Report } from "./report.ts";

const PACKAGES = ["build-essential", "pkg-config", "libssl-dev", "libasound2-dev", "libgsm1-dev"];

const EXTRA_PACKAGES: Record<Extra, readonly string[]> = {
  amr: ["libopencore-amrnb-dev", "libopencore-amrwb-dev", "libvo-amrwbenc-dev"],
  g729: ["libbcg729-dev"],
};

/** The path of a program, or undefined. Servers are found too: they are not in the PATH of every user. */
export function inPath(program: string): string | undefined {
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"]) {
    const path = join(folder, program);
    try {
      if (folder) {
        accessSync(path, constants.X_OK);
        return path;
      }
    } catch {
      // The next folder, then.
    }
  }
  return undefined;
}

/** Whether the system has a shared library of this name. */
export function hasLibrary(name: string): boolean {
  const folders = ["/usr/lib", "/usr/lib64"].filter((folder) => existsSync(folder));
  const inner = folders.flatMap((folder) => readdirSync(folder).map((each) => join(folder, each)));
  return [...folders, ...inner].some((folder) => existsSync(join(folder, name)));
}

/** Whether this machine has Debian's package tools. */
export function isDebian(): boolean {
  return inPath("apt-get") !== undefined && inPath("dpkg-query") !== undefined;
}

/** Installs the Debian packages that are missing; without root it fails with the command that does it. */
export async function installPackages(report: Report, extras: readonly Extra[]): Promise<void> {
  const wanted = [...PACKAGES, ...extras.flatMap((extra) => EXTRA_PACKAGES[extra])];
  const { stdout } = await report.run({
    what: "Asking dpkg for the installed packages",
    cwd: "/",
    args: ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\\n", ...wanted],
    mayFail: true,
  });
  const installed = new Set(stdout.split("\n"));
  const missing = wanted.filter((name) => !installed.has(`${name} installed`));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    throw new BuildFailure(
      `Missing Debian packages; run this, then build again: sudo apt-get install ${missing.join(" ")}`,
    );
  }
  report.note(`installing Debian packages: ${missing.join(" ")}`);
  const install = {
    cwd: "/",
    env: { DEBIAN_FRONTEND: "noninteractive" },
    args: ["apt-get", "install", "-y", "--no-install-recommends", ...missing],
  };
  const what = `apt-get install ${missing.join(" ")}`;
  await report.step("install Debian packages", async () => {
    // The machine's own package lists may be absent or old: ask for new ones only when it matters.
    if ((await report.run({ ...install, what, mayFail: true })).status === 0) return;
    await report.run({ what: "apt-get update", cwd: "/", args: ["apt-get", "update"] });
    await report.run({ ...install, what });
  });
}

/** One file of a source package, as apt's signed index lists it. */
export interface SourceFile {
  readonly uri: string;
  readonly name: string;
  readonly sha256: string;
}

/**
 * Debian's source archive, asked through a private apt configuration in the build folder: it works without
 * root, and leaves the machine's own lists as they were. Which server that is, apt itself says.
 */
export class DebianSources {
  readonly #report: Report;
  readonly #folder: string;
  readonly #listed: Map<string, Promise<readonly string[]>> = new Map();

  constructor(report: Report, folder: string) {
    this.#report = report;
    this.#folder = folder;
  }

  /** The files of a source package in a suite; empty when the suite has no such package. */
  async files(suite: string, sourcePackage: string): Promise<SourceFile[]> {
    const options = await this.#options(suite);
    const { stdout } = await this.#report.run({
      what: `Asking apt for the source of ${sourcePackage}`,
      cwd: this.#folder,
      args: ["apt-get", "-qq", ...options, "source", "--print-uris", `${sourcePackage}/${suite}`],
      mayFail: true,
    });
    return [...stdout.matchAll(/^'([^']+)' (\S+) \d+ SHA256:([0-9a-f]{64})/gm)].map((
      [, uri, name, sha256],
    ) => ({
      uri: uri!,
      name: name!,
      sha256: sha256!,
    }));
  }

  /** Downloads one of them; apt's helper checks it against the signed index. */
  async download(suite: string, file: SourceFile, target: string): Promise<void> {
    await this.#report.run({
      what: `Downloading ${file.name}`,
      cwd: this.#folder,
      args: [
        "/usr/lib/apt/apt-helper",
        ...await this.#options(suite),
        "download-file",
        file.uri,
        target,
        `SHA256:${file.sha256}`,
      ],
    });
  }

  #options(suite: string): Promise<readonly string[]> {
    let options = this.#listed.get(suite);
    if (!options) {
      options = this.#update(suite);
      this.#listed.set(suite, options);
    }
    return options;
  }

  async #update(suite: string): Promise<readonly string[]> {
    const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    if (!existsSync(keyring)) {
      throw new BuildFailure(
        "Debian's archive keyring is missing; install debian-archive-keyring, or name a pjproject with --source",
      );
    }
    const servers = await this.#servers();
    for (const server of servers) {
      const folder = join(this.#folder, suite);
      mkdirSync(join(folder, "lists", "partial"), { recursive: true });
      mkdirSync(join(folder, "cache", "archives", "partial"), { recursive: true });
      writeFileSync(join(folder, "sources.list"), `deb-src [signed-by=${keyring}] ${server} ${suite} main\n`);
      const options = [
        `Dir::Etc::sourcelist=${join(folder, "sources.list")}`,
        "Dir::Etc::sourceparts=/dev/null",
        `Dir::State::lists=${join(folder, "lists")}`,
        `Dir::Cache=${join(folder, "cache")}`,
        "Acquire::Languages=none",
        "Acquire::http::Timeout=20",
        "APT::Update::Error-Mode=any",
        // Root's apt downloads as user _apt, who may not write here.
        ...(process.getuid?.() === 0 ? ["APT::Sandbox::User=root"] : []),
      ].flatMap((option) => ["-o", option]);
      const { status } = await this.#report.run({
        what: "apt-get update",
        cwd: folder,
        args: ["apt-get", "-q", ...options, "update"],
        mayFail: true,
      });
      if (status === 0) return options;
    }
    throw new BuildFailure(
      servers.length === 0
        ? "apt on this machine knows no Debian archive; name a pjproject tarball or tree with --source"
        : `No Debian archive answers (no network?); try again later, or put the files into the cache (details: ${this.#report.log})`,
    );
  }

  /** The archives that apt uses for Debian's own suites; asked so that it answers without package lists too. */
  async #servers(): Promise<string[]> {
    const { stdout } = await this.#report.run({
      what: "Asking apt for its archives",
      cwd: "/",
      args: ["apt-get", "update", "--print-uris"],
      mayFail: true,
    });
    const own = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "stable";
    const suites = new Set([own, "oldstable", "stable", "testing", "unstable", "sid"]);
    const releases = [...stdout.matchAll(/^'(\S+)\/dists\/([^/']+)\/InRelease'/gm)];
    return [...new Set(releases.filter(([, , suite]) => suites.has(suite!)).map(([, server]) => server!))];
  }
}
