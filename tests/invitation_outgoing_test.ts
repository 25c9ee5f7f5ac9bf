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
  FromHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  FrozenSDPSession,
  FrozenToHeader,
  Header,
  Invitation,
  type InviteOptions,
  ReasonHeader,
  RouteHeader,
  SDPSession,
  SIPCoreInvalidStateError,
  SIPURI,
  ToHeader,
} from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { callPeer, connectedCallToPeer, inviteOptions, silentStreams } from "./support/peer_calls.ts";
import { cseqOf, header, tagOf, uriOf } from "./support/sip_text.ts";
import { changed, negotiated, Story } from "./support/story.ts";

const sdp = silentSdp.toString();

function dialled(peer: Peer) {
  return changed("null -> outgoing", {
    originator: "local",
    method: "INVITE",
    requestUri: peer.uri,
    cseq: "INVITE",
    body: silentStreams,
  });
}

function answered(code: number, reason: string, body: string | null = null) {
  return { originator: "remote", code, reason, cseq: "INVITE", body } as const;
}

const acknowledged = changed("connecting -> connected/normal");
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

const keys = "a=rtpmap:101 telephone-event/8000\r\n";
const withKeys = sdp.replace("RTP/AVP 0", "RTP/AVP 0 101").replace("a=sendrecv", `${keys}a=sendrecv`);
const keysFirst = withKeys.replace("0 101", "101 0");

