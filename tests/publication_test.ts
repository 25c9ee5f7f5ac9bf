// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertLess, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import {
  type Body,
  Credentials,
  type Engine,
  FromHeader,
  FrozenRouteHeader,
  Header,
  Publication,
  PublicationError,
  PublicationETagError,
  type PublicationOptions,
  RouteHeader,
  SIPCoreError,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { answers, type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { routeTo } from "./support/registrations.ts";
import { alice } from "./support/requests.ts";
import { cseqOf, header } from "./support/sip_text.ts";
import { requestNames, Told } from "./support/told.ts";

const names = [
  ...requestNames,
  "SIPPublicationDidSucceed",
  "SIPPublicationDidFail",
  "SIPPublicationWillExpire",
  "SIPPublicationWillEnd",
  "SIPPublicationDidNotEnd",
  "SIPPublicationDidEnd",
] as const;
const patient = { timeout: 30_000 };
const type = "application/pidf+xml";

type Recorder = Told<(typeof names)[number]>;

function publicationOf(options: PublicationOptions = {}): Publication {
  return new Publication(new FromHeader(alice), "presence", type, options);
}

/** Publishes, and lets the server take it under this tag. */
async function publish(
  peer: Peer,
  told: Recorder,
  publication: Publication,
  body: Body | null,
  tag: string | null,
): Promise<PeerMessage> {
  const count = told.of("SIPPublicationDidSucceed").length;
  publication.publish(body, routeTo(peer));
  const sent = await peer.next({ method: "PUBLISH" });
  const headers = { Expires: header(sent, "Expires"), ...tag === null ? {} : { "SIP-ETag": tag } };
  peer.respond(sent, 200, { headers });
  await told.until("SIPPublicationDidSucceed", count + 1);
  return sent;
}

async function end(peer: Peer, told: Recorder, publication: Publication): Promise<PeerMessage> {
  const count = told.of("SIPPublicationDidEnd").length;
  publication.end();
  const sent = await peer.next({ method: "PUBLISH" });
  peer.respond(sent, 200);
  await told.until("SIPPublicationDidEnd", count + 1);
  return sent;
}

describe("Publication", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it("Publication publishes, renews, changes and takes back, each with the tag of the last", async () => {
    await using peer = await Peer.open();
    const publication = publicationOf({ extraHeaders: [new Header("X-One", "1")] });
    assertEquals([publication.event, publication.contentType, publication.duration], ["presence", type, 300]);
    assertEquals([publication.isPublished, publication.expiresIn, publication.peerAddress], [false, 0, null]);
    using told = new Told(...names);
    const first = await publish(peer, told, publication, "<one/>", "t1");
    assertEquals(first.startLine, "PUBLISH sip:alice@example.net SIP/2.0");
    assertEquals(header(first, "To"), "<sip:alice@example.net>");
    assertMatch(header(first, "From"), /^<sip:alice@example\.net>;tag=/);
    assertEquals([header(first, "Event"), header(first, "Expires"), header(first, "Content-Type")], [
      "presence",
      "300",
      type,
    ]);
    assertEquals([first.body, header(first, "X-One")], ["<one/>", "1"]);
    assertEquals(["sip-if-match", "contact"].filter((name) => first.headers.has(name)), []);
    const { data } = told.of("SIPPublicationDidSucceed")[0]!;
    assertEquals(Object.keys(data).sort(), ["code", "expiresIn", "reason", "routeHeader", "timestamp"]);
    assertEquals([publication.isPublished, publication.expiresIn], [true, 300]);
    assertEquals(publication.peerAddress, { ip: "127.0.0.1", port: peer.port });

    const second = await publish(peer, told, publication, null, "t2");
    assertEquals([second.body, header(second, "SIP-If-Match")], ["", "t1"]);
    assertEquals(second.headers.has("content-type"), false);
    publication.contentType = "text/plain";
    const third = await publish(peer, told, publication, new Uint8Array([0x68, 0x69]), "t3");
    assertEquals([third.body, header(third, "Content-Type"), header(third, "SIP-If-Match")], [
      "hi",
      "text/plain",
      "t2",
    ]);
    const last = await end(peer, told, publication);
    assertEquals([header(last, "Expires"), header(last, "SIP-If-Match"), last.body], ["0", "t3", ""]);
    assertEquals(publication.isPublished, false);
    await told.until("SIPRequestDidEnd", 4);
    assertEquals(told.names, [
      "RequestDidSucceed",
      "PublicationDidSucceed",
      "RequestDidSucceed",
      "PublicationDidSucceed",
      "RequestDidEnd",
      "RequestDidSucceed",
      "PublicationDidSucceed",
      "RequestDidEnd",
      "PublicationWillEnd",
      "RequestDidSucceed",
      "PublicationDidEnd",
      "RequestDidEnd",
      "RequestDidEnd",
    ]);
    assertEquals(told.of("SIPPublicationDidEnd")[0]!.data.expired, false);
    // Each is a request of its own.
    assertEquals(peer.received.map((sent) => cseqOf(sent).number), [1, 1, 1, 1]);
    assertEquals(new Set(peer.received.map((sent) => header(sent, "Call-ID"))).size, 4);
  });

  it("Publication warns and expires, in the golden order and in time", patient, async () => {
    await using peer = await Peer.open();
    const publication = publicationOf({ duration: 4 });
    using told = new Told(...names);
    await publish(peer, told, publication, "<one/>", "t1");
    assertEquals((await told.until("SIPPublicationWillExpire")).data.expires, 2);
    assertEquals((await told.until("SIPPublicationDidEnd")).data.expired, true);
    assertEquals(told.names, [
      "RequestDidSucceed",
      "PublicationDidSucceed",
      "RequestWillExpire",
      "PublicationWillExpire",
      "RequestDidEnd",
      "PublicationDidEnd",
    ]);
    assertLess(Math.abs(told.between("SIPPublicationDidSucceed", "SIPPublicationWillExpire") - 2), 0.2);
    assertLess(Math.abs(told.between("SIPPublicationDidSucceed", "SIPPublicationDidEnd") - 4), 0.2);
    assertEquals([publication.isPublished, publication.expiresIn], [false, 0]);
    assertThrows(() => publication.publish(null, routeTo(peer)), PublicationError);
    // The tag went with it.
    const again = await publish(peer, told, publication, "<two/>", "t2");
    assertEquals(again.headers.has("sip-if-match"), false);
    await end(peer, told, publication);
  });

  it("Publication forgets a tag that the server has forgotten", async () => {
    await using peer = await Peer.open();
    const publication = publicationOf();
    using told = new Told(...names);
    await publish(peer, told, publication, "<one/>", "t1");
    publication.publish(null, routeTo(peer));
    peer.respond(await peer.next(), 412, { reason: "Who?" });
    const { data } = await told.until("SIPPublicationDidFail");
    assertEquals(Object.keys(data).sort(), ["code", "reason", "routeHeader", "timestamp"]);
    assertEquals([data.code, data.reason, publication.isPublished], [412, "Who?", true]);
    assert(data.routeHeader instanceof FrozenRouteHeader);
    for (let count = 0; count < 2; count++) {
      const error = assertThrows(() => publication.publish(null, routeTo(peer)), PublicationETagError);
      assert(error instanceof PublicationError && error instanceof SIPCoreError);
      assertEquals([error.code, error.name], ["PUBLICATION_ETAG", "PublicationETagError"]);
    }
    const again = await publish(peer, told, publication, "<one/>", null);
    assertEquals(again.headers.has("sip-if-match"), false);
    // A success without a tag leaves none.
    assertThrows(() => publication.publish(null, routeTo(peer)), PublicationETagError);
    const last = await end(peer, told, publication);
    assertEquals(last.headers.has("sip-if-match"), false);
  });

  it("Publication keeps its tag through every other failure", async () => {
    await using peer = await Peer.open();
    const publication = publicationOf();
    using told = new Told(...names);
    await publish(peer, told, publication, "<one/>", "t1");
    for (const [index, code] of [500, 403, 423, 489].entries()) {
      publication.publish("<two/>", routeTo(peer));
      const sent = await peer.next();
      assertEquals(header(sent, "SIP-If-Match"), "t1");
      peer.respond(sent, code);
      assertEquals((await told.until("SIPPublicationDidFail", index + 1)).data.code, code);
      assertEquals([publication.isPublished, publication.expiresIn], [true, 300]);
    }
    publication.publish(null, RouteHeader.to({ address: "::1", port: 5060 }));
    assertEquals((await told.until("SIPPublicationDidFail", 5)).data.code, 0);
    publication.publish(null, routeTo(peer), { timeout: 0.1 });
    assertEquals((await told.until("SIPPublicationDidFail", 6)).data.code, 408);
    await peer.next();
    assertEquals(header(await end(peer, told, publication), "SIP-If-Match"), "t1");
  });

  it("Publication takes no tag that it could not send back", async () => {
    await using peer = await Peer.open();
    const publication = publicationOf();
    using told = new Told(...names);
    for (const tag of ["a b", "\u00e4", `"quoted"`, "x".repeat(3000)]) {
      await publish(peer, told, publication, "<one/>", tag);
      if (/^[!-~]+$/.test(tag)) {
        assertEquals(header(await publish(peer, told, publication, null, "t"), "SIP-If-Match"), tag);
      } else {
        assertThrows(() => publication.publish(null, routeTo(peer)), PublicationETagError);
      }
    }
    await end(peer, told, publication);
  });

  it("Publication.publish(null) and end() want something that is published", async () => {
    await using peer = await Peer.open();
    const publication = publicationOf();
    using told = new Told(...names);
    const check = () => {
      const error = assertThrows(() => publication.publish(null, routeTo(peer)), PublicationError);
      assertEquals([error.code, error instanceof PublicationETagError], ["PUBLICATION", false]);
      assertThrows(() => publication.end(), PublicationError);
    };
    check();
    publication.publish("<one/>", routeTo(peer));
    peer.respond(await peer.next(), 404);
    await told.until("SIPPublicationDidFail");
    check();
    await publish(peer, told, publication, "<one/>", "t1");
    await end(peer, told, publication);
    check();
    assertEquals(peer.pending.length, 0);
  });

  it("Publication.publish() takes the place of what is on its way", async () => {
    await using peer = await Peer.open();
    const publication = publicationOf();
    using told = new Told(...names);
    publication.publish("<one/>", routeTo(peer));
    const first = await peer.next();
    publication.publish("<two/>", routeTo(peer));
    const second = await peer.next();
    assertNotEquals(header(first, "Call-ID"), header(second, "Call-ID"));
    peer.respond(first, 200, { headers: { "SIP-ETag": "t1", Expires: "300" } });
    peer.respond(second, 200, { headers: { "SIP-ETag": "t2", Expires: "300" } });
    await told.until("SIPPublicationDidSucceed");
    assertEquals(told.names.filter((name) => name.startsWith("Publication")), ["PublicationDidSucceed"]);
    assertEquals(header(await end(peer, told, publication), "SIP-If-Match"), "t2");
  });

  it("Publication.end() waits for the tag of the first PUBLISH, and so does the signal", async () => {
    await using peer = await Peer.open();
    for (const isAbort of [false, true]) {
      const publication = publicationOf();
      const controller = new AbortController();
      using told = new Told(...names);
      publication.publish("<one/>", routeTo(peer), { signal: controller.signal });
      const first = await peer.next();
      if (isAbort) controller.abort();
      else publication.end();
      peer.respond(first, 200, { headers: { "SIP-ETag": "t1", Expires: "300" } });
      const last = await peer.next();
      assertEquals([header(last, "Expires"), header(last, "SIP-If-Match")], ["0", "t1"]);
      peer.respond(last, 200);
      await told.until("SIPPublicationDidEnd");
      assertEquals(told.names.filter((name) => name.startsWith("Publication")), [
        "PublicationDidSucceed",
        "PublicationWillEnd",
        "PublicationDidEnd",
      ]);
    }
  });

  it("Publication.end() that is refused leaves it published", patient, async () => {
    await using peer = await Peer.open();
    const publication = publicationOf({ duration: 2 });
    using told = new Told(...names);
    await publish(peer, told, publication, "<one/>", "t1");
    publication.end();
    publication.end();
    peer.respond(await peer.next(), 500, { reason: "Not now" });
    const { data } = await told.until("SIPPublicationDidNotEnd");
    assertEquals(Object.keys(data).sort(), ["code", "reason", "timestamp"]);
    assertEquals([data.code, data.reason, publication.isPublished], [500, "Not now", true]);
    assertEquals((await told.until("SIPPublicationDidEnd")).data.expired, true);
    assertEquals(peer.pending.length, 0);
  });

  it("Publication.credentials answer a challenge", async () => {
    await using peer = await Peer.open();
    const asked: Challenge = { realm: "example.net", nonce: "n", algorithm: "SHA-256" };
    const publication = publicationOf({ credentials: new Credentials("alice", "wonderland") });
    using told = new Told(...names);
    publication.publish("<one/>", routeTo(peer));
    peer.respond(await peer.next(), 401, { headers: { "WWW-Authenticate": challengeText(asked) } });
    const second = await peer.next();
    assertEquals(second.body, "<one/>");
    assert(
      answers(header(second, "Authorization"), asked, {
        method: "PUBLISH",
        user: "alice",
        password: "wonderland",
      }),
    );
    peer.respond(second, 200, { headers: { "SIP-ETag": "t1" } });
    await told.until("SIPPublicationDidSucceed");
    // What was asked for holds where the answer does not say.
    assertEquals(publication.expiresIn, 300);
    await end(peer, told, publication);
  });

  it("Publication refuses bad arguments by name", () => {
    const from = new FromHeader(alice);
    const make = (...args: unknown[]) =>
      new Publication(...args as unknown as ConstructorParameters<typeof Publication>);
    const refused: [unknown[], RegExp][] = [
      [[alice, "presence", type], /fromHeader/],
      [[from, "pres ence", type], /event/],
      [[from, null, type], /event/],
      [[from, "presence", "pidf"], /contentType/],
      [[from, "presence", null], /contentType/],
      [[from, "presence", type, { credentials: 1 }], /credentials/],
      [[from, "presence", type, { duration: "1" }], /duration/],
      [[from, "presence", type, { extraHeaders: [new Header("Event", "x")] }], /extraHeaders/],
      [[from, "presence", type, { extraHeaders: [new Header("SIP-If-Match", "x")] }], /extraHeaders/],
    ];
    for (const [args, message] of refused) {
      assertMatch(assertThrows(() => make(...args), TypeError).message, message);
    }
    assertThrows(() => publicationOf({ duration: 0 }), RangeError, "duration");
    const publication = publicationOf();
    const route = routeTo({ port: 5060 });
    assertThrows(() => publication.publish(7 as never, route), TypeError, "body");
    assertThrows(() => publication.publish("\ud800", route), TypeError, "body");
    assertThrows(() => publication.publish("x", alice as never), TypeError, "routeHeader");
    assertThrows(() => publication.publish("x", route, { timeout: 0 }), RangeError, "timeout");
    assertThrows(() => publication.end({ timeout: 0 }), RangeError, "timeout");
    assertThrows(() => publication.contentType = "x", TypeError, "contentType");
    assertEquals(publication.contentType, type);
  });

  it("Publication's stream ends with its disposal, after what that brings", async () => {
    await using peer = await Peer.open();
    const idle = publicationOf();
    const nothing = idle.notifications();
    idle[Symbol.dispose]();
    idle[Symbol.dispose]();
    assertEquals(await Array.fromAsync(nothing), []);
    assertThrows(() => idle.publish("x", routeTo(peer)), SIPCoreInvalidStateError);

    const publication = publicationOf();
    using told = new Told(...names);
    await publish(peer, told, publication, "<one/>", "t1");
    const notes = publication.notifications();
    publication[Symbol.dispose]();
    peer.respond(await peer.next(), 200);
    assertEquals((await Array.fromAsync(notes)).map(({ name }) => name), [
      "SIPPublicationWillEnd",
      "SIPPublicationDidEnd",
    ]);

    const early = publicationOf();
    const story = early.notifications();
    early.publish("<one/>", routeTo(peer));
    early[Symbol.dispose]();
    peer.respond(await peer.next(), 403);
    assertEquals((await Array.fromAsync(story)).map(({ name }) => name), ["SIPPublicationDidFail"]);
  });

  it("Publication and the end of the engine", async () => {
    await using peer = await Peer.open();
    const publication = publicationOf();
    using told = new Told(...names, "SIPEngineDidEnd");
    await publish(peer, told as unknown as Recorder, publication, "<one/>", "t1");
    const stream = publication.notifications();
    await engine.stop();
    assertEquals(told.names.slice(2), ["RequestDidEnd", "PublicationDidEnd", "EngineDidEnd"]);
    assertEquals(told.of("SIPPublicationDidEnd")[0]!.data.expired, false);
    assertEquals((await Array.fromAsync(stream)).length, 1);
    const error = assertThrows(() => publication.publish("x", routeTo(peer)), SIPCoreInvalidStateError);
    assertEquals(error.code, "ENGINE_NOT_RUNNING");
    assertThrows(() => publication.end(), PublicationError);
    engine = await startEngine();
    assertThrows(() => publication.publish("x", routeTo(peer)), SIPCoreInvalidStateError, "has ended");
    publication[Symbol.dispose]();
    await delay(20);
    assertEquals(peer.pending.length, 0);
  });
});
