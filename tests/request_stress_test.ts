// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests that end at every moment: run against the address sanitizer it tells most. */
import { after, before, describe, it } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { delay } from "@std/async";
import {
  Credentials,
  type Engine,
  Header,
  NotificationCenter,
  type Registration,
  Request,
  RouteHeader,
  type SIPNotification,
} from "../mod.ts";
import { openedLibrary } from "../ffi/library.ts";
import { Dice } from "./support/dice.ts";
import { challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { contact, registrationOf } from "./support/registrations.ts";
import { optionsTo } from "./support/requests.ts";
import { StreamPeer } from "./support/stream_peer.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { Told } from "./support/told.ts";
import { until } from "./support/until.ts";

const patient = { timeout: 120_000 };
const count = 2000;
const challenge = { "WWW-Authenticate": challengeText({ realm: "r", nonce: "n", algorithm: "MD5" }) };
const finals = ["SIPRequestDidSucceed", "SIPRequestDidFail"] as const;

type Answer = (request: PeerMessage, code: number, headers?: Record<string, string>) => void;

/** Answers, or does not, as the dice say. */
function answerBy(dice: Dice, request: PeerMessage, answer: Answer): void {
  const face = dice.throw(10);
  if (face < 3) answer(request, 401, challenge);
  else if (face < 5) answer(request, 200);
  else if (face < 7) answer(request, 200, { Expires: String(1 + dice.throw(2)) });
  else if (face < 8) answer(request, 503);
  else if (face < 9) answer(request, 183);
}

describe("Request, much at once", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it(
    `Request: ${count} that end at some moment, over UDP and over a TCP that is lost now and then`,
    patient,
    async () => {
      const dice = new Dice(4711);
      await using peer = await Peer.open();
      await using stream = await StreamPeer.open();
      let working = true;
      const answering = (async () => {
        let taken = 0;
        while (working) {
          while (peer.pending.length > 0) {
            answerBy(dice, await peer.next(), (request, code, headers) => {
              peer.respond(request, code, headers ? { headers } : {});
            });
          }
          for (; taken < stream.received.length; taken++) {
            try {
              answerBy(
                dice,
                stream.received[taken]!,
                (request, code, headers) => stream.respond(request, code, headers),
              );
            } catch {
              // On a connection that is lost.
            }
          }
          if (dice.percent(2)) {
            stream.drop();
          }
          await delay(1);
        }
      })();

      const ended = new Map<Request, string[]>();
      const hear = ({ name, sender }: SIPNotification<(typeof finals)[number] | "SIPRequestDidEnd">) => {
        ended.get(sender)?.push(name);
      };
      using _observer = new NotificationCenter().addObserver(hear, { name: [...finals, "SIPRequestDidEnd"] });
      using exceptions = new Told("SIPEngineGotException");
      const doomed = new Set<Request>();
      for (let number = 0; number < count; number++) {
        const isStream = dice.percent(50);
        const routeHeader = RouteHeader.to({
          address: "127.0.0.1",
          port: isStream ? stream.port : peer.port,
          transport: isStream ? "tcp" : "udp",
        });
        const request = new Request(optionsTo(peer.port, {
          routeHeader,
          credentials: dice.percent(70) ? new Credentials("alice", "x") : null,
          extraHeaders: [new Header("X-Number", String(number))],
        }));
        ended.set(request, []);
        request.send({ timeout: 0.05 + dice.throw(20) / 10 });
        if (dice.percent(30)) request.end();
        else if (dice.percent(50)) doomed.add(request);
        for (const one of doomed) {
          if (!dice.percent(20)) continue;
          one.end();
          doomed.delete(one);
        }
        if (dice.percent(10)) await delay(dice.throw(5));
      }
      await until(
        () => [...ended].every(([, names]) => names.at(-1) === "SIPRequestDidEnd"),
        "the end of all",
        30_000,
      );
      working = false;
      await answering;
      // Each has one outcome, and then its end.
      for (const [request, names] of ended) {
        assertEquals([names.length, names[1], request.state], [2, "SIPRequestDidEnd", "TERMINATED"]);
      }
      const outcomes = [...ended.values()].map(([first]) => first);
      for (const name of finals) assertGreater(outcomes.filter((one) => one === name).length, count / 20);
      assertEquals(exceptions.notes, []);
      await until(() => openedLibrary()!.sc_live_objects() === 0, "the end of all objects");
    },
  );

  it("Registration: 200 that are registered, ended and disposed of at some moment", patient, async () => {
    const dice = new Dice(815);
    await using peer = await Peer.open();
    let working = true;
    const answering = (async () => {
      while (working) {
        while (peer.pending.length > 0) {
          answerBy(dice, await peer.next(), (request, code, headers) => {
            peer.respond(request, code, headers ? { headers } : {});
          });
        }
        await delay(1);
      }
    })();
    using exceptions = new Told("SIPEngineGotException");
    const route = RouteHeader.to({ address: "127.0.0.1", port: peer.port });
    const registrations = Array.from({ length: 200 }, () =>
      registrationOf({
        autoRefresh: dice.percent(50),
        duration: 1 + dice.throw(3),
        credentials: new Credentials("alice", "x"),
      }));
    // From inside an observer too.
    const acts: ((registration: Registration) => void)[] = [
      (one) => one.register(contact, route, { timeout: 0.3 }),
      (one) => one.register(contact, route, { timeout: 0.3 }),
      (one) => one.end({ timeout: 0.3 }),
    ];
    using _observer = new NotificationCenter().addObserver(({ sender }) => {
      if (dice.percent(20)) acts[dice.throw(acts.length)]!(sender);
    }, { name: ["SIPRegistrationDidSucceed", "SIPRegistrationDidFail", "SIPRegistrationDidEnd"] });
    for (let number = 0; number < count; number++) {
      acts[dice.throw(acts.length)]!(registrations[dice.throw(registrations.length)]!);
      if (dice.percent(20)) await delay(dice.throw(10));
    }
    _observer[Symbol.dispose]();
    const streams = registrations.map((one) => Array.fromAsync(one.notifications()));
    for (const one of registrations) one[Symbol.dispose]();
    await Promise.all(streams);
    working = false;
    await answering;
    assertEquals(registrations.some(({ isRegistered }) => isRegistered), false);
    assertEquals(exceptions.notes.map(({ data }) => data.traceback), []);
    await until(() => openedLibrary()!.sc_live_objects() === 0, "the end of all objects");
  });

  it("Engine.stop() in the middle of it all, again and again", patient, async () => {
    const dice = new Dice(42);
    for (let round = 0; round < 10; round++) {
      await using peer = await Peer.open();
      using told = new Told(...finals, "SIPRequestDidEnd", "SIPEngineDidEnd");
      const requests = Array.from(
        { length: 100 },
        () => new Request(optionsTo(peer.port, { credentials: new Credentials("alice", "x") })),
      );
      for (const request of requests) request.send();
      for (let answered = 0; answered < 50; answered++) {
        const sent = await peer.next();
        if (dice.percent(50)) peer.respond(sent, 401, { headers: challenge });
        else peer.respond(sent, 200);
      }
      if (dice.percent(50)) await delay(dice.throw(5));
      await engine.stop();
      assertEquals(told.names.at(-1), "EngineDidEnd");
      assertEquals(told.of("SIPRequestDidEnd").length, 100);
      assertEquals(requests.every(({ state }) => state === "TERMINATED"), true);
      assertEquals(openedLibrary()!.sc_live_objects(), 0);
      engine = await startEngine();
    }
  });
});
