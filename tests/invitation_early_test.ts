// SPDX-License-Identifier: GPL-2.0-or-later
/** Offers outside INVITE and its 200: early media, reliable provisional responses (RFC 3262) and UPDATE (RFC 3311). */
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type Engine, FrozenSDPSession, Header, PJSIPError, SIPCoreInvalidStateError } from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import {
  callFromPeer,
  callPeer,
  connectedCallFromPeer,
  connectedCallToPeer,
  silentStreams,
} from "./support/peer_calls.ts";
import { cseqOf, header } from "./support/sip_text.ts";
import { negotiated, streams } from "./support/story.ts";

const sdp = silentSdp.toString();

/** The silent description in its `version`th version. */
function version(number: number, direction: string = "sendrecv"): string {
  return sdp.replace("o=- 1 1 ", `o=- 1 ${number} `).replace("a=sendrecv", `a=${direction}`);
}

describe("Invitation, UPDATE", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it("Invitation answers an UPDATE with its current description, and tells what was negotiated", async () => {
    await using peer = await Peer.open();
    const incoming = await connectedCallFromPeer(engine, peer);
    const outgoing = await connectedCallToPeer(peer);
    for (
      const [{ story, invitation }, message] of [[incoming, incoming.ok], [
        outgoing,
        outgoing.invite,
      ]] as const
    ) {
      const dialog = peer.dialog(message);
      const rows = [["sendonly", "recvonly"], ["inactive", "inactive"], ["sendrecv", "sendrecv"]] as const;
      for (const [index, [theirs, mine]] of rows.entries()) {
        const before = story.told.length;
        peer.request("UPDATE", {
          ...dialog,
          body: version(index + 2, theirs),
          headers: { Contact: `<sip:turn${index}@127.0.0.1:${peer.port}>` },
        });
        const ok = await peer.next({ cseqMethod: "UPDATE" });
        assertEquals([ok.code, streams(ok.body)], [200, silentStreams]);
        assertMatch(ok.body, new RegExp(`a=${mine}\r\n`));
        const { data } = await story.untilUpdate();
        assertEquals(
          [data.localSdp?.media[0]?.direction, data.remoteSdp?.media[0]?.direction],
          [mine, theirs],
        );
        assertEquals(data.remoteSdp?.version, index + 2);
        assertEquals(story.since(before), [negotiated(silentStreams, silentStreams)]);
        assertEquals([invitation.state, invitation.subState], ["connected", "normal"]);
        assertEquals(invitation.sdp.proposedRemote, null);
        assertEquals(invitation.remoteContactHeader?.uri?.user, `turn${index}`);
      }
      invitation.end();
      const bye = await peer.next({ method: "BYE" });
      assertEquals(bye.uri, `sip:turn2@127.0.0.1:${peer.port}`);
      peer.respond(bye, 200);
      await story.end();
    }
  });

  it("Invitation answers an UPDATE without description 200, and one that does not fit 488", async () => {
    await using peer = await Peer.open();
    const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
    const before = story.told.length;
    peer.request("UPDATE", peer.dialog(ok));
    const plain = await peer.next({ cseqMethod: "UPDATE" });
    assertEquals([plain.code, plain.body], [200, ""]);
    assertEquals(story.since(before), []);
    peer.request("UPDATE", { ...peer.dialog(ok), body: sdp.replace("RTP/AVP 0", "RTP/AVP 8") });
    assertEquals((await peer.next({ cseqMethod: "UPDATE" })).code, 488);
    assertEquals((await story.untilUpdate()).data.succeeded, false);
    assertEquals(streams(invitation.sdp.activeRemote!.toString()), silentStreams);
    peer.request("UPDATE", { ...peer.dialog(ok), body: version(2) });
    assertEquals((await peer.next({ cseqMethod: "UPDATE" })).code, 200);
    assertEquals((await story.untilUpdate()).data.succeeded, true);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation refuses an UPDATE that meets another offer", async () => {
    await using peer = await Peer.open();
    const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
    invitation.sendReinvite();
    const reinvite = await peer.next({ method: "INVITE" });
    peer.request("UPDATE", { ...peer.dialog(ok), body: version(2) });
    assertEquals((await peer.next({ cseqMethod: "UPDATE" })).code, 491);
    peer.respond(reinvite, 200, { body: sdp });
    await story.untilChange("connected/sent_proposal -> connected/normal");
    peer.request("INVITE", { ...peer.dialog(ok), body: version(2) });
    await story.untilChange("connected/normal -> connected/received_proposal");
    peer.request("UPDATE", { ...peer.dialog(ok), body: version(3) });
    const refusal = await peer.next({ cseqMethod: "UPDATE" });
    assertEquals(refusal.code, 500);
    assertMatch(header(refusal, "Retry-After"), /^\d$/);
    invitation.sendResponse(200, { sdp: silentSdp });
    peer.ack(await peer.next({ code: 200, cseqMethod: "INVITE" }));
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });
});

