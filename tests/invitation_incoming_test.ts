// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  ContactHeader,
  type Engine,
  FrozenFromHeader,
  FrozenSDPSession,
  FrozenToHeader,
  Header,
  NotificationCenter,
  PJSIPError,
  ReasonHeader,
  SDPSession,
  SIPCoreError,
  SIPCoreInvalidStateError,
  SIPURI,
} from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { callFromPeer, connectedCallFromPeer, inviteOptions, silentStreams } from "./support/peer_calls.ts";
import { cseqOf, header, tagOf, uriOf } from "./support/sip_text.ts";
import { changed, negotiated, streams } from "./support/story.ts";

const sdp = silentSdp.toString();
const unusable = sdp.replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA");

describe("Invitation, incoming", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  const own = () => `sip:bob@127.0.0.1:${engine.udpPort}`;
  const came = () =>
    changed("null -> incoming", {
      originator: "remote",
      method: "INVITE",
      requestUri: own(),
      cseq: "INVITE",
      body: silentStreams,
    });
  const sent = (code: number, reason: string, body: string | null = null) =>
    ({ originator: "local", code, reason, cseq: "INVITE", body }) as const;
  const acknowledged = () =>
    changed("connecting -> connected/normal", {
      originator: "remote",
      method: "ACK",
      requestUri: own(),
      cseq: "ACK",
    });
  const hungUp = [
    changed("connected/normal -> disconnecting", { originator: "local", method: "BYE" }),
    changed("disconnecting -> disconnected", {
      originator: "remote",
      code: 200,
      reason: "Normal call clearing",
      cseq: "BYE",
      disconnectReason: "user request",
    }),
  ];

  it("Invitation tells a call that it takes and that the peer hangs up", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(180);
    const ringing = await peer.next({ code: 180 });
    assertEquals(ringing.reason, "Ringing");
    await story.until("early");
    invitation.sendResponse(200, { sdp: silentSdp });
    const ok = await peer.next({ code: 200 });
    assertEquals(ok.reason, "OK");
    assertEquals(streams(ok.body), silentStreams);
    assertEquals(header(ok, "Content-Type"), "application/sdp");
    assertEquals(header(ok, "To"), header(ringing, "To"));
    assertMatch(header(ok, "Allow"), /INVITE.*BYE/);
    assertEquals(header(ok, "Server"), "tested");
    await story.until("connecting");
    peer.ack(ok);
    await story.until("connected");
    assertEquals([invitation.state, invitation.subState], ["connected", "normal"]);
    peer.request("BYE", peer.dialog(ok));
    assertEquals((await peer.next({ cseqMethod: "BYE" })).code, 200);
    assertEquals(await story.end(), [
      came(),
      changed("incoming -> early", sent(180, "Ringing")),
      negotiated(silentStreams, silentStreams),
      changed("early -> connecting", sent(200, "OK", silentStreams)),
      acknowledged(),
      changed("connected/normal -> disconnected", {
        originator: "remote",
        method: "BYE",
        requestUri: own(),
        code: 200,
        reason: "Normal call clearing",
        cseq: "BYE",
        disconnectReason: "user request",
      }),
    ]);
  });

  it("Invitation tells a call that it takes at once and hangs up", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await connectedCallFromPeer(engine, peer);
    invitation.end({ extraHeaders: [new ReasonHeader("Q.850", { parameters: { cause: "16" } })] });
    const bye = await peer.next({ method: "BYE" });
    assertEquals(bye.uri, peer.uri);
    assertEquals(header(bye, "To"), header(invite, "From"));
    assertMatch(header(bye, "Reason"), /^Q\.850\s*;cause=16$/);
    peer.respond(bye, 200);
    assertEquals(await story.end(), [
      came(),
      negotiated(silentStreams, silentStreams),
      changed("incoming -> connecting", sent(200, "OK", silentStreams)),
      acknowledged(),
      ...hungUp,
    ]);
  });

  it("Invitation.sendResponse() refuses with code, reason, Contact and headers", async () => {
    await using peer = await Peer.open();
    const elsewhere = new ContactHeader(new SIPURI({ user: "bob", host: "192.0.2.1" }));
    const cases = [
      [486, undefined, "Busy Here"],
      [302, undefined, "Moved Temporarily"],
      [404, "Nobody like that, Ünd nie", "Nobody like that, Ünd nie"],
      [699, undefined, null],
    ] as const;
    for (const [code, given, reason] of cases) {
      const { story, invitation } = await callFromPeer(engine, peer);
      const before = code !== 302;
      if (before) {
        invitation.sendResponse(180);
        await story.until("early");
      }
      invitation.sendResponse(code, {
        ...(given ? { reason: given } : {}),
        ...(code === 302 ? { contactHeader: elsewhere } : {}),
        extraHeaders: [new Header("X-Why", "because")],
      });
      const response = await peer.next({ code });
      if (reason !== null) assertEquals(response.reason, reason);
      assertEquals(header(response, "X-Why"), "because");
      if (code === 302) assertEquals(header(response, "Contact"), "<sip:bob@192.0.2.1>");
      peer.ack(response);
      const told = (await story.end()).slice(before ? 2 : 1);
      assertEquals(told, [
        changed(`${before ? "early" : "incoming"} -> disconnecting`, {
          originator: "local",
          code,
          reason: response.reason,
        }),
        changed("disconnecting -> disconnected", {
          originator: "local",
          code,
          reason: response.reason,
          cseq: "INVITE",
          disconnectReason: response.reason,
        }),
      ]);
    }
  });

  it("Invitation ends in one step when the peer cancels", async () => {
    await using peer = await Peer.open();
    for (
      const [headers, why] of [
        [{}, "user request"],
        [{ Reason: 'SIP;cause=200;text="Call completed elsewhere"' }, "Call completed elsewhere"],
      ] as const
    ) {
      const { story, invitation, invite } = await callFromPeer(engine, peer);
      invitation.sendResponse(180);
      await peer.next({ code: 180 });
      peer.cancel(invite, headers);
      assertEquals((await peer.next({ cseqMethod: "CANCEL" })).code, 200);
      const refusal = await peer.next({ code: 487 });
      peer.ack(refusal);
      assertEquals(await story.end(), [
        came(),
        changed("incoming -> early", sent(180, "Ringing")),
        changed("early -> disconnected", {
          originator: "remote",
          method: "CANCEL",
          requestUri: own(),
          code: 487,
          reason: "Request Terminated",
          cseq: "CANCEL",
          disconnectReason: why,
        }),
      ]);
      assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp }), SIPCoreInvalidStateError);
      invitation.end();
    }
  });

  it("Invitation goes on when the CANCEL comes behind the 200", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callFromPeer(engine, peer);
    invitation.sendResponse(200, { sdp: silentSdp });
    const ok = await peer.next({ code: 200, cseqMethod: "INVITE" });
    await story.until("connecting");
    peer.cancel(invite);
    await peer.next({ cseqMethod: "CANCEL" });
    peer.ack(ok);
    await story.until("connected");
    peer.request("BYE", peer.dialog(ok));
    const told = await story.end();
    assertEquals(
      told.at(-1),
      changed("connected/normal -> disconnected", {
        originator: "remote",
        method: "BYE",
        requestUri: own(),
        code: 200,
        reason: "Normal call clearing",
        cseq: "BYE",
        disconnectReason: "user request",
      }),
    );
  });

  it("Invitation is told even when its CANCEL comes right behind the INVITE", async () => {
    await using peer = await Peer.open();
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    using _observer = new NotificationCenter().addObserver(({ data }) => {
      seen.push(`${data.prevState} -> ${data.state}`);
      if (data.state === "disconnected") resolve();
    }, { name: "SIPInvitationChangedState" });
    const invite = peer.request("INVITE", { uri: own(), body: sdp });
    peer.cancel(invite);
    peer.ack(await peer.next({ code: 487 }));
    await promise;
    assertEquals(seen, ["null -> incoming", "incoming -> disconnected"]);
  });

  it("Invitation is answered 480 when nobody listens, without a 100 before that", async () => {
    await using peer = await Peer.open();
    peer.request("INVITE", { uri: own(), body: sdp });
    const response = await peer.next({ code: 480 });
    peer.ack(response);
    assertEquals(peer.received.map(({ code }) => code), [480]);
    assertNotEquals(tagOf(header(response, "To")), null);
  });

  it("Invitation.end() declines what is unanswered", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.end();
    const response = await peer.next({ code: 603 });
    peer.ack(response);
    await story.end();
    assertEquals(story.changes, [
      "null -> incoming",
      "incoming -> disconnecting",
      "disconnecting -> disconnected",
    ]);
    {
      const early = await callFromPeer(engine, peer);
      using call = early.invitation;
      call.sendResponse(180);
      await early.story.until("early");
    }
    peer.ack(await peer.next({ code: 603 }));
  });

  it("Invitation absorbs a repeated INVITE and a repeated ACK", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callFromPeer(engine, peer);
    invitation.sendResponse(180);
    await peer.next({ code: 180 });
    peer.send(invite.text, engine.udpPort!);
    await peer.next({ code: 180 });
    invitation.sendResponse(200, { sdp: silentSdp });
    const ok = await peer.next({ code: 200 });
    peer.send(peer.ack(ok).text, engine.udpPort!);
    await story.until("connected");
    peer.request("BYE", peer.dialog(ok));
    await story.end();
    assertEquals(story.changes, [
      "null -> incoming",
      "incoming -> early",
      "early -> connecting",
      "connecting -> connected/normal",
      "connected/normal -> disconnected",
    ]);
  });

  it("Invitation repeats its 200 until the ACK comes", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(200, { sdp: silentSdp });
    const first = await peer.next({ code: 200 });
    const second = await peer.next({ code: 200 });
    assertEquals(first.text, second.text);
    await story.until("connecting");
    peer.ack(second);
    await story.until("connected");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation ends when no ACK ever comes", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(200, { sdp: silentSdp });
    await peer.next({ code: 200 });
    const bye = await peer.next({ method: "BYE", timeoutMs: 10_000 });
    peer.respond(bye, 200);
    const told = await story.end();
    assertEquals(
      told.at(-1),
      changed(`${"connecting"} -> disconnected`, {
        code: 408,
        reason: "Request Timeout",
        disconnectReason: "missing ACK",
      }),
    );
  });

  it("Invitation.end() between 200 and ACK hangs up behind the ACK", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(200, { sdp: silentSdp });
    const ok = await peer.next({ code: 200 });
    await story.until("connecting");
    invitation.end();
    await story.until("disconnecting");
    assertEquals(peer.pending.filter(({ method }) => method === "BYE"), [], "RFC 3261, section 15");
    peer.ack(ok);
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    assertEquals(story.changes.slice(1), [
      "incoming -> connecting",
      "connecting -> disconnecting",
      "disconnecting -> disconnected",
    ]);
  });

  it("Invitation ends by a BYE that comes before the ACK", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(200, { sdp: silentSdp });
    const ok = await peer.next({ code: 200, cseqMethod: "INVITE" });
    peer.request("BYE", peer.dialog(ok));
    assertEquals((await peer.next({ cseqMethod: "BYE" })).code, 200);
    const told = await story.end();
    const last = told.at(-1)!;
    assertEquals("change" in last && [last.change, last.originator, last.method], [
      "connecting -> disconnected",
      "remote",
      "BYE",
    ]);
  });

  it("Invitation.sendResponse() throws when answer and offer do not fit, and the INVITE can still be refused", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer, { body: unusable });
    const error = assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp }), PJSIPError, "answer");
    assertNotEquals(error.status, 0);
    await story.untilUpdate();
    assertEquals(invitation.state, "incoming");
    invitation.sendResponse(488);
    const response = await peer.next({ code: 488 });
    peer.ack(response);
    const told = await story.end();
    const update = told[1]!;
    assert("succeeded" in update);
    assertEquals([update.succeeded, update.local, update.remote], [false, null, null]);
    assertMatch(update.error!, /./);
    assertEquals(story.changes, [
      "null -> incoming",
      "incoming -> disconnecting",
      "disconnecting -> disconnected",
    ]);
    assertEquals(peer.received.map(({ code }) => code), [100, 488]);
  });

  it("Invitation.sendResponse() throws when nothing but telephone-event is common", async () => {
    await using peer = await Peer.open();
    const withKeys = (text: string) =>
      text.replace(/RTP\/AVP (\d)/, "RTP/AVP $1 101").replace(
        "a=sendrecv",
        "a=rtpmap:101 telephone-event/8000\r\na=sendrecv",
      );
    const { story, invitation } = await callFromPeer(engine, peer, { body: withKeys(unusable) });
    const answer = FrozenSDPSession.parse(withKeys(sdp));
    assertThrows(() => invitation.sendResponse(200, { sdp: answer }), PJSIPError, "answer");
    invitation.sendResponse(200, { sdp: FrozenSDPSession.parse(withKeys(unusable)) });
    peer.ack(await peer.next({ code: 200 }));
    await story.until("connected");
    assertEquals([...invitation.sdp.activeLocal!.media[0]!.formats], ["8", "101"]);
    peer.request("BYE", peer.dialog(peer.received.find(({ code }) => code === 200)!));
    await story.end();
  });

  it("Invitation.sendResponse() gives early media with a 183, and a 200 without more", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(183, { sdp: silentSdp, reason: "Session Progress" });
    const progress = await peer.next({ code: 183 });
    assertEquals(streams(progress.body), silentStreams);
    await story.until("early");
    assertEquals(invitation.sdp.activeRemote?.media.length, 1);
    invitation.sendResponse(200);
    const ok = await peer.next({ code: 200 });
    peer.ack(ok);
    await story.until("connected");
    peer.request("BYE", peer.dialog(ok));
    await story.end();
    assertEquals(story.changes.slice(0, 4), [
      "null -> incoming",
      "incoming -> early",
      "early -> connecting",
      "connecting -> connected/normal",
    ]);
    assertEquals(story.told.filter((one) => "succeeded" in one).length, 1);
  });

  it("Invitation.sendResponse() sends each provisional response, its headers with it alone", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(100);
    invitation.sendResponse(180, { extraHeaders: [new Header("X-One", "1")] });
    invitation.sendResponse(181, { reason: "Elsewhere", extraHeaders: [new Header("X-Two", "2")] });
    invitation.sendResponse(199);
    invitation.sendResponse(486);
    const ringing = await peer.next({ code: 180 });
    const forwarded = await peer.next({ code: 181 });
    await peer.next({ code: 199 });
    const busy = await peer.next({ code: 486 });
    peer.ack(busy);
    assertEquals(
      [ringing, forwarded, busy].map(({ headers }) => [headers.get("x-one"), headers.get("x-two")]),
      [
        [["1"], undefined],
        [undefined, ["2"]],
        [undefined, undefined],
      ],
    );
    assertEquals(forwarded.reason, "Elsewhere");
    assertEquals(busy.reason, "Busy Here");
    await story.end();
    assertEquals(story.changes, [
      "null -> incoming",
      "incoming -> early",
      "early -> early",
      "early -> early",
      "early -> disconnecting",
      "disconnecting -> disconnected",
    ]);
  });

  it("Invitation.sendResponse() makes the offer when the INVITE has none", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer, { body: "" });
    assertEquals(invitation.sdp.proposedRemote, null);
    invitation.sendResponse(200, { sdp: silentSdp });
    const ok = await peer.next({ code: 200 });
    assertEquals(streams(ok.body), silentStreams);
    peer.ack(ok, { body: sdp });
    await story.until("connected");
    assertEquals(story.told.filter((one) => "succeeded" in one), [negotiated(silentStreams, silentStreams)]);
    peer.request("BYE", peer.dialog(ok));
    await story.end();
  });

  it("Invitation hangs up when the ACK does not answer its offer", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer, { body: "" });
    invitation.sendResponse(200, { sdp: silentSdp });
    peer.ack(await peer.next({ code: 200 }));
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    assertEquals(story.changes.at(-1), "disconnecting -> disconnected");
    assertEquals(story.changes.includes("connecting -> connected/normal"), false);
  });

  it("Invitation has the attributes of its call", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callFromPeer(engine, peer, {
      headers: { "User-Agent": "scripted/2", "X-Extra": "seen" },
      from: '"Pé er" <sip:peer@example.net>;tag=abc',
    });
    assertEquals(invitation.direction, "incoming");
    assertEquals(invitation.state, "incoming");
    assertEquals(invitation.callId, header(invite, "Call-ID"));
    assertEquals(invitation.requestUri?.toString(), own());
    assertEquals(invitation.transport, "udp");
    assertEquals(invitation.peerAddress, { ip: "127.0.0.1", port: peer.port });
    assertEquals(invitation.remoteUserAgent, "scripted/2");
    assert(
      invitation.fromHeader instanceof FrozenFromHeader && invitation.toHeader instanceof FrozenToHeader,
    );
    assertEquals([invitation.fromHeader.displayName, invitation.fromHeader.tag], ["Pé er", "abc"]);
    assertStrictEquals(invitation.localIdentity, invitation.toHeader);
    assertStrictEquals(invitation.remoteIdentity, invitation.fromHeader);
    assertEquals([invitation.routeHeader, invitation.credentials], [null, null]);
    assertEquals(invitation.remoteContactHeader?.uri?.toString(), peer.uri);
    assert(invitation.sdp.proposedRemote instanceof FrozenSDPSession);
    assertEquals(invitation.sdp.proposedRemote.equals(silentSdp), true);
    const { data } = story.notifications[0]!;
    assert("headers" in data);
    assertEquals(data.headers.text("X-Extra"), "seen");
    assertEquals(data.headers.get("From")?.tag, "abc");

    const contactHeader = new ContactHeader(
      new SIPURI({ user: "me", host: "127.0.0.1", port: engine.udpPort }),
    );
    invitation.sendResponse(200, { sdp: silentSdp, contactHeader });
    const ok = await peer.next({ code: 200 });
    assertEquals(uriOf(header(ok, "Contact")), contactHeader.uri?.toString());
    assertEquals(invitation.localContactHeader?.uri?.toString(), contactHeader.uri?.toString());
    peer.ack(ok);
    await story.until("connected");
    const { dialogId } = invitation;
    assertEquals(
      [dialogId?.callId, dialogId?.localTag, dialogId?.remoteTag],
      [header(invite, "Call-ID"), tagOf(header(ok, "To")), "abc"],
    );
    assertEquals(invitation.toHeader?.tag, tagOf(header(ok, "To")));
    peer.request("BYE", peer.dialog(ok));
    await story.end();
    assert(invitation.dialogId?.equals(dialogId!));
    assertEquals(invitation.callId, header(invite, "Call-ID"));
  });

  it("Invitation forbids what its state forbids", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    const invite = () => invitation.sendInvite(inviteOptions(peer.port));
    const answer = (code: number) => () =>
      invitation.sendResponse(code, code < 300 ? { sdp: silentSdp } : {});
    const forbidden = (calls: (() => void)[], state: string) => {
      for (const call of calls) assertEquals(assertThrows(call, SIPCoreInvalidStateError).state, state);
    };
    forbidden([invite], "incoming");
    const noSdp = assertThrows(() => invitation.sendResponse(200), SIPCoreError, "sdp");
    assertEquals(noSdp instanceof PJSIPError, false);
    for (const code of [99, 0, -1, 700, 180.5, NaN]) assertThrows(answer(code), RangeError, "code");
    assertThrows(() => invitation.sendResponse("200" as unknown as number), TypeError, "code");
    assertThrows(() => invitation.sendResponse(486, { sdp: silentSdp }), TypeError, "sdp");
    assertThrows(() => invitation.sendResponse(180, { sdp: sdp as unknown as SDPSession }), TypeError, "sdp");
    assertThrows(() => invitation.sendResponse(180, { reason: "a\r\nX: y" }), TypeError, "reason");
    assertThrows(() => invitation.sendResponse(180, { reason: "\ud800" }), TypeError, "reason");
    assertThrows(
      () => invitation.sendResponse(180, { extraHeaders: [new Header("Via", "x")] }),
      TypeError,
      "Via",
    );
    assertThrows(() => invitation.end({ timeout: 0 }), RangeError, "timeout");
    assertEquals(invitation.state, "incoming");

    invitation.sendResponse(180);
    await story.until("early");
    forbidden([invite], "early");
    const mine = SDPSession.from(silentSdp);
    invitation.sendResponse(200, { sdp: mine });
    assertEquals(mine.equals(silentSdp), true);
    assertThrows(answer(200), SIPCoreInvalidStateError);
    assertThrows(answer(486), SIPCoreInvalidStateError);
    const ok = await peer.next({ code: 200 });
    await story.until("connecting");
    forbidden([invite, answer(180), answer(200), answer(486)], "connecting");
    peer.ack(ok);
    await story.until("connected");
    forbidden([invite, answer(180), answer(200), answer(486)], "connected");
    invitation.end();
    await story.until("disconnecting");
    forbidden([invite, answer(180), answer(200), () => invitation.end()], "disconnecting");
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    forbidden([invite, answer(180), answer(200)], "disconnected");
    invitation.end();
    invitation[Symbol.dispose]();
  });

  it("Invitation lets the call go on through requests that it does not know", async () => {
    await using peer = await Peer.open();
    const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
    const dialog = peer.dialog(ok);
    for (const method of ["OPTIONS", "PUBLISH", "XUNKNOWN"]) {
      peer.request(method, dialog);
      const response = await peer.next({ cseqMethod: method });
      assertEquals([method, response.code], [method, method === "OPTIONS" ? 200 : 405]);
      assertMatch(header(response, "Allow"), /INVITE.*BYE/);
    }
    assertEquals(invitation.state, "connected");
    invitation.end();
    const bye = await peer.next({ method: "BYE" });
    peer.respond(bye, 200);
    await story.end();
    assertEquals(story.changes.slice(-2), [
      "connected/normal -> disconnecting",
      "disconnecting -> disconnected",
    ]);
  });

  it("Invitation is never told of an INVITE that cannot be taken", async () => {
    await using peer = await Peer.open();
    let told = 0;
    using _observer = new NotificationCenter().addObserver(() => void told++, {
      name: "SIPInvitationChangedState",
    });
    peer.request("INVITE", { uri: own(), body: sdp, headers: { Require: "telepathy" } });
    const unsupported = await peer.next({ code: 420 });
    assertEquals(header(unsupported, "Unsupported"), "telepathy");
    peer.ack(unsupported);
    peer.request("INVITE", { uri: own(), body: "v=0\r\nthis is no session description\r\n" });
    const bad = await peer.next({ code: 400 });
    assertMatch(header(bad, "Warning"), /^399 /);
    peer.ack(bad);
    peer.request("INVITE", { uri: own(), body: "hello", contentType: "text/plain" });
    const media = await peer.next({ code: 415 });
    peer.ack(media);
    peer.request("INVITE", { uri: own(), to: `<${own()}>;tag=unknown`, body: sdp });
    peer.ack(await peer.next({ code: 481 }));
    assertEquals(told, 0);
  });

  it("Invitation takes its 50 calls apart", async () => {
    await using peer = await Peer.open();
    const calls = [];
    for (let index = 0; index < 50; index++) {
      calls.push(await callFromPeer(engine, peer, { headers: { "X-Index": `${index}` } }));
    }
    for (const { invitation } of calls) invitation.sendResponse(180);
    for (const { invitation } of calls.toReversed()) invitation.sendResponse(200, { sdp: silentSdp });
    const oks: PeerMessage[] = [];
    for (const _ of calls) {
      const ok = await peer.next({ code: 200 });
      peer.ack(ok);
      oks.push(ok);
    }
    await Promise.all(calls.map(({ story }) => story.until("connected")));
    calls.forEach(({ invitation }, index) => {
      if (index % 2 === 0) invitation.end();
      else peer.request("BYE", peer.dialog(oks.find((ok) => header(ok, "Call-ID") === invitation.callId)!));
    });
    for (let index = 0; index < 25; index++) peer.respond(await peer.next({ method: "BYE" }), 200);
    for (const [index, { story, invite }] of calls.entries()) {
      await story.end();
      assertEquals(story.changes, [
        "null -> incoming",
        "incoming -> early",
        "early -> connecting",
        "connecting -> connected/normal",
        ...(index % 2 === 0
          ? ["connected/normal -> disconnecting", "disconnecting -> disconnected"]
          : ["connected/normal -> disconnected"]),
      ]);
      assertEquals(story.invitation.callId, header(invite, "Call-ID"));
      const { data } = story.notifications[0]!;
      assertEquals("headers" in data && data.headers.text("X-Index"), `${index}`);
    }
    assertEquals(cseqOf(calls[0]!.invite).number, 1);
  });
});
