// SPDX-License-Identifier: GPL-2.0-or-later
/** How a process can end while the engine runs: what programs/leave.ts can do, and what must come of it. */
import type { RuntimeName } from "../../scripts/demo/runtimes.ts";
import { ownName, startProgram } from "./program.ts";

export interface WayToLeave {
  readonly name: string;
  /** Its status; for a process that is ended by a signal, which has none, that signal. */
  readonly status: number | "SIGINT" | "SIGTERM";
  /** Its last words; left out: what the runtime says of an error. */
  readonly lastLine?: string;
  /** The only runtime that has it. */
  readonly only?: RuntimeName;
}

export const waysToLeave: readonly WayToLeave[] = [
  { name: "exception", status: 1 },
  { name: "rejection", status: 1 },
  { name: "exit", status: 3, lastLine: "talking" },
  { name: "runtime's exit", status: 4, lastLine: "talking", only: "Deno" },
  { name: "end", status: 5, lastLine: "stopped" },
  { name: "Ctrl-C", status: "SIGINT", lastLine: "talking" },
  { name: "SIGTERM", status: "SIGTERM", lastLine: "talking" },
];

/**
 * Lets a process leave in that way.
 *
 * @throws Error with its output when it ends in another: with another status, of a signal, too early or never.
 */
export async function leave(
  way: WayToLeave,
  runtime: RuntimeName = ownName,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const program = startProgram("leave", [way.name], { runtime, env });
  if (typeof way.status === "string") {
    await program.line(/^talking$/, 20_000);
    program.signal(way.status);
  }
  await program.end(20_000);
  const { code, signal } = await program.ended;
  const last = program.output.at(-1);
  const isAsSaid = program.output.includes("talking") && last === (way.lastLine ?? last);
  if ((signal ?? code) === way.status && isAsSaid) return;
  throw program.failure(
    `(${way.name}) ended with ${signal ?? `status ${code}`}, not with ${way.status}`,
  );
}
