// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run demo`: a call with sound between two runtimes, and what it takes to see and hear that it works.
 * `npm run demo -- --help` tells what else it can do.
 */
import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { startChild } from "./demo/child.ts";
import type { Company } from "./demo/company.ts";
import { runLoopback } from "./demo/loopback.ts";
import { type DemoOptions, parseOptions, usage, UsageError } from "./demo/options.ts";
import type { Side } from "./demo/protocol.ts";
import { runCall, runListen } from "./demo/remote.ts";
import { runtimeCommand } from "./demo/runtimes.ts";
import { Screen } from "./demo/terminal.ts";

/** Two signals within this many milliseconds are one. */
const TWICE = 400;
const root = fileURLToPath(new URL("..", import.meta.url));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options === null) {
      process.stdout.write(usage);
      return 0;
    }
    return await run(options);
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n\n${usage}`);
      return 2;
    }
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function run(options: DemoOptions): Promise<number> {
  const folder = options.folder ?? join(root, "demo-recordings");
  await mkdir(folder, { recursive: true });
  const screen = new Screen(process.stdout, process.env);
  const interrupt = new AbortController();
  let interrupted = Infinity;
  const onSignal = (): void => {
    // The parties leave when their input ends, so that leaving at once is enough. One Ctrl-C can come
    // twice, from the terminal and from npm, which hands it on.
    if (performance.now() - interrupted > TWICE) process.exit(130);
    interrupted = Math.min(interrupted, performance.now());
    interrupt.abort(new Error("Interrupted"));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const company: Company = {
    screen,
    folder,
    signal: interrupt.signal,
    show: (path) => {
      const short = relative(process.cwd(), path);
      return short.startsWith("..") ? path : short;
    },
    startParty: (side) =>
      startChild({
        side,
        command: runtimeCommand(runtimeOf(side, options.swap), root),
        script: join(root, "scripts", "demo", "party.ts"),
        onOutput: (line) => screen.line(screen.paint("dim", `  ${side}: ${line}`)),
      }),
  };
  try {
    switch (options.mode.kind) {
      case "loopback":
        return await runLoopback(options, company);
      case "call":
        return await runCall(options.mode.uri, options, company);
      case "listen":
        return await runListen(options.mode.port, options, company);
    }
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

function runtimeOf(side: Side, swap: boolean): "Deno" | "Bun" {
  return (side === "caller") !== swap ? "Deno" : "Bun";
}
