// SPDX-License-Identifier: GPL-2.0-or-later
/** What a command of the command line is, and how its options are read. */
import { parseArgs } from "node:util";
import { Failure, misused } from "./exit_status.ts";
import type { Output } from "./output.ts";

/** One option. */
export interface Option {
  /** What its value is called in the help; left out: it has none. */
  readonly value?: string;
  readonly help: string;
}

/** Options by their names, in the order of the help. */
export type Options = Readonly<Record<string, Option>>;

/** What a command works with. */
export interface Input {
  /** What stands beside the options. */
  readonly words: readonly string[];
  readonly values: Values;
  readonly output: Output;
  /** Aborts at Ctrl-C, and at SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Command {
  /** The words beside the options, such as "URI". */
  readonly words: string;
  /** How many of them at least and at most. */
  readonly count: readonly [number, number];
  readonly summary: string;
  readonly options: Options;
  /** Does it, and gives the exit status. */
  run(input: Input): Promise<number>;
}

/** The values of the options that were given. */
export class Values {
  readonly #values: Readonly<Record<string, string | boolean | undefined>>;

  constructor(values: Readonly<Record<string, string | boolean | undefined>>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  text(name: string): string | null {
    const value = this.#values[name];
    if (value === "") throw new Failure(`--${name} wants a value`, misused);
    return typeof value === "string" ? value : null;
  }

  /** @throws {Failure} when it is no number from `least` to `most`. */
  number(name: string, least: number, most: number): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = Number(text);
    if (!(value >= least && value <= most)) {
      throw new Failure(`--${name} wants a number, ${least} to ${most}: ${text}`, misused);
    }
    return value;
  }

  port(name: string): number | null {
    const port = this.number(name, 0, 65535);
    if (port !== null && !Number.isInteger(port)) {
      throw new Failure(`--${name} wants a whole number`, misused);
    }
    return port;
  }
}

/**
 * Reads what follows the name of a command.
 *
 * @throws {Failure} when it cannot be followed.
 */
export function readArguments(
  { options, count, words }: Pick<Command, "options" | "count" | "words">,
  args: readonly string[],
): { readonly words: readonly string[]; readonly values: Values } {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(options).map(([name, { value }]) => [
          name,
          { type: value === undefined ? "boolean" as const : "string" as const },
        ]),
      ),
    });
  } catch (cause) {
    throw new Failure((cause as Error).message, misused, { cause });
  }
  const { values, positionals } = parsed;
  const [least, most] = count;
  const isHelp = values["help"] === true;
  if (!isHelp && (positionals.length < least || positionals.length > most)) {
    const wanted = words === "" ? "nothing" : words;
    throw new Failure(
      `Wanted beside the options: ${wanted}; found ${positionals.join(" ") || "nothing"}`,
      misused,
    );
  }
  return { words: positionals, values: new Values(values) };
}
