// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import { openedLibrary } from "../ffi/library.ts";
import {
  ContactHeader,
  Credentials,
  type Engine,
  EventHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenHeader,
  FrozenRouteHeader,
  FrozenSIPURI,
  Header,
  NotificationCenter,
  Request,
  RouteHeader,
  SIPCoreError,
  SIPCoreInvalidStateError,
  SIPURI,
  type ToHeader,
} from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { alice, bob, optionsTo, requestTo, storyOf } from "./support/requests.ts";
import { cseqOf, header, tagOf } from "./support/sip_text.ts";
import { requestNames, Told } from "./support/told.ts";

const center = new NotificationCenter();
const patient = { timeout: 30_000 };

/** A data key that is absent, or undefined, would break who takes it apart. */
function keysOf(data: object): string[] {
  for (const [key, value] of Object.entries(data)) assert(value !== undefined, `${key} is undefined`);
  return Object.keys(data).sort();
}

describe("Request", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ incomingRequests: ["MESSAGE", "X-Any.thing"] });
  });
  after(stopEngine);

  it("Request sends what it was made from and tells what is answered", async () => {
    await using peer = await Peer.open();
    const request = requestTo(peer, {
      callId: "my-call-id",
      cseq: 7,
      contactHeader: new ContactHeader(SIPURI.parse("sip:alice@127.0.0.1:5099"), { parameters: { x: "1" } }),
      extraHeaders: [new Header("X-One", "1"), new Header("X-One", "2"), new Header("Subject", "Grüße")],
      contentType: "text/plain;charset=utf-8",
      body: "Hallo, Wörld\r\n",
    });
    assertEquals([request.state, request.method, request.callId, request.cseq], [
      "INIT",
      "MESSAGE",
      "my-call-id",
      7,
    ]);
    const story = storyOf(request);
    request.send();
    assertEquals(request.state, "IN_PROGRESS");
    const sent = await peer.next({ method: "MESSAGE" });
    assertEquals(sent.uri, bob.toString());
    assertEquals(header(sent, "From"), request.fromHeader.body);
    assertEquals(tagOf(header(sent, "From")), request.fromHeader.tag);
    assertEquals(header(sent, "To"), "<sip:bob@example.net>");
    assertEquals(header(sent, "Call-ID"), "my-call-id");
    assertEquals(header(sent, "CSeq"), "7 MESSAGE");
    assertEquals(header(sent, "Contact"), "<sip:alice@127.0.0.1:5099>;x=1");
    assertEquals(sent.headers.get("x-one"), ["1", "2"]);
    assertEquals(header(sent, "Subject"), "Grüße");
    assertEquals(header(sent, "Content-Type"), "text/plain;charset=utf-8");
    assertEquals(header(sent, "User-Agent"), "tested");
    assertEquals(header(sent, "Max-Forwards"), "70");
    assertEquals(sent.body, "Hallo, Wörld\r\n");
    // The route says where to, and reaches nobody.
    assertEquals(sent.headers.has("route"), false);

    peer.respond(sent, 183, { headers: { "X-Far": "half" } });
    peer.respond(sent, 202, { reason: "Got it", body: "thänks", contentType: "text/plain" });
    const notes = await story;
    assertEquals(notes.map(({ name }) => name), [
      "SIPRequestGotProvisionalResponse",
      "SIPRequestDidSucceed",
      "SIPRequestDidEnd",
    ]);
    const [first, second, last] = notes;
    assert(first?.name === "SIPRequestGotProvisionalResponse" && second?.name === "SIPRequestDidSucceed");
    assertEquals(keysOf(first.data), ["body", "code", "headers", "reason", "timestamp"]);
    assertEquals([first.data.code, first.data.reason, first.data.body], [183, "Scripted", null]);
    assertEquals(first.data.headers.text("X-Far"), "half");
    assertEquals(keysOf(second.data), ["body", "code", "expires", "headers", "reason", "timestamp"]);
    assertEquals([second.data.code, second.data.reason, second.data.body, second.data.expires], [
      202,
      "Got it",
      "thänks",
      0,
    ]);
    assert(second.data.timestamp instanceof Date && second.data.timestamp >= first.data.timestamp);
    assertEquals(keysOf(last!.data), ["timestamp"]);
    assertEquals(request.state, "TERMINATED");
    assertEquals(request.toHeader.tag, second.data.headers.get("To")!.tag);
    assertEquals(request.peerAddress, { ip: "127.0.0.1", port: peer.port });
    assert(request.peerAddress !== request.peerAddress);
    assertEquals(await storyOf(request), []);
  });

  it("Request.fromHeader has a tag from the start, Call-ID and CSeq are its own", () => {
    const one = requestTo({ port: 5060 });
    const two = requestTo({ port: 5060 });
    assertMatch(one.fromHeader.tag!, /^[0-9a-f]{16}$/);
    assert(one.fromHeader.tag !== two.fromHeader.tag);
    assert(one.callId !== two.callId);
    assertEquals([one.cseq, two.cseq], [1, 1]);
    assertEquals([one.contactHeader, one.contentType, one.body, one.credentials, one.expiresIn], [
      null,
      null,
      null,
      null,
      0,
    ]);
    assertEquals(one.extraHeaders.length, 0);
    assertEquals(one.peerAddress, null);
  });

  it("Request copies its arguments, and never changes them", async () => {
    await using peer = await Peer.open();
    const contact = new ContactHeader(SIPURI.parse("sip:alice@127.0.0.1"), {
      parameters: { q: "0.5", expires: "60" },
    });
    const event = new EventHeader("presence", { parameters: { id: "1" } });
    const given = optionsTo(peer.port, {
      contactHeader: contact,
      extraHeaders: [event],
      contentType: "application/octet-stream",
      body: new Uint8Array([1, 0, 2]),
    });
    const before = Object.entries(given).map(([key, value]) => `${key} ${String(value)}`);
    const request = new Request(given);
    assertEquals(Object.entries(given).map(([key, value]) => `${key} ${String(value)}`), before);
    contact.uri!.user = "mallory";
    event.event = "dialog";
    (given.body as Uint8Array)[1] = 9;
    (given.toHeader as ToHeader).uri.user = "mallory";
    assertEquals(request.contactHeader?.body, "<sip:alice@127.0.0.1>;q=0.5;expires=60");
    assertEquals(String(request.extraHeaders[0]), "Event: presence;id=1");
    assertEquals(request.body, new Uint8Array([1, 0, 2]));
    (request.body as Uint8Array)[0] = 9;
    assertEquals(request.body, new Uint8Array([1, 0, 2]));
    assertEquals(request.toHeader.uri.user, "bob");
    assert(request.contactHeader instanceof FrozenContactHeader);
    assert(request.fromHeader instanceof FrozenFromHeader);
    assert(request.routeHeader instanceof FrozenRouteHeader);
    assert(request.requestUri instanceof FrozenSIPURI);
    assert(request.extraHeaders.every(({ frozen }) => frozen));
    assert(requestTo(peer, { extraHeaders: [new Header("X", "y")] }).extraHeaders[0] instanceof FrozenHeader);
  });

  it("Request refuses bad arguments by name", () => {
    const refused: [Partial<Record<keyof ReturnType<typeof optionsTo>, unknown>>, typeof Error, RegExp][] = [
      [{ method: "IN VITE" }, TypeError, /method/],
      [{ method: "" }, TypeError, /method/],
      [{ method: "INVITE" }, RangeError, /method/],
      [{ method: "ACK" }, RangeError, /method/],
      [{ method: "CANCEL" }, RangeError, /method/],
      [{ requestUri: "sip:bob@example.net" }, TypeError, /requestUri/],
      [{ requestUri: SIPURI.parse("sip:bob@example.net?Via=x") }, TypeError, /requestUri/],
      [{ requestUri: SIPURI.parse("sip:bob@example.net?body=x") }, TypeError, /requestUri/],
      [{ requestUri: SIPURI.parse("sip:bob@example.net?a%20b=x") }, TypeError, /requestUri/],
      [{ fromHeader: null }, TypeError, /fromHeader/],
      [{ toHeader: bob }, TypeError, /toHeader/],
      [{ routeHeader: undefined }, TypeError, /routeHeader/],
      [{ routeHeader: new RouteHeader(SIPURI.parse("sip:proxy.example.net")) }, TypeError, /routeHeader/],
      [{ credentials: "alice" }, TypeError, /credentials/],
      [{ contactHeader: alice }, TypeError, /contactHeader/],
      [{ callId: "a b" }, TypeError, /callId/],
      [{ callId: "a\r\nX: y" }, TypeError, /callId/],
      [{ callId: "" }, TypeError, /callId/],
      [{ cseq: -1 }, RangeError, /cseq/],
      [{ cseq: 2 ** 31 - 1 }, RangeError, /cseq/],
      [{ cseq: 1.5 }, RangeError, /cseq/],
      [{ extraHeaders: [new Header("Route", "<sip:127.0.0.1>")] }, TypeError, /extraHeaders\[0\]/],
      [{ extraHeaders: [new Header("Content-Type", "a/b")] }, TypeError, /extraHeaders\[0\]/],
      [{ extraHeaders: [new Header("X", "y"), new Header("c", "a/b")] }, TypeError, /extraHeaders\[1\]/],
      [{ extraHeaders: [new Header("CSeq", "1 X")] }, TypeError, /extraHeaders\[0\]/],
      [{ extraHeaders: ["X: y"] }, TypeError, /extraHeaders\[0\]/],
      [{ contentType: "text/plain" }, TypeError, /contentType and body/],
      [{ body: "text" }, TypeError, /contentType and body/],
      [{ contentType: "text", body: "text" }, TypeError, /contentType/],
      [{ contentType: "text/plain\r\nX: y", body: "text" }, TypeError, /contentType/],
      [{ contentType: "text/plain", body: 3 }, TypeError, /body/],
      [{ contentType: "text/plain", body: "\ud800" }, TypeError, /body/],
    ];
    for (const [options, type, message] of refused) {
      const error = assertThrows(() => requestTo({ port: 5060 }, options as never), type);
      assertMatch(error.message, message, JSON.stringify(options));
    }
    const request = requestTo({ port: 5060 });
    for (const timeout of [0, -1, NaN, Infinity]) {
      assertThrows(() => request.send({ timeout }), RangeError, "timeout");
    }
    assertThrows(() => request.send({ timeout: "1" as never }), TypeError, "timeout");
    const reason = new Error("changed my mind");
    assertThrows(() => request.send({ signal: AbortSignal.abort(reason) }), Error, "changed my mind");
    assertEquals(request.state, "INIT");
    assertThrows(() => Request.expireWarningTime = -1, RangeError, "expireWarningTime");
    assertThrows(() => Request.expireWarningTime = "1" as never, TypeError, "expireWarningTime");
    assertEquals(Request.expireWarningTime, 30);
  });

  it("Request makes a Contact where the method needs one", async () => {
    await using peer = await Peer.open();
    const own = `<sip:alice@127.0.0.1:${engine.udpPort}>`;
    assertEquals(requestTo(peer, { method: "SUBSCRIBE" }).contactHeader?.body, own);
    assertEquals(requestTo(peer, { method: "SUBSCRIBE", contactHeader: null }).contactHeader, null);
    assertEquals(requestTo(peer, { method: "OPTIONS" }).contactHeader, null);
    using request = requestTo(peer, { method: "NOTIFY" });
    request.send();
    assertEquals(header(await peer.next({ method: "NOTIFY" }), "Contact"), own);
  });

  it("Request sends the headers of its URI as headers", async () => {
    await using peer = await Peer.open();
    using request = requestTo(peer, { requestUri: SIPURI.parse("sip:bob@example.net;a=b?Subject=hi%20you") });
    request.send();
    const sent = await peer.next();
    assertEquals(sent.uri, "sip:bob@example.net;a=b");
    assertEquals(header(sent, "Subject"), "hi you");
    assertEquals(request.requestUri.headers.size, 1);
  });

  it("Request carries every byte of a body, and every method", async () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, index) => index % 256);
    for (const method of ["MESSAGE", "X-Any.thing"]) {
      const coming = center.once("SIPIncomingRequestGotRequest");
      const request = requestTo({ port: engine.udpPort! }, {
        method,
        contentType: "application/octet-stream",
        body: bytes,
      });
      const story = storyOf(request);
      request.send();
      const got = await deadline(coming, 5000);
      assertEquals([got.data.method, got.data.body], [method, bytes]);
      got.sender.answer(200, { contentType: "image/png", body: bytes });
      const [succeeded] = await story;
      assert(succeeded?.name === "SIPRequestDidSucceed");
      assertEquals(succeeded.data.body, bytes);
    }
  });

  it("Request takes every 2xx for a success, and everything else for a failure", async () => {
    await using peer = await Peer.open();
    for (const code of [200, 202, 204, 299, 300, 302, 400, 404, 486, 503, 603, 699]) {
      const request = requestTo(peer);
      const story = storyOf(request);
      request.send();
      peer.respond(await peer.next(), code, { reason: `Code ${code}`, headers: { "X-Code": String(code) } });
      const [final, end] = await story;
      assertEquals([final?.name, end?.name], [
        code < 300 ? "SIPRequestDidSucceed" : "SIPRequestDidFail",
        "SIPRequestDidEnd",
      ]);
      assert(final?.name === "SIPRequestDidSucceed" || final?.name === "SIPRequestDidFail");
      assertEquals([final.data.code, final.data.reason, final.data.headers.text("X-Code"), request.state], [
        code,
        `Code ${code}`,
        String(code),
        "TERMINATED",
      ]);
      assertEquals(keysOf(final.data).includes("expires"), code < 300);
    }
  });

  it("Request tells every provisional response, repetitions of the final one never", async () => {
    await using peer = await Peer.open();
    const request = requestTo(peer);
    const story = storyOf(request);
    request.send();
    const sent = await peer.next();
    for (const code of [100, 180, 180, 183, 199]) peer.respond(sent, code);
    const final = peer.respond(sent, 200);
    for (let count = 0; count < 5; count++) peer.send(final.text, sent.port);
    // A replay of it for another transaction, and for none.
    peer.send(final.text.replace(/branch=[^;\r]+/, "branch=z9hG4bKelsewhere"), sent.port);
    const notes = await story;
    assertEquals(
      notes.map((note) => note.name === "SIPRequestGotProvisionalResponse" ? note.data.code : note.name),
      [100, 180, 180, 183, 199, "SIPRequestDidSucceed", "SIPRequestDidEnd"],
    );
    using later = requestTo(peer);
    using told = new Told(...requestNames);
    later.send();
    peer.respond(await peer.next(), 200);
    await told.until("SIPRequestDidEnd");
    assertEquals(told.names, ["RequestDidSucceed", "RequestDidEnd"]);
  });

  it("Request.send() works once", async () => {
    await using peer = await Peer.open();
    const request = requestTo(peer);
    const story = storyOf(request);
    request.send();
    for (let count = 0; count < 2; count++) {
      const error = assertThrows(() => request.send(), SIPCoreInvalidStateError);
      assertEquals([error.state, error.code], ["IN_PROGRESS", "INVALID_STATE"]);
    }
    peer.respond(await peer.next(), 200);
    await story;
    assertEquals(assertThrows(() => request.send(), SIPCoreInvalidStateError).state, "TERMINATED");
  });

  it("Request fails with 408 when nobody answers", patient, async () => {
    await using peer = await Peer.open();
    const request = requestTo(peer);
    const story = storyOf(request);
    request.send();
    const [failed] = await story;
    assert(failed?.name === "SIPRequestDidFail");
    assertEquals(keysOf(failed.data), ["body", "code", "headers", "reason", "timestamp"]);
    assertEquals([failed.data.code, failed.data.reason, failed.data.headers.size, failed.data.body], [
      408,
      "Request Timeout",
      0,
      null,
    ]);
    assertGreater(peer.received.length, 2);
  });

  it("Request.send() waits no longer than its timeout, in spite of provisional responses", async () => {
    await using peer = await Peer.open();
    const request = requestTo(peer);
    using told = new Told(...requestNames);
    const start = performance.now() / 1000;
    request.send({ timeout: 0.3 });
    peer.respond(await peer.next(), 100);
    const { data } = await told.until("SIPRequestDidFail");
    const waited = told.times[1]! - start;
    assert(waited >= 0.29 && waited < 0.5, `${waited} s`);
    assertEquals([data.code, data.reason], [408, "Request Timeout"]);
    assertEquals(told.names, ["RequestGotProvisionalResponse", "RequestDidFail", "RequestDidEnd"]);
  });

  it("Request.end() in every state, twice", patient, async () => {
    await using peer = await Peer.open();
    using told = new Told(...requestNames);
    const init = requestTo(peer);
    init.end();
    init.end();
    assertEquals([init.state, told.notes.length], ["INIT", 0]);

    const busy = init;
    busy.send();
    const sent = await peer.next();
    busy.end();
    busy.end();
    assertEquals([busy.state, told.notes.length], ["IN_PROGRESS", 0]);
    await told.until("SIPRequestDidEnd");
    assertEquals(told.of("SIPRequestDidFail")[0]!.data.code, 408);
    // Its answer comes too late.
    peer.respond(sent, 200);

    const expiring = requestTo(peer, { extraHeaders: [new Header("Expires", "60")] });
    expiring.send();
    peer.respond(await peer.next(), 200);
    await told.until("SIPRequestDidSucceed");
    assertEquals(expiring.state, "EXPIRING");
    assertEquals(expiring.expiresIn, 60);
    expiring.end();
    expiring.end();
    assertEquals(told.of("SIPRequestDidEnd").length, 1);
    await told.until("SIPRequestDidEnd", 2);
    assertEquals([expiring.state, expiring.expiresIn], ["TERMINATED", 0]);
    for (const request of [busy, expiring]) {
      request.end();
      request[Symbol.dispose]();
    }
    assertEquals(told.names, [
      "RequestDidFail",
      "RequestDidEnd",
      "RequestDidSucceed",
      "RequestDidEnd",
    ]);
  });

  it("Request.send() takes a signal that does what end() does", async () => {
    await using peer = await Peer.open();
    const controller = new AbortController();
    const request = requestTo(peer);
    const story = storyOf(request);
    request.send({ signal: controller.signal });
    await peer.next();
    controller.abort();
    const [failed, end] = await story;
    assert(failed?.name === "SIPRequestDidFail" && end?.name === "SIPRequestDidEnd");
    assertEquals(failed.data.code, 408);

    // After the final response the signal has nothing to say.
    const later = new AbortController();
    const expiring = requestTo(peer, { extraHeaders: [new Header("Expires", "60")] });
    using told = new Told(...requestNames);
    expiring.send({ signal: later.signal });
    peer.respond(await peer.next(), 200);
    await told.until("SIPRequestDidSucceed");
    later.abort();
    assertEquals(expiring.state, "EXPIRING");
    expiring.end();
    await told.until("SIPRequestDidEnd");
  });

  it("Request tells that it will expire, and then ends, in time", patient, async () => {
    await using peer = await Peer.open();
    const cases: [string, { expires: number; warning: number; left: number }][] = [
      ["4", { expires: 4, warning: 2, left: 2 }],
      ["1", { expires: 1, warning: 1, left: 1 }],
      ["3", { expires: 3, warning: 1.5, left: 1.5 }],
    ];
    await Promise.all(cases.map(async ([text, { expires, warning, left }]) => {
      const request = requestTo(peer, { callId: `expires-${text}` });
      const times: number[] = [];
      const notes: (string | number)[] = [];
      const done = (async () => {
        for await (const { name, data } of request.notifications()) {
          times.push(performance.now() / 1000);
          notes.push(name, ..."expires" in data ? [data.expires] : []);
          if (name === "SIPRequestDidSucceed") assertEquals(request.expiresIn, expires);
        }
      })();
      request.send();
      let sent = await peer.next();
      while (header(sent, "Call-ID") !== request.callId) sent = await peer.next();
      peer.respond(sent, 200, { headers: { Expires: text } });
      await done;
      assertEquals(notes, [
        "SIPRequestDidSucceed",
        expires,
        "SIPRequestWillExpire",
        left,
        "SIPRequestDidEnd",
      ]);
      assertLess(Math.abs(times[1]! - times[0]! - warning), 0.2);
      assertLess(Math.abs(times[2]! - times[1]! - left), 0.2);
    }));
  });

  it("Request.expireWarningTime sets when the warning comes", patient, async () => {
    await using peer = await Peer.open();
    Request.expireWarningTime = 1;
    try {
      const request = requestTo(peer, { extraHeaders: [new Header("Expires", "3")] });
      using told = new Told(...requestNames);
      request.send();
      peer.respond(await peer.next(), 200);
      assertEquals((await told.until("SIPRequestWillExpire")).data.expires, 1);
      await told.until("SIPRequestDidEnd");
      assertLess(Math.abs(told.between("SIPRequestDidSucceed", "SIPRequestWillExpire") - 2), 0.2);
      assertLess(Math.abs(told.between("SIPRequestDidSucceed", "SIPRequestDidEnd") - 3), 0.2);
    } finally {
      Request.expireWarningTime = 30;
    }
  });

  it("Request finds how long its success holds, whatever the answer says", async () => {
    await using peer = await Peer.open();
    const contact = new ContactHeader(SIPURI.parse("sip:alice@127.0.0.1:5099"));
    const own = "<sip:alice@127.0.0.1:5099>";
    const cases: [Record<string, string | string[]>, number][] = [
      [{ Expires: "100" }, 100],
      [{ Expires: "100", Contact: `${own};expires=50` }, 100],
      [{ Contact: `${own};expires=50` }, 50],
      [{ Contact: [`<sip:other@127.0.0.1>;expires=10, ${own};expires=50`] }, 50],
      [{ Contact: "<sip:other@127.0.0.1>;expires=10" }, 77],
      [{ Contact: own }, 77],
      [{}, 77],
      [{ Expires: "0" }, 0],
      [{ Expires: "4294967295" }, 4294967295],
      [{ Expires: "4294967296" }, 4294967295],
      [{ Expires: "9".repeat(400) }, 4294967295],
      [{ Contact: `${own};expires=4294967296` }, 4294967295],
      [{ Contact: `${own};expires=-5` }, 77],
      [{ Contact: "*" }, 77],
    ];
    for (const [headers, expires] of cases) {
      const request = requestTo(peer, {
        contactHeader: contact,
        extraHeaders: [new Header("Expires", "77")],
      });
      using told = new Told(...requestNames);
      request.send();
      peer.respond(await peer.next(), 200, { headers });
      const { data } = await told.until("SIPRequestDidSucceed");
      assertEquals(data.expires, expires, JSON.stringify(headers));
      assertEquals(request.expiresIn, expires);
      request.end();
      await told.until("SIPRequestDidEnd");
    }
  });

  it("Request takes an answer that PJSIP cannot read for none", async () => {
    await using peer = await Peer.open();
    for (const Expires of ["-1", "soon", "", "1e9", "100, 200", "0x10"]) {
      const request = requestTo(peer);
      const story = storyOf(request);
      request.send({ timeout: 0.2 });
      peer.respond(await peer.next(), 200, { headers: { Expires } });
      const [failed] = await story;
      assert(failed?.name === "SIPRequestDidFail", Expires);
      assertEquals(failed.data.code, 408);
    }
  });

  it("Request fails with code 0 when it cannot be sent at all", async () => {
    const ways: [string, RouteHeader][] = [
      ["an address of the other family", RouteHeader.to({ address: "::1", port: 5060 })],
      ["a transport that is off", RouteHeader.to({ address: "127.0.0.1", port: 5060, transport: "tls" })],
    ];
    await engine.stop();
    engine = await startEngine({ incomingRequests: ["MESSAGE", "X-Any.thing"], tlsPort: null });
    for (const [what, routeHeader] of ways) {
      const request = requestTo({ port: 5060 }, { routeHeader });
      const story = storyOf(request);
      request.send();
      assertEquals(request.state, "IN_PROGRESS");
      const notes = await story;
      const [failed] = notes;
      assertEquals(notes.map(({ name }) => name), ["SIPRequestDidFail", "SIPRequestDidEnd"], what);
      assert(failed?.name === "SIPRequestDidFail");
      assertEquals([failed.data.code, failed.data.headers.size, failed.data.body], [0, 0, null], what);
      assertMatch(failed.data.reason, /\w/, what);
    }
  });

  it("Request of 70 kB over UDP fails with code 0, nothing is cut", async () => {
    await using peer = await Peer.open();
    const request = requestTo(peer, { contentType: "text/plain", body: "x".repeat(70_000) });
    const story = storyOf(request);
    request.send();
    const [failed] = await story;
    assert(failed?.name === "SIPRequestDidFail");
    assertEquals(failed.data.code, 0);
    assertEquals(peer.received.length, 0);
  });

  it("Request: 1,000 at once, each with its own answer", patient, async () => {
    await using peer = await Peer.open();
    using told = new Told(...requestNames);
    const requests = Array.from({ length: 1000 }, (_, index) => requestTo(peer, { cseq: index }));
    for (const request of requests) request.send();
    const seen = new Set<string>();
    while (seen.size < 1000) {
      const sent = await peer.next();
      if (seen.has(header(sent, "Call-ID"))) continue;
      seen.add(header(sent, "Call-ID"));
      peer.respond(sent, 200, { headers: { "X-Number": String(cseqOf(sent).number) } });
    }
    await told.until("SIPRequestDidEnd", 1000);
    assertEquals(told.of("SIPRequestDidSucceed").length, 1000);
    for (const { sender, data } of told.of("SIPRequestDidSucceed")) {
      assertEquals(data.headers.text("X-Number"), String(sender.cseq));
    }
    assertEquals(requests.every(({ state }) => state === "TERMINATED"), true);
  });

  it("Request hears hostile answers without an exception", async () => {
    await using peer = await Peer.open();
    using exceptions = new Told("SIPEngineGotException");
    const answers: ((text: string) => string)[] = [
      (text) => text.replace(/\r\nTo: [^\r]*/, "\r\nTo: garbage"),
      (text) => text.replace("SIP/2.0 200 Scripted", "SIP/2.0 200"),
      (text) => text.replace("SIP/2.0 200 Scripted", `SIP/2.0 200 ${"\u00ff".repeat(3000)}`),
      (text) => text.replace("\r\nTo:", `\r\nContact: <<<>>>;;expires=${"9".repeat(50)}\r\nTo:`),
      (text) => text.replace("\r\nTo:", `\r\nX-Long: ${"x".repeat(30_000)}\r\nTo:`),
      (text) => text.replace("\r\nTo:", "\r\nExpires: 1\r\nExpires: 2\r\nTo:").replace(/Expires/g, "eXpIrEs"),
      (text) => text.replace("Content-Length: 0", "Content-Length: 99999"),
    ];
    for (const change of answers) {
      const request = requestTo(peer);
      using told = new Told(...requestNames);
      request.send({ timeout: 1 });
      const sent = await peer.next({ method: "MESSAGE" });
      const right = peer.respond(sent, 100).text.replace("SIP/2.0 100 Scripted", "SIP/2.0 200 Scripted")
        .replace(/(\r\nTo: [^\r]*)/, "$1;tag=1");
      peer.send(change(right), sent.port);
      request.toHeader.toString();
      const provisional = await told.until("SIPRequestGotProvisionalResponse");
      assertEquals(provisional.data.code, 100);
      const settled = Promise.race([told.until("SIPRequestDidSucceed"), told.until("SIPRequestDidFail")]);
      const { data } = await settled;
      for (const one of data.headers) one.toString();
      assertEquals(typeof data.reason, "string");
      request.end();
      await told.until("SIPRequestDidEnd");
    }
    assertEquals(exceptions.notes, []);
  });

  it("Request posts nothing before the call that causes it has returned", async () => {
    await using peer = await Peer.open();
    const request = requestTo(peer, { routeHeader: RouteHeader.to({ address: "::1", port: 5060 }) });
    using told = new Told(...requestNames);
    request.send();
    assertEquals(told.names, []);
    await told.until("SIPRequestDidEnd");
  });

  it("Request that finds no memory fails with code 0", async () => {
    await using peer = await Peer.open();
    const native = openedLibrary()!;
    for (let n = 1; n <= 2; n++) {
      const request = requestTo(peer, { credentials: new Credentials("alice", "x") });
      const story = storyOf(request);
      native.sc_fail_after(n);
      request.send();
      native.sc_fail_after(0);
      const [failed] = await story;
      assert(failed?.name === "SIPRequestDidFail", `allocation ${n}`);
      assertEquals(failed.data.code, 0);
    }
    assertEquals(peer.received.length, 0);
  });

  it("Request.credentials are in no text of it", () => {
    const request = requestTo({ port: 5060 }, { credentials: new Credentials("alice", "very secret") });
    assert(!`${request.credentials} ${JSON.stringify(request)}`.includes("secret"));
  });
});

