// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertThrows,
} from "@std/assert";
import {
  ContactHeader,
  Credentials,
  Engine,
  FrozenContactHeader,
  FrozenContentTypeHeader,
  FrozenCredentials,
  FrozenFromHeader,
  FrozenSIPURI,
  FrozenToHeader,
  Header,
  SIPCoreInvalidStateError,
  SIPURI,
  Subscription,
} from "../mod.ts";
import { answers, type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Notes } from "./support/notes.ts";
import { Peer } from "./support/peer.ts";
import { cseqOf, header, tagOf, uriOf } from "./support/sip_text.ts";
import {
  activeSubscription,
  grant,
  notify,
  pidf,
  subscribeToPeer,
  subscriptionOptions,
} from "./support/subscriptions.ts";

describe("Subscription", () => {
  before(() => startEngine());
  after(stopEngine);

  it("Subscription tells in order that it is sent, accepted, notified and active", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, request } = await subscribeToPeer(peer);
    await notes.until("SIPSubscriptionWillStart");
    assertEquals(subscription.state, "SENT");
    grant(peer, request);
    await notes.until("SIPSubscriptionChangedState");
    assertEquals(subscription.state, "ACCEPTED");
    assertEquals(subscription.callId, header(request, "Call-ID"));
    assertEquals(subscription.peerAddress, { ip: "127.0.0.1", port: peer.port });
    const answer = await notify(peer, request, "active;expires=300", { body: pidf("open") });
    assertEquals(answer.code, 200);
    const { data } = await notes.until("SIPSubscriptionGotNotify");
    assertEquals(Object.keys(data).sort(), [
      "body",
      "contentType",
      "event",
      "fromHeader",
      "headers",
      "requestUri",
      "timestamp",
      "toHeader",
    ]);
    assertEquals(data.body, pidf("open"));
    assertEquals(data.event, "presence");
    assertInstanceOf(data.contentType, FrozenContentTypeHeader);
    assertEquals(data.contentType.contentType, "application/pidf+xml");
    assertInstanceOf(data.requestUri, FrozenSIPURI);
    assertInstanceOf(data.fromHeader, FrozenFromHeader);
    assertInstanceOf(data.toHeader, FrozenToHeader);
    assertEquals(data.toHeader.tag, tagOf(header(request, "From")));
    assertEquals(data.headers.text("Subscription-State"), "active;expires=300");
    await notes.until("SIPSubscriptionChangedState");
    subscription.end();
    const last = await peer.next({ method: "SUBSCRIBE" });
    assertEquals(header(last, "Expires"), "0");
    grant(peer, last, 0);
    await notify(peer, request, "terminated;reason=timeout");
    assertEquals(await notes.end(), [
      "NULL -> SENT",
      "WillStart",
      "DidStart",
      "SENT -> ACCEPTED",
      "GotNotify",
      "ACCEPTED -> ACTIVE",
      "WillEnd",
      "GotNotify",
      "DidEnd timeout",
      "ACTIVE -> TERMINATED",
    ]);
    assertEquals(subscription.state, "TERMINATED");
    subscription.end();
  });

  it("Subscription.subscribe() sends what it was given, and a Contact of its own", async () => {
    await using peer = await Peer.open();
    const body = "<filter-set/>";
    const { subscription, notes, request } = await subscribeToPeer(peer, { refresh: 120 }, {
      extraHeaders: [new Header("X-Extra", "1")],
      contentType: "application/simple-filter+xml",
      body,
    });
    assertEquals(request.uri, `sip:peer@127.0.0.1:${peer.port}`);
    assertEquals(header(request, "Event"), "presence");
    assertEquals(header(request, "Expires"), "120");
    assertEquals(header(request, "X-Extra"), "1");
    assertEquals(header(request, "Content-Type"), "application/simple-filter+xml");
    assertEquals(request.body, body);
    assertMatch(header(request, "Accept"), /application\/pidf\+xml/);
    assertMatch(header(request, "From"), /^"?Alice"? <sip:alice@example\.net>;tag=/);
    assertEquals(uriOf(header(request, "Contact")), `sip:alice@127.0.0.1:${new Engine().udpPort}`);
    assertInstanceOf(subscription.contactHeader, FrozenContactHeader);
    assertEquals([subscription.contentType, subscription.body, subscription.refresh], [
      "application/simple-filter+xml",
      body,
      120,
    ]);
    assertEquals(subscription.extraHeaders.map(String), ["X-Extra: 1"]);
    peer.respond(request, 403, { reason: "No" });
    await notes.end();
  });

  it("Subscription takes every 2xx, with Expires or without", async () => {
    for (const [code, expires] of [[202, 300], [200, null], [299, 60]] as const) {
      await using peer = await Peer.open();
      const { subscription, notes, request } = await subscribeToPeer(peer);
      grant(peer, request, expires, code);
      await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACCEPTED");
      await notify(peer, request, "pending;expires=300");
      await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "PENDING");
      await notify(peer, request, "terminated;reason=rejected");
      assertEquals(await notes.end(), [
        "NULL -> SENT",
        "WillStart",
        "DidStart",
        "SENT -> ACCEPTED",
        "GotNotify",
        "ACCEPTED -> PENDING",
        "GotNotify",
        "DidEnd rejected",
        "PENDING -> TERMINATED",
      ]);
      assertEquals(subscription.state, "TERMINATED");
    }
  });

  it("Subscription hears a NOTIFY that comes before the 2xx", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, request } = await subscribeToPeer(peer);
    await notify(peer, request, "active;expires=300", { body: pidf("closed") });
    await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACTIVE");
    grant(peer, request);
    await notes.until("SIPSubscriptionDidStart");
    subscription.end();
    grant(peer, await peer.next({ method: "SUBSCRIBE" }), 0);
    await notify(peer, request, "terminated");
    assertEquals(await notes.end(), [
      "NULL -> SENT",
      "WillStart",
      "GotNotify",
      "SENT -> ACTIVE",
      "DidStart",
      "WillEnd",
      "GotNotify",
      "DidEnd",
      "ACTIVE -> TERMINATED",
    ]);
  });

  it("Subscription has the states that the notifier makes up", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await activeSubscription(peer);
    await notify(peer, request, "dormant");
    await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "dormant");
    await notify(peer, request, "asleep;expires=10");
    await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "asleep");
    await notify(peer, request, "terminated;reason=giveup");
    assertEquals(
      (await notes.end()).slice(-6),
      [
        "ACTIVE -> dormant",
        "GotNotify",
        "dormant -> asleep",
        "GotNotify",
        "DidEnd giveup",
        "asleep -> TERMINATED",
      ],
    );
  });

  it("Subscription drops bodies of types that the package does not have, and stays", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await activeSubscription(peer);
    const answer = await notify(peer, request, "pending", { body: "x", contentType: "text/plain" });
    assertEquals(answer.code, 200);
    await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "PENDING");
    const wanted = await notify(peer, request, "pending", {
      body: pidf("open"),
      contentType: "Application/PIDF+xml; charset=UTF-8",
    });
    assertEquals(wanted.code, 200);
    await notes.until("SIPSubscriptionGotNotify");
    await notify(peer, request, "terminated");
    assertEquals((await notes.end()).slice(4), [
      "GotNotify",
      "ACCEPTED -> ACTIVE",
      "ACTIVE -> PENDING",
      "GotNotify",
      "GotNotify",
      "DidEnd",
      "PENDING -> TERMINATED",
    ]);
  });

  it("Subscription answers a NOTIFY without Subscription-State with 400, one of another event with 481, other requests with a refusal, and stays", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, request } = await activeSubscription(peer);
    peer.request("NOTIFY", { ...peer.dialog(request), headers: { Event: "presence" } });
    assertEquals((await peer.next({ cseqMethod: "NOTIFY" })).code, 400);
    assertEquals((await notify(peer, request, "active", { event: "dialog" })).code, 481);
    for (const method of ["SUBSCRIBE", "REFER", "MESSAGE"]) {
      peer.request(method, { ...peer.dialog(request), headers: { Event: "presence", Expires: "60" } });
      assertGreaterOrEqual((await peer.next({ cseqMethod: method })).code!, 403);
    }
    assertEquals((await notify(peer, request, "active")).code, 200);
    await notes.until("SIPSubscriptionGotNotify");
    assertEquals(subscription.state, "ACTIVE");
    await notify(peer, request, "terminated");
    await notes.end();
    assertEquals((await notify(peer, request, "active")).code, 481);
  });

  for (
    const [state, reason, retryAfter] of [
      ["terminated", null, null],
      ["terminated;reason=deactivated", "deactivated", null],
      ["terminated;reason=probation;retry-after=5", "probation", 5],
      ["terminated;reason=rejected", "rejected", null],
      ["terminated;reason=timeout", "timeout", null],
      ["terminated;retry-after=600;reason=giveup", "giveup", 600],
      ["Terminated;reason=noresource", "noresource", null],
      ["terminated;reason=invariant;expires=0", "invariant", null],
      ["terminated;reason=of-its-own;x=y", "of-its-own", null],
    ] as const
  ) {
    it(`Subscription ends with "${state}"`, async () => {
      await using peer = await Peer.open();
      const { notes, request } = await activeSubscription(peer);
      await notify(peer, request, state);
      const { data } = await notes.until("SIPSubscriptionDidEnd");
      assertEquals({ ...data }, { reason, retryAfter, timestamp: data.timestamp });
      assertEquals((await notes.end()).slice(-1), ["ACTIVE -> TERMINATED"]);
    });
  }

  for (
    const [code, headers, minExpires] of [[403, {}, null], [423, { "Min-Expires": "3600" }, 3600]] as const
  ) {
    it(`Subscription fails with the ${code} to its first SUBSCRIBE`, async () => {
      await using peer = await Peer.open();
      const { notes, request } = await subscribeToPeer(peer);
      peer.respond(request, code, { reason: "Not So", headers });
      const { data } = await notes.until("SIPSubscriptionDidFail");
      assertEquals({ ...data }, { code, reason: "Not So", minExpires, timestamp: data.timestamp });
      assertEquals(await notes.end(), ["NULL -> SENT", "WillStart", `DidFail ${code}`, "SENT -> TERMINATED"]);
    });
  }

  it("Subscription fails when the 2xx has no Contact", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await subscribeToPeer(peer);
    peer.send(
      `SIP/2.0 200 OK\r\nVia: ${header(request, "Via")}\r\nFrom: ${header(request, "From")}\r\n` +
        `To: ${header(request, "To")};tag=x\r\nCall-ID: ${header(request, "Call-ID")}\r\n` +
        `CSeq: ${header(request, "CSeq")}\r\nExpires: 300\r\nContent-Length: 0\r\n\r\n`,
      request.port,
    );
    const { data } = await notes.until("SIPSubscriptionDidFail");
    assertEquals([data.code, data.reason], [1400, "Contact header missing"]);
    assertEquals((await notes.end()).length, 4);
  });

  it("Subscription refreshes itself in time, with the headers and the body of its last subscribe()", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await subscribeToPeer(peer, { refresh: 40 }, {
      extraHeaders: [new Header("X-Extra", "1")],
      contentType: "text/plain",
      body: "again",
    });
    const began = performance.now();
    grant(peer, request, 3);
    const second = await peer.next({ method: "SUBSCRIBE" });
    const ms = performance.now() - began;
    assertGreater(ms, 1300);
    assertLess(ms, 2500);
    assertEquals([header(second, "Expires"), header(second, "X-Extra"), second.body], ["40", "1", "again"]);
    assertEquals(cseqOf(second).number, cseqOf(request).number + 1);
    assert(tagOf(header(second, "To")));
    grant(peer, second, 300);
    await notify(peer, request, "active;expires=2");
    await notes.until("SIPSubscriptionGotNotify");
    const third = await peer.next({ method: "SUBSCRIBE" });
    peer.respond(third, 481, { reason: "Gone" });
    assertEquals(await notes.end(), [
      "NULL -> SENT",
      "WillStart",
      "DidStart",
      "SENT -> ACCEPTED",
      "GotNotify",
      "ACCEPTED -> ACTIVE",
      "DidFail 481",
      "ACTIVE -> TERMINATED",
    ]);
  });

  it("Subscription.subscribe() again refreshes at once, and waits for the SUBSCRIBE under way", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, request } = await subscribeToPeer(peer);
    subscription.subscribe({ extraHeaders: [new Header("X-Turn", "2")] });
    subscription.subscribe({ extraHeaders: [new Header("X-Turn", "3")] });
    assertEquals(peer.pending.length, 0);
    grant(peer, request);
    const second = await peer.next({ method: "SUBSCRIBE" });
    assertEquals(header(second, "X-Turn"), "3");
    grant(peer, second);
    await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACCEPTED");
    await notify(peer, request, "active");
    await notes.until("SIPSubscriptionGotNotify");
    subscription.subscribe({ extraHeaders: [new Header("X-Turn", "4")] });
    const third = await peer.next({ method: "SUBSCRIBE" });
    assertEquals(header(third, "X-Turn"), "4");
    assertEquals(peer.pending.length, 0);
    peer.respond(third, 403);
    await notes.until("SIPSubscriptionDidFail");
    await notes.end();
    assertThrows(() => subscription.subscribe(), SIPCoreInvalidStateError);
  });

  it("Subscription whose peer grants no time ends", async () => {
    await using peer = await Peer.open();
    const { notes, request } = await subscribeToPeer(peer);
    grant(peer, request, 0);
    const last = await peer.next({ method: "SUBSCRIBE" });
    assertEquals(header(last, "Expires"), "0");
    assertEquals(await notes.end(), [
      "NULL -> SENT",
      "WillStart",
      "DidStart",
      "WillEnd",
      "SENT -> ACCEPTED",
      "DidEnd",
      "ACCEPTED -> TERMINATED",
    ]);
  });

  it("Subscription.subscribe() fails with 408 when its time is over, and so does a refresh", async () => {
    await using peer = await Peer.open();
    const { notes } = await subscribeToPeer(peer, {}, { timeout: 0.2 });
    const { data } = await notes.until("SIPSubscriptionDidFail");
    assertEquals([data.code, data.reason], [408, "Request Timeout"]);
    assertEquals((await notes.end()).slice(-1), ["SENT -> TERMINATED"]);

    const other = await activeSubscription(peer, {}, { timeout: 0.3 });
    other.subscription.subscribe({ timeout: 0.3 });
    await peer.next({ method: "SUBSCRIBE" });
    assertEquals((await other.notes.end()).slice(-2), ["DidFail 408", "ACTIVE -> TERMINATED"]);
  });

  it("Subscription.subscribe() fails with 408 when nobody answers", async () => {
    await using peer = await Peer.open();
    const { notes } = await subscribeToPeer(peer);
    assertEquals((await notes.end()).slice(-2), ["DidFail 408", "SENT -> TERMINATED"]);
  });

  it("Subscription.end() before the first response waits for it", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, request } = await subscribeToPeer(peer);
    await notes.until("SIPSubscriptionWillStart");
    subscription.end();
    subscription.end();
    assertThrows(() => subscription.subscribe(), SIPCoreInvalidStateError);
    await notes.until("SIPSubscriptionWillEnd");
    grant(peer, request);
    const last = await peer.next({ method: "SUBSCRIBE" });
    assertEquals(header(last, "Expires"), "0");
    peer.respond(last, 500);
    assertEquals((await notes.end()).slice(2), [
      "WillEnd",
      "DidStart",
      "SENT -> ACCEPTED",
      "DidEnd",
      "ACCEPTED -> TERMINATED",
    ]);
  });

  it("Subscription.end() has ended whatever the peer says: nothing, an error, no last NOTIFY", async () => {
    await using peer = await Peer.open();
    const silent = await activeSubscription(peer);
    silent.subscription.end({ timeout: 0.2 });
    await peer.next({ method: "SUBSCRIBE" });
    assertEquals((await silent.notes.end()).slice(-3), ["WillEnd", "DidEnd", "ACTIVE -> TERMINATED"]);

    const refused = await activeSubscription(peer);
    refused.subscription.end();
    peer.respond(await peer.next({ method: "SUBSCRIBE" }), 481);
    assertEquals((await refused.notes.end()).slice(-3), ["WillEnd", "DidEnd", "ACTIVE -> TERMINATED"]);

    const unnotified = await activeSubscription(peer);
    unnotified.subscription.end();
    grant(peer, await peer.next({ method: "SUBSCRIBE" }), 0);
    assertEquals((await unnotified.notes.end()).slice(-3), ["WillEnd", "DidEnd", "ACTIVE -> TERMINATED"]);

    const unanswered = await subscribeToPeer(peer);
    unanswered.subscription.end({ timeout: 0.2 });
    assertEquals((await unanswered.notes.end()).slice(-3), ["WillEnd", "DidEnd", "SENT -> TERMINATED"]);
  });

  it("Subscription ends by dispose and by its signal, and its stream is over", async () => {
    await using peer = await Peer.open();
    const aborted = new AbortController();
    const first = await activeSubscription(peer, {}, { signal: aborted.signal });
    aborted.abort();
    peer.respond(await peer.next({ method: "SUBSCRIBE" }), 481);
    assertEquals((await first.notes.end()).slice(-2), ["DidEnd", "ACTIVE -> TERMINATED"]);
    const second = await activeSubscription(peer);
    second.subscription[Symbol.dispose]();
    peer.respond(await peer.next({ method: "SUBSCRIBE" }), 481);
    assertEquals((await second.notes.end()).slice(-2), ["DidEnd", "ACTIVE -> TERMINATED"]);
    second.subscription[Symbol.dispose]();
    assertEquals(await new Notes(second.subscription.notifications()).end(), []);
    assertThrows(() =>
      new Subscription(subscriptionOptions(peer.port)).subscribe({ signal: aborted.signal })
    );
    new Subscription(subscriptionOptions(peer.port))[Symbol.dispose]();
  });

  it("Subscription refuses bad options by name", () => {
    const make = (options: Record<string, unknown>) => () =>
      new Subscription({ ...subscriptionOptions(5060), ...options } as never);
    assertThrows(make({ event: "no-such-event" }), RangeError, "no-such-event");
    assertThrows(make({ event: "a b" }), TypeError, "event");
    assertThrows(make({ refresh: 0 }), RangeError, "refresh");
    assertThrows(make({ refresh: 1.5 }), RangeError, "refresh");
    for (const name of ["requestUri", "fromHeader", "toHeader", "routeHeader"]) {
      assertThrows(make({ [name]: "sip:x@y" }), TypeError, name);
    }
    assertThrows(make({ contactHeader: 1 }), TypeError, "contactHeader");
    assertThrows(make({ credentials: 1 }), TypeError, "credentials");
    const subscription = new Subscription(subscriptionOptions(5060));
    assertThrows(() => subscription.end(), SIPCoreInvalidStateError);
    assertThrows(() => subscription.subscribe({ body: "x" }), TypeError, "contentType");
    assertThrows(() => subscription.subscribe({ timeout: 0 }), RangeError, "timeout");
    for (const name of ["Event", "Expires", "o", "Contact"]) {
      assertThrows(() => subscription.subscribe({ extraHeaders: [new Header(name, "x")] }), TypeError, name);
    }
    assertEquals(subscription.state, "NULL");
  });

  for (const code of [401, 407] as const) {
    it(`Subscription.credentials answer a ${code}, also to a refresh`, async () => {
      await using peer = await Peer.open();
      const [ask, answer] = code === 401
        ? ["WWW-Authenticate", "Authorization"] as const
        : ["Proxy-Authenticate", "Proxy-Authorization"] as const;
      const credentials = new Credentials("alice", "wonderland");
      const { subscription, notes, request } = await subscribeToPeer(peer, { credentials });
      assertInstanceOf(subscription.credentials, FrozenCredentials);
      const asked: Challenge = { realm: "example.net", nonce: "n1", algorithm: "SHA-256" };
      peer.respond(request, code, { headers: { [ask]: challengeText(asked) } });
      const second = await peer.next({ method: "SUBSCRIBE" });
      const who = { method: "SUBSCRIBE", user: "alice", password: "wonderland" };
      assert(answers(header(second, answer), asked, who));
      grant(peer, second);
      await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACCEPTED");
      subscription.subscribe();
      const third = await peer.next({ method: "SUBSCRIBE" });
      const stale: Challenge = { ...asked, nonce: "n2", stale: true };
      peer.respond(third, code, { headers: { [ask]: challengeText(stale) } });
      const fourth = await peer.next({ method: "SUBSCRIBE" });
      assert(answers(header(fourth, answer), stale, who));
      grant(peer, fourth);
      subscription.end();
      const last = await peer.next({ method: "SUBSCRIBE" });
      peer.respond(last, 481);
      assertEquals(await notes.end(), [
        "NULL -> SENT",
        "WillStart",
        "DidStart",
        "SENT -> ACCEPTED",
        "WillEnd",
        "DidEnd",
        "ACCEPTED -> TERMINATED",
      ]);
    });
  }

  it("Subscription fails with the challenge that its credentials do not answer", async () => {
    await using peer = await Peer.open();
    const ask = { "WWW-Authenticate": challengeText({ realm: "r", nonce: "n", algorithm: "MD5" }) };
    const first = await subscribeToPeer(peer);
    peer.respond(first.request, 401, { headers: ask });
    assertEquals((await first.notes.end()).slice(2), ["DidFail 401", "SENT -> TERMINATED"]);
    const second = await subscribeToPeer(peer, { credentials: new Credentials("alice", "wrong") });
    peer.respond(second.request, 401, { headers: ask });
    peer.respond(await peer.next({ method: "SUBSCRIBE" }), 401, { headers: ask });
    assertEquals((await second.notes.end()).slice(2), ["DidFail 401", "SENT -> TERMINATED"]);
  });

  it("Subscription takes a Contact, and a sips one of its own for a sips URI", async () => {
    await using peer = await Peer.open();
    const contact = new ContactHeader(SIPURI.parse("sip:me@127.0.0.9:4999"));
    const { notes, request } = await subscribeToPeer(peer, { contactHeader: contact });
    assertEquals(uriOf(header(request, "Contact")), "sip:me@127.0.0.9:4999");
    peer.respond(request, 404);
    await notes.end();
  });
});

