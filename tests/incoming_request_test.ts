// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  type AnswerOptions,
  type Engine,
  Header,
  IncomingRequest,
  NotificationCenter,
  SIPCoreInvalidStateError,
  type SIPNotification,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage, type RequestOptions } from "./support/peer.ts";
import { header, printMessage, tagOf } from "./support/sip_text.ts";

type Received = SIPNotification<"SIPIncomingRequestGotRequest">;

const center = new NotificationCenter();
const methods = ["MESSAGE", "OPTIONS", "X-Any.thing", "PUBLISH"];

/** A request with a method that a peer would not take for one. */
function anyRequest(peer: Peer, method: string, headers: readonly [string, string][] = []): string {
  return printMessage(`${method} sip:bob@127.0.0.1 SIP/2.0`, [
    ["Via", `SIP/2.0/UDP 127.0.0.1:${peer.port};rport;branch=z9hG4bK${method}-${peer.port}`],
    ["Max-Forwards", "70"],
    ["From", `<${peer.uri}>;tag=${method}`],
    ["To", "<sip:bob@127.0.0.1>"],
    ["Call-ID", `any-${method}-${peer.port}`],
    ["CSeq", `1 ${method}`],
    ...headers,
  ], "");
}

describe("IncomingRequest", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ incomingRequests: methods });
  });
  after(stopEngine);

  async function requestFrom(
    peer: Peer,
    method: string,
    options: Partial<RequestOptions> = {},
  ): Promise<{ got: Received; sent: PeerMessage; request: IncomingRequest }> {
    const coming = center.once("SIPIncomingRequestGotRequest");
    const sent = peer.request(method, { uri: `sip:bob@127.0.0.1:${engine.udpPort}`, ...options });
    const got = await deadline(coming, 5000);
    return { got, sent, request: got.sender };
  }

  it("IncomingRequest tells what came and sends what it is answered", async () => {
    await using peer = await Peer.open();
    const { got, sent, request } = await requestFrom(peer, "MESSAGE", {
      headers: { "X-One": ["1", "2"], Subject: "Grüße" },
      contentType: "text/plain;charset=utf-8",
      body: "Hallo, Wörld\r\n",
    });
    assertEquals(Object.keys(got.data).sort(), ["body", "headers", "method", "requestUri", "timestamp"]);
    assertEquals(got.data.method, "MESSAGE");
    assertEquals(got.data.requestUri?.toString(), sent.uri);
    assertEquals(got.data.body, "Hallo, Wörld\r\n");
    assertEquals(got.data.headers.getAll("X-One").map(({ body }) => body), ["1", "2"]);
    assertEquals(got.data.headers.text("Subject"), "Grüße");
    assertEquals(got.data.headers.get("Content-Type")?.type, "text");
    assert(got.data.timestamp instanceof Date);
    assertEquals(request.state, "incoming");
    assertEquals(request.peerAddress, { ip: "127.0.0.1", port: peer.port });

    const stream = request.notifications();
    request.answer(202, {
      reason: "Got it",
      extraHeaders: [
        new Header("X-Reply", "yes"),
        new Header("WWW-Authenticate", 'Digest realm="a", nonce="b"'),
      ],
      contentType: "text/plain",
      body: "thänks",
    });
    assertEquals(request.state, "answered");
    assertEquals(stream.pending, 0, "nothing is posted before answer() has returned");
    const response = await peer.next({ code: 202 });
    assertEquals(response.reason, "Got it");
    assertEquals(header(response, "X-Reply"), "yes");
    assertEquals(header(response, "WWW-Authenticate"), 'Digest realm="a", nonce="b"');
    assertEquals([header(response, "Content-Type"), response.body], ["text/plain", "thänks"]);
    assertEquals(header(response, "Server"), "tested");
    assertNotEquals(tagOf(header(response, "To")), null);
    for (const name of ["Call-ID", "CSeq", "From"]) assertEquals(header(response, name), header(sent, name));
    const told = [];
    for await (const notification of stream) told.push(notification);
    assertEquals(told.map(({ name }) => name), ["SIPIncomingRequestSentResponse"]);
    const { data } = told[0]! as SIPNotification<"SIPIncomingRequestSentResponse">;
    assertEquals(Object.keys(data).sort(), ["body", "code", "headers", "reason", "timestamp"]);
    assertEquals([data.code, data.reason, data.body], [202, "Got it", "thänks"]);
    assertEquals(data.headers.text("X-Reply"), "yes");
  });

  it("IncomingRequest carries bytes both ways", async () => {
    await using peer = await Peer.open();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const coming = center.once("SIPIncomingRequestGotRequest");
    const head = anyRequest(peer, "MESSAGE", [["Content-Type", "application/octet-stream"]])
      .replace("Content-Length: 0", `Content-Length: ${bytes.length}`);
    peer.send(new Uint8Array([...new TextEncoder().encode(head), ...bytes]), engine.udpPort!);
    const { sender, data } = await deadline(coming, 5000);
    assert(data.body instanceof Uint8Array);
    assertEquals([...data.body], [...bytes]);
    // What comes to the peer is read as text: these bytes are some.
    const reply = new TextEncoder().encode("raw bytes");
    sender.answer(200, { contentType: "application/octet-stream", body: reply });
    const response = await peer.next({ code: 200 });
    assertEquals(response.body, "raw bytes");
    assertEquals(header(response, "Content-Type"), "application/octet-stream");
  });

  it("IncomingRequest takes any method that is listed, and OPTIONS before the stack does", async () => {
    await using peer = await Peer.open();
    for (const method of ["OPTIONS", "PUBLISH"]) {
      const { got, request } = await requestFrom(peer, method);
      assertEquals([got.data.method, got.data.body, got.data.headers.text("CSeq")], [
        method,
        null,
        `1 ${method}`,
      ]);
      request.answer(299, { reason: "Mine" });
      assertEquals((await peer.next({ cseqMethod: method })).reason, "Mine");
    }
    const coming = center.once("SIPIncomingRequestGotRequest");
    peer.send(anyRequest(peer, "X-Any.thing"), engine.udpPort!);
    const { sender, data } = await deadline(coming, 5000);
    assertEquals(data.method, "X-Any.thing");
    sender.answer(200);
    await peer.next({ code: 200 });
  });

  it("IncomingRequest gives every code its own reason", async () => {
    await using peer = await Peer.open();
    for (
      const [code, reason] of [[200, "OK"], [404, "Not Found"], [503, "Service Unavailable"], [
        603,
        "Decline",
      ]] as const
    ) {
      const { request } = await requestFrom(peer, "MESSAGE");
      const stream = request.notifications("SIPIncomingRequestSentResponse");
      request.answer(code);
      assertEquals((await peer.next({ code })).reason, reason);
      assertEquals((await stream.next()).value?.data.reason, reason);
    }
  });

  it("IncomingRequest absorbs retransmissions, before its answer and after", async () => {
    await using peer = await Peer.open({ keepRetransmissions: true });
    let count = 0;
    using _observer = center.addObserver(() => void count++, { name: "SIPIncomingRequestGotRequest" });
    const { sent, request } = await requestFrom(peer, "MESSAGE");
    peer.send(sent.text, engine.udpPort!);
    peer.send(sent.text, engine.udpPort!);
    // Another request passes the same queue behind them.
    const { request: other } = await requestFrom(peer, "PUBLISH");
    other.answer(200);
    await peer.next({ cseqMethod: "PUBLISH" });
    assertEquals([count, peer.pending.length], [2, 0]);
    request.answer(200);
    const first = await peer.next({ cseqMethod: "MESSAGE" });
    peer.send(sent.text, engine.udpPort!);
    const second = await peer.next({ cseqMethod: "MESSAGE" });
    assertEquals(second.text, first.text);
    assertEquals(count, 2);
  });

  it("IncomingRequest.answer() gives Contacts, as registrars and redirects do", async () => {
    await using peer = await Peer.open();
    const answers = [
      [200, ["<sip:a@127.0.0.1:1>;expires=60", "<sip:a@127.0.0.2>;expires=9"]],
      [302, ["<sip:b@[::1]>"]],
    ] as const;
    for (const [code, contacts] of answers) {
      const { request } = await requestFrom(peer, "OPTIONS");
      request.answer(code, { extraHeaders: contacts.map((body) => new Header("Contact", body)) });
      assertEquals((await peer.next({ code })).headers.get("contact"), contacts);
    }
  });

  it("IncomingRequest.answer() answers once", async () => {
    await using peer = await Peer.open();
    const { request } = await requestFrom(peer, "MESSAGE");
    request.answer(200);
    const error = assertThrows(() => request.answer(200), SIPCoreInvalidStateError);
    assertEquals(error.state, "answered");
    request[Symbol.dispose]();
    await peer.next({ code: 200 });
    assertEquals(request.state, "answered");
    assertEquals([...(await Array.fromAsync(request.notifications()))], []);
  });

  it("IncomingRequest.answer() refuses bad arguments and can be called again", async () => {
    await using peer = await Peer.open();
    const { request } = await requestFrom(peer, "MESSAGE");
    for (const code of [100, 180, 199, 700, 0, -200, 200.5, NaN]) {
      assertThrows(() => request.answer(code), RangeError, "code");
    }
    assertThrows(() => request.answer("200" as unknown as number), TypeError, "code");
    const refused = (options: AnswerOptions, word: string) =>
      assertThrows(() => request.answer(200, options), TypeError, word);
    for (const text of ["a\r\nX: y", "a\nb", "a\0b", "\ud800"]) {
      refused({ reason: text }, "reason");
      refused({ contentType: `text/plain;x=${text}`, body: "x" }, "");
    }
    refused({ contentType: "text/plain" }, "body");
    refused({ body: "x" }, "contentType");
    for (const name of ["Via", "To", "Call-ID", "Content-Length", "l"]) {
      refused({ extraHeaders: [new Header(name, "x")] }, "extraHeaders[0]");
    }
    refused({ extraHeaders: ["X: y"] as unknown as Header[] }, "extraHeaders[0]");
    assertEquals(request.state, "incoming");
    request.answer(200);
    await peer.next({ code: 200 });
    assertEquals(peer.pending, []);
  });

  it("IncomingRequest that nobody answers gets 500 when its transaction ends", async () => {
    await using peer = await Peer.open();
    const { request } = await requestFrom(peer, "MESSAGE");
    const stream = request.notifications("SIPIncomingRequestSentResponse");
    assertEquals((await peer.next({ cseqMethod: "MESSAGE" })).code, 500);
    const told = [];
    for await (const { data } of stream) told.push([data.code, data.reason, data.headers.size, data.body]);
    assertEquals(told, [[500, "Server Internal Error", 0, null]]);
    assertEquals(request.state, "answered");
    assertThrows(() => request.answer(200), SIPCoreInvalidStateError);
  });

  it("IncomingRequest answers 500 by using", async () => {
    await using peer = await Peer.open();
    {
      const { request } = await requestFrom(peer, "MESSAGE");
      using _request = request;
    }
    assertEquals((await peer.next({ cseqMethod: "MESSAGE" })).code, 500);
  });

  it("IncomingRequest cannot be constructed", () => {
    const Illegal = IncomingRequest as unknown as new (...args: unknown[]) => IncomingRequest;
    assertThrows(() => new Illegal(), TypeError, "Illegal constructor");
    assertThrows(() => new Illegal(Symbol("IncomingRequest"), 1, null), TypeError, "Illegal constructor");
  });

  it("IncomingRequest has no Request URI that is no SIP URI, and is told all the same", async () => {
    await using peer = await Peer.open();
    const { got, request } = await requestFrom(peer, "MESSAGE", {
      uri: "tel:+4930123",
      port: engine.udpPort!,
    });
    assertEquals(got.data.requestUri, null);
    request.answer(404);
    await peer.next({ code: 404 });
  });

  it("IncomingRequest is not made of methods that are not listed", async () => {
    await using peer = await Peer.open();
    let count = 0;
    using _observer = center.addObserver(() => void count++, { name: "SIPIncomingRequestGotRequest" });
    for (const method of ["FANCY", "REGISTER", "message", "XUNKNOWN", "PUBLISHED"]) {
      peer.send(anyRequest(peer, method), engine.udpPort!);
      const response = await peer.next({ cseqMethod: method });
      assertEquals(response.code, 405, method);
      assertMatch(header(response, "Allow"), /INVITE/);
    }
    assertEquals(count, 0);
  });

  it("IncomingRequest is made as soon as a method is listed, and no longer", async () => {
    await using peer = await Peer.open();
    engine.addIncomingRequest("INFO");
    assert(engine.incomingRequests.has("INFO"));
    const { request } = await requestFrom(peer, "INFO");
    engine.removeIncomingRequest("INFO");
    assertEquals(engine.incomingRequests.has("INFO"), false);
    peer.request("INFO", { uri: `sip:bob@127.0.0.1:${engine.udpPort}` });
    assertEquals((await peer.next({ cseqMethod: "INFO" })).code, 481);
    request.answer(200);
    assertEquals((await peer.next({ cseqMethod: "INFO" })).code, 200);
  });

  it("IncomingRequest keeps many apart, answered in any order", async () => {
    await using peer = await Peer.open();
    const requests: IncomingRequest[] = [];
    const bodies = new Map<IncomingRequest, string>();
    const { promise, resolve } = Promise.withResolvers<void>();
    using _observer = center.addObserver(({ sender, data }) => {
      requests.push(sender);
      bodies.set(sender, data.body as string);
      if (requests.length === 100) resolve();
    }, { name: "SIPIncomingRequestGotRequest" });
    for (let index = 0; index < 100; index++) {
      peer.request("MESSAGE", {
        uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
        contentType: "text/plain",
        body: `${index}`,
        callId: `many-${index}`,
      });
    }
    await deadline(promise, 5000);
    for (const request of requests.toReversed()) {
      request.answer(200, { contentType: "text/plain", body: bodies.get(request)! });
    }
    for (let index = 0; index < 100; index++) {
      const response = await peer.next({ code: 200 });
      assertEquals(header(response, "Call-ID"), `many-${response.body}`);
    }
  });

  it("IncomingRequest that is still unanswered gets 503 when the engine stops", async () => {
    await using peer = await Peer.open();
    const { request } = await requestFrom(peer, "MESSAGE");
    const stream = request.notifications("SIPIncomingRequestSentResponse");
    await stopEngine();
    assertEquals((await peer.next({ cseqMethod: "MESSAGE" })).code, 503);
    assertEquals((await stream.next()).value?.data.code, 503);
    assertEquals((await stream.next()).done, true);
    assertEquals(request.state, "answered");
    assertThrows(() => request.answer(200), SIPCoreInvalidStateError);
    request[Symbol.dispose]();
    engine = await startEngine({ incomingRequests: methods });
    assertEquals(request.state, "answered");
  });
});
