// SPDX-License-Identifier: GPL-2.0-or-later
import { after, describe, it } from "node:test";
import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { openedLibrary } from "../ffi/library.ts";
import { Engine, type Invitation, NotificationCenter } from "../mod.ts";
import type { Child } from "../scripts/bench/child.ts";
import { median } from "../scripts/correlation.ts";
import { answer, callPort, Calls } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { networkSockets, skipMemory, skipWithoutProc } from "./support/process_figures.ts";
import { startProgram } from "./support/program.ts";
import { Sipp, skipWithoutSipp } from "./support/sipp.ts";
import { until } from "./support/until.ts";

const patient = { timeout: 60_000 };
const measured = { isMeasured: true };

/** The JSON that a program prints before it ends well. */
async function figuresOf(program: Child): Promise<Record<string, number>[]> {
  const status = await program.end(60_000);
  if (status !== 0) throw program.failure(`ended with status ${status}`);
  return program.output.map((line) => JSON.parse(line) as Record<string, number>);
}

describe("Engine.stop() and SIPp", { skip: skipWithoutSipp || skipWithoutProc }, () => {
  after(stopEngine);

  it("Engine.stop() ends 20 calls within 2 s, tells their peers, leaves nothing", patient, async () => {
    const sockets = networkSockets();
    const engine = new Engine();
    await using callee = await Sipp.start({ scenario: "callee", count: 5 });
    await using ringing = await Sipp.start({ scenario: "callee_ringing", count: 5 });
    await engine.start({ ipAddress: "127.0.0.1" });
    using calls = new Calls(engine, (invitation) => {
      if (invitation.requestUri?.user === "ring") invitation.sendResponse(180);
      else answer(invitation);
    });
    const call = (scenario: string, user: string) =>
      Sipp.start({ scenario, count: 5, rate: 100, target: { port: engine.udpPort!, user } });
    await using caller = await call("caller_left", "answer");
    await using waiting = await call("caller_refused", "ring");
    const placed = Array.from({ length: 10 }, (_, i) => callPort((i < 5 ? callee : ringing).port));
    const all = () => [...placed, ...calls.incoming];
    const count = (state: Invitation["state"]) => all().filter((one) => one.state === state).length;
    await calls.until(() => count("connected") === 10 && count("early") === 10);

    const start = performance.now();
    await engine.stop();
    assertLess(performance.now() - start, 2000);
    assertEquals(all().map(({ state }) => state), Array(20).fill("disconnected"));
    assertEquals(calls.disconnected, new Set(all()));
    // BYE, CANCEL and 480: each scenario ends well with its own only.
    for (const sipp of [callee, ringing, caller, waiting]) {
      assertEquals((await sipp.finish()).successful, 5);
    }
    assertEquals(openedLibrary()!.sc_live_objects(), 0);
    assertEquals(networkSockets(), sockets);
    // Threads end a little after they have been told to.
    await until(() => openedLibrary()!.sc_live_threads() === 0, "no thread of ours", 2000);
  });

  it("Engine.start() takes calls again after a stop in the middle of some", patient, async () => {
    const engine = await startEngine({ tcpPort: null });
    using calls = new Calls(engine);
    await using sipp = await Sipp.start({ scenario: "caller", count: 5, target: { port: engine.udpPort! } });
    assertEquals((await sipp.finish()).successful, 5);
    await calls.until(() => calls.disconnected.size === 5);
  });
});

describe("Invitation while JavaScript is busy", () => {
  after(stopEngine);

  it("Invitation has its 100 sent in time, and each retransmission absorbed", patient, async () => {
    const count = 200;
    const engine = await startEngine({ tcpPort: null }, { t1: 0, t2: 0, t4: 0, td: 0 });
    const { promise: isFree, resolve: free } = Promise.withResolvers<void>();
    using calls = new Calls(engine, (invitation) => void isFree.then(() => answer(invitation)));
    const program = startProgram("patient_callers", [engine.udpPort!, count]);
    // It has come up when its first call is there; nearly all of its second falls into these 5.
    await calls.until(() => calls.incoming.size > 0);
    for (const end = performance.now() + 5000; performance.now() < end;);
    const early = calls.incoming.size;
    free();
    const { usual, slowest, answered } = (await figuresOf(program)).at(-1)!;
    assertLess(early, count / 2);
    assertLess(usual!, 200, `Of the INVITEs 95 % had a 100 after ${usual} ms only`);
    // The caller's process has its pauses too; after 500 ms it would send the INVITE again (RFC 3261, T1).
    assertLess(slowest!, 500, `The slowest 100 took ${slowest} ms`);
    assertEquals(answered, count);
    await calls.until(() => calls.disconnected.size === count);
    assertEquals([calls.incoming.size, calls.connected.size], [count, count]);
  });
});

