// SPDX-License-Identifier: GPL-2.0-or-later
import { after, afterEach, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline, delay } from "@std/async";
import {
  Credentials,
  type Engine,
  FromHeader,
  Invitation,
  NotificationCenter,
  RouteHeader,
  SIPURI,
  ToHeader,
  type TransportName,
} from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { type CertificateKind, Certificates, goodName, skipWithoutOpenssl } from "./support/certificates.ts";
import { Connections } from "./support/connections.ts";
import { authorization, readChallenge } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import {
  Kamailio,
  kamailioDomain,
  type KamailioUser,
  kamailioUsers,
  skipWithoutKamailio,
} from "./support/kamailio.ts";
import { Peer } from "./support/peer.ts";
import { header } from "./support/sip_text.ts";
import { Story } from "./support/story.ts";
import { until } from "./support/until.ts";

/** A call of the engine as alice to a user of Kamailio's. */
function call(
  kamailio: Kamailio,
  user: KamailioUser,
  transport: TransportName,
  { tlsName, password = kamailioUsers.alice }: { tlsName?: string; password?: string } = {},
): Story {
  const alice = new SIPURI({ user: "alice", host: kamailioDomain });
  const callee = new SIPURI({ user, host: kamailioDomain });
  const port = transport === "tls" ? kamailio.tlsPort : kamailio.port;
  const story = new Story(new Invitation());
  story.invitation.sendInvite({
    requestUri: callee,
    fromHeader: new FromHeader(alice),
    toHeader: new ToHeader(callee),
    routeHeader: RouteHeader.to({
      address: "127.0.0.1",
      port,
      transport,
      ...(tlsName === undefined ? {} : { tlsName }),
    }),
    credentials: new Credentials("alice", password),
    sdp: silentSdp,
  });
  return story;
}

/** Takes the call as that peer, hangs up as the engine. */
async function talk(peer: Peer, story: Story): Promise<void> {
  const invite = await peer.next({ method: "INVITE" });
  peer.respond(invite, 180);
  await story.until("early");
  peer.respond(invite, 200, { body: silentSdp.toString() });
  await peer.next({ method: "ACK" });
  await story.until("connected");
  story.invitation.end();
  peer.respond(await peer.next({ method: "BYE" }), 200);
  await story.end();
}

describe("Kamailio as a peer", { skip: skipWithoutKamailio }, () => {
  let kamailio: Kamailio;
  before(async () => void (kamailio = await Kamailio.start()));
  after(() => kamailio[Symbol.asyncDispose]());
  afterEach(stopEngine);

  it("Kamailio registers its users, and nobody else", async () => {
    await using peer = await Peer.open();
    const registered = await kamailio.register(peer, "bob");
    if (registered.code !== 200) throw kamailio.failure(`answered ${registered.startLine}`);
    assertEquals(header(registered, "Contact"), `<${peer.uri}>;expires=300`);
    assertEquals((await kamailio.register(peer, "bob", { password: "wrong" })).code, 401);
    assertEquals((await kamailio.register(peer, "bob", { expires: 0 })).headers.get("contact"), undefined);
  });

  it("Kamailio relays a MESSAGE to the user, and to nobody who is not there", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    await kamailio.register(bob, "bob");
    const message = { uri: kamailio.uri("bob"), contentType: "text/plain", body: "Grüße" };
    const sent = kamailio.request(alice, "MESSAGE", "alice", message);
    const got = await bob.next({ method: "MESSAGE" });
    assertEquals([got.body, got.uri], ["Grüße", bob.uri]);
    bob.respond(got, 202);
    assertEquals((await sent).code, 202);
    const toNobody = { ...message, uri: kamailio.uri("carol") };
    assertEquals((await kamailio.request(alice, "MESSAGE", "alice", toNobody)).code, 404);
  });

  it("Kamailio tells a watcher of the presence that is published", async () => {
    await using watcher = await Peer.open();
    await using bob = await Peer.open();
    const event = { Event: "presence" };
    const uri = kamailio.uri("bob");
    const accepted = await kamailio.request(watcher, "SUBSCRIBE", "alice", {
      uri,
      headers: { ...event, Expires: "60", Accept: "application/pidf+xml" },
    });
    assert(accepted.code === 200 || accepted.code === 202, accepted.text);
    const first = await watcher.next({ method: "NOTIFY" });
    assertMatch(header(first, "Subscription-State"), /^active/);
    watcher.respond(first, 200);
    const published = await kamailio.request(bob, "PUBLISH", "bob", {
      uri,
      headers: { ...event, Expires: "60" },
      contentType: "application/pidf+xml",
      body: `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${uri}">` +
        `<tuple id="t"><status><basic>open</basic></status><note>here</note></tuple></presence>`,
    });
    assertEquals(published.code, 200);
    assert(header(published, "SIP-ETag") !== "");
    const second = await watcher.next({ method: "NOTIFY" });
    watcher.respond(second, 200);
    assertMatch(second.body, /<basic>open<\/basic>/);
  });

  it("Kamailio refuses times below minExpires, uses SHA-256, and lets a nonce grow stale", async () => {
    await using strict = await Kamailio.start({ algorithm: "SHA-256", nonceLifetime: 1, minExpires: 60 });
    await using peer = await Peer.open();
    const brief = await strict.register(peer, "bob", { expires: 59 });
    assertEquals([brief.code, header(brief, "Min-Expires")], [423, "60"]);
    for (const [method, body] of [["SUBSCRIBE", ""], ["PUBLISH", "<presence/>"]] as const) {
      const refused = await strict.request(peer, method, "bob", {
        uri: strict.uri("bob"),
        headers: { Event: "presence", Expires: "59" },
        contentType: "application/pidf+xml",
        body,
      });
      assertEquals([method, refused.code, header(refused, "Min-Expires")], [method, 423, "60"]);
    }
    assertEquals((await strict.register(peer, "bob", { expires: 60 })).code, 200);

    const uri = `sip:${kamailioDomain}`;
    const register = async (headers: Record<string, string>) => {
      const [from, to] = [`<${strict.uri("bob")}>;tag=1`, `<${strict.uri("bob")}>`];
      peer.request("REGISTER", { uri, from, to, port: strict.port, callId: "stale", headers });
      return await peer.next({ cseqMethod: "REGISTER" });
    };
    const challenge = readChallenge(header(await register({}), "WWW-Authenticate"));
    assertEquals(challenge.algorithm, "SHA-256");
    const credentials = { method: "REGISTER", uri, user: "bob", password: kamailioUsers.bob };
    const Authorization = authorization(challenge, credentials);
    let response = await register({ Authorization });
    assertEquals(response.code, 200);
    while (response.code === 200) {
      await delay(50);
      response = await register({ Authorization });
    }
    assertEquals(readChallenge(header(response, "WWW-Authenticate")).stale, true);
  });

  for (const transport of ["udp", "tcp"] as const) {
    it(`Invitation calls through Kamailio over ${transport}, proving who it is`, async () => {
      await using bob = await Peer.open();
      await kamailio.register(bob, "bob");
      await startEngine();
      await talk(bob, call(kamailio, "bob", transport));
    });
  }

  it("Invitation is refused by Kamailio with a wrong password and for a user who is not there", async () => {
    await startEngine();
    const { data: stranger } = await call(kamailio, "carol", "udp", { password: "wrong" }).until(
      "disconnected",
    );
    assertEquals(stranger.code, 407);
    const { data: nobody } = await call(kamailio, "carol", "udp").until("disconnected");
    assertEquals([nobody.code, nobody.reason], [404, "Not Found"]);
  });

  it("Invitation comes in through Kamailio", async () => {
    await using alice = await Peer.open();
    const engine = await startEngine();
    const contact = `sip:bob@127.0.0.1:${engine.udpPort}`;
    assertEquals((await kamailio.register(alice, "bob", { contact })).code, 200);
    const incoming = new NotificationCenter().once("SIPInvitationChangedState");
    const answered = kamailio.request(alice, "INVITE", "alice", {
      uri: kamailio.uri("bob"),
      body: silentSdp.toString(),
    });
    const notification = await deadline(incoming, 5000);
    const story = new Story(notification.sender, notification);
    notification.sender.sendResponse(200, { sdp: silentSdp });
    const ok = await answered;
    assertEquals(ok.code, 200, ok.text);
    alice.ack(ok);
    await story.until("connected");
    notification.sender.end();
    alice.respond(await alice.next({ method: "BYE" }), 200);
    await story.end();
  });
});

