// SPDX-License-Identifier: GPL-2.0-or-later
import { after, afterEach, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertInstanceOf, assertLess, assertThrows } from "@std/assert";
import {
  ContactHeader,
  Credentials,
  Engine,
  FrozenContactHeader,
  FrozenReferToHeader,
  Header,
  Referral,
  ReferToHeader,
  type SendReferOptions,
  SIPCoreInvalidStateError,
  SIPURI,
} from "../mod.ts";
import { Calls, silentSdp } from "./support/calls.ts";
import { answers, type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Notes } from "./support/notes.ts";
import { Peer } from "./support/peer.ts";
import { startProgram } from "./support/program.ts";
import { acceptedReferral, referPeer, referralOptions, tellStatus } from "./support/referrals.ts";
import { header, uriOf } from "./support/sip_text.ts";

describe("Referral", () => {
  before(() => startEngine());
  after(stopEngine);

  it("Referral hears what becomes of it, in order", async () => {
    await using peer = await Peer.open();
    const { referral, notes, request } = await referPeer(peer);
    assertEquals(request.uri, `sip:peer@127.0.0.1:${peer.port}`);
    assertEquals(header(request, "Refer-To"), "<sip:room@example.net>");
    assertEquals(uriOf(header(request, "Referred-By")), "sip:alice@example.net");
    assertEquals(request.headers.has("expires"), false);
    assertEquals(request.headers.has("refer-sub"), false);
    assertEquals(uriOf(header(request, "Contact")), `sip:alice@127.0.0.1:${new Engine().udpPort}`);
    assertInstanceOf(referral.localContactHeader, FrozenContactHeader);
    assertInstanceOf(referral.referToHeader, FrozenReferToHeader);
    peer.respond(request, 202);
    await notes.until("SIPReferralChangedState", ({ data }) => data.state === "ACCEPTED");
    assertEquals(`${referral.remoteContactHeader!.uri}`, peer.uri);
    assertEquals(referral.refreshInterval, null);
    await tellStatus(peer, request, "active;expires=180", "100 Trying");
    const { data } = await notes.until("SIPReferralGotNotify");
    assertEquals([data.event, data.contentType?.contentType, data.body], [
      "refer",
      "message/sipfrag",
      "SIP/2.0 100 Trying\r\n",
    ]);
    assertEquals(referral.refreshInterval, 180);
    await tellStatus(peer, request, "active;expires=170", "180 Ringing");
    await tellStatus(peer, request, "terminated;reason=noresource", "200 OK");
    const end = await notes.until("SIPReferralDidEnd");
    assertEquals({ ...end.data }, { code: 200, reason: "OK", timestamp: end.data.timestamp });
    assertEquals(await notes.end(), [
      "NULL -> SENT",
      "WillStart",
      "DidStart",
      "SENT -> ACCEPTED",
      "GotNotify",
      "ACCEPTED -> ACTIVE",
      "GotNotify",
      "GotNotify",
      "DidEnd 200 OK",
      "ACTIVE -> TERMINATED",
    ]);
    assertEquals([referral.state, referral.callId], ["TERMINATED", header(request, "Call-ID")]);
    referral.end();
    assertThrows(() => referral.sendRefer(), SIPCoreInvalidStateError);
    assertThrows(() => referral.refresh(), SIPCoreInvalidStateError);
  });

  for (
    const [state, status, told] of [
      ["terminated;reason=noresource", "603 Decline", "DidFail 603"],
      ["terminated;reason=noresource", "302", "DidFail 302"],
      ["terminated", "299 So So", "DidEnd 299 So So"],
      ["terminated;reason=noresource", null, "DidEnd 100 Trying"],
      ["terminated;reason=timeout", null, "DidFail 0 timeout"],
      ["terminated;reason=rejected", "180 Ringing", "DidFail 0 rejected"],
      ["terminated", "no status", "DidEnd 100 Trying"],
    ] as const
  ) {
    it(`Referral ends with "${state}" and ${status ?? "no body"}: ${told}`, async () => {
      await using peer = await Peer.open();
      const { notes, request } = await acceptedReferral(peer);
      await tellStatus(peer, request, state, status);
      assertEquals((await notes.end()).slice(-2), [told, "ACTIVE -> TERMINATED"]);
    });
  }

  for (const code of [200, 202, 299] as const) {
    it(`Referral without a subscription is over with the ${code}`, async () => {
      await using peer = await Peer.open();
      const { notes, request } = await referPeer(peer, {}, { createSubscription: false });
      assertEquals(header(request, "Refer-Sub"), "false");
      peer.respond(request, code, { headers: { "Refer-Sub": "false" } });
      assertEquals(await notes.end(), [
        "NULL -> SENT",
        "WillStart",
        "DidStart",
        "WillEnd",
        "DidEnd",
        "SENT -> TERMINATED",
      ]);
      assertEquals((await tellStatus(peer, request, "active", "100 Trying")).code, 481);
    });
  }

  it("Referral keeps the subscription that the peer makes all the same", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await referPeer(peer, {}, { createSubscription: false });
    peer.respond(request, 202);
    await notes.until("SIPReferralDidStart");
    await tellStatus(peer, request, "terminated;reason=noresource", "200 OK");
    assertEquals((await notes.end()).slice(2), [
      "DidStart",
      "SENT -> ACCEPTED",
      "GotNotify",
      "DidEnd 200 OK",
      "ACCEPTED -> TERMINATED",
    ]);
  });

  it("Referral hears NOTIFYs that come before the 2xx", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await referPeer(peer);
    await tellStatus(peer, request, "active;expires=60", "100 Trying");
    await notes.until("SIPReferralGotNotify");
    peer.respond(request, 202);
    await notes.until("SIPReferralDidStart");
    await tellStatus(peer, request, "terminated;reason=noresource", "503 Not Now");
    assertEquals(await notes.end(), [
      "NULL -> SENT",
      "WillStart",
      "GotNotify",
      "SENT -> ACTIVE",
      "DidStart",
      "GotNotify",
      "DidFail 503",
      "ACTIVE -> TERMINATED",
    ]);
  });

  it("Referral fails with the refusal, and when nobody answers", async () => {
    await using peer = await Peer.open();
    const refused = await referPeer(peer);
    peer.respond(refused.request, 603, { reason: "No" });
    const { data } = await refused.notes.until("SIPReferralDidFail");
    assertEquals({ ...data }, { code: 603, reason: "No", timestamp: data.timestamp });
    assertEquals(await refused.notes.end(), [
      "NULL -> SENT",
      "WillStart",
      "DidFail 603",
      "SENT -> TERMINATED",
    ]);
    const quick = await referPeer(peer, {}, { timeout: 0.2 });
    assertEquals((await quick.notes.end()).slice(2), ["DidFail 408", "SENT -> TERMINATED"]);
    const silent = await referPeer(peer);
    assertEquals((await silent.notes.end()).slice(2), ["DidFail 408", "SENT -> TERMINATED"]);
  });

  it("Referral refreshes itself in time, and on demand with another Contact", async () => {
    await using peer = await Peer.open();
    const { referral, notes, request } = await acceptedReferral(peer, {}, {
      extraHeaders: [new Header("X-Extra", "1")],
    });
    assertEquals(header(request, "X-Extra"), "1");
    const began = performance.now();
    await tellStatus(peer, request, "active;expires=3", "180 Ringing");
    const itself = await peer.next({ method: "SUBSCRIBE" });
    assertGreater(performance.now() - began, 1300);
    assertLess(performance.now() - began, 2900);
    assertEquals([header(itself, "Event"), header(itself, "Expires"), header(itself, "X-Extra")], [
      "refer",
      "600",
      "1",
    ]);
    assertEquals(itself.headers.has("refer-to"), false);
    peer.respond(itself, 200, { headers: { Expires: "600" } });
    const contactHeader = new ContactHeader(SIPURI.parse("sip:me@127.0.0.1:5999"));
    referral.refresh({ contactHeader, extraHeaders: [new Header("X-Extra", "2")] });
    const asked = await peer.next({ method: "SUBSCRIBE" });
    assertEquals([uriOf(header(asked, "Contact")), header(asked, "X-Extra")], ["sip:me@127.0.0.1:5999", "2"]);
    assert(referral.localContactHeader!.equals(contactHeader));
    peer.respond(asked, 481);
    assertEquals((await notes.end()).slice(-2), ["DidFail 481", "ACTIVE -> TERMINATED"]);
  });

  it("Referral.end() unsubscribes, whatever is still to come", async () => {
    await using peer = await Peer.open();
    const { referral, notes, request } = await acceptedReferral(peer);
    referral.end();
    assertThrows(() => referral.refresh(), SIPCoreInvalidStateError);
    const last = await peer.next({ method: "SUBSCRIBE" });
    assertEquals(header(last, "Expires"), "0");
    peer.respond(last, 200, { headers: { Expires: "0" } });
    await tellStatus(peer, request, "terminated;reason=timeout", "100 Trying");
    assertEquals((await notes.end()).slice(-4), [
      "WillEnd",
      "GotNotify",
      "DidEnd 100 Trying",
      "ACTIVE -> TERMINATED",
    ]);
    const early = await referPeer(peer);
    early.referral.end();
    peer.respond(early.request, 202);
    peer.respond(await peer.next({ method: "SUBSCRIBE" }), 481);
    assertEquals((await early.notes.end()).slice(2), [
      "WillEnd",
      "DidStart",
      "SENT -> ACCEPTED",
      "DidEnd",
      "ACCEPTED -> TERMINATED",
    ]);
    const aborted = new AbortController();
    const other = await acceptedReferral(peer, {}, { signal: aborted.signal });
    aborted.abort();
    peer.respond(await peer.next({ method: "SUBSCRIBE" }), 481);
    assertEquals((await other.notes.end()).slice(-1), ["ACTIVE -> TERMINATED"]);
    other.referral[Symbol.dispose]();
    assertEquals(await new Notes(other.referral.notifications()).end(), []);
  });

  it("Referral.credentials answer the challenge to a REFER", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await referPeer(peer, { credentials: new Credentials("alice", "wonderland") });
    const asked: Challenge = { realm: "example.net", nonce: "n1", algorithm: "MD5" };
    peer.respond(request, 407, { headers: { "Proxy-Authenticate": challengeText(asked) } });
    const second = await peer.next({ method: "REFER" });
    const who = { method: "REFER", user: "alice", password: "wonderland" };
    assert(answers(header(second, "Proxy-Authorization"), asked, who));
    assertEquals(header(second, "Refer-To"), header(request, "Refer-To"));
    peer.respond(second, 202, { headers: { "Refer-Sub": "false" } });
    assertEquals((await notes.end()).slice(-2), ["DidEnd", "SENT -> TERMINATED"]);
  });

  it("Referral refuses bad arguments by name", () => {
    const make = (options: Record<string, unknown>) => () =>
      new Referral({ ...referralOptions(5060), ...options } as never);
    for (const name of ["requestUri", "fromHeader", "toHeader", "routeHeader", "referToHeader"]) {
      assertThrows(make({ [name]: "sip:x@y" }), TypeError, name);
    }
    const referral = new Referral(referralOptions(5060));
    assertThrows(() => referral.end(), SIPCoreInvalidStateError);
    assertThrows(() => referral.refresh(), SIPCoreInvalidStateError);
    assertThrows(() => referral.sendRefer({ timeout: -1 }), RangeError, "timeout");
    for (
      const extra of [new Header("Refer-Sub", "x"), new ReferToHeader("sip:a@b"), new Header("Event", "x")]
    ) {
      assertThrows(() => referral.sendRefer({ extraHeaders: [extra] }), TypeError, extra.name);
    }
    assertEquals(referral.state, "NULL");
  });
});

