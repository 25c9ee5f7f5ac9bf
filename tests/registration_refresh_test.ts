// SPDX-License-Identifier: GPL-2.0-or-later
import { after, afterEach, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { delay } from "@std/async";
import { Backoff } from "../core/backoff.ts";
import {
  Credentials,
  type Engine,
  type Registration,
  type RegistrationOptions,
  RouteHeader,
} from "../mod.ts";
import { Certificates, goodName, skipWithoutOpenssl } from "./support/certificates.ts";
import { answers, type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage, type ResponseOptions } from "./support/peer.ts";
import { contact, granting, registrationNames, registrationOf, routeTo } from "./support/registrations.ts";
import { cseqOf, header } from "./support/sip_text.ts";
import { StreamPeer } from "./support/stream_peer.ts";
import { Told } from "./support/told.ts";

const patient = { timeout: 60_000 };
const password = "wonderland";

/** The next REGISTER, with an answer. */
async function answer(
  peer: Peer,
  code: number,
  headers: (request: PeerMessage) => ResponseOptions["headers"] = (request) => granting(request),
  timeoutMs = 8000,
): Promise<PeerMessage> {
  const request = await peer.next({ method: "REGISTER", timeoutMs });
  const given = headers(request);
  peer.respond(request, code, given ? { headers: given } : {});
  return request;
}

/** Takes back what is registered, and waits for the last that it tells. */
async function leave(peer: Peer, registration: Registration): Promise<void> {
  const last = Array.fromAsync(registration.notifications());
  registration[Symbol.dispose]();
  if (registration.isRegistered) await answer(peer, 200);
  await last;
}

describe("Registration.autoRefresh", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  function refreshing(options: RegistrationOptions = {}): Registration {
    return registrationOf({ autoRefresh: true, ...options });
  }

  it("Backoff goes from 1 to 120 seconds, never twice the same way", () => {
    const bounds = [2, 4, 8, 16, 32, 64, 120, 120, 120];
    const runs = Array.from({ length: 200 }, () => {
      const backoff = new Backoff();
      return bounds.map(() => backoff.next());
    });
    for (const run of runs) {
      for (const [index, most] of bounds.entries()) {
        assert(run[index]! >= Math.max(1, most / 2) && run[index]! <= most, `${index}: ${run[index]}`);
      }
    }
    assertGreater(new Set(runs.map(([first]) => first)).size, 50);
    const backoff = new Backoff();
    for (let count = 0; count < 9; count++) backoff.next();
    backoff.reset();
    assertLess(backoff.next(), 2.001);
  });

  it("autoRefresh registers again on WillExpire, as often as need be", patient, async () => {
    await using peer = await Peer.open();
    const registration = refreshing({ duration: 2 });
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer));
    const sent = [await answer(peer, 200), await answer(peer, 200), await answer(peer, 200)];
    await told.until("SIPRegistrationDidSucceed", 3);
    assertEquals(told.names.filter((name) => name.startsWith("Registration")), [
      "RegistrationDidSucceed",
      "RegistrationWillExpire",
      "RegistrationDidSucceed",
      "RegistrationWillExpire",
      "RegistrationDidSucceed",
    ]);
    assertLess(Math.abs(told.between("SIPRegistrationDidSucceed", "SIPRegistrationWillExpire") - 1), 0.2);
    assertEquals(sent.map((one) => cseqOf(one).number), [1, 2, 3]);
    assertEquals(new Set(sent.map((one) => header(one, "Call-ID"))).size, 1);
    assertEquals(new Set(sent.map((one) => header(one, "Contact"))).size, 1);
    await leave(peer, registration);
  });

  it("autoRefresh: end() stops it, register() starts it again", patient, async () => {
    await using peer = await Peer.open();
    const registration = refreshing({ duration: 2 });
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer));
    await answer(peer, 200);
    await told.until("SIPRegistrationDidSucceed");
    registration.end();
    await answer(peer, 500, () => ({}));
    await told.until("SIPRegistrationDidNotEnd");
    // It is still registered, and not renewed.
    await told.until("SIPRegistrationDidEnd");
    await delay(100);
    assertEquals(peer.pending.length, 0);
    registration.register(contact, routeTo(peer));
    await answer(peer, 403);
    const { data } = await told.until("SIPRegistrationDidFail");
    assertGreater(data.willRetryIn!, 0.9);
    registration.end();
    await delay(data.willRetryIn! * 1000 + 200);
    assertEquals(peer.pending.length, 0);
  });

  it("autoRefresh goes on through a registrar that restarts", patient, async () => {
    let peer = await Peer.open();
    const { port } = peer;
    const registration = refreshing({ duration: 2 });
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo({ port }));
    await answer(peer, 200);
    await told.until("SIPRegistrationDidSucceed");
    await peer.close();
    // Transactions of this engine end after 6.4 s; the registration has expired by then.
    const { data } = await told.until("SIPRegistrationDidFail", 1, 15_000);
    assertEquals(told.of("SIPRegistrationDidEnd")[0]!.data.expired, true);
    assertEquals([data.code, data.expiresIn], [408, 0]);
    assert(data.willRetryIn! >= 1 && data.willRetryIn! <= 2, `${data.willRetryIn}`);
    peer = await Peer.open({ port });
    await answer(peer, 200);
    await told.until("SIPRegistrationDidSucceed", 2);
    assertEquals(registration.isRegistered, true);
    await leave(peer, registration);
    await peer.close();
  });

  it(
    "autoRefresh takes Min-Expires of a 423 at once, and does not run after more and more",
    patient,
    async () => {
      await using peer = await Peer.open();
      const registration = refreshing({ duration: 10 });
      using told = new Told(...registrationNames);
      registration.register(contact, routeTo(peer));
      const start = performance.now();
      await answer(peer, 423, () => ({ "Min-Expires": "60" }));
      const second = await answer(peer, 423, () => ({ "Min-Expires": "90" }));
      assertLess(performance.now() - start, 500);
      assertEquals(header(second, "Expires"), "60");
      const last = await answer(peer, 200);
      assertEquals(header(last, "Expires"), "90");
      assertGreater(performance.now() - start, 900);
      await told.until("SIPRegistrationDidSucceed");
      assertEquals(told.of("SIPRegistrationDidFail").map(({ data }) => [data.code, data.minExpires]), [
        [423, 60],
        [423, 90],
      ]);
      const [first, later] = told.of("SIPRegistrationDidFail").map(({ data }) => data.willRetryIn!);
      assertEquals(first, 0);
      assertGreater(later!, 0.9);
      assertEquals([registration.duration, registration.expiresIn], [10, 90]);
      // Without a Min-Expires, or one that is no more than what was asked for, it is a failure like any other.
      registration.register(contact, routeTo(peer));
      await answer(peer, 423, () => ({ "Min-Expires": "5" }));
      assertGreater((await told.until("SIPRegistrationDidFail", 3)).data.willRetryIn!, 0.9);
      await leave(peer, registration);
    },
  );

  it("autoRefresh waits as Retry-After says", patient, async () => {
    await using peer = await Peer.open();
    const registration = refreshing();
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer));
    await answer(peer, 503, () => ({ "Retry-After": "3" }));
    const { data } = await told.until("SIPRegistrationDidFail");
    assertEquals([data.retryAfter, data.willRetryIn], [3, 3]);
    const start = performance.now();
    await answer(peer, 503, () => ({ "Retry-After": "1000000" }));
    assertLess(Math.abs((performance.now() - start) / 1000 - 3), 0.2);
    // A day at most.
    assertEquals((await told.until("SIPRegistrationDidFail", 2)).data.willRetryIn, 86_400);
    // Whoever does not want to wait registers.
    registration.register(contact, routeTo(peer));
    await answer(peer, 200);
    await told.until("SIPRegistrationDidSucceed");
    await leave(peer, registration);
  });

  it("autoRefresh answers a new nonce each time", patient, async () => {
    await using peer = await Peer.open();
    const registration = refreshing({ duration: 2, credentials: new Credentials("alice", password) });
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer));
    for (let count = 1; count <= 3; count++) {
      const asked: Challenge = {
        realm: "example.net",
        nonce: `n${count}`,
        algorithm: "SHA-256",
        stale: count > 1,
      };
      await answer(peer, 401, () => ({ "WWW-Authenticate": challengeText(asked) }));
      const second = await answer(peer, 200);
      assert(
        answers(header(second, "Authorization"), asked, { method: "REGISTER", user: "alice", password }),
      );
    }
    await told.until("SIPRegistrationDidSucceed", 3);
    assertEquals(told.of("SIPRegistrationDidFail"), []);
    assertEquals(peer.received.map((one) => cseqOf(one).number), [1, 2, 3, 4, 5, 6]);
    registration.end();
    await answer(peer, 200);
    await told.until("SIPRegistrationDidEnd");
  });

  it("autoRefresh registers again when its connection is lost", patient, async () => {
    await using peer = await StreamPeer.open();
    const registration = refreshing();
    const other = registrationOf();
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer, "tcp"));
    const grant = async () => {
      const request = await peer.next();
      peer.respond(request, 200, granting(request));
      return request;
    };
    await grant();
    other.register(contact, routeTo(peer, "tcp"));
    await grant();
    await told.until("SIPRegistrationDidSucceed", 2);
    const start = performance.now();
    peer.drop();
    const second = await grant();
    assertLess(performance.now() - start, 1000);
    assertEquals(cseqOf(second).number, 2);
    const { sender } = await told.until("SIPRegistrationDidSucceed", 3);
    assert(sender === registration);
    // Again and again is no way to go on: from the second time on it waits.
    peer.drop();
    await grant();
    assertGreater(performance.now() - start, 900);
    await told.until("SIPRegistrationDidSucceed", 4);
    assertEquals(told.of("SIPRegistrationDidSucceed").filter(({ sender }) => sender === other).length, 1);
    assertEquals([peer.connections, registration.isRegistered, other.isRegistered], [3, true, true]);
    for (const one of [registration, other]) {
      one.end();
      peer.respond(await peer.next(), 200);
    }
    await told.until("SIPRegistrationDidEnd", 2);
    // What has ended does not care.
    peer.drop();
    await delay(100);
    assertEquals(peer.received.length, 6);
  });

  it("autoRefresh comes back when a connection is refused for a while", patient, async () => {
    let peer = await StreamPeer.open();
    const { port } = peer;
    const registration = refreshing();
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer, "tcp"));
    const first = await peer.next();
    peer.respond(first, 200, granting(first));
    await told.until("SIPRegistrationDidSucceed");
    await peer[Symbol.asyncDispose]();
    const { data } = await told.until("SIPRegistrationDidFail");
    assertEquals([data.code, data.expiresIn > 0], [503, true]);
    peer = await StreamPeer.open({ port });
    const again = await peer.next();
    peer.respond(again, 200, granting(again));
    await told.until("SIPRegistrationDidSucceed", 2);
    registration.end();
    peer.respond(await peer.next(), 200);
    await told.until("SIPRegistrationDidEnd");
    await peer[Symbol.asyncDispose]();
  });

  it("autoRefresh does not run in circles with a registrar that grants nothing", patient, async () => {
    await using peer = await Peer.open();
    const registration = refreshing();
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer));
    await answer(peer, 200, () => ({ Expires: "0" }));
    const start = performance.now();
    assertEquals((await told.until("SIPRegistrationDidSucceed")).data.expiresIn, 0);
    await told.until("SIPRegistrationDidEnd");
    await answer(peer, 200);
    assertGreater(performance.now() - start, 900);
    await told.until("SIPRegistrationDidSucceed", 2);
    await leave(peer, registration);
  });

  it("autoRefresh ends with the engine, whatever it waits for", async () => {
    await using peer = await Peer.open();
    const waiting = refreshing();
    const registered = refreshing();
    using told = new Told(...registrationNames, "SIPEngineDidEnd");
    waiting.register(contact, routeTo(peer));
    await answer(peer, 500);
    await told.until("SIPRegistrationDidFail");
    registered.register(contact, routeTo(peer));
    await answer(peer, 200);
    await told.until("SIPRegistrationDidSucceed");
    const streams = [waiting.notifications(), registered.notifications()];
    await engine.stop();
    assertEquals(await Promise.all(streams.map(async (one) => (await Array.fromAsync(one)).length)), [0, 1]);
    assertEquals(told.names.slice(-3), ["RequestDidEnd", "RegistrationDidEnd", "EngineDidEnd"]);
    engine = await startEngine();
    await delay(2200);
    assertEquals(peer.pending.length, 0);
  });
});

