// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls between the engine and a scripted peer. */
import { deadline } from "@std/async";
import {
  type Engine,
  FromHeader,
  Invitation,
  type InviteOptions,
  NotificationCenter,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../mod.ts";
import { silentSdp } from "./calls.ts";
import type { Peer, PeerMessage, RequestOptions } from "./peer.ts";
import { header } from "./sip_text.ts";
import { Story } from "./story.ts";

/** The streams of `silentSdp`, as a story tells them. */
export const silentStreams = "audio 4000 RTP/AVP 0";

/** What `sendInvite()` needs for a call to somebody at that port of 127.0.0.1. */
export function inviteOptions(port: number, options: Partial<InviteOptions> = {}): InviteOptions {
  const uri = new SIPURI({ user: "peer", host: "127.0.0.1", port });
  return {
    requestUri: uri,
    fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "example.net" }), { displayName: "Alice" }),
    toHeader: new ToHeader(uri),
    routeHeader: RouteHeader.to({ address: "127.0.0.1", port }),
    sdp: silentSdp,
    ...options,
  };
}

/** A call to the peer, and the INVITE as the peer has it. */
export async function callPeer(
  peer: Peer,
  options: Partial<InviteOptions> = {},
): Promise<{ story: Story; invitation: Invitation; invite: PeerMessage }> {
  const invitation = new Invitation();
  const story = new Story(invitation);
  invitation.sendInvite(inviteOptions(peer.port, options));
  await story.until("outgoing");
  return { story, invitation, invite: await peer.next({ method: "INVITE" }) };
}

/** A call to the peer that is connected; `peer` has had the ACK. */
export async function connectedCallToPeer(
  peer: Peer,
): Promise<{ story: Story; invitation: Invitation; invite: PeerMessage }> {
  const call = await callPeer(peer);
  peer.respond(call.invite, 200, { body: silentSdp.toString() });
  await peer.next({ method: "ACK" });
  await call.story.until("connected");
  return call;
}

/** A call from the peer, and the INVITE as the peer has sent it. */
export async function callFromPeer(
  engine: Engine,
  peer: Peer,
  options: Partial<RequestOptions> = {},
): Promise<{ story: Story; invitation: Invitation; invite: PeerMessage }> {
  const { promise, resolve } = Promise.withResolvers<Story>();
  let invite: PeerMessage | null = null;
  using _observer = new NotificationCenter().addObserver((notification) => {
    const { sender, data } = notification;
    if (data.state !== "incoming" || data.headers.text("Call-ID") !== (invite && header(invite, "Call-ID"))) {
      return;
    }
    resolve(new Story(sender, notification));
  }, { name: "SIPInvitationChangedState" });
  invite = peer.request("INVITE", {
    uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
    body: silentSdp.toString(),
    ...options,
  });
  const story = await deadline(promise, 5000);
  await peer.next({ code: 100 });
  return { story, invitation: story.invitation, invite };
}

/** A call from the peer that was taken and acknowledged; `ok` is the 200. */
export async function connectedCallFromPeer(
  engine: Engine,
  peer: Peer,
): Promise<{ story: Story; invitation: Invitation; invite: PeerMessage; ok: PeerMessage }> {
  const call = await callFromPeer(engine, peer);
  call.invitation.sendResponse(200, { sdp: silentSdp });
  const ok = await peer.next({ code: 200 });
  peer.ack(ok);
  await call.story.until("connected");
  return { ...call, ok };
}
