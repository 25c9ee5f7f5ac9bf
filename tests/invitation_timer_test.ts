// SPDX-License-Identifier: GPL-2.0-or-later
/** Session timers (RFC 4028). The least interval is 90 seconds: what happens at its end is not waited for here. */
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type Engine, Invitation, type SessionTimer } from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import {
  callFromPeer,
  callPeer,
  connectedCallFromPeer,
  connectedCallToPeer,
  inviteOptions,
} from "./support/peer_calls.ts";
import { cseqOf, header } from "./support/sip_text.ts";
import type { Story } from "./support/story.ts";

const sdp = silentSdp.toString();

function lists(message: PeerMessage, name: string, value: string): boolean {
  return (message.headers.get(name) ?? []).join(",").split(",").some((one) => one.trim() === value);
}

/** What it says of the session timer, without the blanks that may stand there. */
function timerOf(message: PeerMessage): string | null {
  return message.headers.get("session-expires")?.[0]?.replaceAll(" ", "") ?? null;
}

async function finish(peer: Peer, story: Story): Promise<void> {
  story.invitation.end();
  peer.respond(await peer.next({ method: "BYE" }), 200);
  await story.end();
}

describe("Invitation, session timers", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it("Invitation.sendInvite() asks for a session timer where it is told to", async () => {
    await using peer = await Peer.open();
    const rows = [
      [{}, "1800", "90"],
      [{ expires: 600, minSe: 120, refresher: "uac" }, "600;refresher=uac", "120"],
      [{ minSe: 4000, refresher: "uas" }, "4000;refresher=uas", "4000"],
    ] as const;
    for (const [sessionTimer, expires, least] of rows) {
      const { story, invite } = await callPeer(peer, { sessionTimer });
      assertEquals([timerOf(invite), header(invite, "Min-SE")], [expires, least]);
      assert(lists(invite, "supported", "timer"));
      peer.respond(invite, 200, { body: sdp, headers: { "Session-Expires": "4000;refresher=uas" } });
      await peer.next({ method: "ACK" });
      await story.until("connected");
      await finish(peer, story);
    }
    const { story, invite } = await callPeer(peer);
    assertEquals([timerOf(invite), lists(invite, "supported", "timer")], [null, false]);
    peer.respond(invite, 486);
    await story.end();
  });

  it("Invitation takes the interval of a 422, unnoticed", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer, { sessionTimer: { expires: 100 } });
    peer.respond(invite, 422, { reason: "Session Interval Too Small", headers: { "Min-SE": "900" } });
    await peer.next({ method: "ACK" });
    const second = await peer.next({ method: "INVITE" });
    assertEquals([timerOf(second), header(second, "Min-SE")], ["900", "900"]);
    assertEquals(cseqOf(second).number, cseqOf(invite).number + 1);
    peer.respond(second, 200, { body: sdp });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    assertEquals(story.changes, [
      "null -> outgoing",
      "outgoing -> connecting",
      "connecting -> connected/normal",
    ]);
    await finish(peer, story);
  });

  it("Invitation keeps a session timer that the peer asks for", async () => {
    await using peer = await Peer.open();
    const rows = [
      ["1800", "1800;refresher=uac"],
      ["200;refresher=uas", "200;refresher=uas"],
      ["90;refresher=uac", "90;refresher=uac"],
    ] as const;
    for (const [asked, answered] of rows) {
      const { story, invitation } = await callFromPeer(engine, peer, {
        headers: { "Session-Expires": asked, Supported: "timer" },
      });
      invitation.sendResponse(180);
      assertEquals(timerOf(await peer.next({ code: 180 })), null);
      invitation.sendResponse(200, { sdp: silentSdp });
      const ok = await peer.next({ code: 200 });
      assertEquals(timerOf(ok), answered);
      assertEquals(lists(ok, "require", "timer"), answered.endsWith("uac"));
      peer.ack(ok);
      await story.until("connected");
      await finish(peer, story);
    }
  });

  it("Invitation is never told of an interval that is too small", async () => {
    await using peer = await Peer.open();
    peer.request("INVITE", {
      uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
      body: sdp,
      headers: { "Session-Expires": "89", Supported: "timer" },
    });
    const refusal = await peer.next({ code: 422 });
    assertEquals(header(refusal, "Min-SE"), "90");
    peer.ack(refusal);
  });

  it("Invitation.sendResponse() asks for a session timer, as far as the INVITE lets it", async () => {
    await using peer = await Peer.open();
    const rows: [Record<string, string>, SessionTimer, string][] = [
      [{}, { expires: 300 }, "300;refresher=uas"],
      [{}, { expires: 300, refresher: "uac" }, "300;refresher=uas"],
      [{ Supported: "timer" }, { expires: 300, refresher: "uac" }, "300;refresher=uac"],
      [{ Supported: "timer", "Session-Expires": "1800" }, { expires: 300 }, "300;refresher=uac"],
      [{ Supported: "timer", "Session-Expires": "200" }, { refresher: "uas" }, "200;refresher=uas"],
      [
        { Supported: "timer", "Session-Expires": "1800;refresher=uac" },
        { refresher: "uas" },
        "1800;refresher=uac",
      ],
    ];
    for (const [headers, sessionTimer, answered] of rows) {
      const { story, invitation } = await callFromPeer(engine, peer, { headers });
      invitation.sendResponse(200, { sdp: silentSdp, sessionTimer });
      const ok = await peer.next({ code: 200 });
      assertEquals(timerOf(ok), answered, JSON.stringify(headers));
      peer.ack(ok);
      await story.until("connected");
      await finish(peer, story);
    }
  });

  it("Invitation answers refreshes of the peer's by itself, and tells nobody", async () => {
    await using peer = await Peer.open();
    const incoming = await connectedCallFromPeer(engine, peer);
    const outgoing = await connectedCallToPeer(peer);
    for (
      const [{ story, invitation }, message] of [[incoming, incoming.ok], [
        outgoing,
        outgoing.invite,
      ]] as const
    ) {
      const before = story.told.length;
      const headers = { "Session-Expires": "1800;refresher=uac", Supported: "timer" };
      for (const [method, body] of [["UPDATE", ""], ["UPDATE", sdp], ["INVITE", sdp]] as const) {
        peer.request(method, { ...peer.dialog(message), body, headers });
        const ok = await peer.next({ cseqMethod: method });
        assertEquals([method, ok.code, timerOf(ok)], [method, 200, "1800;refresher=uac"]);
        assertEquals(ok.body === "", body === "");
        if (method === "INVITE") peer.ack(ok);
      }
      peer.request("INVITE", {
        ...peer.dialog(message),
        body: sdp.replace("o=- 1 1 ", "o=- 1 2 ").replace("sendrecv", "sendonly"),
        headers,
      });
      await story.untilChange("connected/normal -> connected/received_proposal");
      await peer.next({ code: 100 });
      assertEquals(story.since(before).length, 1, "the refreshes were not told, the change is");
      invitation.sendResponse(200, { sdp: silentSdp });
      const ok = await peer.next({ code: 200, cseqMethod: "INVITE" });
      assertEquals(timerOf(ok), "1800;refresher=uac");
      assertMatch(ok.body, /a=recvonly/);
      peer.ack(ok);
      await finish(peer, story);
    }
  });

  it("Engine.sessionTimer is what calls ask for that name none", async () => {
    await engine.stop();
    engine = await startEngine({ sessionTimer: { expires: 700, refresher: "uas" } });
    assertEquals(engine.sessionTimer, { expires: 700, minSe: 90, refresher: "uas" });
    await using peer = await Peer.open();
    for (
      const [options, expected] of [
        [{}, "700;refresher=uas"],
        [{ sessionTimer: { expires: 800 } }, "800"],
        [{ sessionTimer: null }, null],
      ] as const
    ) {
      const { story, invite } = await callPeer(peer, options);
      assertEquals(timerOf(invite), expected);
      peer.respond(invite, 486);
      await story.end();
    }
    const { story, ok } = await connectedCallFromPeer(engine, peer);
    assertEquals(timerOf(ok), "700;refresher=uas");
    await finish(peer, story);
    await engine.stop();
    engine = await startEngine();
    assertEquals(engine.sessionTimer, null);
  });

  it("Invitation.sendInvite() refuses session timers that are none", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    const rows: [SessionTimer, string][] = [
      [{ expires: 89 }, "expires"],
      [{ minSe: 89 }, "minSe"],
      [{ expires: 100, minSe: 101 }, "expires"],
      [{ expires: 100.5 }, "expires"],
      [{ refresher: "me" as "uac" }, "refresher"],
    ];
    for (const [sessionTimer, word] of rows) {
      assertThrows(
        () => new Invitation().sendInvite(inviteOptions(peer.port, { sessionTimer })),
        RangeError,
        word,
      );
      assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp, sessionTimer }), RangeError, word);
    }
    const nonsense = "1800" as unknown as SessionTimer;
    assertThrows(() => invitation.sendResponse(200, { sdp: silentSdp, sessionTimer: nonsense }), TypeError);
    invitation.sendResponse(486);
    peer.ack(await peer.next({ code: 486 }));
    await story.end();
  });
});
