// SPDX-License-Identifier: GPL-2.0-or-later
/** No port is left in the range, or no file descriptor: who asks for one more is told so, and everything else goes on. */
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { Child } from "../scripts/bench/child.ts";
import { runtimeCommand } from "../scripts/demo/runtimes.ts";
import { ownName } from "./support/program.ts";
import { skipWithoutProc } from "./support/process_figures.ts";

const rounds = 200;

const root = fileURLToPath(new URL("../", import.meta.url));

interface Outcome {
  readonly opened: readonly number[];
  readonly reasons: readonly string[];
  readonly more: number;
  readonly left: number;
}

/** Runs the program with so many descriptors at most; 0: as many as this process. */
async function exhaust(descriptors: number, first: number, last: number): Promise<Outcome> {
  const command = [...runtimeCommand(ownName, root), `${root}tests/support/programs/exhaust.ts`];
  const limit = descriptors > 0 ? `ulimit -n ${descriptors} && ` : "";
  const args = ["-c", `${limit}exec "$@"`, "sh", ...command, ...[rounds, first, last].map(String)];
  const child = new Child("exhaust", "sh", args);
  const { match } = await child.line(/^\{.*\}$/, 120_000);
  assertEquals(await child.end(10_000), 0);
  return JSON.parse(match[0]) as Outcome;
}

// Below the ports that systems deal out by themselves: all of a small range must be free.
describe("RTPTransport at the limits", { skip: skipWithoutProc }, () => {
  it("RTPTransport names the range when it is exhausted, and recovers, round after round", async () => {
    const { opened, reasons, more, left } = await exhaust(0, 27100, 27109);
    assertEquals([opened, more, left], [[5], 0, 0]);
    assertEquals(reasons.length, 1);
    assertMatch(
      reasons[0]!,
      /^PJSIPError: Could not open an RTP transport in the port range 27100 to 27109: /,
    );
  });

  it("RTPTransport says that there is no descriptor left, and recovers, round after round", async () => {
    // The runtimes have up to 45 of their own, and load the rest of the program with some.
    const { opened, reasons, more, left } = await exhaust(64, 27110, 27399);
    assertGreater(opened[0]!, 0);
    assert(opened.at(-1)! - opened[0]! <= 2, `${opened}`);
    assertEquals([more, left], [0, 0]);
    for (const reason of reasons) {
      assertMatch(reason, /^PJSIPError: Could not open an RTP transport.*: .*open files/);
    }
  });
});
