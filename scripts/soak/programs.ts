// SPDX-License-Identifier: GPL-2.0-or-later
/** Runs the tests' programs for as long as a soak takes. */
import { setTimeout as delay } from "node:timers/promises";
import { startProgram } from "../../tests/support/program.ts";
import type { RuntimeName } from "../demo/runtimes.ts";

/** Where a soak runs. */
export interface Place {
  readonly runtime: RuntimeName;
  /** With the address sanitizer, which holds on to freed memory: figures of memory say nothing then. */
  readonly isSanitized: boolean;
  readonly env: Readonly<Record<string, string>>;
}

export function say(text: string): void {
  console.log(text);
}

/**
 * Runs a program that prints lines of JSON, and shows them as they come.
 *
 * @throws Error when it ends badly; what it has said last is in the message.
 */
export async function watch<F extends object>(
  name: string,
  args: readonly (string | number)[],
  { runtime, env }: Place,
  show: (figures: F, round: number) => string | null,
): Promise<F[]> {
  const all: F[] = [];
  const program = startProgram(name, args, { runtime, isMeasured: true, env });
  let hasEnded = false;
  const ended = program.ended.finally(() => hasEnded = true);
  ended.catch(() => {});
  while (!hasEnded) {
    await Promise.race([ended, delay(1000)]);
    // It prints less than the number of lines that are kept.
    for (const line of program.output.slice(all.length)) {
      if (!line.startsWith("{")) break;
      const figures = JSON.parse(line) as F;
      const text = show(figures, all.push(figures));
      if (text !== null) say(text);
    }
  }
  const { code, signal } = await ended;
  if (code !== 0) throw program.failure(`ended with ${signal ?? `status ${code}`}`);
  return all;
}

/** Says how it went. */
export function verdict(isGood: boolean, text: string): boolean {
  say(`  ${isGood ? "good" : "BAD"}: ${text}`);
  return isGood;
}
