// SPDX-License-Identifier: GPL-2.0-or-later
/** The event packages that people use: presence, its watchers, messages that wait, dialogs; with programs of others. */
import { afterEach, describe, it } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import {
  Credentials,
  FromHeader,
  RouteHeader,
  SIPURI,
  Subscription,
  type SubscriptionOptions,
  ToHeader,
  type TransportName,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Kamailio, kamailioDomain, kamailioUsers, skipWithoutKamailio } from "./support/kamailio.ts";
import { Notes } from "./support/notes.ts";
import { Peer } from "./support/peer.ts";
import { startProgram } from "./support/program.ts";
import { header } from "./support/sip_text.ts";
import {
  activeSubscription,
  grant,
  notify,
  pidf,
  pidfType,
  subscriptionOptions,
} from "./support/subscriptions.ts";

const slow = { t1: 500, t2: 4000, t4: 5000, td: 32_000 };

describe("Subscription to a package", () => {
  afterEach(stopEngine);

  for (const runtime of ["Deno", "Bun"] as const) {
    it(`Subscription hears of the presence of a program on ${runtime}`, { timeout: 60_000 }, async () => {
      const presentity = startProgram("presentity", [3], { runtime });
      const { match } = await presentity.line(/^port (\d+)$/, 20_000);
      await startEngine();
      const subscription = new Subscription(subscriptionOptions(Number(match[1])));
      const notes = new Notes(subscription.notifications());
      subscription.subscribe();
      for (const number of [1, 2, 3]) {
        const { data } = await notes.until("SIPSubscriptionGotNotify");
        assertEquals(data.body, pidf("open", `sip:${number}@example.net`));
        assertEquals(data.contentType?.contentType, pidfType);
      }
      subscription.subscribe();
      const { data } = await notes.until("SIPSubscriptionGotNotify");
      assertEquals(data.body, pidf("open", "sip:3@example.net"));
      subscription.end();
      assertEquals((await notes.end()).slice(-3), ["GotNotify", "DidEnd timeout", "ACTIVE -> TERMINATED"]);
      await presentity.stop();
    });
  }

  const documents = {
    "message-summary": [
      "application/simple-message-summary",
      "Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.net\r\nVoice-Message: 2/8 (0/2)\r\n",
    ],
    "dialog": [
      "application/dialog-info+xml",
      '<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" ' +
      'entity="sip:bob@example.net"><dialog id="a"><state>confirmed</state></dialog></dialog-info>',
    ],
    "presence.winfo": [
      "application/watcherinfo+xml",
      '<?xml version="1.0"?><watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full"/>',
    ],
    "dialog.winfo": ["application/watcherinfo+xml", "<watcherinfo/>"],
    "conference": ["application/conference-info+xml", "<conference-info/>"],
    "xcap-diff": ["application/xcap-diff+xml", "<xcap-diff/>"],
  } as const;
  for (const [event, [contentType, body]] of Object.entries(documents)) {
    it(`Subscription to "${event}" gets its documents as text`, async () => {
      await startEngine();
      await using peer = await Peer.open();
      const { subscription, notes, request } = await activeSubscription(peer, { event });
      assertEquals([header(request, "Event"), header(request, "Accept")], [event, contentType]);
      assertEquals((await notify(peer, request, "active", { event, body, contentType })).code, 200);
      const { data } = await notes.until("SIPSubscriptionGotNotify");
      assertEquals([data.event, data.body], [event, body]);
      subscription.end();
      grant(peer, await peer.next({ method: "SUBSCRIBE" }), 0);
      await notify(peer, request, "terminated", { event });
      assertEquals((await notes.end()).at(-1), "ACTIVE -> TERMINATED");
    });
  }
});

