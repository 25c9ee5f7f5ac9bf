// SPDX-License-Identifier: GPL-2.0-or-later
/** The package that programs import: JavaScript and declarations, since Deno strips no types in node_modules. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ROOT } from "../build/layout.ts";
import { libraryManifest } from "./manifest.ts";
import { runScript } from "./program.ts";

const papers = ["README.md", "CHANGELOG.md", "LICENSE"];

/**
 * Read by sh up to its second line, and by JavaScript from its third: what npm links as a command is started by
 * whichever of the runtimes is there, or by the one that SIPCORE_RUNTIME names. One that is asked to run this file itself goes straight on.
 */
const command = `#!/bin/sh
":" //; f=$(readlink -f -- "$0"); for r in \${SIPCORE_RUNTIME:-deno bun}; do command -v $r >/dev/null 2>&1 || continue; \
case $r in deno) set -- run --quiet --allow-all "$f" "$@";; *) set -- "$f" "$@";; esac; exec $r "$@"; done; \
echo "sipcore: there is neither deno nor bun in PATH" >&2; exit 127
// SPDX-License-Identifier: GPL-2.0-or-later
await import("../cli/main.js");
`;

/** Puts the package together in that folder; `platforms` have a package with the library. */
export function stageJavaScript(folder: string, platforms: readonly string[]): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "bin"), { recursive: true });
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const project = join(ROOT, "scripts", "package", "tsconfig.json");
  runScript(tsc, ["--project", project, "--outDir", folder], ROOT);
  rewriteDeclarations(folder);
  writeFileSync(join(folder, "bin", "sipcore.js"), command);
  chmodSync(join(folder, "bin", "sipcore.js"), 0o755);
  for (const paper of papers) copyFileSync(join(ROOT, paper), join(folder, paper));
  if (existsSync(join(ROOT, "docs"))) cpSync(join(ROOT, "docs"), join(folder, "docs"), { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(libraryManifest(platforms), null, 2)}\n`);
}

/** The compiler names the modules by their new extension in JavaScript only. Nobody imports the command line. */
function rewriteDeclarations(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".d.ts")) continue;
    const path = join(entry.parentPath, entry.name);
    if (path.startsWith(join(folder, "cli"))) {
      rmSync(path);
      continue;
    }
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, '$1.js"'));
  }
}
