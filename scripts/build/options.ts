// SPDX-License-Identifier: GPL-2.0-or-later

import { resolve } from "node:path";
import process from "node:process";
import { BuildFailure } from "./failure.ts";

/** A codec whose library is only linked when asked for. */
export type Extra = "amr" | "g729";

/** What the command line and the environment ask for. */
export interface Options {
  /** A pjproject tree or tarball; undefined: the pinned source. */
  readonly source: string | undefined;
  /** undefined: what the last build had. */
  readonly extras: readonly Extra[] | undefined;
  readonly clean: boolean;
  readonly asan: boolean;
  readonly samples: boolean;
  readonly help: boolean;
}

export const HELP = `Builds build/libsipcore.so: pjproject, its codecs and ffi/shim in one shared library.

  --source PATH     pjproject from this tarball (one of the pinned) or from this unpacked tree
                    (also SIPCORE_PJPROJECT)
  --with LIST       extra codecs from Debian's libraries: g729, amr (comma between; none: drop them).
                    Kept by later builds until --with none or --clean.
                    Their licences (GPL-3, Apache-2.0) turn the whole library into GPL-3 or later.
  --asan            address sanitizer, every pool allocation a malloc: build/asan/libsipcore.so
  --samples         also what the bench measures against: build/bin/pjsip-perf and media
  --clean           forget everything built before; downloaded sources stay in the cache
  --help            this text

The cache is build/cache, or SIPCORE_CACHE. SIPCORE_BUILD names another build folder.
All output of all commands is in build.log in the build folder.
`;

const EXTRAS: readonly Extra[] = ["amr", "g729"];

/** Reads the command line. An option that is not known, or wants a value and has none, is a BuildFailure. */
export function parseOptions(args: readonly string[]): Options {
  let source = process.env["SIPCORE_PJPROJECT"] || undefined;
  let extras: Extra[] | undefined;
  const flags = { clean: false, asan: false, samples: false, help: false };
  const rest = [...args];
  while (rest.length > 0) {
    const [word, ...inline] = rest.shift()!.split("=");
    const value = (): string => {
      const text = inline.length > 0 ? inline.join("=") : rest.shift();
      if (!text || text.startsWith("--")) throw new BuildFailure(`${word} wants a value; see --help`);
      return text;
    };
    const flag = word!.slice(2) as keyof typeof flags;
    if (word === "--source") source = value();
    else if (word === "--with") extras = parseExtras(value());
    else if (word!.startsWith("--") && Object.hasOwn(flags, flag) && inline.length === 0) flags[flag] = true;
    else throw new BuildFailure(`There is no option "${word}"; see --help`);
  }
  // npm runs scripts in the package's folder; the path was typed in the folder that npm remembers.
  if (source !== undefined) source = resolve(process.env["INIT_CWD"] ?? process.cwd(), source);
  return { source, extras, ...flags };
}

function parseExtras(list: string): Extra[] {
  if (list === "none") return [];
  return [
    ...new Set(
      list.split(",").map((word) => {
        const extra = EXTRAS.find((each) => each === word.trim());
        if (!extra) throw new BuildFailure(`--with knows ${EXTRAS.join(" and ")}, not "${word}"`);
        return extra;
      }),
    ),
  ].sort();
}
