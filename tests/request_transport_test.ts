// SPDX-License-Identifier: GPL-2.0-or-later
import { after, afterEach, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { deadline } from "@std/async";
import { freePort } from "../scripts/bench/port.ts";
import {
  Credentials,
  type Engine,
  NotificationCenter,
  type Request,
  type RequestOptions,
  RouteHeader,
  type TransportName,
} from "../mod.ts";
import { Certificates, goodName, skipWithoutOpenssl } from "./support/certificates.ts";
import { answers, type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { requestTo, storyOf } from "./support/requests.ts";
import { cseqOf, header } from "./support/sip_text.ts";
import { StreamPeer } from "./support/stream_peer.ts";
import { requestNames, Told } from "./support/told.ts";

const center = new NotificationCenter();
const challenge: Challenge = { realm: "example.net", nonce: "n1", algorithm: "SHA-256" };

function over(
  transport: TransportName,
  { address = "127.0.0.1", port }: { address?: string; port: number },
  options: Partial<RequestOptions> & { tlsName?: string } = {},
): Request {
  const { tlsName, ...rest } = options;
  const routeHeader = RouteHeader.to({ address, port, transport, ...(tlsName ? { tlsName } : {}) });
  return requestTo({ port }, { routeHeader, ...rest });
}

describe("Request, transports", () => {
  afterEach(stopEngine);

  for (const address of ["127.0.0.1", "::1"]) {
    for (const transport of ["udp", "tcp"] as const) {
      it(`Request goes to ${address} by ${transport}`, async () => {
        const engine = await startEngine({ ipAddress: address, incomingRequests: ["MESSAGE"] });
        const port = transport === "tcp" ? engine.tcpPort! : engine.udpPort!;
        const coming = center.once("SIPIncomingRequestGotRequest");
        const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => (index * 7) % 256);
        const request = over(transport, { address, port }, {
          contentType: "application/octet-stream",
          body: bytes,
        });
        const story = storyOf(request);
        request.send();
        const { sender, data } = await deadline(coming, 5000);
        assertEquals(data.body, bytes);
        assertMatch(data.headers.text("Via")!, new RegExp(`^SIP/2.0/${transport.toUpperCase()} `));
        assertEquals(data.headers.has("Route"), false);
        sender.answer(200);
        assertEquals((await story).map(({ name }) => name), ["SIPRequestDidSucceed", "SIPRequestDidEnd"]);
        assertEquals(request.peerAddress, { ip: address, port });
      });
    }
  }

  it("Request over TCP answers a challenge on the same connection", async () => {
    await using peer = await StreamPeer.open();
    await startEngine();
    const credentials = new Credentials("alice", "wonderland");
    const request = over("tcp", peer, { credentials });
    using told = new Told(...requestNames);
    request.send();
    peer.respond(await peer.next(), 401, { "WWW-Authenticate": challengeText(challenge) });
    const second = await peer.next();
    assertEquals(cseqOf(second).number, 2);
    assert(
      answers(header(second, "Authorization"), challenge, {
        method: "MESSAGE",
        user: "alice",
        password: "wonderland",
      }),
    );
    peer.respond(second, 200);
    await told.until("SIPRequestDidEnd");
    assertEquals([peer.connections, told.names.join()], [1, "RequestDidSucceed,RequestDidEnd"]);
  });

  it("Request fails with 503 when the connection is refused, and when it is lost", async () => {
    await startEngine();
    const refused = over("tcp", { port: await freePort() });
    using told = new Told(...requestNames);
    refused.send();
    const { data } = await told.until("SIPRequestDidFail");
    assertEquals([data.code, data.reason, data.headers.size, data.body], [
      503,
      "Connection refused",
      0,
      null,
    ]);
    await told.until("SIPRequestDidEnd");
    assertEquals(told.names, ["RequestDidFail", "RequestDidEnd"]);

    await using peer = await StreamPeer.open();
    const lost = over("tcp", peer);
    lost.send();
    await peer.next();
    peer.drop();
    const second = await told.until("SIPRequestDidFail", 2);
    assertEquals(second.data.code, 503);
    assertMatch(second.data.reason, /\w/);
    // And the answer to a challenge that finds no connection any more.
    const retried = over("tcp", peer, { credentials: new Credentials("alice", "wonderland") });
    retried.send();
    const first = await peer.next();
    peer.respond(first, 401, { "WWW-Authenticate": challengeText(challenge) });
    await peer.next();
    peer.drop();
    assertEquals((await told.until("SIPRequestDidFail", 3)).data.code, 503);
  });

  it("Request in flight outlives a change of the UDP port", async () => {
    const engine = await startEngine();
    await using peer = await Peer.open();
    const before = engine.udpPort;
    const request = requestTo(peer);
    const story = storyOf(request);
    request.send();
    const sent = await peer.next();
    engine.setUdpPort(0);
    assertNotEquals(engine.udpPort, before);
    assertEquals(sent.port, before);
    peer.respond(sent, 200);
    assertEquals((await story).map(({ name }) => name), ["SIPRequestDidSucceed", "SIPRequestDidEnd"]);
    const later = requestTo(peer);
    later.send();
    assertEquals((await peer.next()).port, engine.udpPort);
    later.end();
  });

  it("Request.end() while a connection is being made", async () => {
    await startEngine();
    using told = new Told(...requestNames);
    for (let count = 1; count <= 20; count++) {
      // A peer of its own for each: none goes by a connection that the one before has left to die.
      await using peer = await StreamPeer.open();
      const request = over("tcp", peer, { callId: `ended-${count}` });
      request.send();
      request.end();
      const { data } = await told.until("SIPRequestDidFail", count);
      assertEquals(data.code, 408);
    }
    await told.until("SIPRequestDidEnd", 20);
    assertEquals(told.of("SIPRequestDidFail").length, 20);
  });
});

describe("Request over TLS", { skip: skipWithoutOpenssl }, () => {
  const certificates = skipWithoutOpenssl ? null! : new Certificates();
  after(() => certificates?.[Symbol.dispose]());
  afterEach(stopEngine);

  function start(): Promise<Engine> {
    return startEngine({ tlsVerifyServer: true, tlsCaFile: certificates.caFile });
  }

  it("Request goes by TLS to the server that tlsName names", async () => {
    await using peer = await StreamPeer.open({ tls: certificates.get("good") });
    await start();
    const request = over("tls", peer, {
      tlsName: goodName,
      credentials: new Credentials("alice", "wonderland"),
    });
    using told = new Told(...requestNames);
    request.send();
    const first = await peer.next();
    assertMatch(header(first, "Via"), /^SIP\/2\.0\/TLS /);
    assert(!first.text.toLowerCase().includes("tlsname"));
    peer.respond(first, 401, { "WWW-Authenticate": challengeText(challenge) });
    peer.respond(await peer.next(), 200);
    await told.until("SIPRequestDidEnd");
    assertEquals([peer.connections, told.names.join()], [1, "RequestDidSucceed,RequestDidEnd"]);
  });

  it("Request fails with 503 at a server of another name, which hears nothing", async () => {
    await using peer = await StreamPeer.open({ tls: certificates.get("wrongName") });
    await start();
    using told = new Told(...requestNames);
    over("tls", peer, { tlsName: goodName }).send();
    assertEquals((await told.until("SIPRequestDidFail")).data.code, 503);
    await told.until("SIPRequestDidEnd");
    assertEquals(peer.received.length, 0);
  });
});
