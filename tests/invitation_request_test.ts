// SPDX-License-Identifier: GPL-2.0-or-later
/** Requests within a call that are none of its session's. */
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  Credentials,
  type Engine,
  Header,
  IncomingRequest,
  NotificationCenter,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { callFromPeer, callPeer, connectedCallFromPeer, connectedCallToPeer } from "./support/peer_calls.ts";
import { cseqOf, header, uriOf } from "./support/sip_text.ts";

const dtmf = "Signal=5\r\nDuration=160\r\n";

describe("Invitation, requests within the call", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ incomingRequests: ["PUBLISH", "NOTIFY"] });
  });
  after(stopEngine);

  it("Invitation.sendMessage() and sendInfo() send what they are given", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 180);
    await story.until("early");
    invitation.sendMessage("text/plain", "early");
    peer.respond(await peer.next({ method: "MESSAGE" }), 200);
    peer.respond(invite, 200, { body: silentSdp.toString() });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    invitation.sendMessage("text/plain;charset=utf-8", "Grüße\r\n", {
      extraHeaders: [new Header("X-A", "1")],
    });
    const message = await peer.next({ method: "MESSAGE" });
    assertEquals([message.uri, message.body], [peer.uri, "Grüße\r\n"]);
    assertMatch(header(message, "Content-Type"), /^text\/plain; ?charset=utf-8$/);
    assertEquals(header(message, "X-A"), "1");
    assertEquals(header(message, "Call-ID"), invitation.callId);
    peer.respond(message, 415);
    invitation.sendInfo("application/dtmf-relay", dtmf);
    const info = await peer.next({ method: "INFO" });
    assertEquals([header(info, "Content-Type"), info.body], ["application/dtmf-relay", dtmf]);
    assertEquals(cseqOf(info).number, cseqOf(message).number + 1);
    peer.respond(info, 200);
    assertEquals(invitation.state, "connected");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation tells MESSAGE and INFO of the peer's, and answers 200", async () => {
    await using peer = await Peer.open();
    const incoming = await connectedCallFromPeer(engine, peer);
    const outgoing = await connectedCallToPeer(peer);
    for (
      const [{ story, invitation }, message] of [[incoming, incoming.ok], [
        outgoing,
        outgoing.invite,
      ]] as const
    ) {
      const notes = invitation.notifications(["SIPInvitationGotMessage", "SIPInvitationGotInfo"]);
      const dialog = { ...peer.dialog(message), headers: { "X-Seen": "yes" } };
      peer.request("MESSAGE", { ...dialog, body: "hello", contentType: "text/plain" });
      const ok = await peer.next({ cseqMethod: "MESSAGE" });
      assertEquals(ok.code, 200);
      peer.request("INFO", { ...dialog, body: dtmf, contentType: "application/dtmf-relay" });
      assertEquals((await peer.next({ cseqMethod: "INFO" })).code, 200);
      peer.request("INFO", dialog);
      assertEquals((await peer.next({ cseqMethod: "INFO" })).code, 200);
      const told = [];
      for (let count = 0; count < 3; count++) told.push((await deadline(notes.next(), 5000)).value!);
      assertEquals(
        told.map(({ name, data }) => [
          name,
          data.method,
          data.requestUri?.toString(),
          data.headers.text("X-Seen"),
          data.body instanceof Uint8Array ? new TextDecoder().decode(data.body) : data.body,
          data.timestamp instanceof Date,
        ]),
        [
          ["SIPInvitationGotMessage", "MESSAGE", uriOf(header(message, "Contact")), "yes", "hello", true],
          ["SIPInvitationGotInfo", "INFO", uriOf(header(message, "Contact")), "yes", dtmf, true],
          ["SIPInvitationGotInfo", "INFO", uriOf(header(message, "Contact")), "yes", null, true],
        ],
      );
      assertEquals(Object.keys(told[0]!.data).sort(), [
        "body",
        "headers",
        "method",
        "requestUri",
        "timestamp",
      ]);
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
      assertEquals((await notes.next()).done, true);
    }
  });

  it("Invitation answers the challenges of MESSAGE and INFO", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer, {
      credentials: new Credentials("alice", "x"),
    });
    peer.respond(invite, 200, { body: silentSdp.toString() });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    for (const [index, method] of ["MESSAGE", "INFO"].entries()) {
      if (method === "INFO") invitation.sendInfo("text/plain", "five");
      else invitation.sendMessage("text/plain", "five");
      const first = await peer.next({ method });
      peer.respond(first, 407, {
        headers: {
          "Proxy-Authenticate": challengeText({ realm: "r", nonce: `n${index}`, algorithm: "MD5" }),
        },
      });
      const second = await peer.next({ method });
      assertMatch(header(second, "Proxy-Authorization"), /username="alice"/);
      assertEquals(second.body, "five");
      peer.respond(second, 200);
    }
    invitation.end();
    const bye = await peer.next({ method: "BYE" });
    peer.respond(bye, 200);
    await story.end();
  });

  it("Invitation ends when a request within it is answered 481 or not at all", async () => {
    await using peer = await Peer.open();
    const gone = await connectedCallToPeer(peer);
    gone.invitation.sendMessage("text/plain", "are you there?");
    peer.respond(await peer.next({ method: "MESSAGE" }), 481, { reason: "No Such Call" });
    peer.respond(await peer.next({ method: "BYE" }), 200);
    const last = (await gone.story.end()).at(-1)!;
    assert("change" in last);
    assertEquals([last.change, last.code, last.disconnectReason], [
      "disconnecting -> disconnected",
      481,
      "No Such Call",
    ]);
    const lost = await connectedCallToPeer(peer);
    lost.invitation.sendInfo("text/plain", "are you there?");
    peer.respond(await peer.next({ method: "BYE", timeoutMs: 12_000 }), 200);
    const end = (await lost.story.end()).at(-1)!;
    assert("change" in end);
    assertEquals([end.code, end.disconnectReason], [408, "timeout"]);
  });

  it("IncomingRequest is a request within the call whose method the program wants", async () => {
    await using peer = await Peer.open();
    const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
    const got = new NotificationCenter().once("SIPIncomingRequestGotRequest");
    peer.request("PUBLISH", { ...peer.dialog(ok), body: "state", contentType: "text/plain" });
    const { sender, data } = await deadline(got, 5000);
    assert(sender instanceof IncomingRequest);
    assertEquals([data.method, data.body, data.headers.text("Call-ID")], [
      "PUBLISH",
      "state",
      invitation.callId,
    ]);
    sender.answer(299, {
      reason: "Kept",
      extraHeaders: [new Header("X-Kept", "1")],
      contentType: "text/plain",
      body: "so",
    });
    const answer = await peer.next({ cseqMethod: "PUBLISH" });
    assertEquals([answer.code, answer.reason, answer.body, header(answer, "X-Kept")], [
      299,
      "Kept",
      "so",
      "1",
    ]);
    const second = new NotificationCenter().once("SIPIncomingRequestGotRequest");
    peer.request("PUBLISH", peer.dialog(ok));
    const late = await deadline(second, 5000);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    late.sender.answer(404);
    assertEquals((await peer.next({ cseqMethod: "PUBLISH" })).code, 404);
  });

  it("Invitation.sendMessage() forbids what the state forbids, and bad arguments", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    const calls = [
      () => invitation.sendMessage("text/plain", "x"),
      () => invitation.sendInfo("text/plain", "x"),
    ];
    for (const call of calls) assertEquals(assertThrows(call, SIPCoreInvalidStateError).state, "incoming");
    invitation.sendResponse(180);
    await story.until("early");
    for (const send of [invitation.sendMessage, invitation.sendInfo]) {
      assertThrows(() => send.call(invitation, "nonsense", "x"), TypeError, "contentType");
      assertThrows(() => send.call(invitation, "text/plain", 5 as unknown as string), TypeError);
      assertThrows(() => send.call(invitation, "text/plain\r\nX: y", "x"), TypeError, "contentType");
      assertThrows(
        () => send.call(invitation, "text/plain", "x", { extraHeaders: [new Header("CSeq", "9")] }),
        TypeError,
        "CSeq",
      );
    }
    invitation.sendMessage("text/plain", "x");
    peer.respond(await peer.next({ method: "MESSAGE" }), 200);
    invitation.sendResponse(486);
    peer.ack(await peer.next({ code: 486 }));
    await story.end();
    for (const call of calls) {
      assertEquals(assertThrows(call, SIPCoreInvalidStateError).state, "disconnected");
    }
  });
});
