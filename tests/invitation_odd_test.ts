// SPDX-License-Identifier: GPL-2.0-or-later
/** What happens to calls beside the plain ways: forks, calls that replace calls, hostile descriptions, lost peers. */
import { createConnection } from "node:net";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  type Engine,
  Header,
  Invitation,
  NotificationCenter,
  ReplacesHeader,
  RouteHeader,
  SIPCoreInvalidStateError,
  SIPURI,
} from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import {
  callFromPeer,
  callPeer,
  connectedCallFromPeer,
  connectedCallToPeer,
  inviteOptions,
  silentStreams,
} from "./support/peer_calls.ts";
import { header, tagOf } from "./support/sip_text.ts";
import { changed, Story } from "./support/story.ts";
import { StreamPeer } from "./support/stream_peer.ts";
import { until } from "./support/until.ts";

const sdp = silentSdp.toString();

describe("Invitation, beside the plain ways", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);
  const own = () => `sip:bob@127.0.0.1:${engine.udpPort}`;

  it("Invitation is the first branch that takes the call; each later one gets ACK and BYE", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 180, { toTag: "one" });
    peer.respond(invite, 180, { toTag: "two" });
    await story.untilChange("early -> early");
    peer.respond(invite, 200, { toTag: "two", body: sdp });
    assertEquals(tagOf(header(await peer.next({ method: "ACK" }), "To")), "two");
    await story.until("connected");
    assertEquals(invitation.dialogId?.remoteTag, "two");
    for (const toTag of ["one", "three"]) {
      const late = peer.respond(invite, 200, { toTag, body: sdp });
      assertEquals(tagOf(header(await peer.next({ method: "ACK" }), "To")), toTag);
      const bye = await peer.next({ method: "BYE" });
      assertEquals(tagOf(header(bye, "To")), toTag);
      peer.respond(bye, 200);
      peer.send(late.text, engine.udpPort!);
      assertEquals(tagOf(header(await peer.next({ method: "ACK" }), "To")), toTag);
    }
    assertEquals(invitation.state, "connected");
    invitation.end();
    const bye = await peer.next({ method: "BYE" });
    assertEquals(tagOf(header(bye, "To")), "two");
    peer.respond(bye, 200);
    await story.end();
    assertEquals(story.changes, [
      "null -> outgoing",
      "outgoing -> early",
      "early -> early",
      "early -> connecting",
      "connecting -> connected/normal",
      "connected/normal -> disconnecting",
      "disconnecting -> disconnected",
    ]);
  });

  it("Invitation tells a redirection with all its Contacts", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer);
    peer.respond(invite, 300, {
      reason: "Multiple Choices",
      headers: { Contact: ["<sip:a@192.0.2.1>;q=0.7", "<sip:b@192.0.2.2>;q=0.2"] },
    });
    await peer.next({ method: "ACK" });
    await story.end();
    const { data } = story.notifications.at(-1)!;
    assert("headers" in data);
    assertEquals(data.headers.getAll("Contact").map((one) => [one.uri?.toString(), one.q]), [
      ["sip:a@192.0.2.1", 0.7],
      ["sip:b@192.0.2.2", 0.2],
    ]);
    assertEquals(peer.received.filter(({ method }) => method === "INVITE").length, 1, "nothing is followed");
  });

  it("Invitation carries a Replaces header, and one that names no call is refused", async () => {
    await using peer = await Peer.open();
    const first = await connectedCallFromPeer(engine, peer);
    const id = first.invitation.dialogId!;
    // As we see it, for a peer to come with.
    const replaces = `${id.callId};to-tag=${id.localTag};from-tag=${id.remoteTag}`;
    const second = await callFromPeer(engine, peer, { headers: { Replaces: replaces, Require: "replaces" } });
    const { data } = second.story.notifications[0]!;
    assert("headers" in data);
    const got = data.headers.get("Replaces");
    assert(got !== null && "callId" in got);
    assertEquals([got.callId, got.toTag, got.fromTag], [id.callId, id.localTag, id.remoteTag]);
    second.invitation.sendResponse(200, { sdp: silentSdp });
    const ok = await peer.next({ code: 200 });
    peer.ack(ok);
    await second.story.until("connected");
    assertEquals(first.invitation.state, "connected", "it is the program's to end");
    for (
      const [headers, code] of [
        [{ Replaces: "nobody@nowhere;to-tag=1;from-tag=2" }, 481],
        [{ Replaces: [replaces, replaces] }, 400],
        [{ Replaces: `${replaces};early-only` }, 486],
      ] as const
    ) {
      const invite = peer.request("INVITE", { uri: own(), body: sdp, headers });
      const refusal = await peer.next({ code });
      assertMatch(header(refusal, "Warning"), /^399 /);
      assertEquals(header(refusal, "Call-ID"), header(invite, "Call-ID"));
      peer.ack(refusal);
    }
    const third = await callPeer(peer, { extraHeaders: [new ReplacesHeader("a@b", "f", "t")] });
    assertMatch(header(third.invite, "Replaces"), /^a@b;/);
    peer.respond(third.invite, 481);
    await third.story.end();
    for (const { story, invitation } of [first, second]) {
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
    }
    assertThrows(
      () =>
        third.invitation.sendInvite(inviteOptions(peer.port, {
          extraHeaders: [new ReplacesHeader("a@b", "f", "t"), new ReplacesHeader("c@d", "f", "t")],
        })),
      TypeError,
      "Replaces",
    );
  });

  it("Invitation puts any number of extra headers into each response, and takes none along", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    const headers = (word: string, count: number) =>
      Array.from({ length: count }, (_, index) => new Header(`X-${word}`, `${index}`));
    for (
      const [code, word, count] of [[180, "One", 40], [183, "Two", 3], [181, "Three", 0], [
        486,
        "Four",
        25,
      ]] as const
    ) {
      invitation.sendResponse(code, { extraHeaders: headers(word, count) });
      const response = await peer.next({ code });
      const found = [...response.headers].filter(([name]) => name.startsWith("x-"));
      assertEquals(
        found,
        count ? [[`x-${word.toLowerCase()}`, Array.from({ length: count }, (_, index) => `${index}`)]] : [],
      );
      if (code === 486) peer.ack(response);
    }
    await story.end();
  });

  describe("hostile session descriptions", () => {
    const bombs = {
      "9,000 attributes": sdp + "a=x:y\r\n".repeat(9000),
      "2,000 streams": sdp + "m=audio 4000 RTP/AVP 0\r\n".repeat(2000),
      "a payload number of 200": sdp.replace("RTP/AVP 0", "RTP/AVP 200"),
      "a crypto line 65 times": sdp + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n".repeat(65),
      "no description at all": "v=0\r\nfull of nonsense\r\n",
    };

    for (const [name, body] of Object.entries(bombs)) {
      it(`Invitation survives ${name}, and tells where there is a call`, async () => {
        await using peer = await Peer.open();
        let strangers = 0;
        {
          using _observer = new NotificationCenter().addObserver(() => void strangers++, {
            name: "SIPInvitationChangedState",
          });
          const began = performance.now();
          peer.request("INVITE", { uri: own(), body });
          const refusal = await peer.next({ cseqMethod: "INVITE" });
          assert(refusal.code === 400 || refusal.code === 488, `${refusal.code}`);
          assert(performance.now() - began < 250, "at once");
          peer.ack(refusal);
        }
        assertEquals(strangers, 0);

        const { story, invitation, ok } = await connectedCallFromPeer(engine, peer);
        const before = story.told.length;
        for (const method of ["INVITE", "UPDATE"]) {
          peer.request(method, { ...peer.dialog(ok), body });
          const answer = await peer.next({ cseqMethod: method });
          assert([400, 415, 488].includes(answer.code!), `${method} ${answer.code}`);
          if (method === "INVITE") peer.ack(answer);
        }
        assertEquals([invitation.state, invitation.subState], ["connected", "normal"]);
        invitation.sendReinvite();
        peer.respond(await peer.next({ method: "INVITE" }), 200, { body });
        await peer.next({ method: "ACK" });
        await story.untilChange("connected/sent_proposal -> connected/normal");
        const failures = story.since(before).filter((one) => "succeeded" in one);
        assert(failures.length >= 1, "the answer is told");
        assert(failures.every((one) => "succeeded" in one && !one.succeeded && one.error !== null));
        assertEquals(invitation.sdp.activeRemote?.media.length, 1);
        invitation.end();
        peer.respond(await peer.next({ method: "BYE" }), 200);
        await story.end();

        const call = await callPeer(peer);
        peer.respond(call.invite, 200, { body });
        await peer.next({ method: "ACK" });
        peer.respond(await peer.next({ method: "BYE" }), 200);
        const told = await call.story.end();
        assert(told.some((one) => "succeeded" in one && !one.succeeded));
        assertEquals(call.story.changes.slice(-3), [
          "outgoing -> connecting",
          "connecting -> disconnecting",
          "disconnecting -> disconnected",
        ]);
      });
    }

    it("Invitation agrees on no description that PJSIP takes and nobody can read", async () => {
      await using peer = await Peer.open();
      const { story, invite } = await callPeer(peer);
      peer.respond(invite, 200, { body: sdp.replace("t=0 0", "b=:5\r\nt=0 0") });
      await peer.next({ method: "ACK" });
      peer.respond(await peer.next({ method: "BYE" }), 200);
      const told = await story.end();
      const updates = told.filter((one) => "succeeded" in one);
      assertEquals(updates.length, 1);
      assertMatch(`${updates[0]!.error}`, /cannot be read/);
    });

    it("Invitation is never told of a megabyte, and the engine goes on", async () => {
      await using peer = await Peer.open();
      const socket = createConnection(engine.tcpPort!, "127.0.0.1");
      let answer = "";
      let closed = false;
      socket.on("data", (data) => void (answer += data.toString()));
      socket.on("close", () => void (closed = true));
      socket.on("error", () => void (closed = true));
      const body = sdp + "a=x:y\r\n".repeat(150_000);
      const began = performance.now();
      socket.write(
        `INVITE ${own()};transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKmega\r\n` +
          `From: <sip:a@b>;tag=1\r\nTo: <${own()}>\r\nCall-ID: megabyte\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n` +
          `Contact: <sip:a@127.0.0.1:9>\r\nContent-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      await until(() => closed || /^SIP\/2\.0 [45]\d\d /.test(answer), "refused or closed");
      assert(performance.now() - began < 250, "at once");
      socket.destroy();
      const { story, invitation } = await connectedCallFromPeer(engine, peer);
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
    });
  });

  describe("end() in every state", () => {
    const ended = "disconnecting -> disconnected";

    it("Invitation.end() does nothing before and after the call", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await callPeer(peer);
      invitation.end();
      const invite = peer.received[0]!;
      assertThrows(() => invitation.end(), SIPCoreInvalidStateError);
      peer.respond(invite, 100);
      const cancel = await peer.next({ method: "CANCEL" });
      peer.respond(cancel, 200);
      peer.respond(invite, 487, { reason: "Request Terminated" });
      await story.end();
      assertEquals(story.told.slice(1), [
        changed("outgoing -> disconnecting", { originator: "local", method: "CANCEL" }),
        changed(ended, {
          originator: "remote",
          code: 487,
          reason: "Request Terminated",
          cseq: "INVITE",
          disconnectReason: "user request",
        }),
      ]);
      invitation.end();
    });

    it("Invitation.end() gives up after its timeout when the peer is lost", async () => {
      await using peer = await Peer.open();
      const rows = [
        [await callPeer(peer), "CANCEL", "outgoing"],
        [await callPeer(peer), "CANCEL", "early"],
        [await connectedCallToPeer(peer), "BYE", "connected/normal"],
        [await connectedCallFromPeer(engine, peer), "BYE", "connected/normal"],
      ] as const;
      peer.respond(rows[1][0].invite, 180);
      await rows[1][0].story.until("early");
      for (const [{ story, invitation }, method, state] of rows) {
        const before = story.told.length;
        invitation.end({ timeout: 0.3 });
        await story.end();
        assertEquals(story.since(before), [
          changed(`${state} -> disconnecting`, { originator: "local", method }),
          changed(ended, { code: 408, reason: "Request Timeout", disconnectReason: "timeout" }),
        ]);
      }
    });

    it("Invitation.end() gives up by itself when the peer is lost", async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await connectedCallToPeer(peer);
      invitation.end();
      await peer.next({ method: "BYE" });
      await story.end();
      assertEquals(story.changes.at(-1), ended);
      assertEquals((story.told.at(-1) as { code: number }).code, 408);
    });
  });

  it("Invitation tells that a re-INVITE finds no connection, and hangs up all the same", async () => {
    const peer = await StreamPeer.open();
    const invitation = new Invitation();
    const story = new Story(invitation);
    const options = inviteOptions(peer.port);
    const uri = SIPURI.from(options.requestUri);
    uri.transport = "tcp";
    invitation.sendInvite({
      ...options,
      requestUri: uri,
      routeHeader: RouteHeader.to({ address: "127.0.0.1", port: peer.port, transport: "tcp" }),
    });
    const invite = await peer.next();
    peer.respond(
      invite,
      200,
      {
        Contact: `<sip:peer@127.0.0.1:${peer.port};transport=tcp>`,
        "Content-Type": "application/sdp",
      },
      "OK",
      sdp,
    );
    assertEquals((await peer.next()).method, "ACK");
    await story.until("connected");
    await peer[Symbol.asyncDispose]();
    invitation.sendReinvite();
    const { data } = await story.untilChange("connected/sent_proposal -> connected/normal");
    assertEquals(data.code, 503);
    assertEquals(invitation.sdp.activeLocal?.media.length, 1);
    invitation.end();
    await story.end();
    assertEquals(story.changes.slice(-2), [
      "connected/normal -> disconnecting",
      "disconnecting -> disconnected",
    ]);
  });

  it("Invitation is told that the call is over when the peer's port is closed", async () => {
    const peer = await Peer.open();
    const { story, invitation } = await connectedCallToPeer(peer);
    await peer.close();
    invitation.sendInfo("text/plain", "x");
    const told = await story.end();
    assertEquals(story.changes.at(-1), ended(invitation.state));
    assert("change" in told.at(-1)!);
    assertEquals(streamsOf(told), [silentStreams]);
  });
});

function ended(state: string | null): string {
  return `disconnecting -> ${state}`;
}

function streamsOf(told: readonly object[]): string[] {
  return told.flatMap((one) => "local" in one && typeof one.local === "string" ? [one.local] : []);
}
