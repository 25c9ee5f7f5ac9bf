// SPDX-License-Identifier: GPL-2.0-or-later
/** Every method of Invitation in every state: what is forbidden throws, what is allowed does what it says. */
import { after, before, describe, it } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Engine, type Invitation, SIPCoreInvalidStateError, SIPURI } from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { connectedCallToPeer, inviteOptions } from "./support/peer_calls.ts";
import { type Place, type PlacedCall, places } from "./support/placed_calls.ts";

const carol = new SIPURI({ user: "carol", host: "192.0.2.9" });

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

  /** What may be done with a call in each state; whatever is not named is forbidden. */
  const allowed: Readonly<Record<Place, readonly Method[]>> = {
    "null": ["sendInvite", "end"],
    "incoming": ["ring", "accept", "refuse", "end"],
    "early, incoming": ["ring", "accept", "refuse", "sendMessage", "sendInfo", "end"],
    "connecting, incoming": ["sendMessage", "sendInfo", "end"],
    "outgoing": ["end"],
    "early, outgoing": ["sendMessage", "sendInfo", "end"],
    "early, the peer's offer": ["sendAck", "end"],
    "connecting, the peer's offer": ["sendAck", "sendMessage", "sendInfo", "end"],
    "connected/normal": ["sendReinvite", "sendMessage", "sendInfo", "transfer", "end"],
    "connected/sent_proposal": ["cancelReinvite", "sendMessage", "sendInfo", "transfer", "end"],
    "connected/received_proposal": [
      "ring",
      "accept",
      "refuse",
      "sendMessage",
      "sendInfo",
      "transfer",
      "end",
    ],
    "connected/received_proposal, by our ACK": ["sendAck", "sendMessage", "sendInfo", "transfer", "end"],
    "connected/received_proposal_request": [
      "ring",
      "accept",
      "refuse",
      "sendMessage",
      "sendInfo",
      "transfer",
      "end",
    ],
    "disconnecting": [],
    "disconnected": ["end"],
  };

  /** Each is done to a call of its own, so that none changes the ground of the next. */
  async function attempt(peer: Peer, method: Method, { invitation, story }: PlacedCall): Promise<string> {
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

  for (const place of Object.keys(places) as Place[]) {
    it(`Invitation, ${place}: ${allowed[place].join(", ") || "nothing"}`, async () => {
      for (const method of Object.keys(methods) as Method[]) {
        await using peer = await Peer.open();
        const outcome = await attempt(peer, method, await places[place](engine, peer));
        const expected = allowed[place].includes(method) ? "allowed" : "forbidden";
        assertEquals([method, outcome], [method, expected]);
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
