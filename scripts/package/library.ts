// SPDX-License-Identifier: GPL-2.0-or-later
/** The package with the shared library for this platform. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { ROOT } from "../build/layout.ts";
import { platform, platformManifest, platformName } from "./manifest.ts";
import { noticesOf } from "./notices.ts";
import { PackageFailure, run } from "./program.ts";

/** What may be taken for granted on every machine of the platform. */
const everywhere = /^(libc|libm|libdl|libpthread|ld-linux[-\w]*)\.so|^\/usr\/lib\//;

/** Puts the package together in that folder. */
export function stageLibrary(folder: string, library: string): void {
  const alien = neededBy(library).filter((name) => !everywhere.test(name));
  if (alien.length > 0) {
    throw new PackageFailure(`${library} needs ${alien.join(", ")}: it is made for this machine alone`);
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const file = basename(library);
  copyFileSync(library, join(folder, file));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(platformManifest(file), null, 2)}\n`);
  writeFileSync(
    join(folder, "index.js"),
    `// SPDX-License-Identifier: GPL-2.0-or-later
import { fileURLToPath } from "node:url";

/** The file of the shared library, for the option \`libraryPath\`. */
export const libraryPath = fileURLToPath(new URL("./${file}", import.meta.url));
`,
  );
  writeFileSync(
    join(folder, "index.d.ts"),
    `/** The file of the shared library, for the option \`libraryPath\`. */
export declare const libraryPath: string;
`,
  );
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  writeFileSync(join(folder, "NOTICE"), noticesOf());
  writeFileSync(join(folder, "README.md"), readme(library));
}

function readme(library: string): string {
  const least = leastLibc(library);
  return `# ${platformName(platform)}

The shared library of sipcore for ${platform}${
    least ? ` with the GNU C library ${least} or newer` : ""
  }. sipcore finds it by
itself where both are installed. It needs nothing but the C library.

Inside are pjproject, Opus, Speex, GSM, libsrtp and OpenSSL; NOTICE has their licences. Because OpenSSL is under
Apache-2.0 this file is passed on under version 3 of the GPL or a later one. Its sources: sipcore's repository at the
tag of this version, whose build script fetches all others, each checked against the SHA-256 in
\`scripts/build/pins.ts\`.
`;
}

/** The shared libraries that a file asks the loader for. */
function neededBy(path: string): string[] {
  if (process.platform === "darwin") {
    const lines = run("otool", ["-L", path], ROOT).split("\n").slice(1);
    return lines.map((line) => line.trim().split(" ")[0]!).filter((name) =>
      name && !name.includes("libsipcore")
    );
  }
  return [...run("readelf", ["-d", path], ROOT).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name!);
}

/** The version of the C library that a file needs at least; null where that cannot be told. */
function leastLibc(path: string): string | null {
  if (process.platform !== "linux") return null;
  const versions = run("readelf", ["--version-info", path], ROOT).matchAll(/\bGLIBC_(\d+)\.(\d+)/g);
  const minors = [...versions].filter(([, major]) => major === "2").map(([, , minor]) => Number(minor));
  return minors.length > 0 ? `2.${Math.max(...minors)}` : null;
}

/** Whether what lies in that folder was made of this library. */
export function isStaged(folder: string, library: string): boolean {
  const file = join(folder, basename(library));
  return existsSync(file) && readFileSync(file).equals(readFileSync(library));
}
