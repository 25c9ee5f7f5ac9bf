// SPDX-License-Identifier: GPL-2.0-or-later
/** The help of the command line. */
import type { Command } from "./command.ts";

const statuses =
  `Exit status: 0 done; 1 the other side refused; 2 the command line is wrong; 3 something on this
machine (library, port, file); 4 nobody was reached; 130 Ctrl-C before there was an outcome.
`;

/** The help of all commands together. */
export function usage(commands: Readonly<Record<string, Command>>): string {
  const lines = Object.entries(commands).map(([name, { words, summary }]) =>
    `  ${`${name} ${words}`.padEnd(22)} ${summary}`
  );
  return `Usage: sipcore COMMAND [OPTIONS]

${lines.join("\n")}

"sipcore COMMAND --help" tells the options of a command. With --json each command prints one JSON object
a line, with "event" and "time" in each.

${statuses}`;
}

/** The help of one command. */
export function usageOf(name: string, { words, summary, options }: Command): string {
  const lines = Object.entries(options).map(([option, { value, help }]) =>
    `  ${`--${option}${value === undefined ? "" : ` ${value}`}`.padEnd(22)} ${help}`
  );
  return `Usage: sipcore ${[name, words].filter(Boolean).join(" ")} [OPTIONS]

${name}: ${summary}.

${lines.join("\n")}

${statuses}`;
}
