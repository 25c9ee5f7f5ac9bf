// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import {
  ContactHeader,
  Credentials,
  type Engine,
  FrozenSDPSession,
  Header,
  type Invitation,
  PJSIPError,
  SDPMediaStream,
  SDPSession,
  SIPCoreError,
  SIPCoreInvalidStateError,
  SIPURI,
} from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { callPeer, connectedCallFromPeer, connectedCallToPeer, silentStreams } from "./support/peer_calls.ts";
import { cseqOf, header, uriOf } from "./support/sip_text.ts";
import { changed, negotiated, type Story, streams } from "./support/story.ts";
import { until } from "./support/until.ts";

/** The description with another version, and the changes that `edit` makes. */
function next(sdp: FrozenSDPSession, edit: (sdp: SDPSession) => void = () => {}): SDPSession {
  const copy = SDPSession.from(sdp);
  copy.version++;
  edit(copy);
  return copy;
}

function withDirection(sdp: FrozenSDPSession, direction: string): string {
  return next(sdp).toString().replace("a=sendrecv", `a=${direction}`);
}

const video = "m=video 4002 RTP/AVP 34\r\na=rtpmap:34 H263/90000\r\n";
const held = FrozenSDPSession.parse(withDirection(silentSdp, "sendonly"));

const normal = "connected/normal";
const proposed = changed("connected/normal -> connected/sent_proposal", {
  originator: "local",
  method: "INVITE",
  cseq: "INVITE",
  body: silentStreams,
});

/** Hangs up, and reads the story to its end. */
async function finish(peer: Peer, story: Story): Promise<void> {
  story.invitation.end();
  peer.respond(await peer.next({ method: "BYE" }), 200);
  await story.end();
}

/** Ours is proposed; what the peer got, and the length of the story before. */
async function propose(
  peer: Peer,
  story: Story,
  options: Parameters<Invitation["sendReinvite"]>[0] = {},
): Promise<{ reinvite: PeerMessage; before: number }> {
  const before = story.told.length;
  story.invitation.sendReinvite(options);
  const reinvite = await peer.next({ method: "INVITE" });
  await story.untilChange(`${normal} -> connected/sent_proposal`);
  return { reinvite, before };
}