describe("Registration.autoRefresh and the loss of other connections", () => {
  const certificates = skipWithoutOpenssl ? null : new Certificates();
  after(() => certificates?.[Symbol.dispose]());
  afterEach(stopEngine);

  async function lose(peer: StreamPeer, route: RouteHeader): Promise<void> {
    const registration = registrationOf({ autoRefresh: true });
    using told = new Told(...registrationNames);
    registration.register(contact, route);
    for (const count of [1, 2]) {
      const request = await peer.next();
      peer.respond(request, 200, granting(request));
      await told.until("SIPRegistrationDidSucceed", count);
      if (count === 1) peer.drop();
    }
    assertEquals(peer.connections, 2);
    registration.end();
    peer.respond(await peer.next(), 200);
    await told.until("SIPRegistrationDidEnd");
  }

  it("autoRefresh registers again when a connection over IPv6 is lost", patient, async () => {
    await using peer = await StreamPeer.open({ host: "::1" });
    await startEngine({ ipAddress: "::1" });
    await lose(peer, RouteHeader.to({ address: "::1", port: peer.port, transport: "tcp" }));
  });

  it("autoRefresh registers again when a connection of TLS is lost", {
    ...patient,
    skip: skipWithoutOpenssl,
  }, async () => {
    await using peer = await StreamPeer.open({ tls: certificates!.get("good") });
    await startEngine({ tlsVerifyServer: true, tlsCaFile: certificates!.caFile });
    const tls = { transport: "tls", tlsName: goodName } as const;
    await lose(peer, RouteHeader.to({ address: "127.0.0.1", port: peer.port, ...tls }));
  });
});
