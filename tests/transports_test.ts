// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { afterEach, describe, it } from "node:test";
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  Engine,
  Invitation,
  PJSIPError,
  RouteHeader,
  SIPCoreError,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import {
  callFromPeer,
  connectedCallFromPeer,
  connectedCallToPeer,
  inviteOptions,
} from "./support/peer_calls.ts";
import { until } from "./support/until.ts";

const engine = new Engine();

/** True while nobody has that UDP port. */
async function isFree(port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("error", () => resolve(false));
  socket.bind(port, "127.0.0.1", () => resolve(true));
  const free = await promise;
  socket.close();
  return free;
}

async function connects(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("error", () => resolve(false));
  socket.once("connect", () => resolve(true));
  const connected = await promise;
  socket.destroy();
  return connected;
}

async function eventually(look: () => Promise<boolean>, what: string): Promise<void> {
  let seen = false;
  const poll = async () => {
    while (!seen) seen = await look();
  };
  void poll();
  try {
    await until(() => seen, what);
  } finally {
    seen = true;
  }
}

describe("Engine and its ports", () => {
  afterEach(stopEngine);

  it("Engine.setUdpPort() leaves calls on the socket that they began with, until they end", async () => {
    await startEngine({ tcpPort: null, tlsPort: null });
    await using peer = await Peer.open();
    const incoming = await connectedCallFromPeer(engine, peer);
    const outgoing = await connectedCallToPeer(peer);
    const old = engine.udpPort!;
    engine.setUdpPort(0);
    const port = engine.udpPort!;
    assertNotEquals(port, old);
    // The peer knows the old port, and its BYE goes there.
    const dialog = peer.dialog(incoming.ok);
    assertEquals(dialog.port, old);
    peer.request("BYE", dialog);
    await peer.next({ code: 200, cseqMethod: "BYE" });
    await incoming.story.until("disconnected");
    assertEquals(await isFree(old), false);
    outgoing.invitation.end();
    const bye = await peer.next({ method: "BYE" });
    assertEquals(bye.port, old);
    peer.respond(bye, 200);
    await outgoing.story.until("disconnected");
    await eventually(() => isFree(old), "the end of the old socket");
    // New ones use the new one, in both directions.
    const { invitation } = await callFromPeer(engine, peer);
    invitation.sendResponse(486);
    assertEquals((await peer.next({ code: 486 })).port, port);
    new Invitation().sendInvite(inviteOptions(peer.port));
    assertEquals((await peer.next({ method: "INVITE" })).port, port);
  });

  it("Engine.setUdpPort() closes a socket that no call holds, and takes the present port for no change", async () => {
    await startEngine();
    const old = engine.udpPort!;
    engine.setUdpPort(old);
    assertEquals(engine.udpPort, old);
    assertEquals(await isFree(old), false);
    engine.setUdpPort(0);
    await eventually(() => isFree(old), "the end of the old socket");
    engine.setUdpPort(old);
    assertEquals(engine.udpPort, old);
    await using peer = await Peer.open();
    peer.request("OPTIONS", { uri: `sip:127.0.0.1:${old}` });
    await peer.next({ code: 200 });
  });

  it("Engine.setTcpPort() keeps the old port open for its calls", async () => {
    await startEngine();
    const old = engine.tcpPort!;
    const server: Server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const invitation = new Invitation();
    const routeHeader = RouteHeader.to({ address: "127.0.0.1", port, transport: "tcp" });
    invitation.sendInvite(inviteOptions(port, { routeHeader }));
    engine.setTcpPort(0);
    assertNotEquals(engine.tcpPort, old);
    assertEquals([await connects(old), await connects(engine.tcpPort!)], [true, true]);
    server.close();
    await engine.stop();
    assertEquals(await connects(old), false);
  });

  it("Engine.setTcpPort() closes a port that no call holds", async () => {
    await startEngine();
    const old = engine.tcpPort!;
    engine.setTcpPort(0);
    await eventually(async () => !await connects(old), "the end of the old port");
    assertEquals(await connects(engine.tcpPort!), true);
  });

  it("Engine.setUdpPort(), setTcpPort() and setTlsOptions() switch off, and on again", async () => {
    await startEngine();
    const { udpPort, tcpPort, tlsPort } = engine;
    engine.setUdpPort(null);
    engine.setTcpPort(null);
    engine.setTlsOptions({ localPort: null });
    assertEquals([engine.udpPort, engine.tcpPort, engine.tlsPort], [null, null, null]);
    await eventually(() => isFree(udpPort!), "the end of the UDP socket");
    for (const port of [tcpPort!, tlsPort!]) {
      await eventually(async () => !await connects(port), `the end of the port ${port}`);
    }
    for (const transport of ["udp", "tcp", "tls"] as const) {
      const routeHeader = RouteHeader.to({ address: "127.0.0.1", port: 9, transport });
      assertThrows(
        () => new Invitation().sendInvite(inviteOptions(9, { routeHeader })),
        SIPCoreError,
        transport,
      );
    }
    engine.setUdpPort(udpPort);
    engine.setTcpPort(tcpPort);
    engine.setTlsOptions({ localPort: tlsPort });
    assertEquals([engine.udpPort, engine.tcpPort, engine.tlsPort], [udpPort, tcpPort, tlsPort]);
    assertEquals([await connects(tcpPort!), await connects(tlsPort!)], [true, true]);
  });

  it("Engine.setUdpPort() and setTcpPort() leave the old socket where the new one cannot be had", async () => {
    await startEngine();
    const { udpPort, tcpPort } = engine;
    await using peer = await Peer.open();
    assertThrows(() => engine.setUdpPort(peer.port), PJSIPError, String(peer.port));
    const server: Server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    assertThrows(() => engine.setTcpPort(port), PJSIPError, String(port));
    server.close();
    for (const value of [-1, 65536, 1.5, NaN]) {
      assertThrows(() => engine.setUdpPort(value), RangeError, "value");
    }
    assertThrows(() => engine.setTcpPort("5060" as never), TypeError, "value");
    assertEquals([engine.udpPort, engine.tcpPort], [udpPort, tcpPort]);
    peer.request("OPTIONS", { uri: `sip:127.0.0.1:${udpPort}` });
    await peer.next({ code: 200 });
    await engine.stop();
    assertThrows(() => engine.setUdpPort(0), SIPCoreInvalidStateError);
    assertThrows(() => engine.setTcpPort(0), SIPCoreInvalidStateError);
  });

  it("Engine.setUdpPort() may be called 300 times with a call on each socket", async () => {
    await startEngine();
    await using peer = await Peer.open();
    const calls = [];
    for (let time = 0; time < 300; time++) {
      if (time % 30 === 0) calls.push(await connectedCallToPeer(peer));
      engine.setUdpPort(0);
    }
    for (const { invitation, story } of calls) {
      invitation.end();
      peer.respond(await peer.next({ method: "BYE" }), 200);
      await story.until("disconnected");
    }
  });
});