describe("Invitation, early media", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it("Invitation acknowledges each reliable provisional response, and negotiates once", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer, {
      extraHeaders: [new Header("Supported", "100rel")],
    });
    assert((invite.headers.get("supported") ?? []).some((value) => value.includes("100rel")));
    for (const [index, code] of [180, 183, 181].entries()) {
      peer.respond(invite, code, {
        headers: { Require: "100rel", RSeq: `${index + 7}` },
        ...(code === 183 ? { body: sdp } : {}),
      });
      const prack = await peer.next({ method: "PRACK" });
      assertEquals(header(prack, "RAck"), `${index + 7} ${cseqOf(invite).number} INVITE`);
      peer.respond(prack, 200);
      await story.untilChange(index === 0 ? "outgoing -> early" : "early -> early");
    }
    peer.respond(invite, 200);
    await peer.next({ method: "ACK" });
    await story.until("connected");
    assertEquals(story.told.filter((one) => "succeeded" in one), [negotiated(silentStreams, silentStreams)]);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation requires reliable provisional responses where its Require header says so", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer, { extraHeaders: [new Header("Require", "100rel")] });
    assertEquals(header(invite, "Require"), "100rel");
    peer.respond(invite, 421, { reason: "Extension Required" });
    await story.end();
  });

  it("Invitation sends reliable provisional responses to who requires them", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callFromPeer(engine, peer, {
      headers: { Require: "100rel" },
    });
    invitation.sendResponse(180);
    const ringing = await peer.next({ code: 180 });
    assertMatch(header(ringing, "Require"), /100rel/);
    const prack = (response: typeof ringing, body = "") =>
      peer.request("PRACK", {
        ...peer.dialog(response),
        headers: { RAck: `${header(response, "RSeq")} ${cseqOf(invite).number} INVITE` },
        body,
      });
    prack(ringing);
    assertEquals((await peer.next({ cseqMethod: "PRACK" })).code, 200);
    invitation.sendResponse(183, { sdp: silentSdp });
    const progress = await peer.next({ code: 183 });
    assertEquals(streams(progress.body), silentStreams);
    await story.untilUpdate();
    // An offer in the PRACK is answered at once.
    prack(progress, version(2, "sendonly"));
    const answer = await peer.next({ cseqMethod: "PRACK" });
    assertEquals(answer.code, 200);
    assertMatch(answer.body, /a=recvonly\r\n/);
    const { data } = await story.untilUpdate();
    assertEquals([data.localSdp?.media[0]?.direction, data.remoteSdp?.media[0]?.direction], [
      "recvonly",
      "sendonly",
    ]);
    invitation.sendResponse(200);
    const ok = await peer.next({ code: 200, cseqMethod: "INVITE" });
    assertEquals(ok.body, "");
    peer.ack(ok);
    await story.until("connected");
    peer.request("BYE", peer.dialog(ok));
    await story.end();
    assertEquals(story.changes, [
      "null -> incoming",
      "incoming -> early",
      "early -> early",
      "early -> connecting",
      "connecting -> connected/normal",
      "connected/normal -> disconnected",
    ]);
  });

  it("Invitation makes a provisional response reliable where its Require header says so", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callFromPeer(engine, peer, {
      headers: { Supported: "100rel" },
    });
    invitation.sendResponse(180);
    const plain = await peer.next({ code: 180 });
    assertEquals(plain.headers.get("rseq"), undefined);
    invitation.sendResponse(183, { sdp: silentSdp, extraHeaders: [new Header("Require", "100rel")] });
    const progress = await peer.next({ code: 183 });
    assertEquals(progress.headers.get("require"), ["100rel"]);
    peer.request("PRACK", {
      ...peer.dialog(progress),
      headers: { RAck: `${header(progress, "RSeq")} ${cseqOf(invite).number} INVITE` },
    });
    assertEquals((await peer.next({ cseqMethod: "PRACK" })).code, 200);
    invitation.sendResponse(200);
    peer.ack(await peer.next({ code: 200, cseqMethod: "INVITE" }));
    await story.until("connected");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation refuses the INVITE when its reliable provisional response is never acknowledged", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer, { headers: { Require: "100rel" } });
    invitation.sendResponse(183, { sdp: silentSdp });
    const refusal = await peer.next({ code: 504, timeoutMs: 12_000 });
    peer.ack(refusal);
    await story.end();
    assertEquals(story.changes.slice(-2), ["early -> disconnecting", "disconnecting -> disconnected"]);
  });

  it("Invitation answers an early UPDATE", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 183, { body: sdp, headers: { Require: "100rel", RSeq: "1" } });
    peer.respond(await peer.next({ method: "PRACK" }), 200);
    await story.untilUpdate();
    peer.request("UPDATE", { ...peer.dialog(invite), body: version(2, "sendonly") });
    const ok = await peer.next({ cseqMethod: "UPDATE" });
    assertEquals(ok.code, 200);
    assertMatch(ok.body, /a=recvonly\r\n/);
    await story.untilUpdate();
    assertEquals(invitation.state, "early");
    peer.respond(invite, 200);
    await peer.next({ method: "ACK" });
    await story.until("connected");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });
});

