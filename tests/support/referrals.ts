// SPDX-License-Identifier: GPL-2.0-or-later
/** Referrals between the engine and a scripted peer. */
import { deadline } from "@std/async";
import {
  type Engine,
  type IncomingReferral,
  type IncomingReferralNotifications,
  NotificationCenter,
  Referral,
  type ReferralNotifications,
  type ReferralOptions,
  ReferToHeader,
  type SendReferOptions,
} from "../../mod.ts";
import { Notes } from "./notes.ts";
import type { Peer, PeerMessage, RequestOptions } from "./peer.ts";
import { header } from "./sip_text.ts";
import { notify, subscriptionOptions } from "./subscriptions.ts";

export const sipfragType = "message/sipfrag;version=2.0";

/** What a referral by somebody at that port of 127.0.0.1 is made from. */
export function referralOptions(port: number, options: Partial<ReferralOptions> = {}): ReferralOptions {
  return {
    ...subscriptionOptions(port),
    referToHeader: new ReferToHeader("sip:room@example.net"),
    ...options,
  };
}

/** A REFER to the peer, as the peer has it. */
export async function referPeer(
  peer: Peer,
  options: Partial<ReferralOptions> = {},
  send: SendReferOptions = {},
): Promise<{ referral: Referral; notes: Notes<keyof ReferralNotifications>; request: PeerMessage }> {
  const referral = new Referral(referralOptions(peer.port, options));
  const notes = new Notes(referral.notifications());
  referral.sendRefer(send);
  return { referral, notes, request: await peer.next({ method: "REFER" }) };
}

/** A NOTIFY of the status of that REFER. */
export function tellStatus(
  peer: Peer,
  request: PeerMessage,
  state: string,
  status: string | null,
): Promise<PeerMessage> {
  return notify(peer, request, state, {
    event: "refer",
    ...(status === null ? {} : { body: `SIP/2.0 ${status}\r\n`, contentType: sipfragType }),
  });
}

/** A REFER that the peer has accepted and is trying. */
export async function acceptedReferral(
  peer: Peer,
  options: Partial<ReferralOptions> = {},
  send: SendReferOptions = {},
): Promise<Awaited<ReturnType<typeof referPeer>>> {
  const made = await referPeer(peer, options, send);
  peer.respond(made.request, 202);
  await made.notes.until("SIPReferralChangedState", ({ data }) => data.state === "ACCEPTED");
  await tellStatus(peer, made.request, "active;expires=180", "100 Trying");
  await made.notes.until("SIPReferralChangedState", ({ data }) => data.state === "ACTIVE");
  return made;
}

/** A REFER of the peer's, heard and unanswered. */
export async function referFromPeer(
  engine: Engine,
  peer: Peer,
  options: Partial<RequestOptions> = {},
): Promise<
  { referral: IncomingReferral; notes: Notes<keyof IncomingReferralNotifications>; request: PeerMessage }
> {
  const heard = new NotificationCenter().once("SIPIncomingReferralGotRefer", {
    where: ({ data }) => data.headers.text("Call-ID") === (request && header(request, "Call-ID")),
  });
  let request: PeerMessage | null = null;
  request = peer.request("REFER", {
    uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
    ...options,
    headers: { "Refer-To": "Room <sip:room@example.net>;x=1", ...options.headers },
  });
  const first = await deadline(heard, 5000);
  return { referral: first.sender, notes: new Notes(first.sender.notifications(), first), request };
}