describe("Request and Engine.stop()", () => {
  it("Request in flight fails with 503, an expiring one ends, before SIPEngineDidEnd", async () => {
    const engine = await startEngine();
    await using peer = await Peer.open();
    using told = new Told(...requestNames, "SIPEngineWillEnd", "SIPEngineDidEnd");
    const expiring = requestTo(peer, { extraHeaders: [new Header("Expires", "60")] });
    expiring.send();
    peer.respond(await peer.next(), 200);
    await told.until("SIPRequestDidSucceed");
    const busy = requestTo(peer);
    busy.send();
    await peer.next();
    const unsent = requestTo(peer);
    const start = performance.now();
    await engine.stop();
    assertLess(performance.now() - start, 1000);
    assertEquals(told.names, [
      "RequestDidSucceed",
      "EngineWillEnd",
      "RequestDidEnd",
      "RequestDidFail",
      "RequestDidEnd",
      "EngineDidEnd",
    ]);
    const [failed] = told.of("SIPRequestDidFail");
    assertEquals([failed!.sender, failed!.data.code, failed!.data.reason], [busy, 503, "engine stopped"]);
    for (const request of [expiring, busy]) {
      assertEquals([request.state, request.expiresIn], ["TERMINATED", 0]);
      request.end();
      assertThrows(() => request.send(), SIPCoreInvalidStateError);
    }
    assertEquals(assertThrows(() => unsent.send(), SIPCoreError).code, "ENGINE_NOT_RUNNING");
    unsent.end();
    assertThrows(() => requestTo(peer, { method: "SUBSCRIBE" }), SIPCoreInvalidStateError);
    // What was made before stays ended after a restart.
    await startEngine();
    assertThrows(() => unsent.send(), SIPCoreInvalidStateError, "stopped");
    const fresh = requestTo(peer);
    const story = storyOf(fresh);
    fresh.send();
    peer.respond(await peer.next(), 200);
    assertEquals((await story).length, 2);
    await stopEngine();
  });

  it("Engine.stop() ends 5,000 requests in flight within 2 seconds", patient, async () => {
    const engine = await startEngine();
    await using peer = await Peer.open();
    using told = new Told("SIPRequestDidFail", "SIPRequestDidEnd");
    const requests = Array.from({ length: 5000 }, () => requestTo(peer));
    for (const request of requests) request.send();
    const start = performance.now();
    await engine.stop();
    assertLess(performance.now() - start, 2000);
    assertEquals([told.of("SIPRequestDidFail").length, told.of("SIPRequestDidEnd").length], [5000, 5000]);
    await stopEngine();
  });
});