describe("Referral and Engine.stop()", () => {
  it("Engine.stop() ends referrals without a word", async () => {
    await startEngine();
    await using peer = await Peer.open();
    const sent = await referPeer(peer);
    const accepted = await acceptedReferral(peer);
    await stopEngine();
    assertEquals((await sent.notes.end()).slice(-2), ["DidFail 503", "SENT -> TERMINATED"]);
    assertEquals((await accepted.notes.end()).slice(-2), ["DidFail 503", "ACTIVE -> TERMINATED"]);
    assertEquals(peer.received.filter(({ method }) => method === "SUBSCRIBE"), []);
    accepted.referral.end();
    assertThrows(() => accepted.referral.refresh(), SIPCoreInvalidStateError);
    await startEngine({ events: { presence: ["application/pidf+xml"] } });
    assertThrows(() => new Referral(referralOptions(peer.port)).sendRefer(), RangeError, "refer");
    await stopEngine();
  });
});

describe("Referral to another process", () => {
  afterEach(stopEngine);

  for (const runtime of ["Deno", "Bun"] as const) {
    it(`Referral hears what a program on ${runtime} makes of it`, { timeout: 60_000 }, async () => {
      const referee = startProgram("referee", [], { runtime });
      try {
        const { match } = await referee.line(/^port (\d+)$/, 20_000);
        const engine = await startEngine();
        const refer = (user: string, send: SendReferOptions = {}) => {
          const referToHeader = new ReferToHeader(`sip:${user}@127.0.0.1:${engine.udpPort}`);
          const referral = new Referral(referralOptions(Number(match[1]), { referToHeader }));
          const notes = new Notes(referral.notifications());
          referral.sendRefer(send);
          return { referral, notes };
        };
        const bodies = ({ notes }: ReturnType<typeof refer>) =>
          notes.told.filter((note) => note.name === "SIPReferralGotNotify").map(({ data }) => data.body);
        const accepted = [
          "NULL -> SENT",
          "WillStart",
          "DidStart",
          "SENT -> ACCEPTED",
          "GotNotify",
          "ACCEPTED -> ACTIVE",
        ];

        using calls = new Calls(engine, (call) => call.sendResponse(180));
        const taken = refer("taken");
        await taken.notes.until(
          "SIPReferralGotNotify",
          ({ data }) => data.body === "SIP/2.0 180 Ringing\r\n",
        );
        const [call] = calls.incoming;
        assertEquals(call!.requestUri?.user, "taken");
        call!.sendResponse(200, { sdp: silentSdp });
        assertEquals(await taken.notes.end(), [
          ...accepted,
          "GotNotify",
          "GotNotify",
          "DidEnd 200 OK",
          "ACTIVE -> TERMINATED",
        ]);
        assertEquals(bodies(taken), [
          "SIP/2.0 100 Trying\r\n",
          "SIP/2.0 180 Ringing\r\n",
          "SIP/2.0 200 OK\r\n",
        ]);
        await calls.until(() => calls.disconnected.size === 1);

        const declined = refer("declined");
        await declined.notes.until(
          "SIPReferralGotNotify",
          ({ data }) => data.body === "SIP/2.0 180 Ringing\r\n",
        );
        [...calls.incoming][1]!.sendResponse(486);
        assertEquals((await declined.notes.end()).slice(-3), [
          "GotNotify",
          "DidFail 486",
          "ACTIVE -> TERMINATED",
        ]);

        assertEquals(await refer("refused").notes.end(), [
          "NULL -> SENT",
          "WillStart",
          "DidFail 603",
          "SENT -> TERMINATED",
        ]);
        assertEquals(await refer("unanswered", { timeout: 0.5 }).notes.end(), [
          "NULL -> SENT",
          "WillStart",
          "DidFail 408",
          "SENT -> TERMINATED",
        ]);

        // Nobody is there any more to go on telling.
        const forgotten = refer("forgotten");
        await forgotten.notes.until("SIPReferralChangedState", ({ data }) => data.state === "ACTIVE");
        referee.kill();
        await referee.ended;
        forgotten.referral.refresh({ timeout: 0.5 });
        assertEquals(await forgotten.notes.end(), [...accepted, "DidFail 408", "ACTIVE -> TERMINATED"]);
        await calls.until(() => calls.disconnected.size === 2);
        assertEquals(calls.incoming.size, 2);
      } finally {
        await referee.stop();
      }
    });
  }
});
