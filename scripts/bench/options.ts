// SPDX-License-Identifier: GPL-2.0-or-later
/** The command line of the bench. */
import { parseArgs } from "node:util";

/** What can be measured, in the order in which it runs. */
export const partNames = ["options", "invite", "open-loop", "message", "register", "media"] as const;
export type PartName = (typeof partNames)[number];

/** What can be measured against each other; `c` is the limit that the others are divided by. */
export const serverNames = ["c", "deno", "bun", "sip"] as const;
export type ServerName = (typeof serverNames)[number];

export interface BenchOptions {
  rounds: number;
  parts: PartName[];
  servers: ServerName[];
  /** Where the raw rounds go; null: build/bench.json. */
  json: string | null;
  /** A tenth of the load and one round: shows that everything works, measures nothing. */
  quick: boolean;
  help: boolean;
}

export const usage: string = `npm run bench -- [options]

  --rounds N       rounds, the servers taking turns in each (default 3; with --quick 1)
  --only LIST      of ${partNames.join(",")} (default: all)
  --servers LIST   of ${serverNames.join(",")} (default: all)
  --json FILE      where the raw rounds go (default build/bench.json)
  --quick          a tenth of the load, one round: a check of the bench, not a measurement
  --help           this text`;

/**
 * Reads the arguments after the script's name.
 *
 * @throws Error with one sentence for an unknown option, an unknown name in a list or a count that is none.
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      only: { type: "string" },
      servers: { type: "string" },
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const quick = values.quick ?? false;
  return {
    rounds: values.rounds === undefined ? (quick ? 1 : 3) : parseCount("--rounds", values.rounds),
    parts: parseList("--only", values.only, partNames),
    servers: parseList("--servers", values.servers, serverNames),
    json: values.json ?? null,
    quick,
    help: values.help ?? false,
  };
}

function parseCount(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`${option} takes a number from 1 to 9999, not "${text}"`);
  return Number(text);
}

/** The names asked for, without repetition and in the order of `known`. */
function parseList<T extends string>(option: string, text: string | undefined, known: readonly T[]): T[] {
  if (text === undefined) return [...known];
  const wanted = text.split(",").map((name) => name.trim());
  for (const name of wanted) {
    if (!(known as readonly string[]).includes(name)) {
      throw new Error(`${option} takes a list of ${known.join(", ")}, not "${name}"`);
    }
  }
  return known.filter((name) => wanted.includes(name));
}
