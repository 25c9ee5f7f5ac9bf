// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Credentials, FrozenCredentials } from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { answers, type Challenge, challengeText, digestParameters, ha1 } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { callPeer } from "./support/peer_calls.ts";
import { cseqOf, header, tagOf } from "./support/sip_text.ts";

const user = "alice";
const password = "wonderland";
const md5: Challenge = { realm: "example.net", nonce: "n1", algorithm: "MD5" };

/** The header that carries the challenge, and the one that answers it. */
const names = {
  401: ["WWW-Authenticate", "Authorization"],
  407: ["Proxy-Authenticate", "Proxy-Authorization"],
} as const;

function challenge(peer: Peer, invite: PeerMessage, code: 401 | 407, ...challenges: Challenge[]): void {
  peer.respond(invite, code, { headers: { [names[code][0]]: challenges.map(challengeText) } });
}

/** Takes the call and hangs up. */
async function finish(
  peer: Peer,
  call: Awaited<ReturnType<typeof callPeer>>,
  invite: PeerMessage,
): Promise<void> {
  peer.respond(invite, 200, { body: silentSdp.toString() });
  await peer.next({ method: "ACK" });
  await call.story.until("connected");
  call.invitation.end();
  peer.respond(await peer.next({ method: "BYE" }), 200);
  await call.story.end();
}

