// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  Credentials,
  DialogID,
  type Engine,
  Header,
  type Invitation,
  type InvitationTransferNotifications,
  type NotificationStream,
  SIPCoreInvalidStateError,
  SIPURI,
} from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { callFromPeer, callPeer, connectedCallFromPeer, connectedCallToPeer } from "./support/peer_calls.ts";
import { header } from "./support/sip_text.ts";

type Name = keyof InvitationTransferNotifications;

const names = [
  "SIPInvitationTransferNewIncoming",
  "SIPInvitationTransferNewOutgoing",
  "SIPInvitationTransferDidStart",
  "SIPInvitationTransferDidEnd",
  "SIPInvitationTransferDidFail",
  "SIPInvitationTransferGotNotify",
  "SIPInvitationTransferChangedState",
] as const satisfies readonly Name[];

/** What an Invitation tells of its transfers, in short. */
class Transfers {
  readonly told: string[] = [];
  readonly #stream: NotificationStream<Name>;

  constructor(invitation: Invitation) {
    this.#stream = invitation.notifications(names);
  }

  /** Reads on until that. */
  async until(last: string): Promise<string[]> {
    const read = async () => {
      for (;;) {
        const { done, value } = await this.#stream.next();
        if (done) throw new Error("It has ended");
        const { name, data } = value;
        const short = name.replace("SIPInvitationTransfer", "");
        if (!(data.timestamp instanceof Date)) throw new Error(`${name} has no timestamp`);
        if (name === "SIPInvitationTransferChangedState") {
          this.told.push(`${data.prevState} -> ${data.state}`);
        } else if (name === "SIPInvitationTransferDidFail") {
          this.told.push(`${short} ${data.code} ${data.reason}`);
        } else if (name === "SIPInvitationTransferGotNotify") {
          this.told.push(`${short} ${data.event} ${String(data.body).trim()}`);
          assertEquals(data.contentType?.contentType, "message/sipfrag");
          assertEquals(
            Object.keys(data).sort().join(),
            "body,contentType,event,fromHeader,headers,requestUri,timestamp,toHeader",
          );
        } else if (
          name === "SIPInvitationTransferNewIncoming" || name === "SIPInvitationTransferNewOutgoing"
        ) {
          const target = data.headers.text("Refer-To");
          assertEquals(Object.keys(data).sort().join(), "body,headers,method,requestUri,timestamp");
          this.told.push(`${short} ${data.method} ${target}`);
        } else this.told.push(short);
        if (this.told.at(-1) === last) return this.told;
      }
    };
    try {
      return await deadline(read(), 8000);
    } catch (cause) {
      throw new Error(`"${last}" has not come after ${JSON.stringify(this.told, null, 1)}`, { cause });
    }
  }
}

const carol = new SIPURI({ user: "carol", host: "192.0.2.9" });