describe("Engine while JavaScript is busy", () => {
  after(stopEngine);

  /** What came in while the program at work did nothing for `busy` ms, from the first message on. */
  async function messagesWhileBusy(busy: number, count: number, rate: number): Promise<{
    bodies: string[];
    figures: Record<string, number>;
  }> {
    const { udpPort } = new Engine();
    const bodies: string[] = [];
    let refused = 0;
    const center = new NotificationCenter();
    using _messages = center.addObserver(({ data }) => {
      if (bodies.push(String(data.body)) === 1) {
        for (const end = performance.now() + busy; performance.now() < end;);
      }
    }, { name: "SIPEngineGotMessage" });
    using _warnings = center.addObserver(({ data }) => {
      if (data.kind === "overload") refused += data.count;
    }, { name: "SIPEngineGotWarning" });
    const figures = (await figuresOf(startProgram("messages", [udpPort!, count, rate]))).at(-1)!;
    await until(
      () => bodies.length === figures["accepted"] && refused === figures["refused"],
      "the messages",
    );
    return { bodies, figures };
  }

  it("Engine gets every MESSAGE once and in order, 1,000 within 5 s of standing still", patient, async () => {
    await startEngine({ tcpPort: null }, { t1: 0, t2: 0, t4: 0, td: 0 });
    const { bodies, figures } = await messagesWhileBusy(5000, 1000, 200);
    assertEquals(figures["accepted"], 1000);
    assertLess(figures["slowest"]!, 500, "an answer waited for the program");
    assertEquals(bodies, Array.from({ length: 1000 }, (_, index) => String(index + 1)));
    await stopEngine();
  });

  it("Engine refuses MESSAGEs beyond what may wait, and loses none of the others", patient, async () => {
    await startEngine({ tcpPort: null, maxPendingRequests: 50 });
    const { bodies, figures } = await messagesWhileBusy(1000, 300, 600);
    assertEquals(figures["accepted"]! + figures["refused"]!, 300);
    assertLess(100, figures["refused"]!);
    assertEquals(new Set(bodies).size, figures["accepted"]);
  });
});

describe("Engine and memory", { skip: skipWithoutSipp || skipMemory }, () => {
  /**
   * What each call has left: the first round lets the runtime compile and grow, three others are compared, each with
   * the one before. The least counts, since what is lost is lost in each of them.
   */
  async function leftByEach(kind: string, first: number, calls: number): Promise<Record<string, number>> {
    const rounds = await figuresOf(startProgram("sequence", [kind, first, calls, calls, calls], measured));
    assertEquals(rounds.map(({ liveObjects }) => liveObjects), [0, 0, 0, 0]);
    const left = (key: string) =>
      rounds.slice(1).map((round, index) => (round[key]! - rounds[index]![key]!) / calls);
    return Object.fromEntries(Object.keys(rounds[0]!).map((key) => [key, Math.min(...left(key))]));
  }

  for (const direction of ["incoming", "outgoing"]) {
    it(`Invitation leaves nothing of an ${direction} call behind`, patient, async () => {
      const { poolBytes, heapBytes, residentBytes } = await leftByEach(direction, 1500, 800);
      // Two lists of PJSIP's keep the length that they once had; a pool that is lost has 512 bytes at least.
      assertLess(poolBytes!, 8);
      assertLess(heapBytes!, 1024);
      assertLess(residentBytes!, 1024);
    });
  }

  it("Invitation takes little memory while a call is held, and none is lost", patient, async () => {
    const held = (kind: string) => figuresOf(startProgram("held", [kind, 300, 0], measured));
    for (const [figures] of await Promise.all([held("incoming"), held("outgoing")])) {
      assertEquals([figures!["lost"], figures!["liveObjects"], figures!["leftObjects"]], [0, 300, 0]);
      assertLess(figures!["heldPoolBytes"]!, 50_000);
      assertLess(figures!["heldBytes"]!, 80_000);
    }
  });

  it("Request and IncomingRequest leave nothing behind", patient, async () => {
    const { poolBytes, heapBytes, residentBytes } = await leftByEach("requests", 5000, 3000);
    assertLess(poolBytes!, 8);
    assertLess(heapBytes!, 128);
    assertLess(residentBytes!, 256);
  });

  it("AudioTransport leaves nothing of a call with sound behind", patient, async () => {
    const { poolBytes, residentBytes } = await leftByEach("talking", 300, 200);
    assertLess(poolBytes!, 8);
    // A resampler that is lost has 20 kB; the runtimes come and go by a few hundred in as few calls.
    assertLess(residentBytes!, 5_000);
  });

  it("Engine.stop() leaves nothing behind, 50 times in one process", patient, async () => {
    const cycles = await figuresOf(startProgram("cycles", [50], measured));
    assertEquals(cycles.length, 50);
    assert(cycles.every(({ liveObjects }) => liveObjects === 0));
    assertLess(median(cycles.map(({ ms }) => ms!)), 200);
    // By then the runtime has opened what it needs for itself.
    const [before, later] = [cycles[24]!, cycles[49]!];
    assertLessOrEqual(later["files"]! - before["files"]!, 2);
    assertLessOrEqual((later["residentBytes"]! - before["residentBytes"]!) / 25, 64 * 1024);
  });
});
