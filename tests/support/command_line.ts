// SPDX-License-Identifier: GPL-2.0-or-later
/** `sipcore`, the command line, in processes of its own. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Child } from "../../scripts/bench/child.ts";
import { ownName } from "./program.ts";

const script = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

/** An object that --json has printed. */
export type Told = Readonly<Record<string, unknown>> & { readonly event: string };

/** The words that start the command line on this runtime. */
export const sipcoreCommand: readonly [string, ...string[]] = [
  process.execPath,
  ...(ownName === "Deno" ? ["run", "--allow-all", "--no-check"] : ["run"]),
  script,
];

/** Starts a command; `command` left out: on this runtime, from the source tree. */
export function startSipcore(
  args: readonly (string | number)[],
  { command = sipcoreCommand, env = {}, cwd }: {
    readonly command?: readonly [string, ...string[]];
    readonly env?: Record<string, string>;
    readonly cwd?: string;
  } = {},
): Child {
  const [program, ...first] = command;
  return new Child(`sipcore ${args[0]}`, program, [...first, ...args.map(String)], env, cwd);
}

/** What a command with --json has told until now. */
export function toldBy(child: Child): Told[] {
  return child.output.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Told);
}

/** Runs a command to its end: its exit status, and what it has told with --json. */
export async function sipcore(
  args: readonly (string | number)[],
  options: Parameters<typeof startSipcore>[1] = {},
): Promise<{ readonly status: number | null; readonly told: Told[]; readonly output: string }> {
  const child = startSipcore([...args, "--json"], options);
  const status = await child.end(40_000);
  return { status, told: toldBy(child), output: child.output.join("\n") };
}

/** Starts `listen` on a free port of 127.0.0.1; resolves with that port when it listens. */
export async function startListening(
  args: readonly (string | number)[] = [],
  options: Parameters<typeof startSipcore>[1] = {},
): Promise<{ readonly child: Child; readonly port: number }> {
  const child = startSipcore(["listen", "--json", "--address", "127.0.0.1", "--port", 0, ...args], options);
  const { match } = await child.line(/"event":"ready".*"udpPort":(\d+)/, 20_000);
  return { child, port: Number(match[1]) };
}