describe("Invitation, without an offer of ours", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it("Invitation.sendAck() answers the offer of the 2xx", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callPeer(peer, { sdp: null });
    assertEquals(invite.body, "");
    assertEquals(invite.headers.get("content-type"), undefined);
    peer.respond(invite, 180);
    await story.until("early");
    const ok = peer.respond(invite, 200, { reason: "OK", body: sdp });
    await story.until("connecting");
    assertEquals(invitation.sdp.proposedRemote?.toString(), sdp);
    // It is sent again, and does not lead to an ACK either.
    peer.send(ok.text, engine.udpPort!);
    const misfit = FrozenSDPSession.parse(sdp.replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA"));
    let status = 0;
    try {
      invitation.sendAck(misfit);
    } catch (error) {
      status = (error as { status: number }).status;
    }
    assert(status !== 0);
    invitation.sendAck(silentSdp);
    const ack = await peer.next({ method: "ACK" });
    assertEquals(streams(ack.body), silentStreams);
    await story.until("connected");
    peer.send(ok.text, engine.udpPort!);
    assertEquals((await peer.next({ method: "ACK" })).text, ack.text);
    assertEquals(invitation.sdp.activeLocal?.media.length, 1);
    assertEquals(story.changes.slice(-2), ["early -> connecting", "connecting -> connected/normal"]);
    const updates = story.told.filter((one) => "succeeded" in one);
    assertEquals(updates.map((one) => "succeeded" in one && one.succeeded), [false, true]);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation.sendAck() answers the offer of a reliable provisional response, in its PRACK", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callPeer(peer, { sdp: null });
    assertThrows(() => invitation.sendAck(silentSdp), SIPCoreInvalidStateError);
    peer.respond(invite, 100);
    const reliable = { headers: { Require: "100rel", RSeq: "5" }, body: sdp, reason: "Session Progress" };
    const progress = peer.respond(invite, 183, reliable);
    const { data } = await story.until("early");
    assertEquals([data.code, data.reason, data.originator], [183, "Session Progress", "remote"]);
    assertEquals(invitation.sdp.proposedRemote?.toString(), sdp);
    // It is repeated until its PRACK comes, and is told once.
    peer.send(progress.text, engine.udpPort!);
    const misfit = FrozenSDPSession.parse(sdp.replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA"));
    assertThrows(() => invitation.sendAck(misfit), PJSIPError);
    invitation.sendAck(silentSdp);
    const prack = await peer.next({ method: "PRACK" });
    assertEquals(header(prack, "RAck"), `5 ${cseqOf(invite).number} INVITE`);
    assertEquals(streams(prack.body), silentStreams);
    assertEquals(prack.headers.get("content-type"), ["application/sdp"]);
    peer.respond(prack, 200);
    await story.untilUpdate();
    assertEquals(invitation.sdp.activeRemote?.toString(), sdp);
    assertThrows(() => invitation.sendAck(silentSdp), SIPCoreInvalidStateError);
    peer.send(progress.text, engine.udpPort!);
    // The next one has nothing to be answered; a 200 that repeats the offer is no other one.
    peer.respond(invite, 180, { headers: { Require: "100rel", RSeq: "6" }, reason: "Ringing" });
    const second = await peer.next({ method: "PRACK" });
    assertEquals([header(second, "RAck"), second.body], [`6 ${cseqOf(invite).number} INVITE`, ""]);
    peer.respond(second, 200);
    peer.respond(invite, 200, { body: sdp });
    assertEquals((await peer.next({ method: "ACK" })).body, "");
    await story.until("connected");
    assertEquals(peer.received.filter(({ method }) => method === "PRACK").length, 2);
    assertEquals(story.told.filter((one) => "succeeded" in one), [negotiated(silentStreams, silentStreams)]);
    assertEquals(story.changes, [
      "null -> outgoing",
      "outgoing -> early",
      "early -> early",
      "early -> connecting",
      "connecting -> connected/normal",
    ]);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation that ends while an early offer waits cancels, and acknowledges it", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callPeer(peer, { sdp: null });
    peer.respond(invite, 100);
    const progress = peer.respond(invite, 183, { headers: { Require: "100rel", RSeq: "1" }, body: sdp });
    await story.until("early");
    invitation.end();
    peer.respond(await peer.next({ method: "CANCEL" }), 200);
    peer.send(progress.text, engine.udpPort!);
    const prack = await peer.next({ method: "PRACK" });
    assertEquals(prack.body, "");
    peer.respond(prack, 200);
    peer.respond(invite, 487);
    await story.end();
  });

  it("Engine.stop() leaves nothing of an early offer that waits, nor of a peer that gives up", async () => {
    await using peer = await Peer.open();
    const early = async () => {
      const call = await callPeer(peer, { sdp: null });
      peer.respond(call.invite, 183, { headers: { Require: "100rel", RSeq: "1" }, body: sdp });
      await call.story.until("early");
      return call;
    };
    const refused = await early();
    peer.respond(refused.invite, 480);
    await refused.story.end();
    assertThrows(() => refused.invitation.sendAck(silentSdp), SIPCoreInvalidStateError);
    const taken = await early();
    // A peer that does not wait for its PRACK: the offer in its 2xx is answered as any other.
    peer.respond(taken.invite, 200, { body: sdp });
    await taken.story.until("connecting");
    taken.invitation.sendAck(silentSdp);
    const ack = await peer.next({ method: "ACK", callId: header(taken.invite, "Call-ID") });
    assertEquals(streams(ack.body), silentStreams);
    await taken.story.until("connected");
    const waiting = await early();
    await stopEngine();
    for (const { story, invitation } of [taken, waiting]) {
      await story.end();
      assertEquals(invitation.state, "disconnected");
    }
    engine = await startEngine();
  });

  it("Invitation refuses all streams and hangs up, or cancels, when sendAck() does not come", async () => {
    const inTwoHundred = async () => {
      await using peer = await Peer.open();
      const { story, invitation, invite } = await callPeer(peer, { sdp: null });
      peer.respond(invite, 200, { body: sdp });
      await story.until("connecting");
      const ack = await peer.next({ method: "ACK", timeoutMs: 8000 });
      assertEquals(streams(ack.body), "audio 0 RTP/AVP 0");
      peer.respond(await peer.next({ method: "BYE" }), 200);
      const last = (await story.end()).at(-1)!;
      assertEquals(story.changes.slice(-2), ["connecting -> disconnecting", "disconnecting -> disconnected"]);
      assertEquals("disconnectReason" in last && last.disconnectReason, "internal error");
      assertEquals(invitation.state, "disconnected");
    };
    const inProvisional = async () => {
      await using peer = await Peer.open();
      const { story, invite } = await callPeer(peer, { sdp: null });
      peer.respond(invite, 100);
      peer.respond(invite, 183, { headers: { Require: "100rel", RSeq: "1" }, body: sdp });
      await story.until("early");
      peer.respond(await peer.next({ method: "CANCEL", timeoutMs: 8000 }), 200);
      peer.respond(invite, 487);
      await story.end();
      assertEquals(story.changes.slice(-2), ["early -> disconnecting", "disconnecting -> disconnected"]);
    };
    await Promise.all([inTwoHundred(), inProvisional()]);
  });

  it("Invitation.end() before sendAck() acknowledges and hangs up", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer, { sdp: null });
    peer.respond(invite, 200, { body: sdp });
    await story.until("connecting");
    invitation.end();
    assertEquals(streams((await peer.next({ method: "ACK" })).body), "audio 0 RTP/AVP 0");
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    assertEquals(story.changes.slice(-2), ["connecting -> disconnecting", "disconnecting -> disconnected"]);
  });

  it("Invitation hangs up when the 2xx brings no offer either", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer, { sdp: null });
    peer.respond(invite, 200);
    await peer.next({ method: "ACK" });
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    assertEquals(story.changes.includes("connecting -> connected/normal"), false);
  });

  it("Invitation acknowledges an old 2xx at once while the ACK of another waits for sendAck()", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callPeer(peer);
    const first = peer.respond(invite, 200, { body: sdp });
    const number = cseqOf(await peer.next({ method: "ACK" })).number;
    await story.until("connected");
    invitation.sendReinvite({ sdp: null });
    const reinvite = await peer.next({ method: "INVITE" });
    peer.respond(reinvite, 200, { body: version(2) });
    await story.untilChange("connected/sent_proposal -> connected/received_proposal");
    peer.send(first.text, engine.udpPort!);
    const again = await peer.next({ method: "ACK" });
    assertEquals([cseqOf(again).number, again.body], [number, ""]);
    invitation.sendAck(silentSdp);
    const ack = await peer.next({ method: "ACK" });
    assertEquals([cseqOf(ack).number, streams(ack.body)], [cseqOf(reinvite).number, silentStreams]);
    await story.untilChange("connected/received_proposal -> connected/normal");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation repeats what is agreed on when sendAck() to a re-INVITE does not come", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await connectedCallToPeer(peer);
    invitation.sendReinvite({ sdp: null });
    const reinvite = await peer.next({ method: "INVITE" });
    peer.respond(reinvite, 200, { body: version(2, "sendonly") });
    await story.untilChange("connected/sent_proposal -> connected/received_proposal");
    const ack = await peer.next({ method: "ACK", timeoutMs: 8000 });
    assertEquals(streams(ack.body), silentStreams);
    assertMatch(ack.body, /a=recvonly\r\n/);
    assertEquals((await story.untilUpdate()).data.succeeded, true);
    await story.untilChange("connected/received_proposal -> connected/normal");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });
});