describe("Invitation, authentication", () => {
  before(() => startEngine());
  after(stopEngine);

  for (const code of [401, 407] as const) {
    for (const algorithm of ["MD5", "SHA-256"] as const) {
      it(`Invitation.credentials answer a ${code} with ${algorithm}, unnoticed`, async () => {
        await using peer = await Peer.open();
        const credentials = new Credentials(user, password);
        const call = await callPeer(peer, { credentials });
        assert(call.invitation.credentials instanceof FrozenCredentials);
        assert(call.invitation.credentials.equals(credentials));
        const asked: Challenge = { realm: "example.net", nonce: "n1", algorithm };
        challenge(peer, call.invite, code, asked);
        await peer.next({ method: "ACK" });
        const second = await peer.next({ method: "INVITE" });
        assertEquals(cseqOf(second).number, cseqOf(call.invite).number + 1);
        assertEquals(header(second, "Call-ID"), header(call.invite, "Call-ID"));
        assertEquals(tagOf(header(second, "From")), tagOf(header(call.invite, "From")));
        assertNotEquals(header(second, "Via"), header(call.invite, "Via"));
        assertEquals(second.body, call.invite.body);
        const value = header(second, names[code][1]);
        assert(answers(value, asked, { method: "INVITE", user, password }), value);
        assertEquals([digestParameters(value).get("qop"), digestParameters(value).get("nc")], [
          "auth",
          "00000001",
        ]);
        await finish(peer, call, second);
        assertEquals(call.story.changes, [
          "null -> outgoing",
          "outgoing -> connecting",
          "connecting -> connected/normal",
          "connected/normal -> disconnecting",
          "disconnecting -> disconnected",
        ]);
      });
    }
  }

  it("Invitation.credentials answer a challenge without qop", async () => {
    await using peer = await Peer.open();
    const call = await callPeer(peer, { credentials: new Credentials(user, password) });
    const asked = { ...md5, qop: false };
    challenge(peer, call.invite, 401, asked);
    const second = await peer.next({ method: "INVITE" });
    const value = header(second, "Authorization");
    assert(answers(value, asked, { method: "INVITE", user, password }), value);
    assertEquals(digestParameters(value).has("qop"), false);
    await finish(peer, call, second);
  });

  it("Invitation.credentials answer a challenge to the BYE", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer, {
      credentials: new Credentials(user, password),
    });
    peer.respond(invite, 200, { body: silentSdp.toString() });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    invitation.end();
    await story.until("disconnecting");
    challenge(peer, await peer.next({ method: "BYE" }), 407, md5);
    const second = await peer.next({ method: "BYE" });
    const value = header(second, "Proxy-Authorization");
    assert(answers(value, md5, { method: "BYE", user, password }), value);
    assertEquals(invitation.state, "disconnecting");
    peer.respond(second, 200);
    await story.end();
    assertEquals(story.changes.slice(-2), [
      "connected/normal -> disconnecting",
      "disconnecting -> disconnected",
    ]);
  });

  it("Invitation.credentials may hold the hash instead of the password", async () => {
    await using peer = await Peer.open();
    for (const algorithm of ["MD5", "SHA-256"] as const) {
      const hash = ha1(algorithm, user, "example.net", password);
      const credentials = new Credentials(user, hash, { realm: "example.net", digest: true, algorithm });
      const call = await callPeer(peer, { credentials });
      const asked: Challenge = { realm: "example.net", nonce: "n1", algorithm };
      challenge(peer, call.invite, 401, asked);
      const second = await peer.next({ method: "INVITE" });
      const value = header(second, "Authorization");
      assert(answers(value, asked, { method: "INVITE", user, password }), value);
      await finish(peer, call, second);
    }
  });

  it("Invitation.credentials of one realm do not answer another", async () => {
    await using peer = await Peer.open();
    const credentials = new Credentials(user, password, { realm: "example.net" });
    const call = await callPeer(peer, { credentials });
    challenge(peer, call.invite, 401, { ...md5, realm: "elsewhere.example" });
    await peer.next({ method: "ACK" });
    await call.story.end();
    assertEquals(call.story.changes, ["null -> outgoing", "outgoing -> disconnected"]);
    const last = call.story.told.at(-1)!;
    assertEquals("code" in last && [last.code, last.originator, last.disconnectReason], [
      401,
      "remote",
      "user request",
    ]);
    assertEquals(peer.received.filter(({ method }) => method === "INVITE").length, 1);

    const right = await callPeer(peer, { credentials });
    challenge(peer, right.invite, 401, md5);
    const second = await peer.next({ method: "INVITE" });
    assertEquals(digestParameters(header(second, "Authorization")).get("realm"), "example.net");
    peer.respond(second, 486);
    await right.story.end();
  });

  it("Invitation without credentials ends with the challenge", async () => {
    await using peer = await Peer.open();
    for (const code of [401, 407] as const) {
      const { story, invite } = await callPeer(peer);
      challenge(peer, invite, code, md5);
      await peer.next({ method: "ACK" });
      const told = await story.end();
      assertEquals(story.changes, ["null -> outgoing", "outgoing -> disconnected"]);
      const last = told.at(-1)!;
      assertEquals("code" in last && [last.code, last.originator, last.reason], [code, "remote", "Scripted"]);
      const { data } = story.notifications.at(-1)!;
      assertEquals("headers" in data && data.headers.has(names[code][0]), true);
    }
  });

  it("Invitation ends when the same nonce is refused again", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer, { credentials: new Credentials(user, "wrong") });
    challenge(peer, invite, 401, md5);
    const second = await peer.next({ method: "INVITE" });
    challenge(peer, second, 401, md5);
    await story.end();
    assertEquals(story.changes, ["null -> outgoing", "outgoing -> disconnected"]);
    const last = story.told.at(-1)!;
    assertEquals("code" in last && last.code, 401);
    assertEquals(peer.received.filter(({ method }) => method === "INVITE").length, 2);
  });

  it("Invitation takes a new nonce of a server that calls the old one stale", async () => {
    await using peer = await Peer.open();
    const call = await callPeer(peer, { credentials: new Credentials(user, password) });
    challenge(peer, call.invite, 401, md5);
    const second = await peer.next({ method: "INVITE" });
    const fresh = { ...md5, nonce: "n2", stale: true };
    challenge(peer, second, 401, fresh);
    const third = await peer.next({ method: "INVITE" });
    assert(answers(header(third, "Authorization"), fresh, { method: "INVITE", user, password }));
    await finish(peer, call, third);
  });

  it("Invitation gives up against a server with endless nonces", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer, { credentials: new Credentials(user, "wrong") });
    let last = invite;
    let count = 1;
    const ended = story.end();
    for (; count < 20 && story.invitation.state !== "disconnected"; count++) {
      challenge(peer, last, 401, { ...md5, nonce: `n${count}` });
      const next = await Promise.race([
        peer.next({ method: "INVITE" }).catch(() => null),
        ended.then(() => null),
      ]);
      if (next === null) break;
      last = next;
    }
    assert(count < 10, `${count} INVITEs`);
    const told = await ended;
    const end = told.at(-1)!;
    assertEquals("code" in end && end.code, 401);
  });

  it("Invitation answers a proxy and then the server behind it", async () => {
    await using peer = await Peer.open();
    const call = await callPeer(peer, { credentials: new Credentials(user, password) });
    const proxy = { ...md5, realm: "proxy.example" };
    challenge(peer, call.invite, 407, proxy);
    const second = await peer.next({ method: "INVITE" });
    challenge(peer, second, 401, { ...md5, nonce: "n2" });
    const third = await peer.next({ method: "INVITE" });
    assert(
      answers(header(third, "Authorization"), { ...md5, nonce: "n2" }, { method: "INVITE", user, password }),
    );
    assert(answers(header(third, "Proxy-Authorization"), proxy, { method: "INVITE", user, password }));
    await finish(peer, call, third);
  });
});
