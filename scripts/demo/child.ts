// SPDX-License-Identifier: GPL-2.0-or-later
/** A party of the demo in a process of its own. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import process from "node:process";
import { Queue } from "../../core/queue.ts";
import { decodeEvent, encodeLine, type PartyCommand, type PartyEvent, type Side } from "./protocol.ts";

/** Somebody who takes part in the call. */
export interface Party {
  readonly side: Side;
  /** What it reports; ends when it has left. */
  readonly events: AsyncIterable<PartyEvent>;
  /** Says something to it; if it has left, nobody hears. */
  send(command: PartyCommand): void;
  /** Ends it at once, without a word to the other side. */
  kill(): void;
}

export interface ChildOptions {
  readonly side: Side;
  readonly command: readonly [string, ...string[]];
  readonly script: string;
  /** Gets each line that the child printed and that is no event. */
  readonly onOutput: (line: string) => void;
}

/** Starts a party's script. */
export function startChild(options: ChildOptions): Party {
  const [program, ...args] = options.command;
  const child = spawn(program, [...args, options.script], {
    stdio: ["pipe", "pipe", "pipe"],
    env: process.env,
  });
  const lines = createInterface({ input: child.stdout, crlfDelay: Infinity });
  const problem = new Promise<string | null>((resolve) => {
    child.on("error", (error) => {
      resolve(`cannot be started: ${error.message}`);
      // Where nothing was started, not every runtime ends the output of it.
      lines.close();
    });
    child.on("close", (code, signal) => {
      resolve(signal !== null ? `died of ${signal}` : code === 0 ? null : `left with status ${code}`);
    });
  });
  // A child that has gone closes its input; what is written then is lost, as it should be.
  child.stdin.on("error", () => {});
  createInterface({ input: child.stderr }).on("line", options.onOutput);

  const events = new Queue<PartyEvent>();
  lines.on("line", (line) => {
    const event = decodeEvent(line);
    if (event !== null) events.push(event);
    else options.onOutput(line);
  });
  lines.on("close", async () => {
    const message = await problem;
    if (message !== null) {
      events.push({ type: "failed", at: Date.now(), message: `The ${options.side} ${message}` });
    }
    events.end();
  });

  return {
    side: options.side,
    events: { [Symbol.asyncIterator]: () => events },
    send: (command) => void child.stdin.write(encodeLine(command)),
    kill: () => void child.kill("SIGKILL"),
  };
}
