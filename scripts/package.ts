// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run package`: the tarballs that npm, Deno and Bun install. One holds JavaScript and declarations, one the shared
 * library for this platform. `npm run package -- --help` tells more.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { keyOf, textOf } from "./build/digest.ts";
import { layoutOf, ROOT } from "./build/layout.ts";
import { lockFolder } from "./build/lock.ts";
import { stageJavaScript } from "./package/javascript.ts";
import { isStaged, stageLibrary } from "./package/library.ts";
import { own, platform, platformName, platformsIn, tarballName } from "./package/manifest.ts";
import { PackageFailure, run } from "./package/program.ts";

const help = `Usage: npm run package [-- OPTIONS]

Makes two npm packages in dist/: JavaScript and declarations, and the shared library for this platform.
Tarballs of the same version for other platforms that lie there already are named in the first one's
optionalDependencies: bring them from the machines that built them, then run this again.

  --output DIR   instead of dist/
  --help         this text
`;

/** What the packages are made of, but for the library, whose bytes are compared. */
function keyOfSources(platforms: readonly string[]): string {
  const folders = ["core", "media", "ffi", "cli", "docs", "scripts/package"];
  const files = folders.filter((folder) => existsSync(join(ROOT, folder))).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|md|json)$/.test(entry.name))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
  );
  const single = ["mod.ts", "package.json", "tsconfig.json", "README.md", "CHANGELOG.md", "LICENSE"];
  const parts = [...files, ...single].sort().flatMap((file) => [file, textOf(join(ROOT, file))]);
  return keyOf(...platforms, ...parts);
}

function pack(folder: string, output: string): void {
  run("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", output], folder);
}

async function makePackages(output: string): Promise<void> {
  const { library } = layoutOf(false);
  if (!existsSync(library)) throw new PackageFailure(`${library} is missing; run "npm run build"`);
  mkdirSync(output, { recursive: true });
  const unlock = await lockFolder(join(output, "lock"));
  try {
    make(output, library);
  } finally {
    unlock();
  }
}

function make(output: string, library: string): void {
  const platforms = platformsIn(readdirSync(output));
  const [binary, source] = [join(output, platform), join(output, "sipcore")];
  const tarballs = [tarballName(own.name), tarballName(platformName(platform))].map((file) =>
    join(output, file)
  );
  const key = keyOfSources(platforms);
  const stamp = join(output, "stamp");
  const isFresh = isStaged(binary, library) && tarballs.every(existsSync) && existsSync(stamp) &&
    readFileSync(stamp, "utf8") === key;
  if (!isFresh) {
    for (const old of [stamp, ...tarballs]) rmSync(old, { force: true });
    stageLibrary(binary, library);
    stageJavaScript(source, platforms);
    pack(binary, output);
    pack(source, output);
    writeFileSync(stamp, key);
  }
  for (const tarball of tarballs) {
    const size = (statSync(tarball).size / 1e6).toFixed(1);
    console.log(`${relative(process.cwd(), tarball)}  ${size} MB`);
  }
}

async function main(): Promise<number> {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({ options: { output: text, help: { type: "boolean", short: "h" } } });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    await makePackages(resolve(values.output ?? join(ROOT, "dist")));
    return 0;
  } catch (error) {
    if (error instanceof PackageFailure) console.error(error.message);
    else if ((error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS")) {
      console.error(`${(error as Error).message}\n\n${help}`);
      return 2;
    } else throw error;
    return 1;
  }
}

process.exitCode = await main();
