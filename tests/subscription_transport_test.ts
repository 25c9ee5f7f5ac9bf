// SPDX-License-Identifier: GPL-2.0-or-later
/** Subscriptions and referrals of the engine to itself: both ends at once, over every transport. */
import { after, afterEach, describe, it } from "node:test";
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { deadline } from "@std/async";
import { freePort } from "../scripts/bench/port.ts";
import {
  ContactHeader,
  Engine,
  FromHeader,
  NotificationCenter,
  Referral,
  ReferToHeader,
  RouteHeader,
  SIPURI,
  Subscription,
  ToHeader,
  type TransportName,
} from "../mod.ts";
import { Certificates, goodName, skipWithoutOpenssl } from "./support/certificates.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Notes } from "./support/notes.ts";
import { Peer } from "./support/peer.ts";
import { header, uriOf } from "./support/sip_text.ts";
import { activeSubscription, notify, pidf, pidfType } from "./support/subscriptions.ts";

const center = new NotificationCenter();
const engine = new Engine();

function target(address: string, transport: TransportName) {
  const port = { udp: engine.udpPort, tcp: engine.tcpPort, tls: engine.tlsPort }[transport]!;
  const host = address.includes(":") ? `[${address}]` : address;
  const requestUri = new SIPURI({ user: "bob", host, port, parameters: { transport } });
  return {
    requestUri,
    fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "example.net" })),
    toHeader: new ToHeader(requestUri),
    routeHeader: RouteHeader.to({
      address,
      port,
      transport,
      ...(transport === "tls" ? { tlsName: goodName } : {}),
    }),
  };
}

/** Subscribes, is notified, refreshes and unsubscribes; what both ends tell. */
async function subscribe(address: string, transport: TransportName): Promise<void> {
  const coming = center.once("SIPIncomingSubscriptionGotSubscribe");
  const subscription = new Subscription({ ...target(address, transport), event: "presence" });
  const watcher = new Notes(subscription.notifications());
  subscription.subscribe();
  const first = await deadline(coming, 5000);
  const presentity = new Notes(first.sender.notifications(), first);
  const via = first.data.headers.text("Via")!;
  assertEquals(via.split(" ")[0], `SIP/2.0/${transport.toUpperCase()}`);
  first.sender.accept({ contentType: pidfType, content: pidf("open") });
  const { data } = await watcher.until("SIPSubscriptionGotNotify");
  assertEquals(data.body, pidf("open"));
  await watcher.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACTIVE");
  const long = pidf("closed") + " ".repeat(10_000);
  first.sender.pushContent(pidfType, long);
  assertEquals((await watcher.until("SIPSubscriptionGotNotify")).data.body, long);
  subscription.subscribe();
  await watcher.until("SIPSubscriptionGotNotify");
  subscription.end();
  assertEquals((await watcher.end()).slice(-4), [
    "WillEnd",
    "GotNotify",
    "DidEnd timeout",
    "ACTIVE -> TERMINATED",
  ]);
  assertEquals((await presentity.end()).slice(-5), [
    "GotUnsubscribe",
    "active -> terminated",
    "SentNotify",
    "DidEnd",
    "AnsweredSubscribe 200",
  ]);
  assertEquals(subscription.peerAddress?.ip, address);
  assertEquals(first.sender.peerAddress?.ip, address);
}

async function refer(address: string, transport: TransportName): Promise<void> {
  const coming = center.once("SIPIncomingReferralGotRefer");
  const referral = new Referral({
    ...target(address, transport),
    referToHeader: new ReferToHeader("sip:room@example.net"),
  });
  const notes = new Notes(referral.notifications());
  referral.sendRefer();
  const { sender } = await deadline(coming, 5000);
  sender.accept();
  await notes.until("SIPReferralGotNotify");
  sender.end({ code: 486 });
  assertEquals((await notes.end()).slice(-2), ["DidFail 486", "ACTIVE -> TERMINATED"]);
}

describe("Subscription and Referral, transports", () => {
  afterEach(stopEngine);

  for (const address of ["127.0.0.1", "::1"]) {
    for (const transport of ["udp", "tcp"] as const) {
      it(`Subscription and Referral go to ${address} by ${transport}`, async () => {
        await startEngine({ ipAddress: address, incomingEvents: ["presence"] });
        await subscribe(address, transport);
        await refer(address, transport);
      });
    }
  }

  it("Subscription goes on over its socket when the port changes", async () => {
    await startEngine({ tcpPort: null });
    await using peer = await Peer.open();
    const { subscription, notes, request } = await activeSubscription(peer);
    const old = engine.udpPort;
    engine.setUdpPort(await freePort());
    assertNotEquals(engine.udpPort, old);
    assertEquals(uriOf(header(request, "Contact")), `sip:alice@127.0.0.1:${old}`);
    assertEquals((await notify(peer, request, "active", { body: pidf("open") })).code, 200);
    await notes.until("SIPSubscriptionGotNotify", ({ data }) => data.body !== null);
    subscription.subscribe();
    const refresh = await peer.next({ method: "SUBSCRIBE" });
    assertEquals(refresh.port, old);
    peer.respond(refresh, 481);
    await notes.end();
  });

  it("Subscription whose connection is refused fails with 503", async () => {
    await startEngine();
    const port = await freePort();
    const { routeHeader: _, ...rest } = target("127.0.0.1", "tcp");
    const subscription = new Subscription({
      ...rest,
      event: "presence",
      routeHeader: RouteHeader.to({ address: "127.0.0.1", port, transport: "tcp" }),
    });
    const notes = new Notes(subscription.notifications());
    subscription.subscribe();
    assertEquals(await notes.end(), ["NULL -> SENT", "WillStart", "DidFail 503", "SENT -> TERMINATED"]);
  });

  it("Subscription over a transport that is off fails, and throws nothing", async () => {
    await startEngine({ tcpPort: null });
    const subscription = new Subscription({
      ...target("127.0.0.1", "udp"),
      event: "presence",
      contactHeader: new ContactHeader(SIPURI.parse("sip:alice@127.0.0.1:5060")),
      routeHeader: RouteHeader.to({ address: "127.0.0.1", port: 9, transport: "tcp" }),
    });
    const notes = new Notes(subscription.notifications());
    subscription.subscribe();
    const { data } = await notes.until("SIPSubscriptionDidFail");
    assertMatch(data.reason, /transport/i);
    assertEquals((await notes.end()).at(-1), "SENT -> TERMINATED");
  });
});

describe("Subscription and Referral over TLS", { skip: skipWithoutOpenssl }, () => {
  const certificates = skipWithoutOpenssl ? null! : new Certificates();
  after(() => certificates?.[Symbol.dispose]());
  afterEach(stopEngine);

  it("Subscription and Referral go by TLS", async () => {
    const { cert, key } = certificates.get("good");
    await startEngine({
      tlsCertFile: cert,
      tlsPrivkeyFile: key,
      tlsCaFile: certificates.caFile,
      incomingEvents: ["presence"],
    });
    await subscribe("127.0.0.1", "tls");
    await refer("127.0.0.1", "tls");
  });
});
