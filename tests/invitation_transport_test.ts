// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  type BaseSDPSession,
  type Engine,
  FromHeader,
  Invitation,
  NotificationCenter,
  RouteHeader,
  SDPAttribute,
  SDPSession,
  SIPCoreInvalidStateError,
  SIPURI,
  ToHeader,
  type TransportName,
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
} from "./support/peer_calls.ts";
import { header } from "./support/sip_text.ts";
import { changed, Story } from "./support/story.ts";

const center = new NotificationCenter();

/** Calls that an engine makes to itself, both ends of them. */
class SelfCalls implements Disposable {
  readonly #engine: Engine;
  readonly #incoming: Map<string, (story: Story) => void> = new Map();
  readonly #observer: Disposable;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#observer = center.addObserver((notification) => {
      const { sender, data } = notification;
      if (data.state !== "incoming") return;
      this.#incoming.get(data.requestUri?.user ?? "")?.(new Story(sender, notification));
    }, { name: "SIPInvitationChangedState" });
  }

  async call(
    user: string,
    transport: TransportName = "udp",
    sdp: BaseSDPSession = silentSdp,
  ): Promise<{ caller: Story; callee: Story }> {
    const { promise, resolve } = Promise.withResolvers<Story>();
    this.#incoming.set(user, resolve);
    const host = this.#engine.ipAddress!;
    const port = transport === "tcp" ? this.#engine.tcpPort! : this.#engine.udpPort!;
    const uri = new SIPURI({ user, host, port });
    uri.transport = transport;
    const caller = new Story(new Invitation());
    caller.invitation.sendInvite({
      requestUri: uri,
      fromHeader: new FromHeader(new SIPURI({ user: "alice", host })),
      toHeader: new ToHeader(uri),
      routeHeader: RouteHeader.to({ address: host, port, transport }),
      sdp,
    });
    return { caller, callee: await deadline(promise, 10_000) };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

const callerHangsUp = [
  "null -> outgoing",
  "outgoing -> early",
  "early -> connecting",
  "connecting -> connected/normal",
  "connected/normal -> disconnecting",
  "disconnecting -> disconnected",
];
const calleeHears = [
  "null -> incoming",
  "incoming -> early",
  "early -> connecting",
  "connecting -> connected/normal",
  "connected/normal -> disconnected",
];

async function wholeCall({ caller, callee }: { caller: Story; callee: Story }): Promise<void> {
  callee.invitation.sendResponse(180);
  await caller.until("early");
  callee.invitation.sendResponse(200, { sdp: silentSdp });
  await Promise.all([caller.until("connected"), callee.until("connected")]);
  const [mine, other] = [caller.invitation.dialogId!, callee.invitation.dialogId!];
  assertEquals([mine.callId, mine.localTag, mine.remoteTag], [other.callId, other.remoteTag, other.localTag]);
  caller.invitation.end();
  await Promise.all([caller.end(), callee.end()]);
  assertEquals(caller.changes, callerHangsUp);
  assertEquals(callee.changes, calleeHears);
}

describe("Invitation, transports", () => {
  for (const address of ["127.0.0.1", "::1"]) {
    for (const transport of ["udp", "tcp"] as const) {
      it(`Invitation calls ${address} by ${transport}`, async () => {
        const engine = await startEngine({ ipAddress: address });
        try {
          using calls = new SelfCalls(engine);
          const call = await calls.call("bob", transport);
          const port = transport === "tcp" ? engine.tcpPort : engine.udpPort;
          for (const { invitation } of [call.caller, call.callee]) {
            assertEquals(invitation.transport, transport);
          }
          assertEquals(call.callee.invitation.peerAddress?.ip, address);
          const contact = call.callee.invitation.remoteContactHeader!.uri!;
          assertEquals([contact.host.replace(/[[\]]/g, ""), contact.port, contact.transport], [
            address,
            port,
            transport,
          ]);
          await wholeCall(call);
          assertEquals(call.caller.invitation.peerAddress, { ip: address, port });
        } finally {
          await stopEngine();
        }
      });
    }
  }

  it("Invitation keeps 50 calls of one engine apart, over both transports", async () => {
    const engine = await startEngine();
    try {
      using calls = new SelfCalls(engine);
      const all = await Promise.all(
        Array.from({ length: 50 }, (_, index) => calls.call(`user${index}`, index % 2 ? "tcp" : "udp")),
      );
      await Promise.all(all.map(wholeCall));
      const ids = new Set(all.map(({ caller }) => caller.invitation.callId));
      assertEquals(ids.size, 50);
    } finally {
      await stopEngine();
    }
  });

  it("Invitation fails when nobody listens at the other end of a connection", async () => {
    await startEngine();
    try {
      const peer = await Peer.open();
      const { port } = peer;
      await peer.close(); // a port that is free for TCP, very likely; and nobody's
      const story = new Story(new Invitation());
      story.invitation.sendInvite(
        inviteOptions(port, {
          routeHeader: RouteHeader.to({ address: "127.0.0.1", port, transport: "tcp" }),
        }),
      );
      const told = await story.end();
      assertEquals(story.changes, ["null -> outgoing", "outgoing -> disconnected"]);
      // What the system calls it depends on how far the connection came.
      const last = told.at(-1)!;
      assert("change" in last);
      assertMatch(last.disconnectReason!, /^(Connection refused|Broken pipe)$/);
      const reason = last.disconnectReason;
      assertEquals(
        last,
        changed("outgoing -> disconnected", { code: 503, reason, disconnectReason: reason }),
      );
    } finally {
      await stopEngine();
    }
  });

  it("Engine.stop() says goodbye in the words that each call wants", async () => {
    await using peer = await Peer.open();
    const engine = await startEngine();
    const outgoing = await connectedCallToPeer(peer);
    const incoming = await connectedCallFromPeer(engine, peer);
    const ringing = await callPeer(peer);
    peer.respond(ringing.invite, 180);
    await ringing.story.until("early");
    const unanswered = await callFromPeer(engine, peer);
    const stopped = stopEngine();
    const byes = [await peer.next({ method: "BYE" }), await peer.next({ method: "BYE" })];
    for (const bye of byes) peer.respond(bye, 200);
    peer.respond(await peer.next({ method: "CANCEL" }), 200);
    peer.respond(ringing.invite, 487);
    peer.ack(await peer.next({ code: 480 }));
    await stopped;
    assertEquals(new Set(byes.map((bye) => header(bye, "Call-ID"))).size, 2);
    for (const { story } of [outgoing, incoming, ringing, unanswered]) {
      const last = (await story.end()).at(-1)!;
      assert("change" in last);
      assertEquals([last.change, last.disconnectReason], ["disconnecting -> disconnected", "engine stopped"]);
    }
  });

  it("Invitation ends with the engine, and its methods afterwards say so", async () => {
    await using peer = await Peer.open();
    const engine = await startEngine();
    using calls = new SelfCalls(engine);
    const talking = await calls.call("talking");
    talking.callee.invitation.sendResponse(200, { sdp: silentSdp });
    await Promise.all([talking.caller.until("connected"), talking.callee.until("connected")]);
    const waiting = await calls.call("waiting");
    const unheard = new Story(new Invitation());
    unheard.invitation.sendInvite(inviteOptions(peer.port));
    await peer.next({ method: "INVITE" });
    const begun = performance.now();
    await stopEngine();
    assert(performance.now() - begun < 2000);
    for (const story of [talking.caller, talking.callee, waiting.caller, waiting.callee, unheard]) {
      await story.end();
      const { invitation, told } = story;
      const last = told.at(-1)!;
      assertEquals(invitation.state, "disconnected");
      assert("change" in last && last.change.endsWith("-> disconnected"), JSON.stringify(last));
      invitation.end();
      invitation[Symbol.dispose]();
      assertThrows(() => invitation.sendResponse(180), SIPCoreInvalidStateError);
      assertThrows(() => invitation.sendInvite(inviteOptions(peer.port)), SIPCoreInvalidStateError);
      assertEquals(invitation.callId !== null, true);
    }
    const last = unheard.told.at(-1)!;
    assertEquals("disconnectReason" in last && last.disconnectReason, "engine stopped");
    const error = assertThrows(
      () => new Invitation().sendInvite(inviteOptions(peer.port)),
      SIPCoreInvalidStateError,
    );
    assertEquals(error.code, "ENGINE_NOT_RUNNING");
    // What was made before the stop stays ended after a restart.
    await startEngine();
    assertEquals(talking.caller.invitation.state, "disconnected");
    assertThrows(() => waiting.callee.invitation.sendResponse(180), SIPCoreInvalidStateError);
    await stopEngine();
  });

  it("Invitation carries a session description of many kilobytes by the transport that it was told", async () => {
    const engine = await startEngine();
    try {
      using calls = new SelfCalls(engine);
      const big = SDPSession.from(silentSdp);
      for (let index = 0; index < 50; index++) {
        big.media[0]!.attributes.push(new SDPAttribute(`x-${index}`, "v".repeat(200)));
      }
      for (const transport of ["udp", "tcp"] as const) {
        const { caller, callee } = await calls.call(`big-${transport}`, transport, big);
        assertEquals(callee.invitation.transport, transport);
        assertEquals(callee.invitation.sdp.proposedRemote?.equals(big), true);
        callee.invitation.sendResponse(200, { sdp: big });
        await Promise.all([caller.until("connected"), callee.until("connected")]);
        assertEquals(
          caller.invitation.sdp.activeRemote?.media[0]?.attributes.getFirst("x-49"),
          "v".repeat(200),
        );
        callee.invitation.end();
        await Promise.all([caller.end(), callee.end()]);
      }
    } finally {
      await stopEngine();
    }
  });
});
