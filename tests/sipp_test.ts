// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { openedLibrary } from "../ffi/library.ts";
import {
  ContactHeader,
  Credentials,
  Engine,
  FromHeader,
  type Invitation,
  NotificationCenter,
  Registration,
  RouteHeader,
  SIPURI,
  Subscription,
} from "../mod.ts";
import { callPort, Calls } from "./support/calls.ts";
import { every } from "./support/every.ts";
import { Notes } from "./support/notes.ts";
import { Sipp, skipWithoutSipp } from "./support/sipp.ts";
import { subscriptionOptions } from "./support/subscriptions.ts";
import { Told } from "./support/told.ts";

const count = 200;
const patient = { timeout: 60_000 };

describe("Invitation and SIPp", { skip: skipWithoutSipp }, () => {
  const engine = new Engine();

  before(() => engine.start({ ipAddress: "127.0.0.1", udpPort: 0, tcpPort: null }));
  after(async () => {
    await engine.stop();
    assertEquals(openedLibrary()?.sc_live_objects(), 0);
  });

  it("Invitation.sendResponse() answers each of 200 calls at 20 a second", patient, async () => {
    using calls = new Calls(engine);
    await using sipp = await Sipp.start({ scenario: "caller", count, target: { port: engine.udpPort! } });
    const { successful, failed } = await sipp.finish();
    assertEquals({ successful, failed }, { successful: count, failed: 0 });
    await calls.until(() => calls.disconnected.size === count);
    assertEquals([calls.incoming.size, calls.connected.size], [count, count]);
    for (const call of calls.incoming) {
      assertEquals([call.direction, call.state], ["incoming", "disconnected"]);
    }
  });

  it("Invitation.sendInvite() places 200 calls at 20 a second, each answered", patient, async () => {
    using calls = new Calls(engine);
    using _hangUp = new NotificationCenter().addObserver(({ sender, data }) => {
      if (data.state === "connected") sender.end();
    }, { name: "SIPInvitationChangedState" });
    await using sipp = await Sipp.start({ scenario: "callee", count });
    const placed: Invitation[] = [];
    for await (const _ of every(1000 / 20, count)) placed.push(callPort(sipp.port));
    const { successful, failed } = await sipp.finish();
    assertEquals({ successful, failed }, { successful: count, failed: 0 });
    await calls.until(() => calls.disconnected.size === count);
    assertEquals(calls.connected, new Set(placed));
    for (const call of placed) assertEquals([call.direction, call.state], ["outgoing", "disconnected"]);
  });
});

describe("Registration and SIPp", { skip: skipWithoutSipp }, () => {
  const engine = new Engine();

  before(() => engine.start({ ipAddress: "127.0.0.1", udpPort: 0, tcpPort: null }));
  after(async () => {
    await engine.stop();
    assertEquals(openedLibrary()?.sc_live_objects(), 0);
  });

  it("Registration.register(): 200 at once, each challenged and taken", patient, async () => {
    await using sipp = await Sipp.start({ scenario: "registrar", count });
    using told = new Told("SIPRegistrationDidSucceed", "SIPRegistrationDidFail");
    const route = RouteHeader.to({ address: "127.0.0.1", port: sipp.port });
    const credentials = new Credentials("alice", "wonderland", { realm: "test.local" });
    const registrations = Array.from({ length: count }, (_, index) => {
      const uri = new SIPURI({ user: `user${index}`, host: "test.local" });
      const registration = new Registration(new FromHeader(uri), { credentials });
      registration.register(new ContactHeader(engine.contactUri(route, { user: uri.user })), route);
      return registration;
    });
    await told.until("SIPRegistrationDidSucceed", count, 20_000);
    assertEquals(told.of("SIPRegistrationDidFail"), []);
    const { successful, failed } = await sipp.finish();
    assertEquals({ successful, failed }, { successful: count, failed: 0 });
    assertEquals(
      new Set(told.of("SIPRegistrationDidSucceed").map(({ sender }) => sender)),
      new Set(registrations),
    );
    assertEquals(registrations.every(({ expiresIn }) => expiresIn > 30 && expiresIn <= 60), true);
  });
});

describe("Subscription and SIPp", { skip: skipWithoutSipp }, () => {
  const engine = new Engine();

  before(() => engine.start({ ipAddress: "127.0.0.1", udpPort: 0, tcpPort: null }));
  after(async () => {
    await engine.stop();
    assertEquals(openedLibrary()?.sc_live_objects(), 0);
  });

  it("Subscription.subscribe(): 200 to message-summary at once, each told and ended", patient, async () => {
    await using sipp = await Sipp.start({ scenario: "notifier", count });
    const all = Array.from({ length: count }, () => {
      const subscription = new Subscription(subscriptionOptions(sipp.port, { event: "message-summary" }));
      const notes = new Notes(subscription.notifications());
      subscription.subscribe();
      return { subscription, notes };
    });
    for (const { subscription, notes } of all) {
      assertEquals(await notes.end(), [
        "NULL -> SENT",
        "WillStart",
        "DidStart",
        "SENT -> ACCEPTED",
        "GotNotify",
        "ACCEPTED -> ACTIVE",
        "GotNotify",
        "DidEnd noresource",
        "ACTIVE -> TERMINATED",
      ]);
      const documents = notes.told.filter((note) => note.name === "SIPSubscriptionGotNotify").map((
        { data },
      ) => [data.event, data.contentType?.contentType, String(data.body).trimEnd().split("\r\n")]);
      const type = "application/simple-message-summary";
      const messages = [
        "Messages-Waiting: yes",
        `Message-Account: sip:peer@127.0.0.1:${sipp.port}`,
        "Voice-Message: 2/8 (0/2)",
      ];
      assertEquals(documents, [
        ["message-summary", type, messages],
        ["message-summary", type, ["Messages-Waiting: no"]],
      ]);
      assertEquals(subscription.peerAddress, { ip: "127.0.0.1", port: sipp.port });
    }
    const { successful, failed } = await sipp.finish();
    assertEquals({ successful, failed }, { successful: count, failed: 0 });
  });
});
