// SPDX-License-Identifier: GPL-2.0-or-later
/** Subscriptions between the engine and a scripted peer. */
import {
  type Engine,
  FromHeader,
  type IncomingSubscription,
  type IncomingSubscriptionNotifications,
  NotificationCenter,
  RouteHeader,
  SIPURI,
  type SubscribeOptions,
  Subscription,
  type SubscriptionNotifications,
  type SubscriptionOptions,
  ToHeader,
} from "../../mod.ts";
import { Notes } from "./notes.ts";
import { deadline } from "@std/async";
import type { Peer, PeerMessage, RequestOptions } from "./peer.ts";
import { header } from "./sip_text.ts";

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

export type IncomingSubscriptionNotes = Notes<keyof IncomingSubscriptionNotifications>;

/** A subscription of the peer's, heard and unanswered, and its SUBSCRIBE. */
export async function subscribeFromPeer(
  engine: Engine,
  peer: Peer,
  { event = "presence", expires = 300, ...options }:
    & { event?: string; expires?: number | null }
    & Partial<RequestOptions> = {},
): Promise<
  { subscription: IncomingSubscription; notes: IncomingSubscriptionNotes; request: PeerMessage }
> {
  const heard = new NotificationCenter().once("SIPIncomingSubscriptionGotSubscribe", {
    where: ({ data }) => data.headers.text("Call-ID") === (request && header(request, "Call-ID")),
  });
  let request: PeerMessage | null = null;
  request = peer.request("SUBSCRIBE", {
    uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
    ...options,
    headers: { Event: event, ...(expires === null ? {} : { Expires: `${expires}` }), ...options.headers },
  });
  const first = await deadline(heard, 5000);
  return { subscription: first.sender, notes: new Notes(first.sender.notifications(), first), request };
}

/** A subscription of the peer's that was accepted; `ok` is the 200, `notified` the first NOTIFY. */
export async function activeSubscriptionFromPeer(
  engine: Engine,
  peer: Peer,
  options: Parameters<typeof subscribeFromPeer>[2] & { content?: string } = {},
): Promise<
  & Awaited<ReturnType<typeof subscribeFromPeer>>
  & { ok: PeerMessage; notified: PeerMessage }
> {
  const { content, ...rest } = options;
  const made = await subscribeFromPeer(engine, peer, rest);
  made.subscription.accept(content === undefined ? {} : { contentType: pidfType, content });
  const ok = await peer.next({ code: 200, cseqMethod: "SUBSCRIBE" });
  const notified = await peer.next({ method: "NOTIFY" });
  peer.respond(notified, 200);
  await made.notes.until("SIPIncomingSubscriptionNotifyDidSucceed");
  return { ...made, ok, notified };
}
