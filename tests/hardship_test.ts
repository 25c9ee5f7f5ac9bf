// SPDX-License-Identifier: GPL-2.0-or-later
/** A bad network, peers that are killed, stops in the middle of everything; `npm run soak` does the same at length. */
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import type { Child } from "../scripts/bench/child.ts";
import { skipWithoutProc } from "./support/process_figures.ts";
import { ownName, startProgram } from "./support/program.ts";
import { skipWithoutSipp } from "./support/sipp.ts";

const patient = { timeout: 120_000 };
const calls = 60;
const killed = 3;
const stops = { rounds: 2, calls: 80, rate: 200 };

describe("Invitation in hardship", () => {
  /** They wait more than they work: all at the same time. */
  const programs: Record<string, Child> = {};

  before(() => {
    programs["lossy"] = startProgram("lossy_calls", [calls, 300, 7]);
    if (!skipWithoutProc) {
      programs["killed"] = startProgram("killed", [ownName === "Deno" ? "Bun" : "Deno", killed, killed]);
    }
    if (!skipWithoutSipp) programs["stops"] = startProgram("stops", Object.values(stops));
  });
  after(async () => {
    for (const program of Object.values(programs)) await program.stop();
  });

  async function figuresOf(name: string): Promise<Record<string, number>[]> {
    const program = programs[name]!;
    const status = await program.end(100_000);
    if (status !== 0) throw program.failure(`ended with status ${status}`);
    return program.output.map((line) => JSON.parse(line) as Record<string, number>);
  }

  it("Invitation, Registration and Message work over a network that loses and repeats", patient, async () => {
    const [figures] = await figuresOf("lossy");
    const { good, others, failedOthers, unheard, twice, left, failed } = figures!;
    assertEquals(
      { good, others, failedOthers, unheard, twice, left },
      { good: calls, others: calls / 5, failedOthers: 0, unheard: 0, twice: 0, left: 0 },
      `${failed}`,
    );
    // It was one.
    assert(JSON.stringify(figures!["network"]).match(/"lost":[1-9]/));
  });

  it(
    "Invitation notices and ends when its peer is killed",
    { ...patient, skip: skipWithoutProc },
    async () => {
      const all = await figuresOf("killed");
      const { portsAgain, secondsToLeave } = all.pop()!;
      assertEquals(all.map(({ gotAny }) => gotAny), Array(killed).fill(1));
      for (const { noticed, disconnected } of all) {
        // It looks each second whether anything has come since; the rest is for a busy machine.
        assertLess(noticed!, 3);
        assertGreater(disconnected!, 3.5);
        assertLess(disconnected!, 4.5);
      }
      assertEquals(portsAgain, killed);
      assertLess(secondsToLeave!, 35);
    },
  );

  it(
    "Engine.stop() in the middle of calls and requests is the end",
    { ...patient, skip: skipWithoutSipp },
    async () => {
      const all = await figuresOf("stops");
      assertEquals(all.length, stops.rounds);
      for (const { ms, messages, successful, ...rest } of all) {
        assertLessOrEqual(ms!, 2000);
        assertGreater(messages!, 0);
        assertGreater(successful!, stops.calls / 2);
        assertEquals(rest, {
          calls: stops.calls,
          disconnected: stops.calls,
          ends: 1,
          toldAfter: 0,
          exceptions: 0,
          liveObjects: 0,
        });
      }
    },
  );
});
