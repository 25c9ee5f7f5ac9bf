// SPDX-License-Identifier: GPL-2.0-or-later
/** Subscriptions between the engine and a scripted peer. */
import {
  FromHeader,
  RouteHeader,
  SIPURI,
  type SubscribeOptions,
  Subscription,
  type SubscriptionNotifications,
  type SubscriptionOptions,
  ToHeader,
} from "../../mod.ts";
import { Notes } from "./notes.ts";
import type { Peer, PeerMessage } from "./peer.ts";

/** A presence document that says whether somebody is there. */
export function pidf(basic: string, entity: string = "sip:bob@example.net"): string {
  return `<?xml version="1.0"?>\r\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${entity}">` +
    `<tuple id="t"><status><basic>${basic}</basic></status></tuple></presence>\r\n`;
}

export const pidfType = "application/pidf+xml";

/** What a subscription to somebody at that port of 127.0.0.1 is made from. */
export function subscriptionOptions(
  port: number,
  options: Partial<SubscriptionOptions> = {},
): SubscriptionOptions {
  const uri = new SIPURI({ user: "peer", host: "127.0.0.1", port });
  return {
    requestUri: uri,
    fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "example.net" }), { displayName: "Alice" }),
    toHeader: new ToHeader(uri),
    routeHeader: RouteHeader.to({ address: "127.0.0.1", port }),
    event: "presence",
    ...options,
  };
}

export type SubscriptionNotes = Notes<keyof SubscriptionNotifications>;

/** A subscription to the peer, and its SUBSCRIBE. */
export async function subscribeToPeer(
  peer: Peer,
  options: Partial<SubscriptionOptions> = {},
  subscribe: SubscribeOptions = {},
): Promise<{ subscription: Subscription; notes: SubscriptionNotes; request: PeerMessage }> {
  const subscription = new Subscription(subscriptionOptions(peer.port, options));
  const notes = new Notes(subscription.notifications());
  subscription.subscribe(subscribe);
  return { subscription, notes, request: await peer.next({ method: "SUBSCRIBE" }) };
}

/** Accepts a SUBSCRIBE. */
export function grant(
  peer: Peer,
  request: PeerMessage,
  expires: number | null = 300,
  code: number = 200,
): void {
  peer.respond(request, code, { headers: expires === null ? {} : { Expires: `${expires}` } });
}

/** Sends a NOTIFY within the subscription of that SUBSCRIBE, and waits for its answer. */
export async function notify(
  peer: Peer,
  request: PeerMessage,
  state: string,
  options: { event?: string; body?: string; contentType?: string; headers?: Record<string, string> } = {},
): Promise<PeerMessage> {
  const { event = "presence", body, contentType = pidfType, headers = {} } = options;
  peer.request("NOTIFY", {
    ...peer.dialog(request),
    headers: { Event: event, "Subscription-State": state, ...headers },
    ...(body === undefined ? {} : { body, contentType }),
  });
  return await peer.next({ cseqMethod: "NOTIFY" });
}

/** A subscription that the peer has accepted and reported active. */
export async function activeSubscription(
  peer: Peer,
  options: Partial<SubscriptionOptions> = {},
  subscribe: SubscribeOptions = {},
): Promise<Awaited<ReturnType<typeof subscribeToPeer>>> {
  const made = await subscribeToPeer(peer, options, subscribe);
  const event = options.event ?? "presence";
  grant(peer, made.request);
  await made.notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACCEPTED");
  await notify(peer, made.request, "active;expires=300", { event });
  await made.notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACTIVE");
  return made;
}
