// SPDX-License-Identifier: GPL-2.0-or-later
/** The life of a script that starts other programs: whatever ends it ends them as well. */
import process from "node:process";
import { killAll } from "./bench/child.ts";

/** Runs `main`, whose result is the exit status; what it throws is printed, behind `prefix`, and is status 1. */
export async function runMain(main: () => Promise<number>, prefix = ""): Promise<void> {
  for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    process.once(signal, () => {
      killAll();
      process.exit(status);
    });
  }
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(`${prefix}${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  } finally {
    killAll();
  }
}
