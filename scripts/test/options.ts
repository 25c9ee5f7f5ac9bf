// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of `npm test`. */
import { parseArgs } from "node:util";

/** What a run consists of, in this order. */
export const parts = ["static", "deno", "bun"] as const;
export type Part = (typeof parts)[number];

export interface TestOptions {
  readonly parts: readonly Part[];
  /** Only test files with this in their name; empty: all. */
  readonly filter: string;
  readonly asan: boolean;
}

/** A command line that cannot be followed; the message says why. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

export const usage: string = `Usage: npm test [-- OPTIONS]

Checks format, lint rules and types, then runs the same test files under Deno and under Bun, at once.

  --only PART     static (the checks), deno or bun instead of all three
  --filter WORD   only test files with this in their name, and no checks
  --asan          the tests against a library with the address sanitizer, which is built first
  --help          this text

All output of all commands is in build/test.log, test-deno.log and test-bun.log.
`;

/**
 * Reads the command line; null: help was asked for.
 *
 * @throws {UsageError} when it cannot be followed.
 */
export function parseOptions(args: readonly string[]): TestOptions | null {
  const { values, positionals } = split(args);
  if (values.help === true) return null;
  if (positionals.length > 0) throw new UsageError(`What is "${positionals[0]}"? See --help`);
  const only = parts.find((part) => part === values.only);
  if (values.only !== undefined && only === undefined) {
    throw new UsageError(`--only knows ${parts.join(", ")}, not "${values.only}"`);
  }
  if (values.filter === "") throw new UsageError("--filter wants a word");
  const narrow = values.filter !== undefined || values.asan === true;
  return {
    parts: only ? [only] : parts.filter((part) => part !== "static" || !narrow),
    filter: values.filter ?? "",
    asan: values.asan === true,
  };
}

function split(args: readonly string[]): {
  values: { help?: boolean; only?: string; filter?: string; asan?: boolean };
  positionals: readonly string[];
} {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    const options = { help: { ...flag, short: "h" }, only: text, filter: text, asan: flag };
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
