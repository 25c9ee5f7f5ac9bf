// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assertEquals, assertGreater, assertInstanceOf, assertThrows } from "@std/assert";
import {
  Engine,
  FrozenReferToHeader,
  FrozenSIPURI,
  IncomingReferral,
  NotificationCenter,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { referFromPeer, sipfragType } from "./support/referrals.ts";
import { header, uriOf } from "./support/sip_text.ts";

const engine = new Engine();

/** The next NOTIFY, taken: its state, the seconds apart, and its body. */
async function nextStatus(peer: Peer): Promise<[string, string]> {
  const notify = await peer.next({ method: "NOTIFY" });
  assertEquals(header(notify, "Event"), "refer");
  if (notify.body !== "") assertEquals(header(notify, "Content-Type"), sipfragType);
  peer.respond(notify, 200);
  return [header(notify, "Subscription-State").replace(/;expires=\d+/, ""), notify.body];
}

describe("IncomingReferral", () => {
  before(() => startEngine());
  after(stopEngine);

  async function accepted(
    peer: Peer,
  ): Promise<Awaited<ReturnType<typeof referFromPeer>> & { ok: PeerMessage }> {
    const made = await referFromPeer(engine, peer);
    made.referral.accept();
    const ok = await peer.next({ code: 202 });
    await nextStatus(peer);
    await made.notes.until("SIPIncomingReferralNotifyDidSucceed");
    return { ...made, ok };
  }

  it("IncomingReferral is accepted, tells how it goes and ends, in order", async () => {
    await using peer = await Peer.open();
    const { referral, notes, request } = await referFromPeer(engine, peer);
    const { data } = notes.told[0] as { data: Record<string, unknown> };
    assertEquals(Object.keys(data).sort(), [
      "body",
      "headers",
      "method",
      "referTo",
      "requestUri",
      "timestamp",
    ]);
    assertEquals(data["method"], "REFER");
    assertInstanceOf(data["requestUri"], FrozenSIPURI);
    assertInstanceOf(data["referTo"], FrozenReferToHeader);
    assertEquals([data["referTo"].uri, data["referTo"].displayName], ["sip:room@example.net", "Room"]);
    assertEquals([referral.state, referral.callId], ["incoming", header(request, "Call-ID")]);
    assertEquals(`${referral.remoteContactHeader!.uri}`, peer.uri);
    assertEquals(referral.peerAddress, { ip: "127.0.0.1", port: peer.port });
    assertThrows(() => referral.sendNotify(180), SIPCoreInvalidStateError);
    assertThrows(() => referral.end(), SIPCoreInvalidStateError);
    referral.accept();
    assertThrows(() => referral.accept(), SIPCoreInvalidStateError);
    assertThrows(() => referral.reject(603), SIPCoreInvalidStateError);
    const ok = await peer.next({ code: 202 });
    assertEquals(uriOf(header(ok, "Contact")), `${referral.localContactHeader!.uri}`);
    assertEquals(header(ok, "Expires"), "180");
    assertEquals(ok.headers.has("refer-sub"), false);
    const first = await peer.next({ method: "NOTIFY" });
    assertEquals(first.body, "SIP/2.0 100 Trying\r\n");
    assertGreater(Number(/^active;expires=(\d+)$/.exec(header(first, "Subscription-State"))![1]), 177);
    peer.respond(first, 200);
    await notes.until("SIPIncomingReferralNotifyDidSucceed");
    referral.sendNotify(180);
    assertEquals(await nextStatus(peer), ["active", "SIP/2.0 180 Ringing\r\n"]);
    await notes.until("SIPIncomingReferralNotifyDidSucceed");
    referral.end({ code: 200, status: "Done So" });
    assertEquals(await nextStatus(peer), ["terminated;reason=noresource", "SIP/2.0 200 Done So\r\n"]);
    assertEquals(await notes.end(), [
      "GotRefer",
      "AnsweredRefer 202",
      "incoming -> active",
      "SentNotify",
      "NotifyDidSucceed 200",
      "SentNotify",
      "NotifyDidSucceed 200",
      "active -> terminated",
      "SentNotify",
      "DidEnd",
    ]);
    assertThrows(() => referral.end(), SIPCoreInvalidStateError);
  });

  it("IncomingReferral.accept() takes another code and duration", async () => {
    await using peer = await Peer.open();
    const { referral, notes } = await referFromPeer(engine, peer);
    referral.accept({ code: 200, duration: 30 });
    assertEquals(header(await peer.next({ code: 200 }), "Expires"), "30");
    const notify = await peer.next({ method: "NOTIFY" });
    assertGreater(31, Number(/^active;expires=(\d+)$/.exec(header(notify, "Subscription-State"))![1]));
    peer.respond(notify, 200);
    referral.end();
    assertEquals(await nextStatus(peer), [
      "terminated;reason=noresource",
      "SIP/2.0 487 Request Terminated\r\n",
    ]);
    await notes.end();
  });

  it("IncomingReferral without a subscription is over with the answer", async () => {
    await using peer = await Peer.open();
    const { referral, notes } = await referFromPeer(engine, peer, {
      headers: { "Refer-Sub": "false", Require: "norefersub" },
    });
    referral.accept();
    assertThrows(() => referral.sendNotify(180), SIPCoreInvalidStateError);
    assertThrows(() => referral.end(), SIPCoreInvalidStateError);
    assertEquals(header(await peer.next({ code: 202 }), "Refer-Sub"), "false");
    assertEquals(await notes.end(), ["GotRefer", "AnsweredRefer 202", "incoming -> terminated", "DidEnd"]);
    assertEquals(peer.pending, []);
  });

  it("IncomingReferral.reject() answers, and is the end; so is silence", async () => {
    await using peer = await Peer.open();
    const { referral, notes } = await referFromPeer(engine, peer);
    for (const wrong of [202, 700]) assertThrows(() => referral.reject(wrong), RangeError);
    referral.reject(603);
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 603);
    assertEquals(await notes.end(), ["GotRefer", "AnsweredRefer 603", "incoming -> terminated", "DidEnd"]);
    const silent = await referFromPeer(engine, peer);
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 500);
    assertEquals((await silent.notes.end()).slice(1), [
      "AnsweredRefer 500",
      "incoming -> terminated",
      "DidEnd",
    ]);
    assertThrows(() => silent.referral.accept(), SIPCoreInvalidStateError);
  });

  it("IncomingReferral tells its last status again when it is refreshed, for 600 seconds at most", async () => {
    await using peer = await Peer.open();
    const { referral, notes, ok } = await accepted(peer);
    referral.sendNotify(183, { status: "Coming" });
    await nextStatus(peer);
    for (
      const [headers, granted] of [[{ Expires: "60" }, "60"], [{ Expires: "9999" }, "600"], [
        {},
        "600",
      ]] as const
    ) {
      peer.request("SUBSCRIBE", { ...peer.dialog(ok), headers: { Event: "refer", ...headers } });
      const answer = await peer.next({ cseqMethod: "SUBSCRIBE" });
      assertEquals([answer.code, header(answer, "Expires")], [200, granted]);
      assertEquals(await nextStatus(peer), ["active", "SIP/2.0 183 Coming\r\n"]);
    }
    peer.request("SUBSCRIBE", { ...peer.dialog(ok), headers: { Event: "refer", Expires: "0" } });
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 200);
    assertEquals(await nextStatus(peer), ["terminated;reason=timeout", ""]);
    assertEquals((await notes.end()).slice(-5), [
      "GotUnsubscribe",
      "active -> terminated",
      "SentNotify",
      "DidEnd",
      "AnsweredRefer 200",
    ]);
  });

  it("IncomingReferral times out, and ends when nobody takes its NOTIFYs", async () => {
    await using peer = await Peer.open();
    const short = await referFromPeer(engine, peer);
    short.referral.accept({ duration: 1 });
    await peer.next({ code: 202 });
    await nextStatus(peer);
    assertEquals(await nextStatus(peer), ["terminated;reason=timeout", ""]);
    assertEquals((await short.notes.end()).slice(-4), [
      "DidTimeout",
      "active -> terminated",
      "SentNotify",
      "DidEnd",
    ]);
    const { referral, notes } = await accepted(peer);
    referral.sendNotify(180);
    peer.respond(await peer.next({ method: "NOTIFY" }), 481);
    assertEquals((await notes.end()).slice(-4), [
      "SentNotify",
      "NotifyDidFail 481",
      "active -> terminated",
      "DidEnd",
    ]);
  });

  it("IncomingReferral is answered 400 without one Refer-To or a Contact, 489 for another event, 480 unheard", async () => {
    await using peer = await Peer.open();
    const uri = `sip:bob@127.0.0.1:${engine.udpPort}`;
    const ask = async (headers: Record<string, string | string[]>) => {
      peer.request("REFER", { uri, headers });
      return (await peer.next({ cseqMethod: "REFER" })).code;
    };
    assertEquals(await ask({}), 400);
    assertEquals(await ask({ "Refer-To": ["<sip:a@b>", "<sip:c@d>"] }), 400);
    assertEquals(await ask({ "Refer-To": "<sip:a@b>", Event: "presence" }), 489);
    assertEquals(await ask({ "Refer-To": "<sip:a@b>", Require: "no-such-thing" }), 420);
    assertEquals(await ask({ "Refer-To": "<sip:a@b>" }), 480);
    assertEquals(await ask({ r: "<sip:a@b>", Event: "refer" }), 480);
    peer.send(
      `REFER ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKnoContact\r\n` +
        `From: <sip:a@b>;tag=1\r\nTo: <${uri}>\r\nCall-ID: no-contact\r\nCSeq: 1 REFER\r\n` +
        "Max-Forwards: 70\r\nRefer-To: <sip:a@b>\r\nContent-Length: 0\r\n\r\n",
      engine.udpPort!,
    );
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 400);
  });

  it("IncomingReferral refuses a second REFER in its dialog, and stays", async () => {
    await using peer = await Peer.open();
    const { referral, notes, ok } = await accepted(peer);
    peer.request("REFER", { ...peer.dialog(ok), headers: { "Refer-To": "<sip:a@b>", Event: "refer" } });
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 403);
    assertEquals(referral.state, "active");
    referral[Symbol.dispose]();
    assertEquals((await nextStatus(peer))[1], "SIP/2.0 487 Request Terminated\r\n");
    await notes.end();
    referral[Symbol.dispose]();
  });

  it("IncomingReferral takes a Refer-To that is no SIP URI, and one that cannot be read", async () => {
    await using peer = await Peer.open();
    const tel = await referFromPeer(engine, peer, { headers: { "Refer-To": "<tel:+1234>" } });
    assertEquals(
      (tel.notes.told[0]!.data as unknown as { referTo: FrozenReferToHeader }).referTo.uri,
      "tel:+1234",
    );
    tel.referral[Symbol.dispose]();
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 480);
    const broken = await referFromPeer(engine, peer, { headers: { "Refer-To": "<<<" } });
    assertEquals((broken.notes.told[0]!.data as unknown as { referTo: null }).referTo, null);
    broken.referral.reject(400);
    await broken.notes.end();
  });

  it("IncomingReferral refuses bad arguments by name", async () => {
    await using peer = await Peer.open();
    assertThrows(
      () => new (IncomingReferral as unknown as new () => void)(),
      TypeError,
      "Illegal constructor",
    );
    const { referral, notes } = await referFromPeer(engine, peer);
    assertThrows(() => referral.accept({ code: 300 }), RangeError, "code");
    assertThrows(() => referral.accept({ duration: 0 }), RangeError, "duration");
    referral.accept();
    assertThrows(() => referral.sendNotify(99), RangeError, "code");
    assertThrows(() => referral.sendNotify(200, { status: "a\r\nb" }), TypeError, "status");
    assertThrows(() => referral.end({ code: 700 }), RangeError, "code");
    referral.end();
    await notes.end();
  });
});

describe("IncomingReferral and Engine", () => {
  it("Engine.stop() answers 480 to the unanswered, and is silent to the others", async () => {
    await startEngine();
    await using peer = await Peer.open();
    const active = await referFromPeer(engine, peer);
    active.referral.accept();
    await peer.next({ code: 202 });
    await nextStatus(peer);
    const waiting = await referFromPeer(engine, peer);
    await stopEngine();
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 480);
    assertEquals(peer.pending, []);
    assertEquals((await active.notes.end()).slice(-2), ["active -> terminated", "DidEnd"]);
    assertEquals((await waiting.notes.end()).slice(-2), ["incoming -> terminated", "DidEnd"]);
  });

  it("Engine without the package refer refuses every REFER", async () => {
    await startEngine({ events: { presence: ["application/pidf+xml"] } });
    await using peer = await Peer.open();
    using _observer = new NotificationCenter().addObserver(() => {}, { name: "SIPIncomingReferralGotRefer" });
    peer.request("REFER", {
      uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
      headers: { "Refer-To": "<sip:a@b>" },
    });
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 489);
    await stopEngine();
  });
});