describe("Subscription at Kamailio", { skip: skipWithoutKamailio }, () => {
  afterEach(stopEngine);

  function subscriptionAt(
    kamailio: Kamailio,
    { transport = "udp", ...options }: Partial<SubscriptionOptions> & { transport?: TransportName } = {},
  ): Subscription {
    const uri = SIPURI.parse(kamailio.uri("bob"));
    return new Subscription({
      requestUri: uri,
      fromHeader: new FromHeader(SIPURI.parse(kamailio.uri("alice"))),
      toHeader: new ToHeader(uri),
      routeHeader: RouteHeader.to({ address: "127.0.0.1", port: kamailio.port, transport }),
      event: "presence",
      credentials: new Credentials("alice", kamailioUsers.alice, { realm: kamailioDomain }),
      refresh: 60,
      ...options,
    });
  }

  async function publish(kamailio: Kamailio, peer: Peer, basic: string, headers = {}): Promise<string> {
    const answer = await kamailio.request(peer, "PUBLISH", "bob", {
      uri: kamailio.uri("bob"),
      headers: { Event: "presence", Expires: "60", ...headers },
      contentType: pidfType,
      body: pidf(basic, kamailio.uri("bob")),
    });
    assertEquals(answer.code, 200);
    return header(answer, "SIP-ETag");
  }

  for (const transport of ["udp", "tcp"] as const) {
    it(
      `Subscription hears by ${transport} what is published, is refreshed, and ends`,
      { timeout: 60_000 },
      async () => {
        await using kamailio = await Kamailio.start({ algorithm: transport === "udp" ? "MD5" : "SHA-256" });
        await startEngine({}, slow);
        await using bob = await Peer.open();
        const subscription = subscriptionAt(kamailio, { transport });
        const notes = new Notes(subscription.notifications());
        subscription.subscribe();
        await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACTIVE");
        const hears = (basic: string) =>
          notes.until(
            "SIPSubscriptionGotNotify",
            ({ data }) => String(data.body).includes(`<basic>${basic}</basic>`),
          );
        const tag = await publish(kamailio, bob, "open");
        const { data } = await hears("open");
        assertEquals([data.event, data.contentType?.contentType], ["presence", pidfType]);
        assertMatch(data.headers.text("Subscription-State")!, /^active;expires=\d+$/);
        await publish(kamailio, bob, "closed", { "SIP-If-Match": tag });
        await hears("closed");
        subscription.subscribe();
        await hears("closed");
        subscription.end();
        assertEquals((await notes.end()).slice(-3), ["GotNotify", "DidEnd timeout", "ACTIVE -> TERMINATED"]);
        assertEquals(subscription.peerAddress?.ip, "127.0.0.1");
      },
    );
  }

  for (const runtime of ["Deno", "Bun"] as const) {
    it(`Subscription hears what a Publication on ${runtime} publishes`, { timeout: 60_000 }, async () => {
      await using kamailio = await Kamailio.start();
      await startEngine({}, slow);
      const subscription = subscriptionAt(kamailio);
      const notes = new Notes(subscription.notifications());
      subscription.subscribe();
      await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACTIVE");
      const publisher = startProgram("publisher", [kamailio.port, "bob", kamailioUsers.bob], { runtime });
      const hears = async (basic: string) => {
        const { data } = await notes.until("SIPSubscriptionGotNotify", ({ data }) => data.body !== null);
        assertEquals(data.contentType?.contentType, pidfType);
        assertMatch(String(data.body), new RegExp(`entity="sip:bob@test.local"[^]*<basic>${basic}</basic>`));
      };
      try {
        for (const basic of ["open", "closed", "open"]) {
          const succeeded = publisher.line(/^SIPPublicationDidSucceed 200$/, 20_000);
          publisher.write(`${basic}\n`);
          await succeeded;
          await hears(basic);
        }
        const ended = publisher.line(/^SIPPublicationDidEnd/, 10_000);
        publisher.endInput();
        await ended;
        // What Kamailio makes of it that nothing is published any more.
        await hears("closed");
        assertEquals(await publisher.end(10_000), 0);
      } finally {
        await publisher.stop();
      }
      subscription.end();
      assertEquals((await notes.end()).slice(-3), ["GotNotify", "DidEnd timeout", "ACTIVE -> TERMINATED"]);
    });
  }

  it(
    "Subscription fails with 423 and Min-Expires, and with 407 for a wrong password",
    { timeout: 60_000 },
    async () => {
      await using kamailio = await Kamailio.start({ minExpires: 90 });
      await startEngine({}, slow);
      const brief = subscriptionAt(kamailio);
      const notes = new Notes(brief.notifications());
      brief.subscribe();
      const { data } = await notes.until("SIPSubscriptionDidFail");
      assertEquals([data.code, data.minExpires], [423, 90]);
      const wrong = subscriptionAt(kamailio, {
        refresh: 90,
        credentials: new Credentials("alice", "wrong", { realm: kamailioDomain }),
      });
      const others = new Notes(wrong.notifications());
      wrong.subscribe();
      const failure = await others.until("SIPSubscriptionDidFail");
      assertMatch(`${failure.data.code}`, /^40[17]$/);
    },
  );

  it("Subscription to message-summary and dialog are granted there too", { timeout: 60_000 }, async () => {
    await using kamailio = await Kamailio.start();
    await startEngine({}, slow);
    for (const event of ["message-summary", "dialog"]) {
      const subscription = subscriptionAt(kamailio, { event });
      const notes = new Notes(subscription.notifications());
      subscription.subscribe({ timeout: 5 });
      await notes.until("SIPSubscriptionChangedState", ({ data }) => data.state === "ACTIVE");
      subscription.end();
      assertEquals((await notes.end()).at(-1), "ACTIVE -> TERMINATED");
    }
  });
});
