// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  Credentials,
  type Engine,
  FromHeader,
  FrozenCredentials,
  FrozenRouteHeader,
  FrozenToHeader,
  Header,
  Message,
  type MessageOptions,
  NotificationCenter,
  RouteHeader,
  SIPCoreError,
  SIPCoreInvalidStateError,
  ToHeader,
} from "../mod.ts";
import { answers, type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { alice, bob } from "./support/requests.ts";
import { header } from "./support/sip_text.ts";
import { requestNames, Told } from "./support/told.ts";

const names = [...requestNames, "SIPMessageDidSucceed", "SIPMessageDidFail"] as const;

function messageTo({ port }: { port: number }, options: Partial<MessageOptions> = {}): Message {
  return new Message({
    fromHeader: new FromHeader(alice),
    toHeader: new ToHeader(bob),
    routeHeader: RouteHeader.to({ address: "127.0.0.1", port }),
    contentType: "text/plain",
    body: "Hello!",
    ...options,
  });
}

describe("Message", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ incomingRequests: ["MESSAGE"] });
  });
  after(stopEngine);

  it("Message.send() sends it to the address in To, and tells that it succeeded", async () => {
    await using peer = await Peer.open();
    const message = messageTo(peer, { extraHeaders: [new Header("Subject", "hi")] });
    assertEquals([message.isSent, message.inProgress, message.peerAddress], [false, false, null]);
    assert(message.toHeader instanceof FrozenToHeader && message.routeHeader instanceof FrozenRouteHeader);
    assertMatch(message.fromHeader.tag!, /./);
    assertEquals([message.contentType, message.body, message.credentials, message.extraHeaders.length], [
      "text/plain",
      "Hello!",
      null,
      1,
    ]);
    using told = new Told(...names);
    const stream = message.notifications();
    message.send();
    assertEquals([message.isSent, message.inProgress], [true, true]);
    const sent = await peer.next();
    assertEquals([sent.method, sent.uri, sent.body], ["MESSAGE", bob.toString(), "Hello!"]);
    assertEquals([header(sent, "Content-Type"), header(sent, "Subject")], ["text/plain", "hi"]);
    assertEquals(sent.headers.has("contact"), false);
    peer.respond(sent, 202, { reason: "Later", headers: { "X-Id": "7" }, body: "{}", contentType: "a/json" });
    const [succeeded] = await Array.fromAsync(stream);
    assert(succeeded?.name === "SIPMessageDidSucceed");
    assertEquals(Object.keys(succeeded.data).sort(), ["body", "code", "headers", "reason", "timestamp"]);
    assertEquals([succeeded.data.code, succeeded.data.reason, succeeded.data.body], [202, "Later", "{}"]);
    assertEquals(succeeded.data.headers.text("X-Id"), "7");
    await told.until("SIPRequestDidEnd");
    assertEquals(told.names, ["RequestDidSucceed", "MessageDidSucceed", "RequestDidEnd"]);
    assertEquals([message.isSent, message.inProgress], [true, false]);
    assertEquals(message.peerAddress, { ip: "127.0.0.1", port: peer.port });
    assertEquals(await Array.fromAsync(message.notifications()), []);
  });

  it("Message tells why it failed", async () => {
    await using peer = await Peer.open();
    const message = messageTo(peer);
    using told = new Told(...names);
    message.send();
    peer.respond(await peer.next(), 404, { reason: "Nobody", headers: { Warning: '399 a "b"' } });
    const { data } = await told.until("SIPMessageDidFail");
    assertEquals([data.code, data.reason, data.body], [404, "Nobody", null]);
    assertEquals(data.headers.text("Warning"), '399 a "b"');
    await told.until("SIPRequestDidEnd");
    assertEquals(told.names, ["RequestDidFail", "MessageDidFail", "RequestDidEnd"]);
  });

  it("Message carries bytes between two ends of an engine", async () => {
    const body = new Uint8Array([0, 255, 13, 10, 0, 128]);
    const coming = new NotificationCenter().once("SIPIncomingRequestGotRequest");
    const message = messageTo({ port: engine.udpPort! }, { contentType: "application/octet-stream", body });
    using told = new Told(...names);
    message.send();
    body[0] = 9;
    const { data, sender } = await deadline(coming, 5000);
    assertEquals(data.body, new Uint8Array([0, 255, 13, 10, 0, 128]));
    sender.answer(200);
    await told.until("SIPMessageDidSucceed");
  });

  it("Message that is answered with Expires is over all the same", async () => {
    await using peer = await Peer.open();
    const message = messageTo(peer);
    using told = new Told(...names);
    message.send();
    peer.respond(await peer.next(), 200, { headers: { Expires: "3600" } });
    await told.until("SIPRequestDidEnd", 1, 1000);
    assertEquals(told.names, ["RequestDidSucceed", "MessageDidSucceed", "RequestDidEnd"]);
  });

  it("Message.credentials answer a challenge", async () => {
    await using peer = await Peer.open();
    const asked: Challenge = { realm: "example.net", nonce: "n", algorithm: "SHA-256" };
    const message = messageTo(peer, { credentials: new Credentials("alice", "wonderland") });
    assert(message.credentials instanceof FrozenCredentials);
    using told = new Told(...names);
    message.send();
    peer.respond(await peer.next(), 407, { headers: { "Proxy-Authenticate": challengeText(asked) } });
    const second = await peer.next();
    assertEquals(second.body, "Hello!");
    assert(
      answers(header(second, "Proxy-Authorization"), asked, {
        method: "MESSAGE",
        user: "alice",
        password: "wonderland",
      }),
    );
    peer.respond(second, 200);
    await told.until("SIPMessageDidSucceed");
  });

  it("Message.end(), the signal and the timeout give up", async () => {
    await using peer = await Peer.open();
    const controller = new AbortController();
    const ways: ((message: Message) => void)[] = [
      (message) => {
        message.send();
        message.end();
        message.end();
      },
      (message) => {
        message.send();
        message[Symbol.dispose]();
      },
      (message) => {
        message.send({ signal: controller.signal });
        controller.abort();
      },
      (message) => message.send({ timeout: 0.1 }),
    ];
    for (const way of ways) {
      const message = messageTo(peer);
      message.end();
      using told = new Told(...names);
      way(message);
      const { data } = await told.until("SIPMessageDidFail");
      assertEquals([data.code, data.reason], [408, "Request Timeout"]);
      await told.until("SIPRequestDidEnd");
      message.end();
      assertEquals(told.names, ["RequestDidFail", "MessageDidFail", "RequestDidEnd"]);
      assertThrows(() => message.send(), SIPCoreInvalidStateError);
    }
  });

  it("Message fails with code 0 when it cannot be sent", async () => {
    const message = messageTo({ port: 5060 }, {
      routeHeader: RouteHeader.to({ address: "::1", port: 5060 }),
    });
    using told = new Told(...names);
    message.send();
    assertEquals(told.names, []);
    const { data } = await told.until("SIPMessageDidFail");
    assertEquals([data.code, data.headers.size], [0, 0]);
  });

  it("Message refuses bad arguments by name", () => {
    const refused: [Record<string, unknown>, RegExp][] = [
      [{ fromHeader: alice }, /fromHeader/],
      [{ toHeader: null }, /toHeader/],
      [{ routeHeader: "127.0.0.1" }, /routeHeader/],
      [{ contentType: null }, /contentType/],
      [{ contentType: null, body: null }, /contentType/],
      [{ contentType: "plain" }, /contentType/],
      [{ body: null }, /body/],
      [{ body: 7 }, /body/],
      [{ credentials: {} }, /credentials/],
      [{ extraHeaders: [new Header("To", "x")] }, /extraHeaders\[0\]/],
    ];
    for (const [options, message] of refused) {
      const error = assertThrows(() => messageTo({ port: 5060 }, options), TypeError);
      assertMatch(error.message, message, JSON.stringify(options));
    }
  });

  it("Message and the end of the engine", async () => {
    await using peer = await Peer.open();
    using told = new Told(...names, "SIPEngineDidEnd");
    const [busy, unsent] = [messageTo(peer), messageTo(peer)];
    busy.send();
    await peer.next();
    await engine.stop();
    assertEquals(told.names, ["RequestDidFail", "MessageDidFail", "RequestDidEnd", "EngineDidEnd"]);
    assertEquals(told.of("SIPMessageDidFail")[0]!.data.code, 503);
    assertEquals([busy.inProgress, busy.isSent], [false, true]);
    assertEquals(assertThrows(() => unsent.send(), SIPCoreError).code, "ENGINE_NOT_RUNNING");
    unsent.end();
    engine = await startEngine({ incomingRequests: ["MESSAGE"] });
    assertThrows(() => unsent.send(), SIPCoreInvalidStateError);
  });
});
