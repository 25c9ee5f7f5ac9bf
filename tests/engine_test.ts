// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { afterEach, describe, it } from "node:test";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { deadline } from "@std/async";
import {
  ContactHeader,
  Engine,
  type EngineOptions,
  Invitation,
  NotificationCenter,
  PJSIPError,
  RouteHeader,
  SIPCoreError,
  SIPCoreInvalidStateError,
  type SIPNotification,
  SIPURI,
  version,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { callPeer, inviteOptions } from "./support/peer_calls.ts";

const center = new NotificationCenter();
const engine = new Engine();
const lifecycle = [
  "SIPEngineWillStart",
  "SIPEngineDidStart",
  "SIPEngineDidFail",
  "SIPEngineWillEnd",
  "SIPEngineDidEnd",
] as const;

/** Writes down the engine's comings and goings. */
class Log implements Disposable {
  readonly names: string[] = [];
  readonly #observer: Disposable;

  constructor() {
    this.#observer = center.addObserver(({ name, sender, data }) => {
      assertStrictEquals(sender, engine);
      assertEquals(Object.keys(data), ["timestamp"]);
      this.names.push(name.replace("SIPEngine", ""));
    }, { name: lifecycle });
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/** A stream's notifications as long as they come, to the end. */
async function rest<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

describe("Engine", () => {
  afterEach(stopEngine);

  it("Engine is a singleton", () => {
    assertStrictEquals(new Engine(), engine);
    assertEquals(engine.isRunning, false);
  });

  it("Engine.defaultStartOptions are those of the documentation", () => {
    assertEquals({
      ...Engine.defaultStartOptions,
      events: Object.fromEntries(Engine.defaultStartOptions.events as Map<string, string[]>),
      incomingEvents: [...Engine.defaultStartOptions.incomingEvents],
      incomingRequests: [...Engine.defaultStartOptions.incomingRequests],
    }, {
      libraryPath: null,
      ipAddress: null,
      udpPort: 0,
      tcpPort: 0,
      tlsPort: 0,
      tlsProtocol: "TLSv1.2",
      tlsVerifyServer: false,
      tlsCaFile: null,
      tlsCertFile: null,
      tlsPrivkeyFile: null,
      tlsTimeout: 3000,
      userAgent: `sipcore-${version}-pjsip-2.17`,
      logLevel: 5,
      traceSip: false,
      detectSipLoops: true,
      maxPendingRequests: 10_000,
      rtpPortRange: [40000, 40100],
      codecs: ["opus", "G722", "speex", "PCMU", "PCMA", "iLBC", "GSM"],
      events: {
        "conference": ["application/conference-info+xml"],
        "dialog": ["application/dialog-info+xml"],
        "dialog.winfo": ["application/watcherinfo+xml"],
        "message-summary": ["application/simple-message-summary"],
        "presence": ["multipart/related", "application/rlmi+xml", "application/pidf+xml"],
        "presence.winfo": ["application/watcherinfo+xml"],
        "refer": ["message/sipfrag;version=2.0"],
        "xcap-diff": ["application/xcap-diff+xml"],
      },
      incomingEvents: [],
      incomingRequests: [],
      sessionTimer: null,
    });
    assert(Object.isFrozen(Engine.defaultStartOptions));
  });

  it("Engine starts, stops and starts again, and tells so in order", async () => {
    using log = new Log();
    for (let round = 0; round < 3; round++) {
      const started = engine.start({ ipAddress: "127.0.0.1" });
      assertEquals(log.names.length, round * 4, "nothing is posted before start() has returned");
      assertEquals(engine.isRunning, false);
      await started;
      assertEquals(log.names.slice(round * 4), ["WillStart", "DidStart"]);
      assertEquals(engine.isRunning, true);
      assert(engine.udpPort! > 0 && engine.tcpPort! > 0);
      const begun = performance.now();
      const stopped = engine.stop();
      assertEquals(log.names.length, round * 4 + 2);
      await stopped;
      assert(performance.now() - begun < 2000);
      assertEquals(log.names.slice(round * 4), ["WillStart", "DidStart", "WillEnd", "DidEnd"]);
      assertEquals(engine.isRunning, false);
    }
  });

  it("Engine.start() rejects while it starts, runs or stops", async () => {
    using log = new Log();
    const again = () => assertRejects(() => engine.start(), SIPCoreInvalidStateError);
    const started = engine.start({ ipAddress: "127.0.0.1" });
    assertEquals((await again()).state, "starting");
    await started;
    assertEquals((await again()).state, "running");
    const stopped = engine.stop();
    await again();
    await stopped;
    assertEquals(log.names, ["WillStart", "DidStart", "WillEnd", "DidEnd"]);
  });

  it("Engine.stop() may be called twice, and when nothing runs", async () => {
    using log = new Log();
    await engine.stop();
    assertEquals(log.names, []);
    await engine.start({ ipAddress: "127.0.0.1" });
    await Promise.all([engine.stop(), engine.stop()]);
    await engine.stop();
    assertEquals(log.names, ["WillStart", "DidStart", "WillEnd", "DidEnd"]);
  });

  it("Engine.stop() during start() waits for it, then stops", async () => {
    using log = new Log();
    const started = engine.start({ ipAddress: "127.0.0.1" });
    const stopped = engine.stop();
    await started;
    await stopped;
    assertEquals(log.names, ["WillStart", "DidStart", "WillEnd", "DidEnd"]);
    assertEquals(engine.isRunning, false);
  });

  it("Engine stops by await using", async () => {
    {
      await using running = new Engine();
      await running.start({ ipAddress: "127.0.0.1" });
    }
    assertEquals(engine.isRunning, false);
    await engine[Symbol.asyncDispose]();
  });

  it("Engine.start() refuses bad options by name and posts nothing", async () => {
    using log = new Log();
    const refused: [Record<string, unknown>, typeof TypeError | typeof RangeError, string][] = [
      [{ udpPort: -1 }, RangeError, "udpPort"],
      [{ udpPort: 65536 }, RangeError, "udpPort"],
      [{ udpPort: 1.5 }, RangeError, "udpPort"],
      [{ udpPort: "5060" }, TypeError, "udpPort"],
      [{ tcpPort: NaN }, RangeError, "tcpPort"],
      [{ ipAddress: "localhost" }, RangeError, "ipAddress"],
      [{ ipAddress: "127.0.0.1\r\n" }, TypeError, "ipAddress"],
      [{ ipAddress: 1 }, TypeError, "ipAddress"],
      [{ libraryPath: 1 }, TypeError, "libraryPath"],
      [{ userAgent: "a\r\nX: y" }, TypeError, "userAgent"],
      [{ userAgent: null }, TypeError, "userAgent"],
      [{ logLevel: 7 }, RangeError, "logLevel"],
      [{ logLevel: -1 }, RangeError, "logLevel"],
      [{ logLevel: "5" }, TypeError, "logLevel"],
      [{ traceSip: 1 }, TypeError, "traceSip"],
      [{ rtpPortRange: [40000] }, TypeError, "rtpPortRange"],
      [{ rtpPortRange: "40000" }, TypeError, "rtpPortRange"],
      [{ rtpPortRange: [50000, 40000] }, RangeError, "rtpPortRange"],
      [{ rtpPortRange: [40001, 40002] }, RangeError, "rtpPortRange"],
      [{ rtpPortRange: [40000, 70000] }, RangeError, "rtpPortRange"],
      [{ codecs: ["PCMU", "pcmu"] }, RangeError, "codecs"],
      [{ codecs: ["MP3"] }, RangeError, "codecs"],
      [{ codecs: [1] }, TypeError, "codecs"],
      [{ codecs: 1 }, TypeError, "codecs"],
      [{ detectSipLoops: 1 }, TypeError, "detectSipLoops"],
      [{ maxPendingRequests: 0 }, RangeError, "maxPendingRequests"],
      [{ maxPendingRequests: "10" }, TypeError, "maxPendingRequests"],
      [{ sessionTimer: 1800 }, TypeError, "sessionTimer"],
      [{ sessionTimer: { expires: 60 } }, RangeError, "sessionTimer.expires"],
      [{ events: 5 }, TypeError, "events"],
      [{ events: null }, TypeError, "events"],
      [{ events: { "a b": ["text/plain"] } }, TypeError, "events"],
      [{ events: { presence: "text/plain" } }, TypeError, "presence"],
      [{ events: { presence: [] } }, RangeError, "presence"],
      [{ events: { presence: ["text/plain\r\n"] } }, TypeError, "presence"],
      [{ events: { presence: ["text"] } }, TypeError, "presence"],
      [{ events: { presence: ["text/plain, text/html"] } }, TypeError, "presence"],
      [{ events: { ["x".repeat(64)]: ["text/plain"] } }, RangeError, "events"],
      [{ incomingEvents: ["unheard-of"] }, RangeError, "unheard-of"],
      [{ events: {}, incomingEvents: ["presence"] }, RangeError, "presence"],
      [{ incomingEvents: "presence" }, TypeError, "incomingEvents"],
      [{ incomingEvents: [1] }, TypeError, "incomingEvents"],
      [{ incomingRequests: ["INVITE"] }, RangeError, "INVITE"],
      [{ incomingRequests: ["BAD METHOD"] }, RangeError, "method"],
      [{ incomingRequests: [1] }, TypeError, "method"],
      [{ incomingRequests: 5 }, TypeError, "incomingRequests"],
      [{ incomingRequests: "MESSAGE" }, TypeError, "incomingRequests"],
      [{ tlsPort: -1 }, RangeError, "tlsPort"],
      [{ tlsPort: "0" }, TypeError, "tlsPort"],
      [{ tlsProtocol: "SSLv2" }, RangeError, "tlsProtocol"],
      [{ tlsProtocol: "SSLv23" }, RangeError, "tlsProtocol"],
      [{ tlsProtocol: "SSLv3" }, RangeError, "tlsProtocol"],
      [{ tlsProtocol: 1 }, TypeError, "tlsProtocol"],
      [{ tlsVerifyServer: 1 }, TypeError, "tlsVerifyServer"],
      [{ tlsCaFile: "a\0b" }, TypeError, "tlsCaFile"],
      [{ tlsCertFile: 1 }, TypeError, "tlsCertFile"],
      [{ tlsCertFile: "cert.pem" }, TypeError, "tlsPrivkeyFile"],
      [{ tlsPrivkeyFile: "a\r\n" }, TypeError, "tlsPrivkeyFile"],
      [{ tlsTimeout: 0 }, RangeError, "tlsTimeout"],
      [{ tlsTimeout: "1" }, TypeError, "tlsTimeout"],
      [{ udpport: 0 }, TypeError, "udpport"],
      [{ toString: 0 }, TypeError, "toString"],
    ];
    for (const [options, type, word] of refused) {
      const error = await assertRejects(() => engine.start(options as Partial<EngineOptions>), type);
      assert(error.message.includes(word), `${JSON.stringify(options)}: ${error.message}`);
    }
    assertEquals(log.names, []);
    assertEquals(engine.isRunning, false);
  });

  it("Engine.start() takes undefined for an option that is left out", async () => {
    await engine.start({ ipAddress: "127.0.0.1", ...{ udpPort: undefined, userAgent: undefined } as object });
    assert(engine.udpPort! > 0);
    assertEquals(engine.userAgent, Engine.defaultStartOptions.userAgent);
  });

  it("Engine.start() fails with the number of a port that is in use, and can be repeated", async () => {
    using log = new Log();
    const udp = createSocket("udp4");
    udp.bind(0, "127.0.0.1");
    await once(udp, "listening");
    const { port } = udp.address();
    const stream = engine.notifications();
    const error = await assertRejects(
      () => engine.start({ ipAddress: "127.0.0.1", udpPort: port }),
      PJSIPError,
    );
    assertMatch(error.message, new RegExp(`UDP.*${port}`));
    assert(error.status > 0 && error.errno > 0);
    assertEquals(log.names, ["WillStart", "DidFail"]);
    assertEquals((await rest(stream)).map(({ name }) => name), ["SIPEngineWillStart", "SIPEngineDidFail"]);
    assertEquals([engine.isRunning, engine.udpPort, engine.tcpPort], [false, null, null]);
    udp.close();
    await once(udp, "close");
    await engine.start({ ipAddress: "127.0.0.1", udpPort: port });
    assertEquals(engine.udpPort, port);
    await engine.stop();

    const tcp = createServer().listen(0, "127.0.0.1");
    await once(tcp, "listening");
    const taken = (tcp.address() as { port: number }).port;
    const again = await assertRejects(
      () => engine.start({ ipAddress: "127.0.0.1", tcpPort: taken }),
      PJSIPError,
    );
    assertMatch(again.message, new RegExp(`TCP.*${taken}`));
    tcp.close();
    await once(tcp, "close");
  });

  it("Engine.start() fails on an address that is none of this machine's", async () => {
    using log = new Log();
    await assertRejects(() => engine.start({ ipAddress: "192.0.2.1" }), PJSIPError);
    assertEquals(log.names, ["WillStart", "DidFail"]);
    await engine.stop();
    assertEquals(log.names, ["WillStart", "DidFail"]);
  });

  it("Engine.start() rejects with the reason of an aborted signal", async () => {
    using log = new Log();
    const reason = new Error("changed my mind");
    const before = await assertRejects(() => engine.start({ signal: AbortSignal.abort(reason) }), Error);
    assertStrictEquals(before, reason);
    const controller = new AbortController();
    const started = engine.start({ ipAddress: "127.0.0.1", signal: controller.signal });
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => started, Error), reason);
    assertEquals(log.names, []);
    assertEquals(engine.isRunning, false);
    const late = new AbortController();
    await engine.start({ ipAddress: "127.0.0.1", signal: late.signal });
    late.abort();
    assertEquals(engine.isRunning, true, "what has started is stopped by stop()");
  });

  it("Engine has the last options as attributes, ports only while it runs", async () => {
    const options = {
      ipAddress: "127.0.0.1",
      udpPort: 0,
      tcpPort: null,
      userAgent: "attributes",
      logLevel: 2,
      traceSip: true,
      detectSipLoops: false,
      maxPendingRequests: 77,
      rtpPortRange: [41000, 41010] as [number, number],
      codecs: ["pcma", "PCMU"],
      events: new Map([["presence", ["application/pidf+xml"]]]),
      incomingEvents: ["presence"],
      incomingRequests: new Set(["MESSAGE"]),
    };
    const untouched = structuredClone(options);
    await engine.start(options);
    assertEquals(options, untouched);
    options.rtpPortRange[0] = 1;
    options.codecs.pop();
    options.events.get("presence")!.pop();
    options.incomingEvents.pop();
    options.incomingRequests.add("PUBLISH");
    const kept = () => ({
      ipAddress: engine.ipAddress,
      tcpPort: engine.tcpPort,
      userAgent: engine.userAgent,
      logLevel: engine.logLevel,
      traceSip: engine.traceSip,
      detectSipLoops: engine.detectSipLoops,
      maxPendingRequests: engine.maxPendingRequests,
      rtpPortRange: engine.rtpPortRange,
      codecs: engine.codecs,
    });
    const expected = {
      ipAddress: "127.0.0.1",
      tcpPort: null,
      userAgent: "attributes",
      logLevel: 2,
      traceSip: true,
      detectSipLoops: false,
      maxPendingRequests: 77,
      rtpPortRange: [41000, 41010] as const,
      codecs: ["PCMA", "PCMU"],
    };
    assertEquals(kept(), expected);
    assert(engine.udpPort! > 0 && engine.udpPort! < 65536);
    assertEquals([...engine.incomingRequests], ["MESSAGE"]);
    assertEquals([...engine.events], [["presence", ["application/pidf+xml"]]]);
    assertEquals([...engine.incomingEvents], ["presence"]);
    assert(engine.availableCodecs.includes("PCMU") && Object.isFrozen(engine.availableCodecs));
    assertMatch(engine.pjsipVersion, /^2\.17/);
    await engine.stop();
    assertEquals(kept(), expected);
    assertEquals([engine.udpPort, engine.tcpPort], [null, null]);
    assertEquals([engine.availableCodecs, [...engine.incomingRequests]], [[], []]);
    assertEquals([[...engine.events], [...engine.incomingEvents]], [[], []]);
    // A new start begins from the defaults again.
    await engine.start({ ipAddress: "127.0.0.1" });
    assertEquals([engine.userAgent, engine.logLevel], [Engine.defaultStartOptions.userAgent, 5]);
  });

  it("Engine listens on the ports that it is given, and only on them", async () => {
    await startEngine({ udpPort: null });
    assertEquals(engine.udpPort, null);
    assert(engine.tcpPort! > 0);
    const error = assertThrows(
      () => engine.contactUri(RouteHeader.to({ address: "127.0.0.1" })),
      SIPCoreError,
    );
    assertMatch(error.message, /udp/);
    assertThrows(() => new Invitation().sendInvite(inviteOptions(5999)), SIPCoreError);
    await stopEngine();
    await startEngine({ tcpPort: null });
    assertEquals(engine.tcpPort, null);
    const route = RouteHeader.to({ address: "127.0.0.1", transport: "tcp" });
    assertThrows(() => engine.contactUri(route), SIPCoreError, "tcp");
    const { udpPort } = engine;
    await stopEngine();
    await startEngine({ udpPort, tcpPort: udpPort });
    assertEquals([engine.udpPort, engine.tcpPort], [udpPort, udpPort]);
  });

  for (
    const [ipAddress, loopback] of [[null, "127.0.0.1"], ["0.0.0.0", "127.0.0.1"], ["::", "::1"]] as const
  ) {
    it(`Engine listens at all addresses: ${ipAddress}`, async () => {
      await startEngine({ ipAddress });
      assertEquals(engine.ipAddress, ipAddress);
      for (const transport of ["udp", "tcp"] as const) {
        const port = transport === "udp" ? engine.udpPort! : engine.tcpPort!;
        const contact = engine.contactUri(RouteHeader.to({ address: loopback, port: 5060, transport }));
        assertEquals([contact.host, contact.port], [loopback, port]);
      }
      const socket = connect(engine.tcpPort!, loopback);
      await once(socket, "connect");
      const call = new Invitation();
      call.sendInvite(inviteOptions(engine.udpPort!, {
        routeHeader: RouteHeader.to({ address: loopback, port: engine.udpPort! }),
      }));
      const { data } = await call.notifications("SIPInvitationChangedState").next().then(({ value }) =>
        value!
      );
      assertEquals(data.state, "outgoing");
      assertMatch(data.headers.text("Via")!, /^SIP\/2\.0\/UDP (?!0\.0\.0\.0|\[::\])/);
      socket.destroy();
    });
  }

  it("Engine.contactUri() is our address towards a route", async () => {
    await startEngine();
    const uri = engine.contactUri(RouteHeader.to({ address: "127.0.0.1" }), { user: "me" });
    assertEquals(`${uri}`, `sip:me@127.0.0.1:${engine.udpPort}`);
    const tcp = engine.contactUri(RouteHeader.to({ address: "127.0.0.1", transport: "tcp" }));
    assertEquals([tcp.port, tcp.transport, tcp.user], [engine.tcpPort, "tcp", null]);
    assertThrows(
      () => engine.contactUri(new RouteHeader(new SIPURI({ host: "example.org" }))),
      TypeError,
      "routeHeader",
    );
    assertThrows(() => engine.contactUri(new ContactHeader(null) as unknown as RouteHeader), TypeError);
    await stopEngine();
    await startEngine({ ipAddress: null });
    // Bound to all addresses: the one that packets to the route leave from.
    assertEquals(engine.contactUri(RouteHeader.to({ address: "127.0.0.1" })).host, "127.0.0.1");
    // No packet leaves for an address that wants its interface named, nor does it get one of the other family.
    assertEquals(engine.contactUri(RouteHeader.to({ address: "fe80::1" })).host, "::1");
    await stopEngine();
    const stopped = assertThrows(
      () => engine.contactUri(RouteHeader.to({ address: "127.0.0.1" })),
      SIPCoreInvalidStateError,
    );
    assertEquals(stopped.code, "ENGINE_NOT_RUNNING");
    await startEngine({ ipAddress: "::1" });
    const six = engine.contactUri(RouteHeader.to({ address: "::1" }), { user: "me" });
    assertEquals(`${six}`, `sip:me@[::1]:${engine.udpPort}`);
    const secure = engine.contactUri(RouteHeader.to({ address: "::1", transport: "tls", tlsName: "b.test" }));
    assertEquals(`${secure}`, `sip:[::1]:${engine.tlsPort};transport=tls`);
    engine.setTlsOptions({ localPort: null });
    const tls = RouteHeader.to({ address: "::1", transport: "tls" });
    assertThrows(() => engine.contactUri(tls), SIPCoreError, "tls");
  });

  it("Engine.userAgent stands in requests and responses, and changes while it runs", async () => {
    await using peer = await Peer.open();
    await startEngine({ userAgent: "first/1" });
    const own = `sip:bob@127.0.0.1:${engine.udpPort}`;
    for (const agent of ["first/1", "zweiter (Ü)"]) {
      if (agent !== "first/1") engine.userAgent = agent;
      assertEquals(engine.userAgent, agent);
      const { story, invite } = await callPeer(peer);
      assertEquals(invite.headers.get("user-agent"), [agent]);
      peer.respond(invite, 486);
      await story.end();
      peer.request("OPTIONS", { uri: own });
      assertEquals((await peer.next({ cseqMethod: "OPTIONS" })).headers.get("server"), [agent]);
    }
    for (const bad of ["a\r\nX: y", "a\0", "\ud800"]) {
      assertThrows(() => engine.userAgent = bad, TypeError, "userAgent");
    }
    assertEquals(engine.userAgent, "zweiter (Ü)");
    engine.userAgent = "";
    peer.request("OPTIONS", { uri: own });
    assertEquals((await peer.next({ cseqMethod: "OPTIONS" })).headers.has("server"), false);
    await stopEngine();
    engine.userAgent = "for nobody";
    assertEquals(engine.userAgent, "for nobody");
  });

  it("Engine.codecs takes known names in any case, in order", async () => {
    await startEngine({ codecs: ["gsm", "pcmU", "G722"] });
    assertEquals(engine.codecs, ["GSM", "PCMU", "G722"]);
    engine.codecs = ["PCMA"];
    assertEquals(engine.codecs, ["PCMA"]);
    assertThrows(() => engine.codecs = ["PCMA", "pcma"], RangeError, "twice");
    assertThrows(() => engine.codecs = ["nonsense"], RangeError, "nonsense");
    assertEquals(engine.codecs, ["PCMA"]);
    // What this build lacks is skipped.
    engine.codecs = ["G729", "PCMU"];
    assertEquals(engine.codecs, engine.availableCodecs.includes("G729") ? ["G729", "PCMU"] : ["PCMU"]);
    engine.rtpPortRange = [42000, 42009];
    assertEquals(engine.rtpPortRange, [42000, 42009]);
    assertThrows(() => engine.rtpPortRange = [1, 2], RangeError, "rtpPortRange");
    assertEquals(engine.rtpPortRange, [42000, 42009]);
  });

  it("Engine logs for those who listen, up to its level", async () => {
    await using peer = await Peer.open();
    await startEngine({ logLevel: 5 });
    const own = `sip:bob@127.0.0.1:${engine.udpPort}`;
    const ask = async () => {
      peer.request("OPTIONS", { uri: own });
      await peer.next({ cseqMethod: "OPTIONS" });
    };
    const stream = center.stream({ name: "SIPEngineLog" });
    const first = deadline(stream.next(), 5000);
    await ask();
    const { sender, data } = (await first).value!;
    assertStrictEquals(sender, engine);
    assertEquals(Object.keys(data).sort(), ["level", "message", "sender", "timestamp"]);
    assert(data.level >= 1 && data.level <= 5);
    assert(data.sender.length > 0 && data.message.length > 0, JSON.stringify(data));
    assert(Math.abs(data.timestamp.getTime() - Date.now()) < 10_000);
    assertEquals(/^\s|\s$/.test(data.message), false);
    engine.logLevel = 0;
    assertEquals(engine.logLevel, 0);
    assertThrows(() => engine.logLevel = 7, RangeError, "logLevel");
    await ask();
    const heard = stream.pending;
    await ask();
    assertEquals(stream.pending, heard);
    engine.logLevel = 5;
    await ask();
    await stopEngine();
    const lines = await rest(stream);
    assert(lines.length > heard, "and again");
    assert(lines.every(({ data }) => data.level <= 5));
  });

  it("Engine traces SIP messages byte by byte, both ways", async () => {
    await using peer = await Peer.open();
    await startEngine({ traceSip: true });
    const own = `sip:bob@127.0.0.1:${engine.udpPort}`;
    const stream = engine.notifications("SIPEngineSIPTrace");
    const sent = peer.request("OPTIONS", { uri: own, headers: { Subject: "Ünïcode €" } });
    const answer = await peer.next({ code: 200 });
    const here = { ip: "127.0.0.1", port: engine.udpPort! };
    const there = { ip: "127.0.0.1", port: peer.port };
    for (
      const [received, text, source, destination] of [
        [true, sent.text, there, here],
        [false, answer.text, here, there],
      ] as const
    ) {
      const { timestamp, ...data } = (await deadline(stream.next(), 5000)).value!.data;
      assert(timestamp instanceof Date);
      assertEquals(data, {
        received,
        sourceIp: source.ip,
        sourcePort: source.port,
        destinationIp: destination.ip,
        destinationPort: destination.port,
        transport: "udp",
        data: text,
      });
    }
    engine.traceSip = false;
    peer.request("OPTIONS", { uri: own });
    await peer.next({ code: 200 });
    engine.traceSip = true;
    const third = peer.request("OPTIONS", { uri: own });
    await peer.next({ code: 200 });
    assertEquals((await deadline(stream.next(), 5000)).value!.data.data, third.text);
    assertThrows(() => engine.traceSip = 1 as unknown as boolean, TypeError, "traceSip");
  });

  it("Engine tells of connections, each once, and answers over them", async () => {
    await startEngine();
    const own = `127.0.0.1:${engine.tcpPort}`;
    const stream = engine.notifications(["SIPEngineTransportDidConnect", "SIPEngineTransportDidDisconnect"]);
    const connected = deadline(center.once("SIPEngineTransportDidConnect"), 5000);
    const socket = connect(engine.tcpPort!, "127.0.0.1");
    await once(socket, "connect");
    const { localPort } = socket;
    const request = (cseq: number) =>
      `OPTIONS sip:bob@${own} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:${localPort};branch=z9hG4bKt${cseq}\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:peer@127.0.0.1>;tag=t\r\nTo: <sip:bob@${own}>\r\nCall-ID: tcp\r\n` +
      `CSeq: ${cseq} OPTIONS\r\nContent-Length: 0\r\n\r\n`;
    let answers = "";
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on("data", (data) => {
      answers += data;
      if (answers.split("SIP/2.0 200 OK").length === 4) resolve();
    });
    // Three requests in pieces that do not end where they do.
    const bytes = request(1) + request(2) + request(3);
    socket.setNoDelay(true);
    socket.write(bytes.slice(0, 100));
    await connected;
    socket.write(bytes.slice(100, 400));
    socket.write(bytes.slice(400));
    await deadline(promise, 5000);
    socket.end();
    const told = [];
    for await (const notification of stream) {
      told.push(notification);
      if (notification.name === "SIPEngineTransportDidDisconnect") break;
    }
    assertEquals(told.map(({ name }) => name), [
      "SIPEngineTransportDidConnect",
      "SIPEngineTransportDidDisconnect",
    ]);
    for (const { data } of told) {
      assertEquals([data.transport, data.localAddress, data.remoteAddress], [
        "tcp",
        own,
        `127.0.0.1:${localPort}`,
      ]);
    }
    assert(told[1]!.name === "SIPEngineTransportDidDisconnect");
    assertEquals(Object.keys(told[1]!.data).sort(), [
      "localAddress",
      "reason",
      "remoteAddress",
      "timestamp",
      "transport",
    ]);
    assert(told[1]!.data.reason.length > 0);
  });

  it("Engine tells of connections that it makes, and of their end", async () => {
    await startEngine();
    const stream = engine.notifications(["SIPEngineTransportDidConnect", "SIPEngineTransportDidDisconnect"]);
    const server: Server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const invitation = new Invitation();
    const ended = invitation.notifications();
    const route = RouteHeader.to({ address: "127.0.0.1", port, transport: "tcp" });
    invitation.sendInvite(inviteOptions(port, { routeHeader: route }));
    const [socket] = await deadline(accepted, 5000);
    const [data] = await deadline(once(socket, "data") as Promise<[Uint8Array]>, 5000);
    assertMatch(
      new TextDecoder().decode(data),
      /^INVITE sip:peer@127\.0\.0\.1:\d+ SIP\/2\.0\r\nVia: SIP\/2\.0\/TCP /,
    );
    socket.destroy();
    server.close();
    const told = [];
    for await (const notification of stream) {
      told.push(notification);
      if (notification.name === "SIPEngineTransportDidDisconnect") break;
    }
    assertEquals(told.map(({ name, data }) => [name, data.remoteAddress]), [
      ["SIPEngineTransportDidConnect", `127.0.0.1:${port}`],
      ["SIPEngineTransportDidDisconnect", `127.0.0.1:${port}`],
    ]);
    const last = (await deadline(rest(ended), 10_000)).at(-1)!;
    assert(last.name === "SIPInvitationChangedState");
    assertEquals([last.data.state, last.data.code], ["disconnected", 503]);
  });

  it("Engine.addIncomingRequest() and removeIncomingRequest() take methods that can be", async () => {
    for (
      const call of [
        () => engine.addIncomingRequest("MESSAGE"),
        () => engine.removeIncomingRequest("MESSAGE"),
      ]
    ) {
      assertEquals(assertThrows(call, SIPCoreInvalidStateError).code, "ENGINE_NOT_RUNNING");
    }
    await startEngine({ incomingRequests: ["MESSAGE"] });
    for (const method of ["INVITE", "SUBSCRIBE", "REFER", "ACK", "BYE", "CANCEL"]) {
      assertThrows(() => engine.addIncomingRequest(method), RangeError, method);
    }
    for (const method of ["", "TWO WORDS", "X".repeat(40), "Ü"]) {
      assertThrows(() => engine.addIncomingRequest(method), RangeError);
    }
    assertThrows(() => engine.addIncomingRequest("A\r\nB"), TypeError);
    assertThrows(() => engine.addIncomingRequest(null as unknown as string), TypeError);
    assertThrows(() => engine.removeIncomingRequest("PUBLISH"), RangeError, "PUBLISH");
    engine.addIncomingRequest("PUBLISH");
    engine.addIncomingRequest("PUBLISH");
    assertEquals([...engine.incomingRequests], ["MESSAGE", "PUBLISH"]);
    (engine.incomingRequests as Set<string>).clear();
    assertEquals(engine.incomingRequests.size, 2);
    engine.removeIncomingRequest("MESSAGE");
    assertEquals([...engine.incomingRequests], ["PUBLISH"]);
  });

  it("Engine ends every stream when it has ended", async () => {
    await startEngine();
    const all = center.stream({ name: lifecycle });
    const own = engine.notifications(lifecycle);
    const named = center.stream({ name: "SIPInvitationChangedState" });
    const waiting = assertRejects(() => center.once("SIPInvitationChangedState"), SIPCoreError);
    await stopEngine();
    assertEquals((await waiting).code, "ENDED");
    for (const stream of [all, own]) {
      assertEquals((await rest(stream)).map(({ name }) => name).slice(-2), [
        "SIPEngineWillEnd",
        "SIPEngineDidEnd",
      ]);
    }
    assertEquals(await rest(named), []);
    let heard = 0;
    using _observer = center.addObserver(() => void heard++, { name: "SIPEngineDidStart" });
    await startEngine();
    await stopEngine();
    await startEngine();
    assertEquals(heard, 2, "observers stay");
  });

  it("Engine goes on when an observer throws, and tells so", async () => {
    await using peer = await Peer.open();
    await startEngine({ incomingRequests: ["MESSAGE"] });
    const boom = new RangeError("boom");
    using _observer = center.addObserver(() => {
      throw boom;
    }, { name: "SIPIncomingRequestGotRequest" });
    const told = deadline(center.once("SIPEngineGotException"), 5000);
    const got = center.once("SIPIncomingRequestGotRequest");
    peer.request("MESSAGE", { uri: `sip:bob@127.0.0.1:${engine.udpPort}` });
    const { data }: SIPNotification<"SIPEngineGotException"> = await told;
    assertStrictEquals(data.value, boom);
    assertEquals([data.type, data.fatal], ["RangeError", false]);
    assert(data.traceback.includes("boom"));
    (await got).sender.answer(200);
    assertEquals((await peer.next({ cseqMethod: "MESSAGE" })).code, 200);
  });
});