describe("Invitation, re-INVITE", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  describe("of ours", () => {
    it("Invitation.sendReinvite() offers what is given, and tells the answer before the end", async () => {
      await using peer = await Peer.open();
      const { story, invitation, invite } = await connectedCallToPeer(peer);
      const sdp = next(silentSdp, (one) => {
        one.media.push(new SDPMediaStream("video", 4002, "RTP/AVP", { formats: ["34"] }));
      });
      const { reinvite, before } = await propose(peer, story, {
        sdp,
        extraHeaders: [new Header("X-Why", "more")],
      });
      assertEquals(invitation.subState, "sent_proposal");
      assertEquals(invitation.sdp.proposedLocal?.media.length, 2);
      assertEquals(header(reinvite, "X-Why"), "more");
      assertEquals(header(reinvite, "Call-ID"), header(invite, "Call-ID"));
      assertEquals(cseqOf(reinvite).number, cseqOf(invite).number + 1);
      assertEquals(streams(reinvite.body), `${silentStreams}, video 4002 RTP/AVP 34`);
      assertMatch(reinvite.body, /\r\no=- 1 2 /);
      peer.respond(reinvite, 100);
      peer.respond(reinvite, 200, {
        reason: "OK",
        body: `${silentSdp}m=video 0 RTP/AVP 34\r\n`,
        headers: { "X-Answer": "partly" },
      });
      await peer.next({ method: "ACK" });
      const last = await story.untilChange("connected/sent_proposal -> connected/normal");
      assertEquals(last.data.headers.text("X-Answer"), "partly");
      assertEquals(story.since(before), [
        { ...proposed, requestUri: peer.uri, body: `${silentStreams}, video 4002 RTP/AVP 34` },
        negotiated(`${silentStreams}, video 0 RTP/AVP 34`, `${silentStreams}, video 0 RTP/AVP 34`),
        changed("connected/sent_proposal -> connected/normal", {
          originator: "remote",
          code: 200,
          reason: "OK",
          cseq: "INVITE",
          body: `${silentStreams}, video 0 RTP/AVP 34`,
        }),
      ]);
      assertEquals(invitation.sdp.proposedLocal, null);
      assertEquals(invitation.sdp.activeLocal?.media[1]?.port, 0);
      await finish(peer, story);
      assertEquals(story.changes.slice(-2), [
        "connected/normal -> disconnecting",
        "disconnecting -> disconnected",
      ]);
    });

    it("Invitation.sendReinvite() without sdp offers again what is agreed on", async () => {
      await using peer = await Peer.open();
      for (const call of [await connectedCallToPeer(peer), await connectedCallFromPeer(engine, peer)]) {
        const { story, invitation } = call;
        const before = invitation.sdp.activeLocal?.toString();
        const { reinvite } = await propose(peer, story);
        assertEquals(reinvite.body, before, "nothing has changed, so the version is the same");
        assertEquals(invitation.sdp.proposedLocal?.toString(), before);
        peer.respond(reinvite, 200, { body: silentSdp.toString() });
        await story.untilUpdate();
        await story.untilChange("connected/sent_proposal -> connected/normal");
        await finish(peer, story);
      }
    });

    it("Invitation.sendReinvite() keeps what is agreed on when it is refused", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      for (
        const [code, reason] of [[488, "Not Acceptable Here"], [491, "Request Pending"], [603, "No"]] as const
      ) {
        const { reinvite, before } = await propose(peer, story, { sdp: held });
        peer.respond(reinvite, code, { reason });
        await peer.next({ method: "ACK" });
        await story.untilChange("connected/sent_proposal -> connected/normal");
        assertEquals(story.since(before), [
          { ...proposed, requestUri: peer.uri },
          changed("connected/sent_proposal -> connected/normal", {
            originator: "remote",
            code,
            reason,
            cseq: "INVITE",
          }),
        ]);
        assertEquals(invitation.sdp.activeLocal?.media[0]?.direction, "sendrecv");
        assertEquals(invitation.sdp.proposedLocal, null);
      }
      await finish(peer, story);
    });

    it("Invitation.sendReinvite() puts the peer on hold and takes it back", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      for (
        const [mine, theirs] of [["sendonly", "recvonly"], ["inactive", "inactive"], ["sendrecv", "sendrecv"]]
      ) {
        const { reinvite } = await propose(peer, story, {
          sdp: FrozenSDPSession.parse(withDirection(silentSdp, mine!)),
        });
        assertMatch(reinvite.body, new RegExp(`a=${mine}\r\n`));
        peer.respond(reinvite, 200, { body: withDirection(silentSdp, theirs!) });
        const { data } = await story.untilUpdate();
        assertEquals(
          [data.localSdp?.media[0]?.direction, data.remoteSdp?.media[0]?.direction],
          [mine, theirs],
        );
        await story.untilChange("connected/sent_proposal -> connected/normal");
        assertEquals(invitation.sdp.activeLocal?.media[0]?.direction, mine);
      }
      await finish(peer, story);
    });

    it("Invitation.sendReinvite() tells a negotiation that fails, and the call goes on", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      const { reinvite, before } = await propose(peer, story, { sdp: held });
      peer.respond(reinvite, 200, { body: silentSdp.toString().replace("RTP/AVP 0", "RTP/AVP 8") });
      await peer.next({ method: "ACK" });
      await story.untilChange("connected/sent_proposal -> connected/normal");
      const update = story.since(before)[1]!;
      assert("succeeded" in update && !update.succeeded && update.error !== null);
      assertEquals(invitation.sdp.activeLocal?.media[0]?.direction, "sendrecv");
      assertEquals(invitation.state, "connected");
      const again = await propose(peer, story, { sdp: held });
      peer.respond(again.reinvite, 200, { body: withDirection(silentSdp, "recvonly") });
      assertEquals((await story.untilUpdate()).data.succeeded, true);
      await story.untilChange("connected/sent_proposal -> connected/normal");
      await finish(peer, story);
    });

    it("Invitation.sendReinvite() changes the Contact, and learns the peer's", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      const contactHeader = new ContactHeader(
        new SIPURI({ user: "moved", host: "127.0.0.1", port: engine.udpPort }),
      );
      const { reinvite } = await propose(peer, story, { contactHeader });
      assertEquals(uriOf(header(reinvite, "Contact")), contactHeader.uri?.toString());
      assertEquals(invitation.localContactHeader?.uri?.user, "moved");
      const elsewhere = `sip:elsewhere@127.0.0.1:${peer.port}`;
      peer.respond(reinvite, 200, { body: silentSdp.toString(), headers: { Contact: `<${elsewhere}>` } });
      assertEquals((await peer.next({ method: "ACK" })).uri, elsewhere);
      await story.untilChange("connected/sent_proposal -> connected/normal");
      assertEquals(invitation.remoteContactHeader?.uri?.toString(), elsewhere);
      invitation.end();
      const bye = await peer.next({ method: "BYE" });
      assertEquals(bye.uri, elsewhere);
      peer.respond(bye, 200);
      await story.end();
    });

    it("Invitation.cancelReinvite() waits for a provisional response, and tells 487", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      for (const early of [true, false]) {
        const { reinvite, before } = await propose(peer, story, { sdp: held });
        if (!early) peer.respond(reinvite, 100);
        invitation.cancelReinvite();
        assertThrows(() => invitation.cancelReinvite(), SIPCoreInvalidStateError);
        if (early) peer.respond(reinvite, 100);
        const cancel = await peer.next({ method: "CANCEL" });
        assertEquals(cseqOf(cancel).number, cseqOf(reinvite).number);
        peer.respond(cancel, 200);
        peer.respond(reinvite, 487, { reason: "Request Terminated" });
        await peer.next({ method: "ACK" });
        await story.untilChange("connected/sent_proposal -> connected/normal");
        assertEquals(
          story.since(before).at(-1),
          changed("connected/sent_proposal -> connected/normal", {
            originator: "remote",
            code: 487,
            reason: "Request Terminated",
            cseq: "INVITE",
          }),
        );
        assertEquals(invitation.sdp.activeLocal?.media[0]?.direction, "sendrecv");
      }
      await finish(peer, story);
    });

    it("Invitation.cancelReinvite() that comes too late cancels nothing later", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      const { reinvite } = await propose(peer, story);
      invitation.cancelReinvite();
      peer.respond(reinvite, 200, { body: silentSdp.toString() });
      await peer.next({ method: "ACK" });
      await story.untilChange("connected/sent_proposal -> connected/normal");
      const second = await propose(peer, story);
      peer.respond(second.reinvite, 180);
      peer.respond(second.reinvite, 200, { body: silentSdp.toString() });
      await peer.next({ method: "ACK" });
      await story.untilChange("connected/sent_proposal -> connected/normal");
      assertEquals(peer.received.filter(({ method }) => method === "CANCEL"), []);
      await finish(peer, story);
    });

    it("Invitation gives up a cancelled re-INVITE that gets no final response", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      const { reinvite } = await propose(peer, story);
      peer.respond(reinvite, 100);
      invitation.cancelReinvite();
      peer.respond(await peer.next({ method: "CANCEL" }), 200);
      const bye = await peer.next({ method: "BYE", timeoutMs: 12_000 });
      peer.respond(bye, 200);
      const told = await story.end();
      assertEquals(told.slice(-3), [
        changed("connected/sent_proposal -> connected/normal", { code: 408, reason: "Request Timeout" }),
        changed("connected/normal -> disconnecting", { originator: "local", method: "BYE" }),
        changed("disconnecting -> disconnected", {
          originator: "remote",
          code: 408,
          reason: "Request Timeout",
          cseq: "BYE",
          disconnectReason: "timeout",
        }),
      ]);
    });

    it("Invitation ends when a re-INVITE gets no response, or 481", async () => {
      await using peer = await Peer.open();
      const lost = await connectedCallToPeer(peer);
      await propose(peer, lost.story);
      const gone = await connectedCallToPeer(peer);
      const { reinvite } = await propose(peer, gone.story);
      peer.respond(reinvite, 481, { reason: "Never Heard" });
      peer.respond(await peer.next({ method: "BYE" }), 200);
      assertEquals((await gone.story.end()).slice(-3), [
        changed("connected/sent_proposal -> connected/normal", {
          originator: "remote",
          code: 481,
          reason: "Never Heard",
          cseq: "INVITE",
        }),
        changed("connected/normal -> disconnecting", { originator: "local", method: "BYE" }),
        changed("disconnecting -> disconnected", {
          originator: "remote",
          code: 481,
          reason: "Never Heard",
          cseq: "BYE",
          disconnectReason: "Never Heard",
        }),
      ]);
      peer.respond(await peer.next({ method: "BYE", timeoutMs: 12_000 }), 200);
      await lost.story.end();
      assertEquals(lost.story.changes.slice(-3), [
        "connected/sent_proposal -> connected/normal",
        "connected/normal -> disconnecting",
        "disconnecting -> disconnected",
      ]);
    });

    it("Invitation answers the challenge of a re-INVITE and of a BYE, unnoticed", async () => {
      await using peer = await Peer.open();
      const call = await callPeer(peer, { credentials: new Credentials("alice", "wonderland") });
      peer.respond(call.invite, 200, { body: silentSdp.toString() });
      await peer.next({ method: "ACK" });
      await call.story.until("connected");
      const challenge: Challenge = { realm: "example.net", nonce: "n1", algorithm: "MD5" };
      const headers = { "WWW-Authenticate": challengeText(challenge) };
      const { reinvite, before } = await propose(peer, call.story, { sdp: held });
      peer.respond(reinvite, 401, { headers });
      await peer.next({ method: "ACK" });
      const second = await peer.next({ method: "INVITE" });
      assertMatch(header(second, "Authorization"), /username="alice"/);
      assertEquals(second.body, reinvite.body);
      peer.respond(second, 200, { body: withDirection(silentSdp, "recvonly") });
      await call.story.untilChange("connected/sent_proposal -> connected/normal");
      assertEquals(call.story.since(before).length, 3);
      call.invitation.end();
      const bye = await peer.next({ method: "BYE" });
      peer.respond(bye, 401, {
        headers: { "WWW-Authenticate": challengeText({ ...challenge, nonce: "n2" }) },
      });
      const answered = await peer.next({ method: "BYE" });
      assertMatch(header(answered, "Authorization"), /nonce="n2"/);
      peer.respond(answered, 200);
      await call.story.end();
    });

    it("Invitation tells a challenge of a re-INVITE that it cannot answer", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      const headers = { "WWW-Authenticate": challengeText({ realm: "x", nonce: "n", algorithm: "MD5" }) };
      const { reinvite } = await propose(peer, story, { sdp: held });
      peer.respond(reinvite, 401, { headers });
      await peer.next({ method: "ACK" });
      const { data } = await story.untilChange("connected/sent_proposal -> connected/normal");
      assertEquals(data.code, 401);
      assertEquals(invitation.sdp.proposedLocal, null);
      const again = await propose(peer, story);
      peer.respond(again.reinvite, 200, { body: silentSdp.toString() });
      await story.untilUpdate();
      await story.untilChange("connected/sent_proposal -> connected/normal");
      await finish(peer, story);
    });

    it("Invitation hangs up while a re-INVITE of its own waits", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      const { reinvite } = await propose(peer, story);
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
      assertEquals(story.changes.slice(-2), [
        "connected/sent_proposal -> disconnecting",
        "disconnecting -> disconnected",
      ]);
      peer.respond(reinvite, 200, { body: silentSdp.toString() });
      await peer.next({ method: "ACK" });
    });

    it("Invitation.sendReinvite() with sdp null asks the peer for its offer", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      const { reinvite, before } = await propose(peer, story, { sdp: null });
      assertEquals(reinvite.body, "");
      peer.respond(reinvite, 200, { reason: "OK", body: `${next(silentSdp)}${video}` });
      await story.untilChange("connected/sent_proposal -> connected/received_proposal");
      assertEquals(invitation.sdp.proposedRemote?.media.length, 2);
      assertEquals(peer.pending.filter(({ method }) => method === "ACK"), []);
      assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp }), SIPCoreInvalidStateError);
      assertThrows(() => invitation.sendReinvite(), SIPCoreInvalidStateError);
      invitation.sendAck(silentSdp);
      assertThrows(() => invitation.sendAck(silentSdp), SIPCoreInvalidStateError);
      const ack = await peer.next({ method: "ACK" });
      assertEquals(streams(ack.body), `${silentStreams}, video 0 RTP/AVP 34`);
      await story.untilChange("connected/received_proposal -> connected/normal");
      assertEquals(story.since(before).slice(1), [
        changed("connected/sent_proposal -> connected/received_proposal", {
          originator: "remote",
          code: 200,
          reason: "OK",
          cseq: "INVITE",
          body: `${silentStreams}, video 4002 RTP/AVP 34`,
        }),
        negotiated(`${silentStreams}, video 0 RTP/AVP 34`, `${silentStreams}, video 4002 RTP/AVP 34`),
        changed("connected/received_proposal -> connected/normal", { originator: "local", method: "ACK" }),
      ]);
      await finish(peer, story);
    });
  });

  describe("of the peer's", () => {
    const received = (own: string, to = "received_proposal", body: string | null = silentStreams) =>
      changed(`connected/normal -> connected/${to}`, {
        originator: "remote",
        method: "INVITE",
        requestUri: own,
        cseq: "INVITE",
        body,
      });

    /** The peer's re-INVITE, told. */
    async function asked(
      peer: Peer,
      story: Story,
      message: PeerMessage,
      body: string,
      headers: Record<string, string> = {},
    ): Promise<{ reinvite: PeerMessage; before: number }> {
      const before = story.told.length;
      const reinvite = peer.request("INVITE", { ...peer.dialog(message), body, headers });
      await story.untilChange(
        `${normal} -> connected/${body ? "received_proposal" : "received_proposal_request"}`,
      );
      assertEquals((await peer.next({ cseqMethod: "INVITE" })).code, 100);
      return { reinvite, before };
    }

    it("Invitation.sendResponse() accepts a re-INVITE, also later", async () => {
      await using peer = await Peer.open();
      const incoming = await connectedCallFromPeer(engine, peer);
      const outgoing = await connectedCallToPeer(peer);
      for (
        const [{ story, invitation }, message] of [[incoming, incoming.ok], [
          outgoing,
          outgoing.invite,
        ]] as const
      ) {
        const { before } = await asked(peer, story, message, `${next(silentSdp)}${video}`, { "X-Turn": "2" });
        assertEquals(invitation.subState, "received_proposal");
        assertEquals(invitation.sdp.proposedRemote?.media.length, 2);
        assertEquals(
          (story.notifications.at(-1)!.data as { headers: { text(name: string): string | null } })
            .headers.text("X-Turn"),
          "2",
        );
        invitation.sendResponse(180, { extraHeaders: [new Header("X-Soon", "yes")] });
        assertEquals(header(await peer.next({ code: 180 }), "X-Soon"), "yes");
        invitation.sendResponse(200, { sdp: silentSdp, extraHeaders: [new Header("X-Now", "yes")] });
        const ok = await peer.next({ code: 200, cseqMethod: "INVITE" });
        assertEquals([ok.headers.get("x-soon"), header(ok, "X-Now")], [undefined, "yes"]);
        assertEquals(streams(ok.body), `${silentStreams}, video 0 RTP/AVP 34`);
        assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp }), SIPCoreInvalidStateError);
        await story.untilChange("connected/received_proposal -> connected/normal");
        peer.ack(ok);
        const own = uriOf(header(message, message === incoming.ok ? "Contact" : "Contact"));
        assertEquals(story.since(before), [
          received(own, "received_proposal", `${silentStreams}, video 4002 RTP/AVP 34`),
          negotiated(`${silentStreams}, video 0 RTP/AVP 34`, `${silentStreams}, video 4002 RTP/AVP 34`),
          changed("connected/received_proposal -> connected/normal", {
            originator: "local",
            code: 200,
            reason: "OK",
            cseq: "INVITE",
            body: `${silentStreams}, video 0 RTP/AVP 34`,
          }),
        ]);
        assertEquals(invitation.sdp.proposedRemote, null);
        assertEquals(invitation.sdp.activeRemote?.media.length, 2);
        await finish(peer, story);
      }
    });

    it("Invitation.sendResponse() refuses a re-INVITE, and what is agreed on stays", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      for (const code of [488, 603, 302]) {
        const { before } = await asked(peer, story, ok, held.toString());
        invitation.sendResponse(code, { reason: "Not Now", extraHeaders: [new Header("X-Why", "so")] });
        const refusal = await peer.next({ code });
        assertEquals([refusal.reason, header(refusal, "X-Why")], ["Not Now", "so"]);
        await story.untilChange("connected/received_proposal -> connected/normal");
        assertEquals(
          story.since(before)[1],
          changed("connected/received_proposal -> connected/normal", {
            originator: "local",
            code,
            reason: "Not Now",
            cseq: "INVITE",
          }),
        );
        assertEquals(invitation.sdp.activeRemote?.media[0]?.direction, "sendrecv");
        assertEquals(invitation.sdp.proposedRemote, null);
        // No need to wait for its ACK.
        const ours = await propose(peer, story);
        peer.ack(refusal);
        peer.respond(ours.reinvite, 200, { body: silentSdp.toString() });
        await story.untilChange("connected/sent_proposal -> connected/normal");
      }
      await finish(peer, story);
    });

    it("Invitation goes on hold and back, as the peer wishes", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      for (
        const [theirs, mine] of [["sendonly", "recvonly"], ["inactive", "inactive"], ["sendrecv", "sendrecv"]]
      ) {
        await asked(peer, story, ok, withDirection(silentSdp, theirs!));
        assertEquals(invitation.sdp.proposedRemote?.media[0]?.direction, theirs);
        invitation.sendResponse(200, { sdp: silentSdp });
        const response = await peer.next({ code: 200, cseqMethod: "INVITE" });
        assertMatch(response.body, new RegExp(`a=${mine}\r\n`));
        peer.ack(response);
        await story.untilChange("connected/received_proposal -> connected/normal");
        assertEquals(invitation.sdp.activeLocal?.media[0]?.direction, mine);
      }
      await finish(peer, story);
    });

    it("Invitation.sendResponse() throws when the answer does not fit, and another one can be given", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      for (const code of [200, 488]) {
        const { before } = await asked(
          peer,
          story,
          ok,
          silentSdp.toString().replace("RTP/AVP 0", "RTP/AVP 8"),
        );
        assertThrows(() => invitation.sendResponse(200), SIPCoreError, "sdp");
        assertThrows(() => invitation.sendResponse(180, { sdp: silentSdp }), TypeError, "sdp");
        assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp }), PJSIPError);
        const fits = silentSdp.toString().replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA");
        if (code === 200) invitation.sendResponse(200, { sdp: FrozenSDPSession.parse(fits) });
        else invitation.sendResponse(488);
        peer.ack(await peer.next({ code, cseqMethod: "INVITE" }));
        await story.untilChange("connected/received_proposal -> connected/normal");
        const update = story.since(before)[1]!;
        assert("succeeded" in update && !update.succeeded);
        assertEquals(story.since(before).length, code === 200 ? 4 : 3);
        assertEquals(streams(invitation.sdp.activeLocal!.toString()), "audio 4000 RTP/AVP 8");
      }
      await finish(peer, story);
    });

    it("Invitation tells that the peer cancels its re-INVITE", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      for (let turn = 0; turn < 2; turn++) {
        const { reinvite, before } = await asked(peer, story, ok, held.toString());
        peer.cancel(reinvite);
        assertEquals((await peer.next({ cseqMethod: "CANCEL" })).code, 200);
        peer.ack(await peer.next({ code: 487 }));
        await story.untilChange("connected/received_proposal -> connected/normal");
        assertEquals(
          story.since(before)[1],
          changed("connected/received_proposal -> connected/normal", {
            originator: "local",
            code: 487,
            reason: "Request Terminated",
            cseq: "INVITE",
          }),
        );
        assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp }), SIPCoreInvalidStateError);
        assertEquals(invitation.sdp.activeRemote?.media[0]?.direction, "sendrecv");
      }
      await finish(peer, story);
      assertEquals((story.told.at(-1) as { disconnectReason: string }).disconnectReason, "user request");
    });

    it("Invitation and its peer get 491 when both propose at once", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      const { reinvite } = await propose(peer, story);
      const theirs = peer.request("INVITE", { ...peer.dialog(ok), body: held.toString() });
      const refusal = await peer.next({ code: 491 });
      assertEquals(cseqOf(refusal).number, cseqOf(theirs).number);
      peer.ack(refusal);
      peer.respond(reinvite, 491, { reason: "Request Pending" });
      await peer.next({ method: "ACK" });
      await story.untilChange("connected/sent_proposal -> connected/normal");
      assertEquals(invitation.state, "connected");
      const again = await propose(peer, story);
      peer.respond(again.reinvite, 200, { body: silentSdp.toString() });
      await story.untilChange("connected/sent_proposal -> connected/normal");
      await finish(peer, story);
      assertEquals(story.changes.filter((change) => change.includes("received")), []);
    });

    it("Invitation refuses a second re-INVITE, and proposes nothing, while one waits for its answer", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      await asked(peer, story, ok, held.toString());
      assertThrows(() => invitation.sendReinvite(), SIPCoreInvalidStateError);
      assertThrows(() => invitation.cancelReinvite(), SIPCoreInvalidStateError);
      peer.request("INVITE", { ...peer.dialog(ok), body: silentSdp.toString() });
      const refusal = await peer.next({ code: 500 });
      assertMatch(header(refusal, "Retry-After"), /^\d$/);
      peer.ack(refusal);
      invitation.sendResponse(200, { sdp: silentSdp });
      const response = await peer.next({ code: 200, cseqMethod: "INVITE" });
      await story.untilChange("connected/received_proposal -> connected/normal");
      peer.ack(response);
      await finish(peer, story);
    });

    it("Invitation.sendReinvite() waits for the ACK of the peer's re-INVITE, and can be cancelled until then", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      /** Our 200 to a re-INVITE of the peer's. */
      const accepted = async () => {
        await asked(peer, story, ok, silentSdp.toString());
        invitation.sendResponse(200, { sdp: silentSdp });
        const response = await peer.next({ code: 200, cseqMethod: "INVITE" });
        await story.untilChange("connected/received_proposal -> connected/normal");
        return response;
      };
      const response = await accepted();
      assertThrows(() => invitation.sendReinvite({ sdp: "x" as unknown as SDPSession }), TypeError, "sdp");
      invitation.sendReinvite({ sdp: held, extraHeaders: [new Header("X-Why", "hold")] });
      assertThrows(() => invitation.sendReinvite(), SIPCoreInvalidStateError, "another");
      assertEquals(invitation.subState, "normal");
      // What the peer does not acknowledge is repeated, and nothing goes out meanwhile.
      await until(
        () => peer.received.filter(({ text }) => text === response.text).length > 2,
        "the 200 again",
      );
      assertEquals(peer.received.filter(({ method }) => method === "INVITE"), []);
      peer.ack(response);
      const reinvite = await peer.next({ method: "INVITE" });
      assertMatch(reinvite.body, /a=sendonly/);
      assertEquals(header(reinvite, "X-Why"), "hold");
      await story.untilChange("connected/normal -> connected/sent_proposal");
      peer.respond(reinvite, 200, { body: silentSdp.toString() });
      await story.untilChange("connected/sent_proposal -> connected/normal");

      const second = await accepted();
      invitation.sendReinvite();
      invitation.cancelReinvite();
      assertThrows(() => invitation.cancelReinvite(), SIPCoreInvalidStateError);
      await story.untilChange("connected/normal -> connected/sent_proposal");
      const { data } = await story.untilChange("connected/sent_proposal -> connected/normal");
      assertEquals([data.code, data.reason], [487, "Request Terminated"]);
      peer.ack(second);

      // The call ends before.
      await accepted();
      invitation.sendReinvite();
      await finish(peer, story);
      assertEquals(peer.received.filter(({ method }) => method === "INVITE").length, 1);
    });

    it("Invitation makes the offer when a re-INVITE has none, and is normal again with the ACK", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      for (const sdp of [held, null]) {
        const { before } = await asked(peer, story, ok, "");
        assertEquals(invitation.sdp.proposedRemote, null);
        assertEquals(invitation.sdp.proposedLocal?.equals(invitation.sdp.activeLocal), true);
        invitation.sendResponse(200, sdp ? { sdp } : {});
        const response = await peer.next({ code: 200, cseqMethod: "INVITE" });
        assertMatch(response.body, /a=sendonly\r\n/);
        assertEquals(invitation.subState, "received_proposal_request");
        peer.ack(response, { body: withDirection(silentSdp, "recvonly") });
        await story.untilChange("connected/received_proposal_request -> connected/normal");
        assertEquals(story.since(before), [
          received(uriOf(header(ok, "Contact")), "received_proposal_request", null),
          negotiated(silentStreams, silentStreams),
          changed("connected/received_proposal_request -> connected/normal", {
            originator: "local",
            code: 200,
            reason: "OK",
            cseq: "INVITE",
            body: silentStreams,
          }),
        ]);
        assertEquals(invitation.sdp.activeRemote?.media[0]?.direction, "recvonly");
      }
      await asked(peer, story, ok, "");
      invitation.sendResponse(200, { sdp: silentSdp });
      peer.ack(await peer.next({ code: 200, cseqMethod: "INVITE" }));
      await story.untilChange("connected/received_proposal_request -> connected/normal");
      assertEquals(invitation.sdp.activeRemote?.media[0]?.direction, "recvonly", "no answer, no change");
      await asked(peer, story, ok, "");
      invitation.sendResponse(488);
      peer.ack(await peer.next({ code: 488 }));
      await story.untilChange("connected/received_proposal_request -> connected/normal");
      await finish(peer, story);
    });

    it("Invitation answers 488 when nobody listens", async () => {
      await using peer = await Peer.open();
      const { story, ok } = await connectedCallFromPeer(engine, peer);
      const { invitation } = story;
      story.close();
      peer.request("INVITE", { ...peer.dialog(ok), body: held.toString() });
      peer.ack(await peer.next({ code: 488 }));
      assertEquals([invitation.state, invitation.subState], ["connected", "normal"]);
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
    });

    it("Invitation that ends answers the re-INVITE that waits", async () => {
      await using peer = await Peer.open();
      const byPeer = await connectedCallFromPeer(engine, peer);
      await asked(peer, byPeer.story, byPeer.ok, held.toString());
      peer.request("BYE", peer.dialog(byPeer.ok));
      peer.ack(await peer.next({ code: 487 }));
      await peer.next({ code: 200, cseqMethod: "BYE" });
      await byPeer.story.end();
      assertEquals(byPeer.story.changes.at(-1), "connected/received_proposal -> disconnected");
      const byUs = await connectedCallFromPeer(engine, peer);
      await asked(peer, byUs.story, byUs.ok, held.toString());
      byUs.invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      peer.ack(await peer.next({ code: 487 }));
      await byUs.story.end();
      assertEquals(byUs.story.changes.at(-2), "connected/received_proposal -> disconnecting");
    });

    it("Invitation hangs up when its 200 to a re-INVITE is never acknowledged", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      await asked(peer, story, ok, held.toString());
      invitation.sendResponse(200, { sdp: silentSdp });
      peer.respond(await peer.next({ method: "BYE", timeoutMs: 12_000 }), 200);
      await story.end();
      assertEquals(story.changes.slice(-3), [
        "connected/received_proposal -> connected/normal",
        "connected/normal -> disconnecting",
        "disconnecting -> disconnected",
      ]);
      assertEquals((story.told.at(-1) as { disconnectReason: string }).disconnectReason, "timeout");
    });

    it("Invitation refuses a re-INVITE that is none", async () => {
      await using peer = await Peer.open();
      const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
      for (
        const [body, contentType, code] of [
          ["v=0\r\nthis is none\r\n", "application/sdp", 415],
          ["hello", "text/plain", 415],
          [silentSdp.toString().replace("RTP/AVP 0", "RTP/AVP 200"), "application/sdp", 488],
        ] as const
      ) {
        peer.request("INVITE", { ...peer.dialog(ok), body, contentType });
        const refusal = await peer.next({ cseqMethod: "INVITE" });
        assert(refusal.code === code || refusal.code === 488, `${refusal.code}`);
        peer.ack(refusal);
      }
      assertEquals([invitation.state, invitation.subState], ["connected", "normal"]);
      assertNotEquals(invitation.sdp.activeRemote, null);
      await finish(peer, story);
    });
  });

  it("Invitation.sendReinvite() forbids what the state forbids", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    const forbidden = (state: string | null) => {
      for (
        const call of [
          () => invitation.sendReinvite(),
          () => invitation.cancelReinvite(),
          () => invitation.sendAck(silentSdp),
        ]
      ) {
        assertEquals(assertThrows(call, SIPCoreInvalidStateError).state, state);
      }
    };
    forbidden("outgoing");
    peer.respond(invite, 180);
    await story.until("early");
    forbidden("early");
    peer.respond(invite, 200, { body: silentSdp.toString() });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    assertThrows(() => invitation.cancelReinvite(), SIPCoreInvalidStateError);
    assertThrows(() => invitation.sendAck(silentSdp), SIPCoreInvalidStateError);
    assertThrows(() => invitation.sendAck("x" as unknown as SDPSession), TypeError, "sdp");
    assertThrows(() => invitation.sendReinvite({ sdp: "x" as unknown as SDPSession }), TypeError, "sdp");
    assertThrows(
      () => invitation.sendReinvite({ contactHeader: "x" as unknown as ContactHeader }),
      TypeError,
      "contactHeader",
    );
    assertThrows(
      () => invitation.sendReinvite({ extraHeaders: [new Header("Via", "x")] }),
      TypeError,
      "Via",
    );
    invitation.sendReinvite();
    assertThrows(() => invitation.sendReinvite(), SIPCoreInvalidStateError, "another");
    const reinvite = await peer.next({ method: "INVITE" });
    peer.respond(reinvite, 200, { body: silentSdp.toString() });
    await story.untilChange("connected/sent_proposal -> connected/normal");
    invitation.end();
    forbidden("connected");
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    forbidden("disconnected");
  });
});
