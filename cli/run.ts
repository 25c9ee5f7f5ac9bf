// SPDX-License-Identifier: GPL-2.0-or-later
/** One run of the command line. */
import process from "node:process";
import { type Command, readArguments } from "./command.ts";
import { call } from "./commands/call.ts";
import { codecs } from "./commands/codecs.ts";
import { devices } from "./commands/devices.ts";
import { listen } from "./commands/listen.ts";
import { message } from "./commands/message.ts";
import { register } from "./commands/register.ts";
import { subscribe } from "./commands/subscribe.ts";
import { trace } from "./commands/trace.ts";
import { version } from "./commands/version.ts";
import { done, failedHere, Failure, interrupted, misused } from "./exit_status.ts";
import { Output } from "./output.ts";
import { usage, usageOf } from "./usage.ts";

const commands: Readonly<Record<string, Command>> = {
  call,
  listen,
  register,
  message,
  subscribe,
  trace,
  devices,
  codecs,
  version,
};

/** Does what the words say and gives the exit status. */
export async function run(args: readonly string[]): Promise<number> {
  const [name = "", ...rest] = args;
  if (name === "--help" || name === "help" || name === "-h") {
    process.stdout.write(usage(commands));
    return done;
  }
  const command = Object.hasOwn(commands, name) ? commands[name]! : null;
  if (command === null) {
    const what = name === "" ? "Which command?" : `There is no command "${name}".`;
    process.stderr.write(`${what}\n\n${usage(commands)}`);
    return misused;
  }
  const leaving = new AbortController();
  const onSignal = (): void => leaving.abort(new Error("Interrupted"));
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const each of signals) process.on(each, onSignal);
  try {
    const { words, values } = readArguments(command, rest);
    if (values.has("help")) {
      process.stdout.write(usageOf(name, command));
      return done;
    }
    const output = new Output(
      values.has("json"),
      (text) => process.stdout.write(text),
      (text) => process.stderr.write(text),
    );
    return await command.run({ words, values, output, signal: leaving.signal });
  } catch (error) {
    if (leaving.signal.aborted && error === leaving.signal.reason) return interrupted;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof Failure ? error.status : failedHere;
  } finally {
    for (const each of signals) process.off(each, onSignal);
  }
}
