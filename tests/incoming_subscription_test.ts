// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertMatch,
  assertThrows,
} from "@std/assert";
import {
  Engine,
  FrozenSIPURI,
  IncomingSubscription,
  NotificationCenter,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Notes } from "./support/notes.ts";
import { Peer } from "./support/peer.ts";
import { header, tagOf, uriOf } from "./support/sip_text.ts";
import { activeSubscriptionFromPeer, pidf, pidfType, subscribeFromPeer } from "./support/subscriptions.ts";

const engine = new Engine();
const incomingEvents = ["presence", "message-summary", "dialog"];

/** The parameters of a Subscription-State, the seconds apart. */
function stateOf(text: string): { state: string; expires: number | null; reason: string | null } {
  return {
    state: text.split(";")[0]!,
    expires: /expires=(\d+)/.test(text) ? Number(/expires=(\d+)/.exec(text)![1]) : null,
    reason: /reason=([^;]+)/.exec(text)?.[1] ?? null,
  };
}

describe("IncomingSubscription", () => {
  before(() => startEngine({ incomingEvents }));
  after(stopEngine);

  it("IncomingSubscription is accepted and notified, in order", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, request } = await subscribeFromPeer(engine, peer, { expires: 120 });
    const { data } = notes.told[0]! as { data: Record<string, unknown> };
    assertEquals(Object.keys(data).sort(), ["body", "headers", "method", "requestUri", "timestamp"]);
    assertEquals(data["method"], "SUBSCRIBE");
    assertInstanceOf(data["requestUri"], FrozenSIPURI);
    assertEquals(data["body"], null);
    assertEquals([subscription.state, subscription.event, subscription.callId], [
      "incoming",
      "presence",
      header(request, "Call-ID"),
    ]);
    assertEquals(subscription.peerAddress, { ip: "127.0.0.1", port: peer.port });
    subscription.accept({ contentType: pidfType, content: pidf("open") });
    const ok = await peer.next({ code: 200 });
    assertEquals(header(ok, "Expires"), "120");
    assertEquals(uriOf(header(ok, "Contact")), `sip:bob@127.0.0.1:${engine.udpPort}`);
    assert(tagOf(header(ok, "To")));
    const notify = await peer.next({ method: "NOTIFY" });
    assertEquals(notify.body, pidf("open"));
    assertEquals(header(notify, "Content-Type"), pidfType);
    assertEquals(header(notify, "Event"), "presence");
    const { state, expires } = stateOf(header(notify, "Subscription-State"));
    assertEquals(state, "active");
    assertGreaterOrEqual(expires!, 118);
    assertEquals(tagOf(header(notify, "From")), tagOf(header(ok, "To")));
    peer.respond(notify, 200);
    await notes.until("SIPIncomingSubscriptionNotifyDidSucceed");
    assertEquals([subscription.state, subscription.contentType, subscription.content], [
      "active",
      pidfType,
      pidf("open"),
    ]);
    subscription.end({ reason: "giveup" });
    const last = await peer.next({ method: "NOTIFY" });
    assertEquals(stateOf(header(last, "Subscription-State")), {
      state: "terminated",
      expires: null,
      reason: "giveup",
    });
    assertEquals(last.body, "");
    peer.respond(last, 200);
    assertEquals(await notes.end(), [
      "GotSubscribe",
      "AnsweredSubscribe 200",
      "incoming -> active",
      "SentNotify",
      "NotifyDidSucceed 200",
      "active -> terminated",
      "SentNotify",
      "DidEnd",
    ]);
  });

  it("IncomingSubscription tells what it answered, sent and got", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await activeSubscriptionFromPeer(engine, peer, { content: pidf("open") });
    const of = (name: string) => notes.told.find((one) => one.name.endsWith(name))!.data as never;
    const answer: { code: number; reason: string; headers: Map<string, unknown>; body: null } = of(
      "AnsweredSubscribe",
    );
    assertEquals([answer.code, answer.reason, answer.body], [200, "OK", null]);
    assert(answer.headers.has("Contact"));
    const sent: { method: string; requestUri: FrozenSIPURI; body: string; headers: Map<string, unknown> } =
      of("SentNotify");
    assertEquals([sent.method, `${sent.requestUri}`, sent.body], ["NOTIFY", peer.uri, pidf("open")]);
    const taken: { code: number; reason: string; headers: Map<string, unknown>; body: null } = of(
      "NotifyDidSucceed",
    );
    assertEquals([taken.code, taken.reason, taken.body], [200, "Scripted", null]);
    assert(taken.headers.has("CSeq"));
    subscription.end();
    const last = await peer.next({ method: "NOTIFY" });
    assertEquals(header(last, "Subscription-State"), "terminated");
    await notes.end();
  });

  it("IncomingSubscription.acceptPending() answers 202 with Expires, and accept() makes it active", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await subscribeFromPeer(engine, peer, { expires: 600 });
    subscription.acceptPending();
    const accepted = await peer.next({ code: 202 });
    assertEquals(header(accepted, "Expires"), "600");
    const pending = await peer.next({ method: "NOTIFY" });
    assertEquals(stateOf(header(pending, "Subscription-State")).state, "pending");
    assertEquals(pending.body, "");
    peer.respond(pending, 200);
    await notes.until("SIPIncomingSubscriptionNotifyDidSucceed");
    assertThrows(() => subscription.pushContent(pidfType, pidf("open")), SIPCoreInvalidStateError);
    assertThrows(() => subscription.acceptPending(), SIPCoreInvalidStateError);
    assertThrows(() => subscription.reject(403), SIPCoreInvalidStateError);
    subscription.accept();
    const active = await peer.next({ method: "NOTIFY" });
    assertEquals(stateOf(header(active, "Subscription-State")).state, "active");
    peer.respond(active, 200);
    await notes.until("SIPIncomingSubscriptionNotifyDidSucceed");
    assertThrows(() => subscription.accept(), SIPCoreInvalidStateError);
    subscription.pushContent(pidfType, pidf("closed"));
    const pushed = await peer.next({ method: "NOTIFY" });
    assertEquals(pushed.body, pidf("closed"));
    peer.respond(pushed, 200);
    await notes.until("SIPIncomingSubscriptionNotifyDidSucceed");
    subscription.end({ reason: "noresource" });
    peer.respond(await peer.next({ method: "NOTIFY" }), 200);
    assertEquals(await notes.end(), [
      "GotSubscribe",
      "AnsweredSubscribe 202",
      "incoming -> pending",
      "SentNotify",
      "NotifyDidSucceed 200",
      "pending -> active",
      "SentNotify",
      "NotifyDidSucceed 200",
      "SentNotify",
      "NotifyDidSucceed 200",
      "active -> terminated",
      "SentNotify",
      "DidEnd",
    ]);
  });

  it("IncomingSubscription.end() ends a pending one too", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await subscribeFromPeer(engine, peer);
    assertThrows(() => subscription.end(), SIPCoreInvalidStateError);
    subscription.acceptPending();
    subscription.end({ reason: "rejected" });
    assertThrows(() => subscription.end(), SIPCoreInvalidStateError);
    assertEquals((await notes.end()).slice(-3), ["pending -> terminated", "SentNotify", "DidEnd"]);
    await peer.next({ method: "NOTIFY" });
    assertEquals(
      stateOf(header(await peer.next({ method: "NOTIFY" }), "Subscription-State")).reason,
      "rejected",
    );
  });

  it("IncomingSubscription.reject() answers, and is the end", async () => {
    await using peer = await Peer.open();
    for (const code of [300, 403, 489, 603, 699]) {
      const { subscription, notes } = await subscribeFromPeer(engine, peer);
      for (const wrong of [200, 299, 700, 403.5]) assertThrows(() => subscription.reject(wrong), RangeError);
      subscription.reject(code);
      assertThrows(() => subscription.reject(code), SIPCoreInvalidStateError);
      assertThrows(() => subscription.accept(), SIPCoreInvalidStateError);
      assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, code);
      assertEquals(await notes.end(), [
        "GotSubscribe",
        `AnsweredSubscribe ${code}`,
        "incoming -> terminated",
        "DidEnd",
      ]);
      assertEquals(subscription.state, "terminated");
    }
  });

  it("IncomingSubscription sends its content again when it is refreshed", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, request, ok } = await activeSubscriptionFromPeer(engine, peer, {
      content: pidf("open"),
    });
    const dialog = { ...peer.dialog(ok), headers: { Event: "presence", Expires: "60" } };
    peer.request("SUBSCRIBE", dialog);
    const refreshed = await peer.next({ cseqMethod: "SUBSCRIBE" });
    assertEquals([refreshed.code, header(refreshed, "Expires")], [200, "60"]);
    const notify = await peer.next({ method: "NOTIFY" });
    assertEquals(notify.body, pidf("open"));
    const { state, expires } = stateOf(header(notify, "Subscription-State"));
    assertEquals(state, "active");
    assertGreater(expires!, 57);
    peer.respond(notify, 200);
    await notes.until("SIPIncomingSubscriptionNotifyDidSucceed");
    // Without Expires, and for longer than we grant.
    for (const headers of [{ Event: "presence" }, { Event: "presence", Expires: "99999" }]) {
      peer.request("SUBSCRIBE", { ...dialog, headers });
      assertEquals(header(await peer.next({ cseqMethod: "SUBSCRIBE" }), "Expires"), "3600");
      peer.respond(await peer.next({ method: "NOTIFY" }), 200);
      await notes.until("SIPIncomingSubscriptionNotifyDidSucceed");
    }
    assertEquals(notes.short.slice(5, 9), [
      "GotRefreshingSubscribe",
      "AnsweredSubscribe 200",
      "SentNotify",
      "NotifyDidSucceed 200",
    ]);
    assertEquals(header(request, "Call-ID"), subscription.callId);
    subscription.end();
    await notes.end();
  });

  it("IncomingSubscription that is pending answers a refresh with 202, without content", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await subscribeFromPeer(engine, peer);
    subscription.acceptPending();
    const accepted = await peer.next({ code: 202 });
    peer.respond(await peer.next({ method: "NOTIFY" }), 200);
    peer.request("SUBSCRIBE", { ...peer.dialog(accepted), headers: { Event: "presence", Expires: "60" } });
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 202);
    const notify = await peer.next({ method: "NOTIFY" });
    assertEquals([stateOf(header(notify, "Subscription-State")).state, notify.body], ["pending", ""]);
    peer.respond(notify, 200);
    subscription.end();
    await notes.end();
  });

  it("IncomingSubscription ends when the subscriber has had enough", async () => {
    await using peer = await Peer.open();
    const { subscription, notes, ok } = await activeSubscriptionFromPeer(engine, peer, {
      content: pidf("open"),
    });
    peer.request("SUBSCRIBE", { ...peer.dialog(ok), headers: { Event: "presence", Expires: "0" } });
    const answer = await peer.next({ code: 200, cseqMethod: "SUBSCRIBE" });
    assertEquals(header(answer, "Expires"), "0");
    const last = await peer.next({ method: "NOTIFY" });
    assertEquals([header(last, "Subscription-State"), last.body], ["terminated;reason=timeout", ""]);
    peer.respond(last, 200);
    assertEquals((await notes.end()).slice(5), [
      "GotUnsubscribe",
      "active -> terminated",
      "SentNotify",
      "DidEnd",
      "AnsweredSubscribe 200",
    ]);
    assertThrows(() => subscription.pushContent(pidfType, pidf("open")), SIPCoreInvalidStateError);
    assertThrows(() => subscription.end(), SIPCoreInvalidStateError);
    assertEquals(await new Notes(subscription.notifications()).end(), []);
  });

  it("IncomingSubscription with Expires 0 asks for the state of now", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await subscribeFromPeer(engine, peer, { expires: 0 });
    subscription.accept({ contentType: pidfType, content: pidf("open") });
    assertThrows(() => subscription.pushContent(pidfType, pidf("open")), SIPCoreInvalidStateError);
    assertEquals(header(await peer.next({ code: 200 }), "Expires"), "0");
    const only = await peer.next({ method: "NOTIFY" });
    assertEquals([header(only, "Subscription-State"), only.body], [
      "terminated;reason=timeout",
      pidf("open"),
    ]);
    assertEquals(await notes.end(), [
      "GotSubscribe",
      "AnsweredSubscribe 200",
      "incoming -> terminated",
      "SentNotify",
      "DidEnd",
    ]);
    const other = await subscribeFromPeer(engine, peer, { expires: 0 });
    other.subscription.acceptPending();
    assertEquals(header(await peer.next({ code: 202 }), "Expires"), "0");
    assertEquals((await peer.next({ method: "NOTIFY" })).body, "");
    assertEquals((await other.notes.end()).slice(-1), ["DidEnd"]);
  });

  it("IncomingSubscription times out when no refresh comes", async () => {
    await using peer = await Peer.open();
    const { notes } = await activeSubscriptionFromPeer(engine, peer, { expires: 1, content: pidf("open") });
    const last = await peer.next({ method: "NOTIFY" });
    assertEquals([header(last, "Subscription-State"), last.body], ["terminated;reason=timeout", ""]);
    assertEquals((await notes.end()).slice(5), [
      "DidTimeout",
      "active -> terminated",
      "SentNotify",
      "DidEnd",
    ]);
  });

  for (const code of [408, 481] as const) {
    it(`IncomingSubscription ends when a NOTIFY is answered ${code}`, async () => {
      await using peer = await Peer.open();
      const { subscription, notes } = await activeSubscriptionFromPeer(engine, peer);
      subscription.pushContent(pidfType, pidf("open"));
      peer.respond(await peer.next({ method: "NOTIFY" }), code, { headers: { "Retry-After": "5" } });
      assertEquals((await notes.end()).slice(5), [
        "SentNotify",
        `NotifyDidFail ${code}`,
        "active -> terminated",
        "DidEnd",
      ]);
    });
  }

  it("IncomingSubscription ends when nobody answers a NOTIFY", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await activeSubscriptionFromPeer(engine, peer);
    subscription.pushContent(pidfType, pidf("open"));
    const { data } = await notes.until("SIPIncomingSubscriptionNotifyDidFail");
    assertEquals([data.code, data.headers.size, data.body], [408, 0, null]);
    assertEquals((await notes.end()).slice(-2), ["active -> terminated", "DidEnd"]);
  });

  it("IncomingSubscription goes on after any other refusal of a NOTIFY", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await activeSubscriptionFromPeer(engine, peer);
    for (const code of [302, 400, 401, 407, 415, 486, 500, 503, 603]) {
      subscription.pushContent(pidfType, pidf("open"));
      peer.respond(await peer.next({ method: "NOTIFY" }), code);
      const { data } = await notes.until("SIPIncomingSubscriptionNotifyDidFail");
      assertEquals([data.code, data.reason], [code, "Scripted"]);
    }
    assertEquals(subscription.state, "active");
    subscription.end();
    assertEquals((await notes.end()).slice(-1), ["DidEnd"]);
  });

  it("IncomingSubscription that nobody hears of is answered 480", async () => {
    await using peer = await Peer.open();
    const uri = `sip:bob@127.0.0.1:${engine.udpPort}`;
    const headers = { Event: "presence" };
    peer.request("SUBSCRIBE", { uri, headers });
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 480);
    using _deaf = new NotificationCenter().addObserver(() => {}, {
      name: "SIPIncomingSubscriptionGotSubscribe",
      where: () => false,
    });
    peer.request("SUBSCRIBE", { uri, headers });
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 480);
  });

  it("IncomingSubscription that nobody answers is answered 500", async () => {
    await using peer = await Peer.open();
    const { subscription, notes } = await subscribeFromPeer(engine, peer);
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 500);
    assertEquals(await notes.end(), [
      "GotSubscribe",
      "AnsweredSubscribe 500",
      "incoming -> terminated",
      "DidEnd",
    ]);
    assertThrows(() => subscription.accept(), SIPCoreInvalidStateError);
  });

  it("IncomingSubscription knows the compact form, ids and dispose", async () => {
    await using peer = await Peer.open();
    const made = await subscribeFromPeer(engine, peer, {
      headers: { Event: [], o: "message-summary;id=7" },
      expires: null,
    });
    assertEquals(made.subscription.event, "message-summary");
    made.subscription.accept();
    assertEquals(header(await peer.next({ code: 200 }), "Expires"), "3600");
    const notify = await peer.next({ method: "NOTIFY" });
    assertEquals(header(notify, "Event"), "message-summary;id=7");
    peer.respond(notify, 200);
    made.subscription[Symbol.dispose]();
    made.subscription[Symbol.dispose]();
    assertEquals(header(await peer.next({ method: "NOTIFY" }), "Subscription-State"), "terminated");
    assertEquals((await made.notes.end()).slice(-1), ["DidEnd"]);
    const unanswered = await subscribeFromPeer(engine, peer);
    unanswered.subscription[Symbol.dispose]();
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 480);
  });

  it("IncomingSubscription refuses bad arguments by name", async () => {
    await using peer = await Peer.open();
    assertThrows(
      () => new (IncomingSubscription as unknown as new () => void)(),
      TypeError,
      "Illegal constructor",
    );
    const { subscription, notes } = await activeSubscriptionFromPeer(engine, peer);
    const push = subscription.pushContent.bind(subscription) as (...args: unknown[]) => void;
    for (const args of [[pidfType, null], [null, "x"], ["plain", "x"], ["a/b", 1], ["a/b", "\ud800"]]) {
      assertThrows(() => push(...args), TypeError);
    }
    assertThrows(() => subscription.end({ reason: "two words" }), TypeError, "reason");
    assertThrows(() => subscription.end({ reason: "x".repeat(65) }), RangeError, "reason");
    assertEquals(subscription.state, "active");
    subscription.end({ reason: "x".repeat(64) });
    await notes.end();
    const other = await subscribeFromPeer(engine, peer);
    assertThrows(() => other.subscription.accept({ content: "x" }), TypeError, "contentType");
    assertThrows(() => other.subscription.accept({ contentType: "a/b" }), TypeError, "content");
    other.subscription.reject(404);
    await other.notes.end();
  });

  it("IncomingSubscription survives what strangers send", async () => {
    await using peer = await Peer.open();
    const uri = `sip:bob@127.0.0.1:${engine.udpPort}`;
    const ask = async (headers: Record<string, string | string[]>) => {
      peer.request("SUBSCRIBE", { uri, headers });
      return (await peer.next({ cseqMethod: "SUBSCRIBE" })).code;
    };
    peer.send(
      `SUBSCRIBE ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKnoContact\r\n` +
        `From: <sip:a@b>;tag=1\r\nTo: <${uri}>\r\nCall-ID: no-contact\r\nCSeq: 1 SUBSCRIBE\r\n` +
        "Max-Forwards: 70\r\nEvent: presence\r\nContent-Length: 0\r\n\r\n",
      engine.udpPort!,
    );
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 400);
    assertEquals(await ask({ Event: "conference" }), 489);
    assertEquals(await ask({}), 489);
    assertEquals(await ask({ Event: "presence", Require: "no-such-thing" }), 420);
    const { subscription, notes, ok } = await activeSubscriptionFromPeer(engine, peer);
    const within = async (method: string, headers: Record<string, string>) => {
      peer.request(method, { ...peer.dialog(ok), headers });
      return (await peer.next({ cseqMethod: method })).code;
    };
    assertGreaterOrEqual((await within("SUBSCRIBE", { Event: "dialog", Expires: "1" }))!, 400);
    assertGreaterOrEqual((await within("SUBSCRIBE", {}))!, 400);
    assertGreaterOrEqual((await within("REFER", { Event: "presence", "Refer-To": "<sip:a@b>" }))!, 400);
    assertEquals(await within("NOTIFY", { Event: "presence", "Subscription-State": "active" }), 403);
    assertEquals(subscription.state, "active");
    subscription.pushContent(pidfType, new Uint8Array(30_000).fill(120));
    const large = await peer.next({ method: "NOTIFY" });
    assertEquals(large.body.length, 30_000);
    peer.respond(large, 200);
    subscription.end();
    await notes.end();
  });
});

