// SPDX-License-Identifier: GPL-2.0-or-later
/** The i= lines of session descriptions, which pjmedia does not know: what is given goes over the wire. */
import { after, before, describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { type Engine, FrozenSDPSession } from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { callFromPeer, callPeer } from "./support/peer_calls.ts";
import { header } from "./support/sip_text.ts";

/** Two streams, each with an i= line, and one of the session; where they are written differs. */
const text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=A talk\r\ni=About i= lines: ä, a=b\r\n" +
  "c=IN IP4 127.0.0.1\r\nt=0 0\r\na=x-first:1\r\n" +
  "m=audio 4000 RTP/AVP 0\r\ni=The speaker\r\nb=AS:64\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n" +
  "m=audio 4002 RTP/AVP 0\r\ni=The interpreter\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";
const sdp = FrozenSDPSession.parse(text);

/** The lines, without what PJSIP changes: the version. */
function lines(body: string): string[] {
  return body.replace(/^o=.*$/m, "o=").split("\r\n");
}

/** In an INVITE or its answer, whole, and as long as its header says. */
function assertWhole(
  message: { readonly body: string; readonly headers: ReadonlyMap<string, readonly string[]> },
) {
  assertEquals(lines(message.body), lines(text));
  assertEquals(
    Number(message.headers.get("content-length")![0]),
    new TextEncoder().encode(message.body).length,
  );
}

describe("Invitation, i= lines", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it("Invitation.sendInvite() and sendReinvite() offer i= lines in their places", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer, { sdp });
    assertWhole(invite);
    assertEquals(invitation.sdp.proposedLocal?.info, sdp.info);
    peer.respond(invite, 200, { body: text });
    await peer.next({ method: "ACK" });
    const { data } = await story.untilUpdate();
    assertEquals(data.localSdp?.info, "About i= lines: ä, a=b");
    assertEquals(data.localSdp?.media.map(({ info }) => info), ["The speaker", "The interpreter"]);
    assertEquals(data.localSdp?.attributes.map(({ name }) => name), ["x-first"]);
    assertEquals(data.remoteSdp?.info, "About i= lines: ä, a=b");
    await story.until("connected");
    invitation.sendReinvite();
    const reinvite = await peer.next({ method: "INVITE" });
    assertWhole(reinvite);
    peer.respond(reinvite, 488);
    await peer.next({ method: "ACK" });
    await story.untilChange("connected/sent_proposal -> connected/normal");
    assertEquals(invitation.sdp.activeLocal?.info, sdp.info);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation.sendResponse() and sendAck() answer with i= lines in their places", async () => {
    await using peer = await Peer.open();
    const incoming = await callFromPeer(engine, peer, { body: text });
    incoming.invitation.sendResponse(200, { sdp });
    const ok = await peer.next({ code: 200 });
    assertWhole(ok);
    peer.ack(ok);
    await incoming.story.until("connected");
    // An UPDATE gets what was agreed on, as it was given.
    peer.request("UPDATE", { ...peer.dialog(ok), body: text.replace("o=- 1 1", "o=- 1 2") });
    assertWhole(await peer.next({ cseqMethod: "UPDATE" }));

    const outgoing = await callPeer(peer, { sdp: null });
    peer.respond(outgoing.invite, 200, { body: text });
    await outgoing.story.until("connecting");
    outgoing.invitation.sendAck(sdp);
    const ack = await peer.next({ method: "ACK", callId: header(outgoing.invite, "Call-ID") });
    assertWhole(ack);
    for (const { invitation, story } of [incoming, outgoing]) {
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
    }
  });
});
