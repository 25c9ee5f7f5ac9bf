// SPDX-License-Identifier: GPL-2.0-or-later
/** What comes from the network and is meant to break something. */
import { after, before, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Engine, FrozenSDPSession, Invitation, NotificationCenter, PJSIPError } from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { callFromPeer, callPeer, inviteOptions } from "./support/peer_calls.ts";
import { Story } from "./support/story.ts";

const sdp = silentSdp.toString();

function session(...media: string[]): string {
  return `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${media.join("\r\n")}\r\n`;
}

function lines(count: number, line: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => line(index));
}

const audio = "m=audio 4000 RTP/AVP 0";

/** Session descriptions that pjmedia 2.17 does not survive, or should not have to look at. */
const hostile: Readonly<Record<string, string>> = {
  "a payload number over 127 in m=": session("m=audio 4000 RTP/AVP 0 128"),
  "a payload number of many digits in m=": session("m=audio 4000 RTP/AVP 99999999999999999999"),
  "a payload number over 127 in rtpmap": session(audio, "a=rtpmap:0 PCMU/8000", "a=rtpmap:200 PCMU/8000"),
  "a payload number over 127 in fmtp": session(audio, "a=rtpmap:0 PCMU/8000", "a=fmtp:128 0-15"),
  "a payload number of 2 to the 32": session(audio, "a=rtpmap:4294967296 PCMU/8000"),
  "65 crypto lines": session(
    "m=audio 4000 RTP/SAVP 0",
    ...lines(65, (index) => `a=crypto:${index + 1} AES_CM_128_HMAC_SHA1_80 inline:${"A".repeat(40)}`),
  ),
  "100 media lines": session(...lines(100, () => audio)),
  "a RED offer": session("m=text 4000 RTP/AVP 100 0", "a=rtpmap:100 red/1000", "a=fmtp:100 0/0/0"),
  "a RED offer in capitals": session(
    "m=audio 4000 RTP/AVP 0 100",
    "a=rtpmap:100  RED/8000/1",
    "a=fmtp:100 0/0",
  ),
  "10,000 attributes": session(audio, ...lines(10_000, (index) => `a=${index}`)).slice(0, 60_000),
  "10,000 empty media lines": session(...lines(10_000, () => "m=")).slice(0, 60_000),
  "200 formats": session(`m=audio 4000 RTP/AVP ${lines(200, (index) => `${index % 128}`).join(" ")}`),
  "a NUL in a line": session("m=audio 4000 RTP/AVP 0").replace("IN IP4", "IN\0IP4"),
  "payload numbers behind tabs": session("m=audio\t4000\tRTP/AVP\t200", "a=rtpmap:\t200 PCMU/8000"),
};