describe("Invitation, outgoing", () => {
  before(() => startEngine());
  after(stopEngine);

  it("Invitation tells a call that is taken and that it hangs up", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 100);
    peer.respond(invite, 180, { reason: "Ringing" });
    await story.until("early");
    peer.respond(invite, 200, { reason: "OK", body: sdp });
    const ack = await peer.next({ method: "ACK" });
    assertEquals(ack.uri, peer.uri);
    assertEquals(cseqOf(ack).number, cseqOf(invite).number);
    await story.until("connected");
    assertEquals(invitation.subState, "normal");
    invitation.end({
      extraHeaders: [new ReasonHeader("SIP", { parameters: { cause: "200", text: "done" } })],
    });
    const bye = await peer.next({ method: "BYE" });
    assertEquals(header(bye, "To"), header(ack, "To"));
    assertMatch(header(bye, "Reason"), /^SIP\s*;cause=200;text="?done"?$/);
    peer.respond(bye, 200, { reason: "OK" });
    assertEquals(await story.end(), [
      dialled(peer),
      changed("outgoing -> early", answered(180, "Ringing")),
      changed("early -> connecting", answered(200, "OK", silentStreams)),
      negotiated(silentStreams, silentStreams),
      acknowledged,
      ...hungUp,
    ]);
    assertEquals(invitation.state, "disconnected");
    assertEquals(invitation.subState, null);
  });

  it("Invitation tells that the peer hangs up, and the text of its Reason", async () => {
    await using peer = await Peer.open();
    const plain = await connectedCallToPeer(peer);
    peer.request("BYE", peer.dialog(plain.invite));
    await peer.next({ code: 200, cseqMethod: "BYE" });
    const reasoned = await connectedCallToPeer(peer);
    peer.request("BYE", {
      ...peer.dialog(reasoned.invite),
      headers: { Reason: 'Q.850;cause=16;text="Normal clearing"' },
    });
    await peer.next({ code: 200, cseqMethod: "BYE" });
    for (const [{ story }, why] of [[plain, "user request"], [reasoned, "Normal clearing"]] as const) {
      assertEquals((await story.end()).at(-1), {
        ...changed("connected/normal -> disconnected", {
          originator: "remote",
          method: "BYE",
          requestUri: header(
            story.invitation === plain.invitation ? plain.invite : reasoned.invite,
            "Contact",
          )
            .replace(/[<>]/g, ""),
          code: 200,
          reason: "Normal call clearing",
          cseq: "BYE",
          disconnectReason: why,
        }),
      });
    }
  });

  it("Invitation becomes early with every provisional response", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer);
    peer.respond(invite, 180, { reason: "Ringing", headers: { "X-Turn": "1" } });
    peer.respond(invite, 181, { reason: "Forwarded", headers: { "X-Turn": "2" } });
    peer.respond(invite, 180, { reason: "Ringing", headers: { "X-Turn": "3" } });
    peer.respond(invite, 404, { reason: "Gone Fishing" });
    await peer.next({ method: "ACK" });
    assertEquals(await story.end(), [
      dialled(peer),
      changed("outgoing -> early", answered(180, "Ringing")),
      changed("early -> early", answered(181, "Forwarded")),
      changed("early -> early", answered(180, "Ringing")),
      changed("early -> disconnected", {
        ...answered(404, "Gone Fishing"),
        disconnectReason: "user request",
      }),
    ]);
    assertEquals(
      story.notifications.slice(1, 4).map(({ data }) =>
        "headers" in data ? data.headers.text("X-Turn") : null
      ),
      ["1", "2", "3"],
    );
  });

  it("Invitation tells a provisional response once that the network repeats, and no 100 that comes late", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    const ringing = peer.respond(invite, 180, { reason: "Ringing" });
    const session = peer.respond(invite, 183, { reason: "Session Progress" });
    for (const { text } of [ringing, session, ringing]) peer.send(text, invite.port);
    peer.respond(invite, 100);
    peer.respond(invite, 180, { reason: "Ringing", headers: { "X-Turn": "2" } });
    peer.respond(invite, 486, { reason: "Busy Here" });
    await story.end();
    assertEquals(story.changes, [
      "null -> outgoing",
      "outgoing -> early",
      "early -> early",
      "early -> early",
      "early -> disconnected",
    ]);
    assertEquals(invitation.state, "disconnected");
  });

  it("Invitation negotiates early media before the call is taken", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 183, { reason: "Session Progress", body: sdp });
    await story.untilUpdate();
    assertEquals(invitation.state, "early");
    assertEquals(invitation.sdp.activeRemote?.media[0]?.port, 4000);
    peer.respond(invite, 200, { reason: "OK", body: sdp });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    assertEquals(await story.end(), [
      dialled(peer),
      changed("outgoing -> early", answered(183, "Session Progress", silentStreams)),
      negotiated(silentStreams, silentStreams),
      changed("early -> connecting", answered(200, "OK", silentStreams)),
      negotiated(silentStreams, silentStreams),
      acknowledged,
      ...hungUp,
    ]);
  });

  it("Invitation tells a refusal with its headers", async () => {
    await using peer = await Peer.open();
    const cases = [
      [486, "Busy Here", {}],
      [302, "Moved Temporarily", { Contact: "<sip:elsewhere@192.0.2.1>", "Retry-After": "7" }],
      [600, "Busy Everywhere", {}],
    ] as const;
    for (const [code, reason, headers] of cases) {
      const { story, invite } = await callPeer(peer);
      peer.respond(invite, code, { reason, headers });
      const ack = await peer.next({ method: "ACK" });
      assertEquals(header(ack, "Via"), header(invite, "Via"));
      assertEquals(await story.end(), [
        dialled(peer),
        changed("outgoing -> disconnected", { ...answered(code, reason), disconnectReason: "user request" }),
      ]);
      const last = story.notifications.at(-1)!.data;
      assert("headers" in last);
      const contact = last.headers.get("Contact");
      assertEquals(contact?.uri?.toString(), code === 302 ? "sip:elsewhere@192.0.2.1" : undefined);
    }
  });

  it("Invitation.end() cancels a call that rings", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 180, { reason: "Ringing" });
    await story.until("early");
    invitation.end({ extraHeaders: [new ReasonHeader("SIP", { parameters: { cause: "200" } })] });
    const cancel = await peer.next({ method: "CANCEL" });
    assertEquals(header(cancel, "Via"), header(invite, "Via"));
    assertEquals(cseqOf(cancel).number, cseqOf(invite).number);
    assertMatch(header(cancel, "Reason"), /^SIP\s*;cause=200$/);
    peer.respond(cancel, 200);
    peer.respond(invite, 487, { reason: "Request Terminated" });
    await peer.next({ method: "ACK" });
    assertEquals(await story.end(), [
      dialled(peer),
      changed("outgoing -> early", answered(180, "Ringing")),
      changed("early -> disconnecting", { originator: "local", method: "CANCEL" }),
      changed("disconnecting -> disconnected", {
        ...answered(487, "Request Terminated"),
        disconnectReason: "user request",
      }),
    ]);
  });

  it("Invitation.end() before any response sends the CANCEL after the first one", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    invitation.end();
    await story.until("disconnecting");
    assertEquals(peer.received.map(({ method }) => method), ["INVITE"]);
    peer.respond(invite, 100);
    const cancel = await peer.next({ method: "CANCEL" });
    peer.respond(cancel, 200);
    peer.respond(invite, 487, { reason: "Request Terminated" });
    await peer.next({ method: "ACK" });
    assertEquals(await story.end(), [
      dialled(peer),
      changed("outgoing -> disconnecting", { originator: "local", method: "CANCEL" }),
      changed("disconnecting -> disconnected", {
        ...answered(487, "Request Terminated"),
        disconnectReason: "user request",
      }),
    ]);
  });

  it("Invitation.end() hangs up when the 200 has crossed the CANCEL", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 180, { reason: "Ringing" });
    await story.until("early");
    invitation.end();
    const cancel = await peer.next({ method: "CANCEL" });
    peer.respond(invite, 200, { reason: "OK", body: sdp });
    peer.respond(cancel, 200);
    await peer.next({ method: "ACK" });
    peer.respond(await peer.next({ method: "BYE" }), 200, { reason: "OK" });
    await story.end();
    assertEquals(story.changes, [
      "null -> outgoing",
      "outgoing -> early",
      "early -> disconnecting",
      "disconnecting -> disconnected",
    ]);
    const last = story.told.at(-1)!;
    assertEquals("disconnectReason" in last && last.disconnectReason, "user request");
  });

  it("Invitation.end() gives up after its timeout", async () => {
    await using peer = await Peer.open();
    const unanswered = await connectedCallToPeer(peer);
    unanswered.invitation.end({ timeout: 0.2 });
    await peer.next({ method: "BYE" });
    const silent = await callPeer(peer);
    silent.invitation.end({ timeout: 0.2 });
    for (const { story } of [unanswered, silent]) {
      assertEquals(
        (await story.end()).at(-1),
        changed("disconnecting -> disconnected", {
          code: 408,
          reason: "Request Timeout",
          disconnectReason: "timeout",
        }),
      );
    }
  });

  it("Invitation.sendInvite() gives up after its timeout", async () => {
    await using peer = await Peer.open();
    const silent = await callPeer(peer, { timeout: 0.2 });
    const ringing = await callPeer(peer, { timeout: 0.2 });
    peer.respond(ringing.invite, 180, { reason: "Ringing" });
    const cancel = await peer.next({ method: "CANCEL" });
    assertEquals(header(cancel, "Call-ID"), ringing.invitation.callId);
    peer.respond(cancel, 200);
    peer.respond(ringing.invite, 487, { reason: "Request Terminated" });
    await peer.next({ method: "ACK" });
    assertEquals(await silent.story.end(), [
      dialled(peer),
      changed("outgoing -> disconnected", {
        code: 408,
        reason: "Request Timeout",
        disconnectReason: "timeout",
      }),
    ]);
    assertEquals(await ringing.story.end(), [
      dialled(peer),
      changed("outgoing -> early", answered(180, "Ringing")),
      changed("early -> disconnecting", { originator: "local", method: "CANCEL" }),
      changed("disconnecting -> disconnected", {
        code: 408,
        reason: "Request Timeout",
        disconnectReason: "timeout",
      }),
    ]);
  });

  it("Invitation.sendInvite() has no timeout any more once the call is taken", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer, { timeout: 0.3 });
    peer.respond(invite, 200, { body: sdp });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    // A later call with a longer timeout ends first, or this one has ended too.
    const { story: later } = await callPeer(peer, { timeout: 0.4 });
    await later.end();
    assertEquals(invitation.state, "connected");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation ends with 408 when nobody ever answers", async () => {
    await using peer = await Peer.open();
    const { story } = await callPeer(peer);
    assertEquals(await story.end(), [
      dialled(peer),
      changed("outgoing -> disconnected", {
        code: 408,
        reason: "Request Timeout",
        disconnectReason: "timeout",
      }),
    ]);
    assert(peer.received.length > 3, "the INVITE was repeated");
  });

  it("Invitation hangs up when the answer holds no usable media", async () => {
    const pcma = sdp.replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA");
    // With what is no codec nobody can be heard.
    const keysOnly = sdp.replace("RTP/AVP 0", "RTP/AVP 101").replace("0 PCMU", "101 telephone-event");
    await assertHangsUp(sdp, pcma);
    await assertHangsUp(withKeys, keysOnly);
    await assertHangsUp(keysFirst, keysOnly);
  });

  async function assertHangsUp(offer: string, answer: string): Promise<void> {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer, { sdp: FrozenSDPSession.parse(offer) });
    peer.respond(invite, 200, { reason: "OK", body: answer });
    await peer.next({ method: "ACK" });
    peer.respond(await peer.next({ method: "BYE" }), 200, { reason: "OK" });
    await story.end();
    const update = story.told.find((one) => "succeeded" in one);
    assert(update && "succeeded" in update);
    assertEquals([update.succeeded, update.local, update.remote], [false, null, null]);
    assertMatch(update.error!, /media|codec|SDP/i);
    assertEquals(story.changes, [
      "null -> outgoing",
      "outgoing -> connecting",
      "connecting -> disconnecting",
      "disconnecting -> disconnected",
    ]);
    assert(story.told.indexOf(update) === 2);
  }

  it("Invitation agrees on a codec and telephone-event, wherever either stands", async () => {
    for (
      const [offer, answer] of [[withKeys, keysFirst], [keysFirst, withKeys], [withKeys, withKeys]] as const
    ) {
      await using peer = await Peer.open();
      const { story, invitation, invite } = await callPeer(peer, { sdp: FrozenSDPSession.parse(offer) });
      peer.respond(invite, 200, { body: answer });
      await peer.next({ method: "ACK" });
      const { data } = await story.untilUpdate();
      assertEquals([...data.localSdp!.media[0]!.formats].sort(), ["0", "101"]);
      await story.until("connected");
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.end();
    }
  });

  it("Invitation finds the answer among the parts of a body", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 183, { body: "no description", contentType: "text/plain" });
    peer.respond(invite, 200, {
      contentType: "multipart/mixed;boundary=b",
      body:
        `--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/sdp\r\n\r\n${sdp}\r\n--b--\r\n`,
    });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    const early = story.notifications.find(({ data }) => "code" in data && data.code === 183)!.data;
    assertEquals("body" in early && early.body, "no description");
    assertEquals(invitation.sdp.activeRemote?.media[0]?.port, 4000);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    assertEquals(story.told.filter((one) => "succeeded" in one), [negotiated(silentStreams, silentStreams)]);
  });

  it("Invitation hangs up when a 200 holds no answer", async () => {
    await using peer = await Peer.open();
    const { story, invite } = await callPeer(peer);
    peer.respond(invite, 200, { reason: "OK" });
    await peer.next({ method: "ACK" });
    peer.respond(await peer.next({ method: "BYE" }), 200, { reason: "OK" });
    await story.end();
    assertEquals(story.changes.slice(0, 2), ["null -> outgoing", "outgoing -> connecting"]);
    assertEquals(story.changes.at(-1), "disconnecting -> disconnected");
  });

  it("Invitation acknowledges every repetition of a 200, and tells one", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 200, { body: sdp });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    peer.respond(invite, 200, { body: sdp });
    await peer.next({ method: "ACK" });
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    assertEquals(story.changes.length, 5);
  });

  it("Invitation is one call, however many branches take it", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    const { story, invitation, invite } = await callPeer(peer);
    peer.respond(invite, 180, { toTag: "one", reason: "Ringing" });
    peer.respond(invite, 180, { toTag: "two", reason: "Ringing" });
    peer.respond(invite, 200, { toTag: "two", body: sdp });
    const ack = await peer.next({ method: "ACK" });
    assertEquals(tagOf(header(ack, "To")), "two");
    await story.until("connected");
    // The others come too late: acknowledged, as often as they say it, and hung up.
    for (const toTag of ["one", "three"]) {
      peer.respond(invite, 200, { toTag, body: sdp });
      assertEquals(tagOf(header(await peer.next({ method: "ACK" }), "To")), toTag);
      const bye = await peer.next({ method: "BYE" });
      assertEquals(tagOf(header(bye, "To")), toTag);
      assertEquals(tagOf(header(bye, "From")), tagOf(header(invite, "From")));
      peer.respond(invite, 200, { toTag, body: sdp });
      assertEquals(tagOf(header(await peer.next({ method: "ACK" }), "To")), toTag);
      peer.respond(bye, 200);
    }
    assertEquals(invitation.state, "connected");
    assertEquals(invitation.dialogId?.remoteTag, "two");
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

  it("Invitation has the attributes of its call from sendInvite() to after the end", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callPeer(peer);
    const address = { ip: "127.0.0.1", port: peer.port };
    assertEquals(invitation.direction, "outgoing");
    assertEquals(invitation.callId, header(invite, "Call-ID"));
    assertEquals(invitation.requestUri?.toString(), peer.uri);
    assertEquals(invitation.transport, "udp");
    assertEquals(invitation.credentials, null);
    assert(invitation.fromHeader instanceof FrozenFromHeader);
    assertEquals(invitation.fromHeader.displayName, "Alice");
    assertEquals(invitation.fromHeader.tag, tagOf(header(invite, "From")));
    assertStrictEquals(invitation.localIdentity, invitation.fromHeader);
    assertStrictEquals(invitation.remoteIdentity, invitation.toHeader);
    assert(invitation.toHeader instanceof FrozenToHeader && invitation.toHeader.tag === null);
    assert(invitation.routeHeader instanceof FrozenRouteHeader);
    assertEquals(invitation.routeHeader.uri.port, peer.port);
    assert(invitation.localContactHeader instanceof FrozenContactHeader);
    assertEquals(invitation.localContactHeader.uri?.toString(), uriOf(header(invite, "Contact")));
    assertEquals(invitation.remoteContactHeader, null);
    assertEquals(invitation.sdp.proposedLocal?.equals(silentSdp), true);
    assertEquals([invitation.sdp.activeLocal, invitation.sdp.activeRemote], [null, null]);

    const ok = peer.respond(invite, 200, { body: sdp, headers: { Server: "scripted/1" } });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    const { sdp: agreed, dialogId } = invitation;
    assertEquals([agreed.proposedLocal, agreed.proposedRemote], [null, null]);
    assertEquals(agreed.activeRemote?.media[0]?.port, 4000);
    assertEquals(agreed.activeLocal?.media[0]?.port, 4000);
    assertEquals(invitation.toHeader?.tag, tagOf(header(ok, "To")));
    assertEquals(dialogId, invitation.dialogId);
    assertEquals(
      [dialogId?.callId, dialogId?.localTag, dialogId?.remoteTag],
      [header(invite, "Call-ID"), tagOf(header(invite, "From")), tagOf(header(ok, "To"))],
    );
    assertEquals(invitation.remoteUserAgent, "scripted/1");
    assertEquals(invitation.remoteContactHeader?.uri?.toString(), peer.uri);
    assertEquals(invitation.peerAddress, address);
    assertNotEquals(invitation.peerAddress === invitation.peerAddress, true);

    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    assertEquals(invitation.callId, header(invite, "Call-ID"));
    assertEquals(invitation.dialogId?.remoteTag, tagOf(header(ok, "To")));
    assertEquals(invitation.peerAddress, address);
    assertEquals(invitation.direction, "outgoing");
  });

  it("Invitation.sendInvite() sends what it is given", async () => {
    await using peer = await Peer.open();
    const contactHeader = new ContactHeader(new SIPURI({ user: "me", host: "127.0.0.1", port: 9 }));
    const { story, invite } = await callPeer(peer, {
      contactHeader,
      requestUri: new SIPURI({ user: "bob", host: "example.org", parameters: { user: "phone" } }),
      toHeader: new ToHeader(new SIPURI({ user: "bob", host: "example.com" }), { displayName: 'B "ob" Ü' }),
      extraHeaders: [
        new Header("X-One", "first"),
        new Header("X-One", "second"),
        new Header("Subject", "Ünïcode"),
      ],
    });
    assertEquals(invite.uri, "sip:bob@example.org;user=phone");
    assertEquals(header(invite, "To"), '"B \\"ob\\" Ü" <sip:bob@example.com>');
    assertMatch(header(invite, "From"), /^"?Alice"? <sip:alice@example\.net>;tag=/);
    assertEquals(header(invite, "Contact"), "<sip:me@127.0.0.1:9>");
    assertEquals(invite.headers.get("x-one"), ["first", "second"]);
    assertEquals(header(invite, "Subject"), "Ünïcode");
    assertEquals(header(invite, "User-Agent"), "tested");
    assertEquals(header(invite, "Content-Type"), "application/sdp");
    assertEquals(invite.headers.has("route"), false, "the route of the engine is not the wire's");
    assertMatch(header(invite, "Allow"), /INVITE.*BYE/);
    peer.respond(invite, 486);
    await story.end();
  });

  it("Invitation.sendInvite() makes headers of what stands behind the request URI, but for its own", async () => {
    await using peer = await Peer.open();
    const uri = (headers: Record<string, string>) =>
      new SIPURI({ user: "peer", host: "127.0.0.1", port: peer.port, headers });
    const { story, invite } = await callPeer(peer, { requestUri: uri({ Subject: "by URI" }) });
    assertEquals([invite.uri, header(invite, "Subject")], [peer.uri, "by URI"]);
    peer.respond(invite, 486);
    await story.end();
    for (const name of ["Call-ID", "Via", "from", "Content-Length"]) {
      const options = inviteOptions(peer.port, { requestUri: uri({ [name]: "1" }) });
      assertThrows(() => new Invitation().sendInvite(options), TypeError, name);
    }
  });

  it("Invitation.sendInvite() changes no argument", async () => {
    await using peer = await Peer.open();
    const options = {
      ...inviteOptions(peer.port),
      fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "example.net" }), {
        parameters: { tag: "mine", x: "1" },
      }),
      contactHeader: new ContactHeader(new SIPURI({ user: "me", host: "127.0.0.1" }), {
        parameters: { expires: "60" },
      }),
      sdp: SDPSession.from(silentSdp),
    };
    const print = () =>
      [
        options.requestUri,
        options.fromHeader,
        options.toHeader,
        options.routeHeader,
        options.contactHeader,
        options.sdp,
      ]
        .map(String);
    const untouched = print();
    const invitation = new Invitation();
    const story = new Story(invitation);
    invitation.sendInvite(options);
    options.sdp.media[0]!.port = 1;
    options.sdp.media[0]!.port = 4000;
    const invite = await peer.next({ method: "INVITE" });
    assertNotEquals(tagOf(header(invite, "From")), "mine");
    peer.respond(invite, 200, { body: sdp });
    await peer.next({ method: "ACK" });
    await story.until("connected");
    assertEquals(print(), untouched);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });

  it("Invitation forbids what its state forbids", async () => {
    await using peer = await Peer.open();
    const idle = new Invitation();
    idle.end();
    assertEquals(idle.state, null);
    assertThrows(() => idle.sendResponse(200, { sdp: silentSdp }), SIPCoreInvalidStateError);

    const { story, invitation, invite } = await callPeer(peer);
    const forbidden = (message: string) => {
      const again = () => invitation.sendInvite(inviteOptions(peer.port));
      for (const call of [again, () => invitation.sendResponse(180), () => invitation.sendResponse(486)]) {
        const error = assertThrows(call, SIPCoreInvalidStateError, undefined, message);
        assertEquals(error.state, invitation.state);
      }
    };
    forbidden("outgoing");
    peer.respond(invite, 180);
    await story.until("early");
    forbidden("early");
    peer.respond(invite, 200, { body: sdp });
    await story.until("connected");
    forbidden("connected");
    invitation.end();
    assertThrows(() => invitation.end(), SIPCoreInvalidStateError);
    await story.until("disconnecting");
    forbidden("disconnecting");
    assertThrows(() => invitation.end(), SIPCoreInvalidStateError);
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    forbidden("disconnected");
    invitation.end();
  });

  it("Invitation.sendInvite() refuses bad arguments and stays unused", async () => {
    await using peer = await Peer.open();
    const good = inviteOptions(peer.port);
    const invitation = new Invitation();
    const refused = (
      type: typeof TypeError | typeof RangeError,
      options: Record<string, unknown>,
      word: string,
    ) => {
      const call = () => invitation.sendInvite({ ...good, ...options } as InviteOptions);
      assertThrows(call, type, word, `${Object.keys(options)} ${word}`);
      assertEquals(invitation.state, null);
    };
    for (const name of ["requestUri", "fromHeader", "toHeader", "routeHeader", "sdp"]) {
      refused(TypeError, { [name]: "sip:bob@example.org" }, name);
      refused(TypeError, { [name]: undefined }, name);
    }
    refused(TypeError, { contactHeader: good.toHeader }, "contactHeader");
    refused(TypeError, { credentials: { username: "a" } }, "credentials");
    refused(TypeError, { routeHeader: new RouteHeader(new SIPURI({ host: "example.org" })) }, "routeHeader");
    refused(TypeError, { timeout: "1" }, "timeout");
    for (const timeout of [0, -1, NaN, Infinity]) refused(RangeError, { timeout }, "timeout");
    for (
      const name of [
        "Via",
        "From",
        "t",
        "Call-ID",
        "CSeq",
        "Route",
        "Contact",
        "Content-Type",
        "content-length",
      ]
    ) {
      refused(TypeError, { extraHeaders: [new Header(name, "1")] }, "extraHeaders[0]");
    }
    refused(TypeError, { extraHeaders: ["X: y"] }, "extraHeaders[0]");
    invitation.sendInvite(good);
    const invite = await peer.next({ method: "INVITE" });
    const story = new Story(invitation);
    peer.respond(invite, 486);
    await story.end();
    assertEquals(peer.received.filter(({ method }) => method === "INVITE").length, 1);
  });

  it("Invitation refuses what would break out of its place on the wire", async () => {
    await using peer = await Peer.open();
    const hostile = ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "a\ud800b", "\udc00"];
    for (const text of hostile) {
      assertThrows(() => new Header("X-One", text), TypeError);
      assertThrows(() => new SIPURI({ user: text, host: "example.org" }), TypeError);
      assertThrows(() => new SIPURI({ host: text }), TypeError);
      assertThrows(() => new FromHeader(new SIPURI({ host: "a" }), { displayName: text }), TypeError);
      assertThrows(() => new SDPSession("127.0.0.1", { name: text }), TypeError);
    }
    // The classes' own setters, and maps that they share with the program.
    const header1 = new Header("X-One", "fine");
    assertThrows(() => header1.body = "a\r\nX-Injected: 1", TypeError);
    const toHeader = new ToHeader(new SIPURI({ user: "bob", host: "127.0.0.1", port: peer.port }));
    toHeader.parameters.set("x", "1\r\nX-Injected: 1");
    const requestUri = new SIPURI({ user: "bob", host: "127.0.0.1", port: peer.port });
    requestUri.parameters.set("x", "1\r\nX-Injected: 1");
    const invitation = new Invitation();
    let refused = 0;
    for (const options of [{ toHeader }, { requestUri }]) {
      try {
        invitation.sendInvite(inviteOptions(peer.port, options));
      } catch (error) {
        assert(error instanceof TypeError, String(error));
        refused++;
      }
    }
    if (refused < 2) {
      // A URI may carry anything, escaped.
      const invite = await peer.next({ method: "INVITE" });
      assertEquals(invite.headers.has("x-injected"), false);
      const story = new Story(invitation);
      peer.respond(invite, 486);
      await story.end();
    }
  });

  it("Invitation.sendInvite() throws the reason of a signal that has aborted, and sends nothing", async () => {
    await using peer = await Peer.open();
    const invitation = new Invitation();
    const reason = new Error("no time");
    const signal = AbortSignal.abort(reason);
    const error = assertThrows(
      () => invitation.sendInvite(inviteOptions(peer.port, { signal })),
      Error,
      "no time",
    );
    assertStrictEquals(error, reason);
    assertEquals(invitation.state, null);
    const { story, invite } = await callPeer(peer);
    assertEquals(header(invite, "Call-ID"), story.invitation.callId);
    peer.respond(invite, 486);
    await story.end();
  });

  it("Invitation.sendInvite() ends the call when its signal aborts, in whatever state", async () => {
    await using peer = await Peer.open();
    const ringing = new AbortController();
    const early = await callPeer(peer, { signal: ringing.signal });
    peer.respond(early.invite, 180);
    await early.story.until("early");
    ringing.abort();
    peer.respond(await peer.next({ method: "CANCEL" }), 200);
    peer.respond(early.invite, 487);
    await peer.next({ method: "ACK" });
    await early.story.end();

    const talking = new AbortController();
    const taken = await callPeer(peer, { signal: talking.signal });
    peer.respond(taken.invite, 200, { body: sdp });
    await taken.story.until("connected");
    talking.abort();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await taken.story.end();
    assertEquals(taken.story.changes.slice(-2), [
      "connected/normal -> disconnecting",
      "disconnecting -> disconnected",
    ]);
    // Behind the end an abort means nothing.
    const late = new AbortController();
    const over = await callPeer(peer, { signal: late.signal });
    peer.respond(over.invite, 486);
    await over.story.end();
    late.abort();
    assertEquals(over.invitation.state, "disconnected");
  });

  it("Invitation ends by using, quietly and more than once", async () => {
    await using peer = await Peer.open();
    let story: Story;
    {
      using invitation = new Invitation();
      story = new Story(invitation);
      invitation.sendInvite(inviteOptions(peer.port));
      peer.respond(await peer.next({ method: "INVITE" }), 200, { body: sdp });
      await story.until("connected");
    }
    story.invitation[Symbol.dispose]();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    story.invitation[Symbol.dispose]();
    new Invitation()[Symbol.dispose]();
    assertEquals(story.changes.at(-1), "disconnecting -> disconnected");
  });

  it("Invitation tells nothing before the method that causes it has returned", async () => {
    await using peer = await Peer.open();
    const invitation = new Invitation();
    const story = new Story(invitation);
    invitation.sendInvite(inviteOptions(peer.port));
    assertEquals(invitation.state, null);
    assertEquals(story.told, []);
    await story.until("outgoing");
    peer.respond(await peer.next({ method: "INVITE" }), 486);
    await story.end();
  });

  it("Invitation keeps the frozen classes in its notifications", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await connectedCallToPeer(peer);
    const update = story.notifications.find(({ name }) => name === "SIPInvitationGotSDPUpdate")!;
    assert(update.name === "SIPInvitationGotSDPUpdate" && update.data.succeeded);
    assert(
      update.data.localSdp instanceof FrozenSDPSession && update.data.remoteSdp instanceof FrozenSDPSession,
    );
    assertStrictEquals(update.data.localSdp, invitation.sdp.activeLocal);
    assert(Object.isFrozen(update.data) && Object.isFrozen(update));
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
  });
});