describe("Subscription and Engine.stop()", () => {
  it("Engine.stop() ends subscriptions in every state without a word to the peer", async () => {
    await startEngine();
    await using peer = await Peer.open();
    const unsent = new Subscription(subscriptionOptions(peer.port));
    const sent = await subscribeToPeer(peer);
    await sent.notes.until("SIPSubscriptionWillStart");
    const active = await activeSubscription(peer);
    const ending = await activeSubscription(peer);
    ending.subscription.end();
    await peer.next({ method: "SUBSCRIBE" });
    await ending.notes.until("SIPSubscriptionWillEnd");
    const before = peer.received.length;
    await stopEngine();
    assertEquals((await sent.notes.end()).slice(2), ["DidFail 503", "SENT -> TERMINATED"]);
    assertEquals((await active.notes.end()).slice(-2), ["DidEnd engine stopped", "ACTIVE -> TERMINATED"]);
    assertEquals((await ending.notes.end()).slice(-2), ["DidEnd engine stopped", "ACTIVE -> TERMINATED"]);
    assertEquals(
      peer.received.slice(before).filter(({ text }) =>
        !peer.received.slice(0, before).some((one) => one.text === text)
      ),
      [],
    );
    for (const { subscription } of [sent, active, ending]) {
      assertEquals(subscription.state, "TERMINATED");
      subscription.end();
      subscription[Symbol.dispose]();
      assertThrows(() => subscription.subscribe(), SIPCoreInvalidStateError);
    }
    assertThrows(() => unsent.subscribe(), SIPCoreInvalidStateError, "not running");
    assertThrows(() => unsent.end(), SIPCoreInvalidStateError);
    await startEngine();
    unsent.subscribe();
    peer.respond(await peer.next({ method: "SUBSCRIBE" }), 404);
    await new Notes(unsent.notifications()).end();
    await stopEngine();
  });
});
