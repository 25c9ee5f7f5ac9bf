// SPDX-License-Identifier: GPL-2.0-or-later
/** The notices that the licences of what is inside of the library ask for. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { layoutOf } from "../build/layout.ts";
import { CODECS } from "../build/pins.ts";
import { run } from "./program.ts";

/** Files that say under what terms a package of Debian's came, and the licences that they refer to. */
const ofDebian: Readonly<Record<string, string>> = {
  GSM: "/usr/share/doc/libgsm1-dev/copyright",
  OpenSSL: "/usr/share/doc/libssl-dev/copyright",
  "Apache License 2.0": "/usr/share/common-licenses/Apache-2.0",
  "GNU General Public License 3": "/usr/share/common-licenses/GPL-3",
};

/** All of them in one text. */
export function noticesOf(): string {
  const parts = [
    "The shared library of sipcore holds pjproject (GPL-2.0-or-later, see LICENSE) and what follows here, each under\n" +
    "its own terms.\n",
  ];
  const add = (title: string, text: string) => parts.push(`${"-".repeat(72)}\n${title}\n\n${text.trim()}\n`);
  for (const { name, file } of CODECS) {
    const tarball = join(layoutOf(false).cache, file);
    if (!existsSync(tarball)) continue;
    const names = run("tar", ["-tf", tarball], "/").split("\n");
    const licence = names.find((path) => /^[^/]+\/(COPYING|LICENSE)$/.test(path));
    if (licence) add(name, run("tar", ["-xOf", tarball, licence], "/"));
  }
  for (const [title, path] of Object.entries(ofDebian)) {
    if (existsSync(path)) add(title, readFileSync(path, "utf8"));
  }
  return parts.join("\n");
}