describe("IncomingSubscription and Engine", () => {
  it("Engine.stop() answers 480 to the unanswered, and is silent to the others", async () => {
    await startEngine({ incomingEvents });
    await using peer = await Peer.open();
    const active = await activeSubscriptionFromPeer(engine, peer);
    const waiting = await subscribeFromPeer(engine, peer);
    await stopEngine();
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 480);
    assertEquals(peer.pending.length, 0);
    assertEquals((await active.notes.end()).slice(5), ["active -> terminated", "DidEnd"]);
    assertEquals(await waiting.notes.end(), [
      "GotSubscribe",
      "AnsweredSubscribe 480",
      "incoming -> terminated",
      "DidEnd",
    ]);
    for (const { subscription } of [active, waiting]) {
      assertEquals(subscription.state, "terminated");
      assertThrows(() => subscription.end(), SIPCoreInvalidStateError);
      assertThrows(() => subscription.accept(), SIPCoreInvalidStateError);
      subscription[Symbol.dispose]();
    }
  });

  it("Engine.maxPendingRequests holds for SUBSCRIBEs too", async () => {
    await startEngine({ incomingEvents, maxPendingRequests: 2 });
    await using peer = await Peer.open();
    const made = [await subscribeFromPeer(engine, peer), await subscribeFromPeer(engine, peer)];
    const uri = `sip:bob@127.0.0.1:${engine.udpPort}`;
    peer.request("SUBSCRIBE", { uri, headers: { Event: "presence" } });
    const refused = await peer.next({ cseqMethod: "SUBSCRIBE" });
    assertEquals(refused.code, 503);
    assertMatch(header(refused, "Retry-After"), /^\d+$/);
    for (const { subscription } of made) subscription.reject(404);
    await made[1]!.notes.end();
    const next = await subscribeFromPeer(engine, peer);
    next.subscription.reject(404);
    await next.notes.end();
    await stopEngine();
  });
});
