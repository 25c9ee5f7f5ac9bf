// SPDX-License-Identifier: GPL-2.0-or-later
/** Processes that end while the engine runs. */
import { leave, waysToLeave } from "../../tests/support/leaving.ts";
import { type Place, say } from "./programs.ts";

/** Processes that run at the same time. */
const crowd = 4;

/** Every way to leave so many times. */
export async function soakExits({ runtime, env }: Place, times: number): Promise<boolean> {
  let failures = 0;
  for (const way of waysToLeave.filter(({ only = runtime }) => only === runtime)) {
    let left = times;
    let bad = 0;
    const work = async () => {
      while (left-- > 0) {
        try {
          await leave(way, runtime, env);
        } catch (error) {
          bad++;
          say(`  ${error instanceof Error ? error.message : error}`);
        }
      }
    };
    await Promise.all(Array.from({ length: crowd }, work));
    say(`  ${way.name}: ${times - bad} of ${times} ended with status ${way.status}`);
    failures += bad;
  }
  return failures === 0;
}
