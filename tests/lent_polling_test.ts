// SPDX-License-Identifier: GPL-2.0-or-later
/** Where messages follow one another at once, JavaScript's thread polls the network in place of the SIP thread. */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type Engine, type IncomingRequest, NotificationCenter } from "../mod.ts";
import type { Child } from "../scripts/bench/child.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { skipWithoutProc } from "./support/process_figures.ts";
import { startProgram } from "./support/program.ts";

interface Answers {
  readonly answered: number;
  readonly slowest: number;
}

async function told(child: Child): Promise<Answers> {
  const [line] = (await child.line(/^\{.*\}$/, 60_000)).match;
  await child.ended;
  return JSON.parse(line);
}

/** How often the SIP thread of this process has slept. */
function sleepsOfSipThread(): number {
  const task = "/proc/self/task";
  const id = readdirSync(task).find((one) => readFileSync(`${task}/${one}/comm`, "utf8").trim() === "sc-sip");
  const status = readFileSync(`${task}/${id}/status`, "utf8");
  return Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(status)![1]);
}

function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe("Engine under requests that follow one another at once", () => {
  const center = new NotificationCenter();
  let engine: Engine;

  beforeEach(async () => {
    engine = await startEngine({ incomingRequests: ["MESSAGE"] });
  });

  afterEach(() => stopEngine());

  /** Calls it for each MESSAGE, with how many came before. */
  function onMessage(work: (request: IncomingRequest, before: number) => void): Disposable {
    let count = 0;
    const observer = { name: "SIPIncomingRequestGotRequest" } as const;
    return center.addObserver(({ sender }) => work(sender, count++), observer);
  }

  it("Engine wakes no other thread for them", { skip: skipWithoutProc }, async () => {
    const count = 4000;
    using _observer = onMessage((request) => request.answer(200));
    const before = sleepsOfSipThread();
    const { answered } = await told(startProgram("questions", [engine.udpPort!, "MESSAGE", count]));
    assertEquals(answered, count);
    const sleeps = sleepsOfSipThread() - before;
    assert(sleeps < count / 2, `The SIP thread slept ${sleeps} times`);
  });

  it("Engine leaves the program its timers", async () => {
    let [last, longest, ticks] = [performance.now(), 0, 0];
    const timer = setInterval(() => {
      const now = performance.now();
      [longest, last] = [Math.max(longest, now - last), now];
      ticks++;
    }, 2);
    try {
      using _observer = onMessage((request) => request.answer(200));
      const { answered } = await told(startProgram("questions", [engine.udpPort!, "MESSAGE", 4000]));
      assertEquals(answered, 4000);
    } finally {
      clearInterval(timer);
    }
    assert(ticks > 100, `${ticks} ticks`);
    assert(longest < 250, `One tick came ${longest} ms after the one before`);
  });

  it("Engine gives promises their turn before it looks for more", async () => {
    using _observer = onMessage(async (request) => {
      for (let turn = 0; turn < 50; turn++) await null;
      request.answer(200);
    });
    const { answered, slowest } = await told(startProgram("questions", [engine.udpPort!, "MESSAGE", 2000]));
    assertEquals(answered, 2000);
    assert(slowest < 1000, `One answer took ${slowest} ms`);
  });

  it("Engine answers for a program that stands still", async () => {
    using _observer = onMessage((request, before) => {
      request.answer(200);
      if (before % 500 === 499) standStill(1000);
    });
    const asked = startProgram("questions", [engine.udpPort!, "OPTIONS", 3000]);
    const telling = told(startProgram("questions", [engine.udpPort!, "MESSAGE", 2000]));
    const [options, messages] = await Promise.all([told(asked), telling]);
    assertEquals([options.answered, messages.answered], [3000, 2000]);
    assert(messages.slowest > 900, `It stood still for ${messages.slowest} ms only`);
    assert(options.slowest < 700, `An OPTIONS waited ${options.slowest} ms`);
  });

  it("Engine does errands of the SIP thread meanwhile", async () => {
    let slowest = 0;
    using _observer = onMessage((request, before) => {
      request.answer(200);
      if (before % 100 !== 99) return;
      const begun = performance.now();
      engine.addEvent(`errand-${before}`, ["text/plain"]);
      slowest = Math.max(slowest, performance.now() - begun);
    });
    const { answered } = await told(startProgram("questions", [engine.udpPort!, "MESSAGE", 1500]));
    assertEquals(answered, 1500);
    assert(slowest < 250, `An errand took ${slowest} ms`);
  });

  it("Engine stops in the middle of them", async () => {
    const stopped = Promise.withResolvers<void>();
    using _observer = onMessage((request, before) => {
      request.answer(200);
      if (before === 1000) engine.stop().then(stopped.resolve, stopped.reject);
    });
    const asking = startProgram("questions", [engine.udpPort!, "MESSAGE", 5000]);
    await stopped.promise;
    await asking.stop();
    assertEquals(engine.isRunning, false);
  });
});