describe("Invitation, transfer", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  const notify = (peer: Peer, refer: PeerMessage, state: string, fragment: string, event = "refer") =>
    peer.request("NOTIFY", {
      ...peer.dialog(refer),
      headers: { Event: event, "Subscription-State": state },
      contentType: "message/sipfrag;version=2.0",
      body: `SIP/2.0 ${fragment}\r\n`,
    });

  const hangUp = async (peer: Peer, invitation: Invitation) => {
    const stream = invitation.notifications("SIPInvitationChangedState");
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    for await (const { data } of stream) if (data.state === "disconnected") break;
  };

  it("Invitation.transfer() tells what the peer tells of the call that it makes", async () => {
    await using peer = await Peer.open();
    for (
      const [fragment, outcome] of [["200 OK", "DidEnd"], ["486 Busy Here", "DidFail 486 Busy Here"]] as const
    ) {
      const { invitation } = await connectedCallToPeer(peer);
      const transfers = new Transfers(invitation);
      assertEquals(invitation.transferState, null);
      invitation.transfer(carol, { extraHeaders: [new Header("X-Why", "asked")] });
      assertThrows(() => invitation.transfer(carol), SIPCoreInvalidStateError);
      const refer = await peer.next({ method: "REFER" });
      assertEquals(header(refer, "Refer-To"), "<sip:carol@192.0.2.9>");
      assertMatch(header(refer, "Referred-By"), /^<sip:alice@example\.net>$/);
      assertEquals(header(refer, "X-Why"), "asked");
      assertMatch(header(refer, "Contact"), /^<sip:/);
      assertEquals(refer.headers.get("expires"), undefined);
      peer.respond(refer, 202);
      await transfers.until("DidStart");
      assertEquals(invitation.transferState, "ACCEPTED");
      notify(peer, refer, "active;expires=60", "100 Trying");
      assertEquals((await peer.next({ cseqMethod: "NOTIFY" })).code, 200);
      notify(peer, refer, "active;expires=60", "180 Ringing");
      assertEquals((await peer.next({ cseqMethod: "NOTIFY" })).code, 200);
      notify(peer, refer, "terminated;reason=noresource", fragment);
      assertEquals((await peer.next({ cseqMethod: "NOTIFY" })).code, 200);
      assertEquals(await transfers.until(outcome), [
        "NewOutgoing REFER <sip:carol@192.0.2.9>",
        "null -> SENT",
        "SENT -> ACCEPTED",
        "DidStart",
        "GotNotify refer SIP/2.0 100 Trying",
        "ACCEPTED -> ACTIVE",
        "GotNotify refer SIP/2.0 180 Ringing",
        `GotNotify refer SIP/2.0 ${fragment}`,
        "ACTIVE -> TERMINATED",
        outcome,
      ]);
      assertEquals([invitation.transferState, invitation.state], ["TERMINATED", "connected"]);
      // And once more in the same call.
      invitation.transfer(carol);
      const second = await peer.next({ method: "REFER" });
      peer.respond(second, 603, { reason: "Not Again" });
      await transfers.until("DidFail 603 Not Again");
      assertEquals(transfers.told.slice(-4), [
        "NewOutgoing REFER <sip:carol@192.0.2.9>",
        "TERMINATED -> SENT",
        "SENT -> TERMINATED",
        "DidFail 603 Not Again",
      ]);
      await hangUp(peer, invitation);
    }
  });

  it("Invitation.transfer() names the call that the new one shall replace", async () => {
    await using peer = await Peer.open();
    const first = await connectedCallFromPeer(engine, peer);
    const second = await connectedCallToPeer(peer);
    const id = second.invitation.dialogId!;
    first.invitation.transfer(carol, { replacedDialogId: id });
    const refer = await peer.next({ method: "REFER" });
    const [, escaped] = /^<sip:carol@192\.0\.2\.9\?Replaces=(.*)>$/.exec(header(refer, "Refer-To"))!;
    assertEquals(
      decodeURIComponent(escaped!),
      `${id.callId};to-tag=${id.remoteTag};from-tag=${id.localTag}`,
    );
    peer.respond(refer, 202);
    notify(peer, refer, "terminated;reason=noresource", "200 OK");
    await peer.next({ cseqMethod: "NOTIFY" });
    for (const { invitation } of [first, second]) await hangUp(peer, invitation);
  });

  it("Invitation answers the challenge of a REFER, unnoticed", async () => {
    await using peer = await Peer.open();
    const call = await callPeer(peer, { credentials: new Credentials("alice", "x") });
    peer.respond(call.invite, 200, { body: silentSdp.toString() });
    await peer.next({ method: "ACK" });
    await call.story.until("connected");
    const transfers = new Transfers(call.invitation);
    call.invitation.transfer(carol);
    const refer = await peer.next({ method: "REFER" });
    peer.respond(refer, 401, {
      headers: { "WWW-Authenticate": challengeText({ realm: "r", nonce: "n", algorithm: "MD5" }) },
    });
    const second = await peer.next({ method: "REFER" });
    assertMatch(header(second, "Authorization"), /username="alice"/);
    assertEquals(header(second, "Refer-To"), header(refer, "Refer-To"));
    peer.respond(second, 202, { headers: { "Refer-Sub": "false" } });
    assertEquals(await transfers.until("DidEnd"), [
      "NewOutgoing REFER <sip:carol@192.0.2.9>",
      "null -> SENT",
      "SENT -> ACCEPTED",
      "DidStart",
      "ACCEPTED -> TERMINATED",
      "DidEnd",
    ]);
    assertEquals(peer.received.filter(({ method }) => method === "REFER").length, 2);
    await hangUp(peer, call.invitation);
  });

  it("Invitation takes a NOTIFY that is faster than the 202, and ends with the call", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await connectedCallToPeer(peer);
    const transfers = new Transfers(invitation);
    invitation.transfer(carol);
    const refer = await peer.next({ method: "REFER" });
    notify(peer, refer, "active;expires=60", "100 Trying", "refer;id=7");
    await transfers.until("ACCEPTED -> ACTIVE");
    peer.respond(refer, 202);
    peer.request("BYE", peer.dialog(refer));
    await peer.next({ cseqMethod: "BYE" });
    assertEquals(await transfers.until("DidFail 0 the call has ended"), [
      "NewOutgoing REFER <sip:carol@192.0.2.9>",
      "null -> SENT",
      "SENT -> ACCEPTED",
      "DidStart",
      "GotNotify refer;id=7 SIP/2.0 100 Trying",
      "ACCEPTED -> ACTIVE",
      "ACTIVE -> TERMINATED",
      "DidFail 0 the call has ended",
    ]);
    await story.end();
  });

  it("Invitation ends a transfer whose peer says nothing any more", async () => {
    await using peer = await Peer.open();
    const { invitation } = await connectedCallToPeer(peer);
    const transfers = new Transfers(invitation);
    invitation.transfer(carol);
    const refer = await peer.next({ method: "REFER" });
    peer.respond(refer, 202);
    notify(peer, refer, "active;expires=1", "100 Trying");
    await peer.next({ cseqMethod: "NOTIFY" });
    const unsubscribe = await peer.next({ method: "SUBSCRIBE" });
    assertEquals([header(unsubscribe, "Event"), header(unsubscribe, "Expires")], ["refer", "0"]);
    peer.respond(unsubscribe, 481);
    await transfers.until("DidFail 408 Request Timeout");
    assertEquals(invitation.state, "connected", "the subscription is gone, the call is not");
    await hangUp(peer, invitation);
  });

  it("Invitation refuses NOTIFYs of no transfer", async () => {
    await using peer = await Peer.open();
    const { invitation, ok } = await connectedCallFromPeer(engine, peer);
    notify(peer, ok, "active", "100 Trying");
    assertEquals((await peer.next({ cseqMethod: "NOTIFY" })).code, 481);
    invitation.transfer(carol);
    const refer = await peer.next({ method: "REFER" });
    peer.respond(refer, 202);
    notify(peer, ok, "active", "100 Trying", "presence");
    assertEquals((await peer.next({ cseqMethod: "NOTIFY" })).code, 481);
    peer.request("NOTIFY", { ...peer.dialog(ok), headers: { Event: "refer" } });
    assertEquals((await peer.next({ cseqMethod: "NOTIFY" })).code, 400);
    await hangUp(peer, invitation);
  });

  it("Invitation.notifyTransferProgress() tells the peer how the call goes that it asked for", async () => {
    await using peer = await Peer.open();
    for (
      const [code, reason, outcome] of [[200, "OK", "DidEnd"], [
        486,
        "Busy Here",
        "DidFail 486 Busy Here",
      ]] as const
    ) {
      const { invitation, ok } = await connectedCallFromPeer(engine, peer);
      const transfers = new Transfers(invitation);
      peer.request("REFER", { ...peer.dialog(ok), headers: { "Refer-To": "<sip:carol@192.0.2.9>" } });
      const accepted = await peer.next({ cseqMethod: "REFER" });
      assertEquals(accepted.code, 202);
      assertMatch(header(accepted, "Contact"), /^<sip:/);
      const read = async (state: RegExp, fragment: string) => {
        const note = await peer.next({ method: "NOTIFY" });
        assertEquals(header(note, "Event"), "refer");
        assertMatch(header(note, "Subscription-State"), state);
        assertMatch(header(note, "Content-Type"), /^message\/sipfrag; ?version=2\.0$/);
        assertEquals(note.body, `SIP/2.0 ${fragment}\r\n`);
        peer.respond(note, 200);
      };
      await read(/^active; ?expires=90$/, "100 Trying");
      await transfers.until("DidStart");
      assertEquals(invitation.transferState, "ACTIVE");
      peer.request("REFER", { ...peer.dialog(ok), headers: { "Refer-To": "<sip:dave@192.0.2.9>" } });
      assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 480);
      assertThrows(() => invitation.transfer(carol), SIPCoreInvalidStateError);
      invitation.notifyTransferProgress(180, { reason: "Bimmelt" });
      await read(/^active/, "180 Bimmelt");
      invitation.notifyTransferProgress(code);
      assertThrows(() => invitation.notifyTransferProgress(200), SIPCoreInvalidStateError);
      await read(/^terminated; ?reason=noresource$/, `${code} ${reason}`);
      assertEquals(await transfers.until(outcome), [
        "null -> INCOMING",
        "NewIncoming REFER <sip:carol@192.0.2.9>",
        "INCOMING -> ACTIVE",
        "DidStart",
        "ACTIVE -> TERMINATED",
        outcome,
      ]);
      await hangUp(peer, invitation);
    }
  });

  it("Invitation ends a transfer of the peer's that does not listen any more", async () => {
    await using peer = await Peer.open();
    const begin = async () => {
      const { invitation, ok } = await connectedCallFromPeer(engine, peer);
      const transfers = new Transfers(invitation);
      peer.request("REFER", { ...peer.dialog(ok), headers: { "Refer-To": "<sip:carol@192.0.2.9>" } });
      await peer.next({ cseqMethod: "REFER" });
      return { invitation, ok, transfers, note: await peer.next({ method: "NOTIFY" }) };
    };
    const refused = await begin();
    peer.respond(refused.note, 481);
    await refused.transfers.until("DidFail 0 the peer does not listen any more");
    assertEquals(refused.invitation.state, "connected");
    await hangUp(peer, refused.invitation);

    const left = await begin();
    peer.respond(left.note, 200);
    const subscribe = (expires: string) =>
      peer.request("SUBSCRIBE", { ...peer.dialog(left.ok), headers: { Event: "refer", Expires: expires } });
    subscribe("60");
    assertEquals(header(await peer.next({ cseqMethod: "SUBSCRIBE" }), "Expires"), "60");
    const current = await peer.next({ method: "NOTIFY" });
    assertMatch(header(current, "Subscription-State"), /^active; ?expires=60$/);
    peer.respond(current, 200);
    subscribe("0");
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 200);
    const last = await peer.next({ method: "NOTIFY" });
    assertMatch(header(last, "Subscription-State"), /^terminated/);
    peer.respond(last, 200);
    await left.transfers.until("DidFail 0 the peer does not listen any more");
    subscribe("60");
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 481);
    peer.request("SUBSCRIBE", { ...peer.dialog(left.ok), headers: { Event: "presence" } });
    assertEquals((await peer.next({ cseqMethod: "SUBSCRIBE" })).code, 489);
    await hangUp(peer, left.invitation);

    const silent = await begin();
    peer.respond(silent.note, 200);
    silent.invitation.end();
    assertThrows(() => silent.invitation.notifyTransferProgress(200), SIPCoreInvalidStateError);
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await silent.transfers.until("DidFail 0 the call has ended");
  });

  it("Invitation sends no NOTIFY to who wants none", async () => {
    await using peer = await Peer.open();
    const { invitation, ok } = await connectedCallFromPeer(engine, peer);
    const transfers = new Transfers(invitation);
    peer.request("REFER", {
      ...peer.dialog(ok),
      headers: { "Refer-To": "<sip:carol@192.0.2.9>", "Refer-Sub": "false" },
    });
    const accepted = await peer.next({ cseqMethod: "REFER" });
    assertEquals([accepted.code, header(accepted, "Refer-Sub")], [202, "false"]);
    await transfers.until("DidStart");
    invitation.notifyTransferProgress(200);
    await transfers.until("DidEnd");
    await hangUp(peer, invitation);
    assertEquals(peer.received.filter(({ method }) => method === "NOTIFY"), []);
  });

  it("Invitation refuses a REFER that is none, or that nobody hears of", async () => {
    await using peer = await Peer.open();
    const { invitation, ok, story } = await connectedCallFromPeer(engine, peer);
    const dialog = peer.dialog(ok);
    for (const headers of [{}, { "Refer-To": ["<sip:a@b>", "<sip:c@d>"] }, { "Refer-To": "<<<" }]) {
      const transfers = invitation.notifications(names);
      peer.request("REFER", { ...dialog, headers });
      assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 400);
      await transfers.return();
    }
    story.close();
    peer.request("REFER", { ...dialog, headers: { "Refer-To": "<sip:carol@192.0.2.9>" } });
    assertEquals((await peer.next({ cseqMethod: "REFER" })).code, 480);
    assertEquals(invitation.transferState, "TERMINATED");
    await hangUp(peer, invitation);
  });

  it("Invitation.transfer() forbids what the state forbids, and bad arguments", async () => {
    await using peer = await Peer.open();
    const { story, invitation } = await callFromPeer(engine, peer);
    const calls = [() => invitation.transfer(carol), () => invitation.notifyTransferProgress(180)];
    for (const call of calls) assertThrows(call, SIPCoreInvalidStateError);
    invitation.sendResponse(200, { sdp: silentSdp });
    peer.ack(await peer.next({ code: 200 }));
    await story.until("connected");
    assertThrows(() => invitation.transfer("sip:a@b" as unknown as SIPURI), TypeError, "targetUri");
    assertThrows(
      () => invitation.transfer(carol, { replacedDialogId: {} as unknown as DialogID }),
      TypeError,
      "replacedDialogId",
    );
    assertThrows(
      () => invitation.transfer(carol, { replacedDialogId: new DialogID("a", "b", null) }),
      TypeError,
      "remoteTag",
    );
    assertThrows(
      () => invitation.transfer(carol, { extraHeaders: [new Header("To", "x")] }),
      TypeError,
      "To",
    );
    for (const code of [99, 700, 1.5]) {
      assertThrows(() => invitation.notifyTransferProgress(code), RangeError, "code");
    }
    assertThrows(() => invitation.notifyTransferProgress(180, { reason: "a\nb" }), TypeError, "reason");
    assertThrows(() => invitation.notifyTransferProgress(180), SIPCoreInvalidStateError);
    invitation.end();
    peer.respond(await peer.next({ method: "BYE" }), 200);
    await story.end();
    for (const call of calls) assertThrows(call, SIPCoreInvalidStateError);
    assert(invitation.transferState === null);
  });
});
