// SPDX-License-Identifier: GPL-2.0-or-later
/** What the repository's own package.json says, and the manifests that are made of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../build/layout.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly keywords: readonly string[];
}

/** The repository's package.json. */
export const own: Manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** A platform as the packages name it: "linux-x64". */
export const platform: string = `${process.platform}-${process.arch}`;

const scope = own.name.split("/")[0]!;

/** The package with the shared library for that platform. */
export function platformName(kind: string): string {
  return `${scope}/${kind}`;
}

/** The tarball that `npm pack` makes of that package. */
export function tarballName(name: string): string {
  return `${name.slice(1).replace("/", "-")}-${own.version}.tgz`;
}

/** The platforms of which tarballs of this version are among those files, and this one. */
export function platformsIn(files: readonly string[]): string[] {
  const others = files.flatMap((file) => {
    const kind = /^[^-]+-((?:linux|darwin)-\w+)-/.exec(file)?.[1];
    return kind !== undefined && file === tarballName(platformName(kind)) ? [kind] : [];
  });
  return [...new Set([...others, platform])].sort();
}

/** The manifest of the package that programs import; `platforms` have a package with the library. */
export function libraryManifest(platforms: readonly string[]): object {
  const { name, version, description, keywords, engines: { bun, deno } } = own;
  return {
    name,
    version,
    description,
    keywords,
    license: "GPL-2.0-or-later",
    type: "module",
    exports: { ".": { types: "./mod.d.ts", default: "./mod.js" }, "./package.json": "./package.json" },
    types: "./mod.d.ts",
    bin: { sipcore: "bin/sipcore.js" },
    engines: { bun, deno },
    optionalDependencies: Object.fromEntries(platforms.map((kind) => [platformName(kind), version])),
  };
}

/** The manifest of this platform's package; package managers leave it out on other machines. */
export function platformManifest(file: string): object {
  const { version, description } = own;
  return {
    name: platformName(platform),
    version,
    description: `${description}: the shared library for ${platform}`,
    // OpenSSL, which is inside, is under Apache-2.0: version 3 of the GPL goes with that, version 2 does not.
    license: "GPL-3.0-or-later",
    type: "module",
    exports: {
      ".": { types: "./index.d.ts", default: "./index.js" },
      [`./${file}`]: `./${file}`,
      "./package.json": "./package.json",
    },
    types: "./index.d.ts",
    os: [process.platform],
    cpu: [process.arch],
    ...(process.platform === "linux" && { libc: ["glibc"] }),
  };
}
