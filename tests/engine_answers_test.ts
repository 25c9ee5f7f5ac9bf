// SPDX-License-Identifier: GPL-2.0-or-later
/** What the engine answers by itself, and what it tells of it. */
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Engine,
  type EngineOptions,
  FrozenContentTypeHeader,
  FrozenFromHeader,
  FrozenSIPURI,
  NotificationCenter,
  PJSIPError,
  SIPCoreInvalidStateError,
  type SIPNotification,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { callPeer } from "./support/peer_calls.ts";
import { Peer, type PeerMessage, type RequestOptions } from "./support/peer.ts";
import { header, tagOf } from "./support/sip_text.ts";
import { until } from "./support/until.ts";

const center = new NotificationCenter();
const engine = new Engine();

describe("Engine, by itself,", () => {
  let peer: Peer;
  let uri = "";
  let observers: Disposable[] = [];

  beforeEach(async () => {
    peer = await Peer.open();
  });
  afterEach(async () => {
    for (const observer of observers) observer[Symbol.dispose]();
    observers = [];
    await peer.close();
    await stopEngine();
  });

  async function start(options: Partial<EngineOptions> = {}): Promise<void> {
    await startEngine(options);
    uri = `sip:bob@127.0.0.1:${engine.udpPort}`;
  }

  /** The final answer to a request. */
  async function ask(method: string, options: Partial<RequestOptions> = {}): Promise<PeerMessage> {
    peer.request(method, { uri, ...options });
    const answer = await peer.next({ cseqMethod: method });
    return answer.code === 100 ? await peer.next({ cseqMethod: method }) : answer;
  }

  function list(message: PeerMessage, name: string): string[] {
    return header(message, name).split(",").map((one) => one.trim());
  }

  it("answers OPTIONS with what it can", async () => {
    await start({ incomingRequests: ["PUBLISH", "MESSAGE"] });
    const options = await ask("OPTIONS");
    assertEquals([options.code, options.reason], [200, "OK"]);
    assert(tagOf(header(options, "To")) !== null);
    const allow = list(options, "Allow");
    for (
      const method of [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "MESSAGE",
        "SUBSCRIBE",
        "NOTIFY",
        "PUBLISH",
      ]
    ) {
      assertEquals([method, allow.filter((one) => one === method).length], [method, 1]);
    }
    const accept = list(options, "Accept");
    assertEquals(accept.length, new Set(accept).size, "each content type stands there once");
    for (const type of ["application/sdp", "application/pidf+xml", "application/watcherinfo+xml"]) {
      assert(accept.includes(type), type);
    }
    assertEquals(
      list(options, "Allow-Events").sort(),
      [...Engine.defaultStartOptions.events as Map<string, []>]
        .map(([name]) => name).sort(),
    );
    assert(options.headers.has("supported"));
  });

  it("answers 405 with Allow to what nobody wants", async () => {
    await start();
    for (const method of ["REGISTER", "PUBLISH", "FANCY"]) {
      const answer = await ask(method);
      assertEquals([method, answer.code], [method, 405]);
      assertMatch(header(answer, "Allow"), /INVITE.*BYE/);
      assert(!list(answer, "Allow").includes(method));
    }
  });

  it("answers 481 to what belongs to a dialog that is none, and nothing to an ACK", async () => {
    await start();
    for (const method of ["NOTIFY", "UPDATE", "PRACK", "INFO"]) {
      assertEquals([method, (await ask(method)).code], [method, 481]);
    }
    for (const method of ["BYE", "CANCEL", "MESSAGE", "OPTIONS"]) {
      assertEquals([method, (await ask(method, { to: `<${uri}>;tag=nobody` })).code], [method, 481]);
    }
    peer.request("ACK", { uri });
    await ask("OPTIONS");
    assertEquals(peer.pending, []);
  });

  /** The notifications of this name from here on. */
  function told<
    const N extends "SIPEngineGotMessage" | "SIPEngineGotWarning" | "SIPIncomingRequestGotRequest",
  >(
    name: N,
  ): SIPNotification<N>[] {
    const all: SIPNotification<N>[] = [];
    const observer = center.addObserver<N>((one) => void all.push(one), { name });
    observers.push(observer);
    return all;
  }

  it("answers MESSAGE with 200, once, and tells what it says", async () => {
    await start();
    const messages = told("SIPEngineGotMessage");
    const options = {
      from: '"Alice" <sip:alice@example.net>;tag=a1',
      body: "Grüße",
      contentType: "text/plain;charset=utf-8",
      headers: { "X-Kind": "greeting" },
    };
    const sent = peer.request("MESSAGE", { uri, ...options });
    assertEquals((await peer.next()).code, 200);
    await until(() => messages.length > 0, "the message");
    peer.send(sent.text, engine.udpPort!);
    await until(() => peer.received.length > 1, "the answer to the retransmission");
    const { sender, data } = messages[0]!;
    assertStrictEquals(sender, engine);
    assertInstanceOf(data.requestUri, FrozenSIPURI);
    assertEquals(String(data.requestUri), uri);
    assertInstanceOf(data.fromHeader, FrozenFromHeader);
    assertEquals(data.fromHeader.displayName, "Alice");
    assertEquals(data.toHeader?.uri.user, "bob");
    assertInstanceOf(data.contentType, FrozenContentTypeHeader);
    assertEquals(data.contentType.contentType, "text/plain");
    assertEquals(data.headers.text("X-Kind"), "greeting");
    assertEquals(data.body, "Grüße");
    assertInstanceOf(data.timestamp, Date);
    assertEquals((await ask("MESSAGE", { from: "<tel:+123>;tag=b" })).code, 200);
    await until(() => messages.length > 1, "the other message");
    assertEquals(messages.map((one) => one.data.body), ["Grüße", null]);
    assertEquals(messages[1]!.data.fromHeader, null);
    assertEquals(messages[1]!.data.contentType, null);
  });

  it("answers MESSAGE with 400 when nothing says what its body is", async () => {
    await start();
    const messages = told("SIPEngineGotMessage");
    const lines = [
      `MESSAGE ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKuntyped`,
      "Max-Forwards: 70",
      `From: <${peer.uri}>;tag=untyped`,
      `To: <${uri}>`,
      "Call-ID: untyped",
      "CSeq: 1 MESSAGE",
      "Content-Length: 5",
    ];
    peer.send(`${lines.join("\r\n")}\r\n\r\nHello`, engine.udpPort!);
    const refusal = await peer.next({ cseqMethod: "MESSAGE" });
    assertEquals(refusal.code, 400);
    assertMatch(header(refusal, "Warning"), /^399 \S+ ".*Content-Type.*"$/);
    assertEquals((await ask("MESSAGE", { body: "Hello", contentType: "text/plain" })).code, 200);
    await until(() => messages.length > 0, "the message");
    assertEquals(messages.map(({ data }) => data.body), ["Hello"]);
  });

  it("leaves MESSAGE and OPTIONS to the program that asks for them", async () => {
    await start({ incomingRequests: ["MESSAGE", "OPTIONS"] });
    const messages = told("SIPEngineGotMessage");
    const requests = told("SIPIncomingRequestGotRequest");
    for (const method of ["MESSAGE", "OPTIONS"]) {
      peer.request(method, { uri });
      await until(() => requests.length > 0, method);
      requests.pop()!.sender.answer(299);
      assertEquals((await peer.next({ cseqMethod: method })).code, 299);
    }
    assertEquals(messages, []);
  });

  it("answers SUBSCRIBE with 489 and what it knows, unless the event may come in", async () => {
    await start({ incomingEvents: ["presence"] });
    const subscribe = (event: string) => ask("SUBSCRIBE", { headers: { Event: event } });
    const refusal = await subscribe("dialog");
    assertEquals(refusal.code, 489);
    assert(list(refusal, "Allow-Events").includes("presence.winfo"));
    assertEquals((await ask("SUBSCRIBE")).code, 489);
    // Nobody listens to subscriptions, so there is nobody who could answer.
    assertEquals((await subscribe("presence")).code, 480);
    assertEquals((await subscribe("presence;id=7")).code, 480);
    engine.removeIncomingEvent("presence");
    assertEquals((await subscribe("presence")).code, 489);
    engine.addIncomingEvent("dialog");
    assertEquals((await subscribe("dialog")).code, 480);
    assertEquals([...engine.incomingEvents], ["dialog"]);
  });

  it("knows the events that are added while it runs", async () => {
    await start({ events: { presence: ["application/pidf+xml"] } });
    assertEquals(list(await ask("OPTIONS"), "Allow-Events"), ["presence"]);
    engine.addEvent("x-weather", ["text/x-weather", "application/pidf+xml"]);
    assertEquals(engine.events.get("x-weather"), ["text/x-weather", "application/pidf+xml"]);
    const options = await ask("OPTIONS");
    assertEquals(list(options, "Allow-Events"), ["presence", "x-weather"]);
    assertEquals(list(options, "Accept"), ["application/sdp", "application/pidf+xml", "text/x-weather"]);
    assertThrows(() => engine.addEvent("presence", ["text/plain"]), RangeError, "presence");
    assertThrows(() => engine.addEvent("x y", ["text/plain"]), TypeError, "event");
    assertThrows(() => engine.addEvent("x-none", []), RangeError, "acceptTypes");
    assertThrows(() => engine.addEvent("x-bad", ["a\r\n/b"]), TypeError, "acceptTypes[0]");
    assertThrows(() => engine.addIncomingEvent("unheard-of"), RangeError, "unheard-of");
    assertThrows(() => engine.removeIncomingEvent("presence"), RangeError, "presence");
    const many = Array.from({ length: 32 }, (_, index) => `application/x-${index}`);
    assertThrows(() => engine.addEvent("x-many", many), PJSIPError, "x-many");
    assertEquals([...engine.events.keys()], ["presence", "x-weather"]);
    for (let index = 0; index < 40; index++) {
      try {
        engine.addEvent(`x-${index}`, [`application/x-${index}`]);
      } catch (error) {
        assertInstanceOf(error, PJSIPError);
        assertGreater(index, 20);
      }
    }
    assertEquals((await ask("OPTIONS")).code, 200);
    await stopEngine();
    for (const call of [() => engine.addEvent("x", ["a/b"]), () => engine.addIncomingEvent("presence")]) {
      assertThrows(call, SIPCoreInvalidStateError);
    }
    // What was added was added to that run.
    await start();
    assertEquals(
      [...engine.events.keys()],
      [...Engine.defaultStartOptions.events as Map<string, []>].map(([name]) => name),
    );
  });

  it("answers 420 to extensions that it does not know", async () => {
    await start();
    for (const [method, event] of [["OPTIONS"], ["MESSAGE"], ["SUBSCRIBE", "presence"]] as const) {
      const refusal = await ask(method, {
        headers: { Require: ["100rel, x-first", "x-second"], ...(event ? { Event: event } : {}) },
      });
      assertEquals([method, refusal.code], [method, 420]);
      assertEquals(list(refusal, "Unsupported"), ["x-first", "x-second"]);
    }
    assertEquals((await ask("OPTIONS", { headers: { Require: "100rel" } })).code, 200);
  });

  it("answers 482 to a request of its own that has come back", async () => {
    await start({ incomingRequests: ["PUBLISH"] });
    const { story, invite } = await callPeer(peer);
    const returned = (method: string) =>
      invite.text
        .replace(/^INVITE \S+/, `${method} ${uri}`)
        .replace(/^CSeq: (\d+) INVITE/m, `CSeq: $1 ${method}`)
        .replace(/^Via:/m, `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKproxy\r\nVia:`);
    peer.send(returned("INVITE"), engine.udpPort!);
    assertEquals((await peer.next({ code: 482 })).reason, "Loop Detected");
    peer.send(returned("ACK"), engine.udpPort!);
    assertEquals((await ask("OPTIONS")).code, 200);
    peer.respond(invite, 486);
    await story.until("disconnected");
  });

  it("answers 482 to a request that has come already by another way", async () => {
    await start({ incomingRequests: ["PUBLISH"] });
    const requests = told("SIPIncomingRequestGotRequest");
    let branch = 0;
    /** The same request once more, by another proxy. */
    const merged = (callId: string) => ({
      callId,
      from: `<${peer.uri}>;tag=merged`,
      cseq: 7,
      headers: {
        Via: [
          `SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKproxy${branch++}`,
          "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKsender",
        ],
      },
    });
    for (const method of ["PUBLISH", "MESSAGE", "OPTIONS"]) {
      peer.request(method, { uri, ...merged(method) });
      if (method === "PUBLISH") {
        await until(() => requests.length > 0, "the request");
      } else {
        assertEquals((await peer.next({ cseqMethod: method })).code, 200);
      }
      assertEquals([method, (await ask(method, merged(method))).code], [method, 482]);
    }
    requests.pop()!.sender.answer(200);
    assertEquals((await peer.next({ cseqMethod: "PUBLISH" })).code, 200);
    assertEquals(requests, []);
    await stopEngine();
    await start({ detectSipLoops: false });
    for (let times = 0; times < 2; times++) {
      assertEquals((await ask("OPTIONS", merged("twice"))).code, 200);
    }
  });

  it("refuses with 503 what is too much for the program, and says so", async () => {
    await start({ maxPendingRequests: 5, incomingRequests: ["PUBLISH"] });
    const requests = told("SIPIncomingRequestGotRequest");
    const warnings = told("SIPEngineGotWarning");
    using _calls = center.addObserver(() => {}, { name: "SIPInvitationChangedState" });
    const invites = [];
    for (let one = 0; one < 2; one++) invites.push(peer.request("INVITE", { uri }));
    for (let one = 0; one < 3; one++) peer.request("PUBLISH", { uri });
    await until(() => requests.length === 3, "the requests");
    for (const method of ["INVITE", "PUBLISH", "MESSAGE"]) {
      peer.request(method, { uri });
      const refusal = await peer.next({ cseqMethod: method, code: 503 });
      assertGreater(Number(header(refusal, "Retry-After")), 0);
      if (method === "INVITE") peer.ack(refusal);
    }
    // What the stack answers by itself waits for nobody, and what belongs to a dialog always passes.
    assertEquals((await ask("OPTIONS")).code, 200);
    assertEquals((await ask("FANCY")).code, 405);
    peer.cancel(invites[0]!);
    assertEquals((await peer.next({ cseqMethod: "CANCEL" })).code, 200);
    peer.ack(await peer.next({ cseqMethod: "INVITE", code: 487 }));
    await until(() => warnings.length > 0, "the warning", 3000);
    const counted = () => warnings.reduce((sum, { data }) => sum + data.count, 0);
    await until(() => counted() === 3, "all of the warning", 3000);
    assert(warnings.every(({ data }) => data.kind === "overload" && data.message.includes("503")));
    requests.pop()!.sender.answer(200);
    await peer.next({ cseqMethod: "PUBLISH", code: 200 });
    // There is room again: for the cancelled call and for the answered request.
    peer.request("PUBLISH", { uri });
    await until(() => requests.length === 3, "the next request");
    engine.maxPendingRequests = 100;
    assertEquals((await ask("MESSAGE")).code, 200);
  });
});