describe("Engine and TLS with Kamailio", { skip: skipWithoutKamailio || skipWithoutOpenssl }, () => {
  const certificates = skipWithoutOpenssl ? null! : new Certificates();
  after(() => certificates?.[Symbol.dispose]());
  afterEach(stopEngine);

  function startVerifying(): Promise<Engine> {
    return startEngine({ tlsVerifyServer: true, tlsCaFile: certificates.caFile });
  }

  it("Invitation calls through a Kamailio whose certificate is good", async () => {
    await using kamailio = await Kamailio.start({ certificate: certificates.get("good") });
    await using bob = await Peer.open();
    await kamailio.register(bob, "bob");
    await startVerifying();
    using connections = new Connections();
    await talk(bob, call(kamailio, "bob", "tls", { tlsName: goodName }));
    // One connection carries it all: the challenged INVITE, the second one, the BYE.
    assertEquals(connections.names(), ["DidVerifyCertificate", "DidConnect"]);
  });

  const refused: readonly [kind: CertificateKind, reason: RegExp][] = [
    ["wrongName", /identity|match/i],
    ["untrusted", /not trusted|untrusted|issuer/i],
    ["expired", /expired|validity/i],
  ];
  for (const [kind, reason] of refused) {
    it(`Invitation refuses a Kamailio whose certificate is ${kind}`, async () => {
      await using kamailio = await Kamailio.start({ certificate: certificates.get(kind) });
      await using bob = await Peer.open();
      await kamailio.register(bob, "bob");
      await startVerifying();
      using connections = new Connections();
      const { data } = await call(kamailio, "bob", "tls", { tlsName: goodName }).until("disconnected");
      assertEquals(data.code, 503);
      await until(() => connections.told.length > 1, "the end of the connection");
      assertEquals(connections.names(), ["GotCertificateError", "DidDisconnect"]);
      const [error] = connections.told;
      assert(error?.name === "SIPEngineTransportGotCertificateError");
      assertMatch(error.data.reason, reason);
      assertEquals(error.data.remoteAddress, `127.0.0.1:${kamailio.tlsPort}`);
      assertEquals(bob.pending, []);
    });
  }

  it("Invitation refuses a Kamailio that speaks TLS 1.0 only", async () => {
    const certificate = certificates.get("good");
    await using kamailio = await Kamailio.start({ certificate, tlsMethod: "TLSv1" });
    await using bob = await Peer.open();
    await kamailio.register(bob, "bob");
    await startVerifying();
    using connections = new Connections();
    const { data } = await call(kamailio, "bob", "tls", { tlsName: goodName }).until("disconnected");
    assertEquals(data.code, 503);
    await until(() => connections.told.length > 0, "the end of the connection");
    assertEquals(connections.names(), ["DidDisconnect"]);
  });
});
