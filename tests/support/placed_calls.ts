// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls between the engine and a scripted peer, in each state that one can be in. */
import { type Engine, Invitation } from "../../mod.ts";
import { silentSdp } from "./calls.ts";
import type { Peer, PeerMessage } from "./peer.ts";
import { callFromPeer, callPeer, connectedCallFromPeer, connectedCallToPeer } from "./peer_calls.ts";
import type { Story } from "./story.ts";

const sdp = silentSdp.toString();

/** A call in some state. */
export interface PlacedCall {
  readonly invitation: Invitation;
  /** Null where nothing was sent. */
  readonly story: Story | null;
  /** What the peer goes on with: the INVITE that waits for its answer, or what has its dialog. */
  readonly message: PeerMessage | null;
}

/** How a call comes there; `peer` has read everything that came to it on the way. */
export const places = {
  "null": () => Promise.resolve({ invitation: new Invitation(), story: null, message: null }),
  "incoming": async (engine, peer) => {
    const { invite, ...call } = await callFromPeer(engine, peer);
    return { ...call, message: invite };
  },
  "early, incoming": async (engine, peer) => {
    const { invite, ...call } = await callFromPeer(engine, peer);
    call.invitation.sendResponse(180);
    await peer.next({ code: 180 });
    await call.story.until("early");
    return { ...call, message: invite };
  },
  "connecting, incoming": async (engine, peer) => {
    const call = await callFromPeer(engine, peer);
    call.invitation.sendResponse(200, { sdp: silentSdp });
    const message = await peer.next({ code: 200 });
    await call.story.until("connecting");
    return { ...call, message };
  },
  "outgoing": async (_engine, peer) => {
    const { invite, ...call } = await callPeer(peer);
    return { ...call, message: invite };
  },
  "early, outgoing": async (_engine, peer) => {
    const { invite, ...call } = await callPeer(peer);
    peer.respond(invite, 180);
    await call.story.until("early");
    return { ...call, message: invite };
  },
  "early, the peer's offer": async (_engine, peer) => {
    const { invite, ...call } = await callPeer(peer, { sdp: null });
    peer.respond(invite, 100);
    peer.respond(invite, 183, { headers: { Require: "100rel", RSeq: "1" }, body: sdp });
    await call.story.until("early");
    return { ...call, message: invite };
  },
  "connecting, the peer's offer": async (_engine, peer) => {
    const { invite, ...call } = await callPeer(peer, { sdp: null });
    peer.respond(invite, 200, { body: sdp });
    await call.story.until("connecting");
    return { ...call, message: invite };
  },
  "connected/normal": async (_engine, peer) => {
    const { invite, ...call } = await connectedCallToPeer(peer);
    return { ...call, message: invite };
  },
  "connected/sent_proposal": async (_engine, peer) => {
    const call = await connectedCallToPeer(peer);
    call.invitation.sendReinvite();
    const message = await peer.next({ method: "INVITE" });
    await call.story.untilChange("connected/normal -> connected/sent_proposal");
    return { ...call, message };
  },
  "connected/received_proposal": async (engine, peer) => {
    const call = await connectedCallFromPeer(engine, peer);
    const message = peer.request("INVITE", { ...peer.dialog(call.ok), body: sdp });
    await peer.next({ code: 100 });
    await call.story.untilChange("connected/normal -> connected/received_proposal");
    return { ...call, message };
  },
  "connected/received_proposal, by our ACK": async (_engine, peer) => {
    const call = await connectedCallToPeer(peer);
    call.invitation.sendReinvite({ sdp: null });
    const message = await peer.next({ method: "INVITE" });
    peer.respond(message, 200, { body: sdp });
    await call.story.untilChange("connected/sent_proposal -> connected/received_proposal");
    return { ...call, message };
  },
  "connected/received_proposal_request": async (engine, peer) => {
    const call = await connectedCallFromPeer(engine, peer);
    const message = peer.request("INVITE", peer.dialog(call.ok));
    await peer.next({ code: 100 });
    await call.story.untilChange("connected/normal -> connected/received_proposal_request");
    return { ...call, message };
  },
  "disconnecting": async (_engine, peer) => {
    const call = await connectedCallToPeer(peer);
    call.invitation.end({ timeout: 0.2 });
    const message = await peer.next({ method: "BYE" });
    await call.story.until("disconnecting");
    return { ...call, message };
  },
  "disconnected": async (_engine, peer) => {
    const { invite, ...call } = await callPeer(peer);
    peer.respond(invite, 486);
    await peer.next({ method: "ACK" });
    await call.story.end();
    return { ...call, message: invite };
  },
} as const satisfies Record<string, (engine: Engine, peer: Peer) => Promise<PlacedCall>>;

export type Place = keyof typeof places;
