// SPDX-License-Identifier: GPL-2.0-or-later
/** Every method of Invitation in every state: what is forbidden throws, what is allowed does what it says. */
import { after, before, describe, it } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Engine, Invitation, SIPCoreInvalidStateError, SIPURI } from "../mod.ts";
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
import type { Story } from "./support/story.ts";

const sdp = silentSdp.toString();
const carol = new SIPURI({ user: "carol", host: "192.0.2.9" });

/** A call in some state. */
interface Placed {
  readonly invitation: Invitation;
  readonly story: Story | null;
}

describe("Invitation, every method in every state", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  const methods = {
    sendInvite: (call, peer) => call.sendInvite(inviteOptions(peer.port)),
    ring: (call) => call.sendResponse(180),
    accept: (call) => call.sendResponse(200, { sdp: silentSdp }),
    refuse: (call) => call.sendResponse(488),
    sendReinvite: (call) => call.sendReinvite(),
    cancelReinvite: (call) => call.cancelReinvite(),
    sendAck: (call) => call.sendAck(silentSdp),
    sendMessage: (call) => call.sendMessage("text/plain", "x"),
    sendInfo: (call) => call.sendInfo("text/plain", "x"),
    transfer: (call) => call.transfer(carol),
    notifyTransferProgress: (call) => call.notifyTransferProgress(200),
    end: (call) => call.end({ timeout: 0.05 }),
  } satisfies Record<string, (call: Invitation, peer: Peer) => void>;
  type Method = keyof typeof methods;

  /** How a call comes there, and what may be done with it; whatever is not named is forbidden. */
  const rows: Record<
    string,
    { readonly place: (peer: Peer) => Promise<Placed>; readonly allowed: readonly Method[] }
  > = {
    "null": {
      place: () => Promise.resolve({ invitation: new Invitation(), story: null }),
      allowed: ["sendInvite", "end"],
    },
    "incoming": {
      place: (peer) => callFromPeer(engine, peer),
      allowed: ["ring", "accept", "refuse", "end"],
    },
    "early, incoming": {
      place: async (peer) => {
        const call = await callFromPeer(engine, peer);
        call.invitation.sendResponse(180);
        await call.story.until("early");
        return call;
      },
      allowed: ["ring", "accept", "refuse", "sendMessage", "sendInfo", "end"],
    },
    "connecting, incoming": {
      place: async (peer) => {
        const call = await callFromPeer(engine, peer);
        call.invitation.sendResponse(200, { sdp: silentSdp });
        await call.story.until("connecting");
        return call;
      },
      allowed: ["sendMessage", "sendInfo", "end"],
    },
    "outgoing": {
      place: (peer) => callPeer(peer),
      allowed: ["end"],
    },
    "early, outgoing": {
      place: async (peer) => {
        const call = await callPeer(peer);
        peer.respond(call.invite, 180);
        await call.story.until("early");
        return call;
      },
      allowed: ["sendMessage", "sendInfo", "end"],
    },
    "connecting, the peer's offer": {
      place: async (peer) => {
        const call = await callPeer(peer, { sdp: null });
        peer.respond(call.invite, 200, { body: sdp });
        await call.story.until("connecting");
        return call;
      },
      allowed: ["sendAck", "sendMessage", "sendInfo", "end"],
    },
    "connected/normal": {
      place: (peer) => connectedCallToPeer(peer),
      allowed: ["sendReinvite", "sendMessage", "sendInfo", "transfer", "end"],
    },
    "connected/sent_proposal": {
      place: async (peer) => {
        const call = await connectedCallToPeer(peer);
        call.invitation.sendReinvite();
        await call.story.untilChange("connected/normal -> connected/sent_proposal");
        return call;
      },
      allowed: ["cancelReinvite", "sendMessage", "sendInfo", "transfer", "end"],
    },
    "connected/received_proposal": {
      place: async (peer) => {
        const call = await connectedCallFromPeer(engine, peer);
        peer.request("INVITE", { ...peer.dialog(call.ok), body: sdp });
        await call.story.untilChange("connected/normal -> connected/received_proposal");
        return call;
      },
      allowed: ["ring", "accept", "refuse", "sendMessage", "sendInfo", "transfer", "end"],
    },
    "connected/received_proposal, by our ACK": {
      place: async (peer) => {
        const call = await connectedCallToPeer(peer);
        call.invitation.sendReinvite({ sdp: null });
        peer.respond(await peer.next({ method: "INVITE" }), 200, { body: sdp });
        await call.story.untilChange("connected/sent_proposal -> connected/received_proposal");
        return call;
      },
      allowed: ["sendAck", "sendMessage", "sendInfo", "transfer", "end"],
    },
    "connected/received_proposal_request": {
      place: async (peer) => {
        const call = await connectedCallFromPeer(engine, peer);
        peer.request("INVITE", peer.dialog(call.ok));
        await call.story.untilChange("connected/normal -> connected/received_proposal_request");
        return call;
      },
      allowed: ["ring", "accept", "refuse", "sendMessage", "sendInfo", "transfer", "end"],
    },
    "disconnecting": {
      place: async (peer) => {
        const call = await connectedCallToPeer(peer);
        call.invitation.end({ timeout: 0.2 });
        await call.story.until("disconnecting");
        return call;
      },
      allowed: [],
    },
    "disconnected": {
      place: async (peer) => {
        const call = await callPeer(peer);
        peer.respond(call.invite, 486);
        await call.story.end();
        return call;
      },
      allowed: ["end"],
    },
  };

  /** Each is done to a call of its own, so that none changes the ground of the next. */
  async function attempt(peer: Peer, method: Method, { invitation, story }: Placed): Promise<string> {
    const { state } = invitation;
    const told = story?.told.length;
    try {
      methods[method](invitation, peer);
      return "allowed";
    } catch (error) {
      if (!(error instanceof SIPCoreInvalidStateError)) throw error;
      assertStrictEquals(invitation.state, state, "what is forbidden changes nothing");
      assertEquals(story?.told.length, told);
      return "forbidden";
    } finally {
      await clear(invitation);
    }
  }

  /** Ends the call at once, whatever it waits for. */
  async function clear(invitation: Invitation): Promise<void> {
    const changes = invitation.notifications("SIPInvitationChangedState");
    if (invitation.direction === null) return;
    try {
      invitation.end({ timeout: 0.05 });
    } catch (error) {
      // It is ending already.
      if (!(error instanceof SIPCoreInvalidStateError)) throw error;
    }
    for await (const { data } of changes) if (data.state === "disconnected") break;
  }

  for (const [name, { place, allowed }] of Object.entries(rows)) {
    it(`Invitation, ${name}: ${allowed.join(", ") || "nothing"}`, async () => {
      for (const method of Object.keys(methods) as Method[]) {
        await using peer = await Peer.open();
        const outcome = await attempt(peer, method, await place(peer));
        assertEquals([method, outcome], [method, allowed.includes(method) ? "allowed" : "forbidden"]);
      }
    });
  }

  it("Invitation forbids everything but end() when the engine has stopped", async () => {
    await using peer = await Peer.open();
    const { invitation } = await connectedCallToPeer(peer);
    await engine.stop();
    for (const method of Object.keys(methods) as Method[]) {
      let outcome = "allowed";
      try {
        methods[method](invitation, peer);
      } catch (error) {
        if (!(error instanceof SIPCoreInvalidStateError)) throw error;
        outcome = "forbidden";
      }
      assertEquals([method, outcome], [method, method === "end" ? "allowed" : "forbidden"]);
    }
    assertEquals([invitation.state, invitation.subState], ["disconnected", null]);
    engine = await startEngine();
  });
});
