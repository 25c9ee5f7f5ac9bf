// SPDX-License-Identifier: GPL-2.0-or-later
import { after, afterEach, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import {
  ContactHeader,
  Credentials,
  type DigestAlgorithm,
  type Engine,
  FromHeader,
  Message,
  Publication,
  Registration,
  type RegistrationOptions,
  RouteHeader,
  SIPURI,
  ToHeader,
  type TransportName,
} from "../mod.ts";
import { Certificates, goodName, skipWithoutOpenssl } from "./support/certificates.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Kamailio, kamailioDomain, kamailioUsers, skipWithoutKamailio } from "./support/kamailio.ts";
import { Peer } from "./support/peer.ts";
import { startProgram } from "./support/program.ts";
import { registrationNames } from "./support/registrations.ts";
import { Told } from "./support/told.ts";

const patient = { timeout: 60_000 };
const slow = { t1: 500, t2: 4000, t4: 5000, td: 32_000 };
const alice = new SIPURI({ user: "alice", host: kamailioDomain });
const credentials = new Credentials("alice", kamailioUsers.alice, { realm: kamailioDomain });

function routeOf(kamailio: Kamailio, transport: TransportName = "udp"): RouteHeader {
  const port = transport === "tls" ? kamailio.tlsPort : kamailio.port;
  const tls = transport === "tls" ? { tlsName: goodName } : {};
  return RouteHeader.to({ address: "127.0.0.1", port, transport, ...tls });
}

function registrationOf(options: RegistrationOptions = {}): Registration {
  return new Registration(new FromHeader(alice), { credentials, ...options });
}

function contactOf(engine: Engine, route: RouteHeader): ContactHeader {
  return new ContactHeader(engine.contactUri(route, { user: "alice" }));
}

describe("Registration at Kamailio", { skip: skipWithoutKamailio || skipWithoutOpenssl }, () => {
  const certificates = skipWithoutOpenssl ? null! : new Certificates();
  after(() => certificates?.[Symbol.dispose]());
  afterEach(stopEngine);

  for (const algorithm of ["MD5", "SHA-256"] as const satisfies DigestAlgorithm[]) {
    describe(`with ${algorithm}`, () => {
      let kamailio: Kamailio;
      before(async () => {
        kamailio = await Kamailio.start({ certificate: certificates.get("good"), algorithm });
      });
      after(() => kamailio[Symbol.asyncDispose]());

      for (const transport of ["udp", "tcp", "tls"] as const) {
        it(
          `Registration registers, refreshes and ends by ${transport} and ${algorithm}`,
          patient,
          async () => {
            const engine = await startEngine({ tlsVerifyServer: true, tlsCaFile: certificates.caFile }, slow);
            const route = routeOf(kamailio, transport);
            const contact = contactOf(engine, route);
            const registration = registrationOf({ duration: 60 });
            using told = new Told(...registrationNames);
            for (const count of [1, 2]) {
              registration.register(contact, route);
              const { data } = await told.until("SIPRegistrationDidSucceed", count);
              assertEquals([data.code, data.expiresIn, registration.isRegistered], [200, 60, true]);
              const uris = data.contactHeaderList.map(({ uri }) => String(uri));
              assertEquals(uris, [String(contact.uri)], "one contact, however often it was registered");
            }
            const port = transport === "tls" ? kamailio.tlsPort : kamailio.port;
            assertEquals(registration.peerAddress, { ip: "127.0.0.1", port });
            registration.end();
            assertEquals((await told.until("SIPRegistrationDidEnd")).data.expired, false);
            // Each was challenged, and nothing of that was told.
            assertEquals(told.of("SIPRequestDidSucceed").map(({ sender }) => sender.cseq), [2, 4, 6]);
            assertEquals(told.of("SIPRequestDidFail"), []);
          },
        );
      }

      it(`Registration with ${algorithm} and a wrong password fails with 401, or hears nothing of another realm`, async () => {
        const engine = await startEngine({}, slow);
        const route = routeOf(kamailio);
        using told = new Told(...registrationNames);
        const wrong = [
          new Credentials("alice", "wrong"),
          new Credentials("alice", kamailioUsers.alice, { realm: "elsewhere.example" }),
        ];
        for (const [index, credentials] of wrong.entries()) {
          const registration = registrationOf({ credentials });
          registration.register(contactOf(engine, route), route);
          const { data } = await told.until("SIPRegistrationDidFail", index + 1);
          assertEquals(data.code, 401);
          assertMatch(data.headers.text("WWW-Authenticate")!, new RegExp(`realm="${kamailioDomain}"`));
        }
      });
    });
  }

  it("Registration.autoRefresh finds Min-Expires by itself", patient, async () => {
    await using kamailio = await Kamailio.start({ minExpires: 90 });
    const engine = await startEngine({}, slow);
    const route = routeOf(kamailio);
    const registration = registrationOf({ duration: 2, autoRefresh: true });
    using told = new Told(...registrationNames);
    registration.register(contactOf(engine, route), route);
    const { data } = await told.until("SIPRegistrationDidFail");
    assertEquals([data.code, data.minExpires, data.willRetryIn], [423, 90, 0]);
    assertEquals((await told.until("SIPRegistrationDidSucceed")).data.expiresIn, 90);
    assertEquals(told.of("SIPRegistrationDidFail").length, 1);
    registration.end();
    await told.until("SIPRegistrationDidEnd");
  });

  it("Registration.autoRefresh survives the restart of Kamailio, by TCP", patient, async () => {
    const engine = await startEngine({}, slow);
    let kamailio = await Kamailio.start();
    const { port } = kamailio;
    const route = routeOf(kamailio, "tcp");
    const registration = registrationOf({ autoRefresh: true });
    using told = new Told(...registrationNames, "SIPEngineTransportDidDisconnect");
    registration.register(contactOf(engine, route), route);
    await told.until("SIPRegistrationDidSucceed");
    await kamailio[Symbol.asyncDispose]();
    await told.until("SIPEngineTransportDidDisconnect");
    const { data } = await told.until("SIPRegistrationDidFail");
    assertEquals([data.code, data.expiresIn > 290], [503, true]);
    kamailio = await Kamailio.start({ port });
    try {
      await told.until("SIPRegistrationDidSucceed", 2, 20_000);
      registration.end();
      await told.until("SIPRegistrationDidEnd");
    } finally {
      await kamailio[Symbol.asyncDispose]();
    }
  });

  it("Message goes through Kamailio from a program on Deno to one on Bun, and back", patient, async () => {
    await using kamailio = await Kamailio.start();
    const args = (user: "alice" | "bob", other: string) => [kamailio.port, user, kamailioUsers[user], other];
    const onDeno = startProgram("messenger", args("alice", "bob"), { runtime: "Deno" });
    const onBun = startProgram("messenger", args("bob", "alice"), { runtime: "Bun" });
    const both = [onDeno, onBun];
    try {
      await Promise.all(both.map((one) => one.line(/^SIPRegistrationDidSucceed 200$/, 15_000)));
      const heard = [
        onBun.line(/^got Grüße aus Deno from alice$/, 10_000),
        onDeno.line(/^SIPMessageDidSucceed 200$/, 10_000),
      ];
      onDeno.write("Grüße aus Deno\n");
      await Promise.all(heard);
      const back = [
        onDeno.line(/^got 再见 from bob$/, 10_000),
        onBun.line(/^SIPMessageDidSucceed 200$/, 10_000),
      ];
      onBun.write("再见\n");
      await Promise.all(back);
      const over = both.map((one) => one.end(10_000));
      for (const one of both) one.write("\n");
      assertEquals(await Promise.all(over), [0, 0]);
      assert(both.every(({ output }) => output.some((line) => line.startsWith("SIPRegistrationDidEnd"))));
    } finally {
      await Promise.all(both.map((one) => one.stop()));
    }
  });

  it("Message to somebody who is not registered fails with 404", async () => {
    await using kamailio = await Kamailio.start();
    await startEngine({}, slow);
    using told = new Told("SIPMessageDidFail");
    new Message({
      fromHeader: new FromHeader(alice),
      toHeader: new ToHeader(new SIPURI({ user: "carol", host: kamailioDomain })),
      routeHeader: routeOf(kamailio),
      contentType: "text/plain",
      body: "anybody there?",
      credentials,
    }).send();
    assertEquals((await told.until("SIPMessageDidFail")).data.code, 404);
  });

  it(
    "Publication is taken, renewed, changed and taken back by Kamailio's presence server",
    patient,
    async () => {
      await using kamailio = await Kamailio.start();
      await using watcher = await Peer.open();
      await startEngine({}, slow);
      const route = routeOf(kamailio);
      const publication = new Publication(new FromHeader(alice), "presence", "application/pidf+xml", {
        credentials,
        duration: 120,
      });
      using told = new Told(
        "SIPPublicationDidSucceed",
        "SIPPublicationDidFail",
        "SIPPublicationDidEnd",
        "SIPPublicationDidNotEnd",
      );
      const document = (note: string) =>
        `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${alice}"><tuple id="t1">` +
        `<status><basic>open</basic></status><note>${note}</note></tuple></presence>`;
      /** What a watcher is told, at its subscription and after each change. */
      const notify = async (note: string) => {
        for (;;) {
          const sent = await watcher.next({ method: "NOTIFY" });
          watcher.respond(sent, 200);
          if (sent.body.includes(note)) return sent;
        }
      };
      publication.publish(document("here"), route);
      await told.until("SIPPublicationDidSucceed");
      assertGreater(publication.expiresIn, 110);
      const subscribed = await kamailio.request(watcher, "SUBSCRIBE", "bob", {
        uri: alice.toString(),
        headers: { Event: "presence", Expires: "60" },
      });
      assertMatch(String(subscribed.code), /^2/);
      await notify("here");
      publication.publish(document("away"), route);
      await told.until("SIPPublicationDidSucceed", 2);
      await notify("away");
      publication.publish(null, route);
      await told.until("SIPPublicationDidSucceed", 3);
      publication.end();
      assertEquals((await told.until("SIPPublicationDidEnd")).data.expired, false);
      assertEquals(told.names, [
        "PublicationDidSucceed",
        "PublicationDidSucceed",
        "PublicationDidSucceed",
        "PublicationDidEnd",
      ]);
    },
  );
});
