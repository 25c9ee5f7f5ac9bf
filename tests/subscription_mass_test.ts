// SPDX-License-Identifier: GPL-2.0-or-later
/** Thousands of subscriptions between two processes. */
import { describe, it } from "node:test";
import { assertEquals, assertLess } from "@std/assert";
import { skipMemory } from "./support/process_figures.ts";
import { ownName, startProgram } from "./support/program.ts";

interface Figures {
  readonly complete: number;
  readonly failed: number;
  readonly outOfOrder: readonly string[];
  readonly seconds: number;
  readonly endSeconds: number;
  readonly residentPerSubscription: number;
  readonly poolsPerSubscription: number;
}

describe("Subscription, thousands of them,", { skip: skipMemory }, () => {
  it("Subscription: 5,000 in one process hear ten things each, in order, and end in 5 seconds", {
    timeout: 120_000,
  }, async (t) => {
    const [subscriptions, count] = [5000, 10];
    // The other runtime, so that each is tried at both ends.
    const presentity = startProgram("presentity", [count], { runtime: ownName === "Deno" ? "Bun" : "Deno" });
    const { match } = await presentity.line(/^port (\d+)$/, 20_000);
    const watcher = startProgram("watcher", [match[1]!, subscriptions, count], { isMeasured: true });
    const line = (await watcher.line(/^\{.*\}$/, 90_000)).match[0];
    const figures = JSON.parse(line) as Figures;
    t.diagnostic?.(line);
    assertEquals([figures.complete, figures.failed, figures.outOfOrder], [subscriptions, 0, []]);
    assertLess(figures.endSeconds, 5);
    assertLess(figures.residentPerSubscription, 60_000);
    await watcher.end(10_000);
    await presentity.stop();
  });
});