describe("The door", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  const own = () => `sip:bob@127.0.0.1:${engine.udpPort}`;

  /** The engine is alive and answers at once. */
  async function assertAlive(peer: Peer): Promise<void> {
    const begun = performance.now();
    const { callId } = peer.dialog(peer.request("OPTIONS", { uri: own() }));
    let answer = await peer.next({ cseqMethod: "OPTIONS" });
    while (answer.headers.get("call-id")?.[0] !== callId) answer = await peer.next({ cseqMethod: "OPTIONS" });
    assertEquals(answer.code, 200);
    assert(performance.now() - begun < 1000);
  }

  for (const [what, body] of Object.entries(hostile)) {
    it(`INVITE is refused at once with ${what}`, async () => {
      await using peer = await Peer.open();
      let told = 0;
      using _observer = new NotificationCenter().addObserver(() => void told++, {
        name: "SIPInvitationChangedState",
      });
      for (
        const [contentType, text] of [
          ["application/sdp", body],
          ["Application/SDP;x=y", body],
          ["multipart/mixed;boundary=b", `--b\r\nContent-Type: application/sdp\r\n\r\n${body}\r\n--b--\r\n`],
        ] as const
      ) {
        const begun = performance.now();
        const invite = peer.request("INVITE", { uri: own(), body: text, contentType });
        let answer = await peer.next({ cseqMethod: "INVITE" });
        while (answer.code! < 200) answer = await peer.next({ cseqMethod: "INVITE" });
        assert(answer.code === 488 || answer.code === 400, `${contentType}: ${answer.code}`);
        assert(performance.now() - begun < 250, `${contentType}: ${performance.now() - begun} ms`);
        assertEquals(answer.headers.get("call-id"), invite.headers.get("call-id"));
        peer.ack(answer);
        await assertAlive(peer);
      }
      assertEquals(told, 0);
    });

    it(`Invitation ends cleanly when it is answered with ${what}`, async () => {
      await using peer = await Peer.open();
      for (const early of [true, false]) {
        const { story, invite } = await callPeer(peer);
        if (early) {
          peer.respond(invite, 183, { body });
          await story.until("early");
        }
        peer.respond(invite, 200, { body });
        await peer.next({ method: "ACK" });
        peer.respond(await peer.next({ method: "BYE" }), 200);
        await story.end();
        assertEquals(story.changes.at(-1), "disconnecting -> disconnected");
        assertEquals(story.changes.some((one) => one.includes("connected/normal")), false);
      }
      await assertAlive(peer);
    });

    it(`Invitation ends cleanly when an ACK holds ${what}`, async () => {
      await using peer = await Peer.open();
      const { story, invitation } = await callFromPeer(engine, peer, { body: "" });
      invitation.sendResponse(200, { sdp: silentSdp });
      peer.ack(await peer.next({ code: 200 }), { body });
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
      assertEquals(story.changes.at(-1), "disconnecting -> disconnected");
      await assertAlive(peer);
    });

    it(`Invitation refuses to send ${what}`, async () => {
      await using peer = await Peer.open();
      const parsed = FrozenSDPSession.tryParse(body);
      if (parsed === null) return; // the classes refuse it: nothing of it can be sent
      const invitation = new Invitation();
      try {
        invitation.sendInvite(inviteOptions(peer.port, { sdp: parsed }));
      } catch (error) {
        assert(error instanceof PJSIPError, String(error));
        assertEquals(invitation.state, null);
        return;
      }
      // What is only long is no danger to this side.
      const story = new Story(invitation);
      peer.respond(await peer.next({ method: "INVITE" }), 486);
      await story.end();
      await assertAlive(peer);
    });
  }

  it("INVITE with an honest description of the same shapes is taken", async () => {
    await using peer = await Peer.open();
    const honest = session(
      "m=audio 4000 RTP/AVP 0 127",
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:127 telephone-event/8000",
      "a=fmtp:127 0-15",
      ...lines(40, (index) => `a=x-${index}:y`),
      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
      `a=long:${"x".repeat(50_000)}`,
    );
    const { story, invitation } = await callFromPeer(engine, peer, { body: honest });
    assertEquals(invitation.sdp.proposedRemote?.media[0]?.formats.includes("127"), true);
    invitation.sendResponse(486);
    peer.ack(await peer.next({ code: 486 }));
    await story.end();
  });

  it("Datagrams that are no SIP messages are passed over", async () => {
    await using peer = await Peer.open();
    const { text } = peer.request("OPTIONS", { uri: own() });
    await peer.next({ code: 200 });
    const nasty = [
      "",
      "\r\n\r\n",
      "\0",
      "\0".repeat(60_000),
      "x".repeat(60_000),
      "SIP/2.0 200 OK\r\n\r\n",
      "SIP/2.0 99999999999 OK\r\n\r\n",
      "INVITE\r\n\r\n",
      "INVITE sip:a SIP/2.0\r\n\r\n",
      text.slice(0, text.length / 2),
      text.replace(/CSeq: .*/, "CSeq: 99999999999999999999 OPTIONS"),
      text.replace(/CSeq: .*/, "CSeq: -1 OPTIONS"),
      text.replace(/CSeq: .*/, "CSeq: 1 INVITE"),
      text.replace(/Content-Length: .*/, "Content-Length: 99999999"),
      text.replace(/Content-Length: .*/, "Content-Length: -1"),
      text.replace(/Max-Forwards: .*/, "Max-Forwards: 4294967296"),
      text.replace(/Via: .*/, "Via: SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bKx"),
      text.replace(/Via: .*/, `Via: ${"SIP/2.0/UDP 127.0.0.1, ".repeat(2000)}SIP/2.0/UDP 127.0.0.1`),
      text.replace(/From: .*/, `From: "${'\\"'.repeat(10_000)} <sip:a@b>;tag=1`),
      text.replace(/From: .*/, `From: <sip:${"%".repeat(5000)}@b>;tag=1`),
      text.replace(/To: .*/, `To: <sip:a@${"[".repeat(5000)}>`),
      text.replace(/To: .*/, `To: ${"<".repeat(5000)}sip:a@b>`),
      text.replace("\r\n\r\n", `\r\n${"X: y\r\n".repeat(8000)}\r\n`),
      text.replace("\r\n\r\n", `\r\n${"Contact: *\r\n".repeat(3000)}\r\n`),
      text.replace("\r\n\r\n", `\r\nSubject: a${"\r\n ".repeat(10_000)}b\r\n\r\n`),
      text.replaceAll("\r\n", "\n"),
      text.replaceAll("\r\n", "\r"),
    ];
    for (const one of nasty) peer.send(one, engine.udpPort!);
    await assertAlive(peer);
  });

  it("Messages with a part changed at random never stop the engine", async () => {
    await using peer = await Peer.open();
    const seeds = [
      peer.request("INVITE", { uri: own(), body: sdp, callId: "seed" }).text,
      peer.request("BYE", { uri: own() }).text,
      `SIP/2.0 200 OK\r\n${peer.request("OPTIONS", { uri: own() }).text.split("\r\n").slice(1).join("\r\n")}`,
    ].map((text) => new TextEncoder().encode(text));
    const change = fc.record({
      seed: fc.constantFrom(...seeds),
      at: fc.nat(2000),
      cut: fc.nat(30),
      put: fc.oneof(
        fc.uint8Array({ maxLength: 20 }),
        fc.constantFrom(
          "\r\n",
          "\0",
          "\r\n\r\n",
          '"',
          "<",
          ">",
          ";",
          "%",
          "%00",
          "[",
          "=",
          ",",
          "a=rtpmap:",
          "m=",
        )
          .map((text) => new TextEncoder().encode(text)),
      ),
    });
    for (const { seed, at, cut, put } of fc.sample(change, { numRuns: 1500, seed: 7 })) {
      const from = at % seed.length;
      peer.send(new Uint8Array([...seed.slice(0, from), ...put, ...seed.slice(from + cut)]), engine.udpPort!);
    }
    await using fresh = await Peer.open();
    await assertAlive(fresh);
    // Calls that came about nobody listened to: they are over by now.
    const call = await callFromPeer(engine, fresh);
    call.invitation.sendResponse(486);
    fresh.ack(await fresh.next({ code: 486 }));
    await call.story.end();
  });
});
