// SPDX-License-Identifier: GPL-2.0-or-later
/** A root folder with nothing but one program and the libraries that ldd names for it. */
import { spawnSync } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { inPath } from "../../scripts/build/debian.ts";

/** In a namespace of its own, where the devices and /proc that a kernel gives every container can be mounted. */
const script = `for d in null urandom; do mount --bind /dev/$d "$0/dev/$d" || exit 99; done
mount --rbind /proc "$0/proc" || exit 99
exec env -i ${inPath("chroot")} "$0" "$@"`;

/** The words that run a program in a namespace where it may mount. */
const unshare: readonly [string, ...string[]] = ["unshare", "--map-root-user", "--mount"];

/** For the `skip` option of `describe` and `it`. */
export const skipWithoutNamespaces: string | false = (() => {
  if (process.platform !== "linux") return "it needs Linux";
  const path = inPath("unshare");
  if (path === undefined || inPath("chroot") === undefined) return "there is no unshare or no chroot";
  const [program, ...args] = unshare;
  const { status } = spawnSync(program, [...args, "mount", "-t", "tmpfs", "none", "/mnt"]);
  return status === 0 ? false : "this user may not make namespaces";
})();

/** Makes the root in that folder; the program becomes /program. */
export function makeBareRoot(root: string, program: string): void {
  for (const folder of ["dev", "proc", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
  for (const device of ["null", "urandom"]) writeFileSync(join(root, "dev", device), "");
  try {
    linkSync(program, join(root, "program"));
  } catch {
    copyFileSync(program, join(root, "program"));
  }
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  for (const [path] of stdout.matchAll(/\/[^ ]+/g)) {
    mkdirSync(join(root, dirname(path!)), { recursive: true });
    copyFileSync(path!, join(root, path!));
  }
}

/** The words that run its program there, with an empty environment. */
export function inBareRoot(root: string): [string, ...string[]] {
  return [...unshare, "sh", "-c", script, root, "/program"];
}

/** The words that run a program with that folder mounted anew, with these options ("ro", "noexec"). */
export function withMounted(folder: string, options: string, program: string): [string, ...string[]] {
  return [...unshare, "sh", "-c", `mount -t tmpfs -o ${options} none "$0" && exec "$@"`, folder, program];
}
