// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertLess, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import {
  ContactHeader,
  Credentials,
  type Engine,
  FromHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  Header,
  Registration,
  type RegistrationOptions,
  RouteHeader,
  SIPCoreInvalidStateError,
  SIPURI,
} from "../mod.ts";
import { answers, type Challenge, challengeText } from "./support/digest.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { contact, granting, registrationNames, registrationOf, routeTo } from "./support/registrations.ts";
import { alice } from "./support/requests.ts";
import { cseqOf, header } from "./support/sip_text.ts";
import { Told } from "./support/told.ts";

const patient = { timeout: 30_000 };
const password = "wonderland";

type Recorder = Told<(typeof registrationNames)[number]>;

/** Registers, and lets the registrar grant it. */
async function register(
  peer: Peer,
  told: Recorder,
  registration: Registration,
  seconds?: number,
): Promise<PeerMessage> {
  const count = told.of("SIPRegistrationDidSucceed").length;
  registration.register(contact, routeTo(peer));
  const sent = await peer.next({ method: "REGISTER" });
  peer.respond(sent, 200, { headers: granting(sent, seconds) });
  await told.until("SIPRegistrationDidSucceed", count + 1);
  return sent;
}

/** Unregisters, and lets the registrar take it. */
async function unregister(peer: Peer, told: Recorder, registration: Registration): Promise<PeerMessage> {
  registration.end();
  const sent = await peer.next({ method: "REGISTER" });
  peer.respond(sent, 200);
  await told.until("SIPRegistrationDidEnd");
  return sent;
}

function near(actual: number, expected: number): void {
  assertLess(Math.abs(actual - expected), 0.2, `${actual} s instead of ${expected}`);
}

describe("Registration", () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine();
  });
  after(stopEngine);

  it(
    "Registration.register() registers, warns and expires, in the golden order and in time",
    patient,
    async () => {
      await using peer = await Peer.open();
      const asked: Challenge = { realm: "example.net", nonce: "n1", algorithm: "MD5" };
      const registration = registrationOf({ credentials: new Credentials("alice", password), duration: 4 });
      assertEquals([registration.isRegistered, registration.contactHeader, registration.expiresIn], [
        false,
        null,
        0,
      ]);
      assertEquals(registration.peerAddress, null);
      using told = new Told(...registrationNames);
      registration.register(contact, routeTo(peer));
      assertEquals([registration.isRegistered, told.names.length], [false, 0]);
      const first = await peer.next();
      assertEquals(first.startLine, "REGISTER sip:example.net SIP/2.0");
      assertEquals(header(first, "To"), "<sip:alice@example.net>");
      assertMatch(header(first, "From"), /^<sip:alice@example\.net>;tag=\w+$/);
      assertEquals(header(first, "Contact"), contact.body);
      assertEquals(header(first, "Expires"), "4");
      assertEquals(cseqOf(first).number, 1);
      peer.respond(first, 401, { headers: { "WWW-Authenticate": challengeText(asked) } });
      const second = await peer.next();
      assert(
        answers(header(second, "Authorization"), asked, { method: "REGISTER", user: "alice", password }),
      );
      peer.respond(second, 200, {
        reason: "Fine",
        headers: { Contact: `<sip:other@127.0.0.1>;expires=99, ${contact.body};expires=4;q=0.5` },
      });
      const { data } = await told.until("SIPRegistrationDidSucceed");
      assertEquals([registration.isRegistered, registration.expiresIn], [true, 4]);
      assertEquals(registration.contactHeader?.body, contact.body);
      assertEquals(registration.peerAddress, { ip: "127.0.0.1", port: peer.port });
      assertEquals(Object.keys(data).sort(), [
        "code",
        "contactHeader",
        "contactHeaderList",
        "expiresIn",
        "reason",
        "routeHeader",
        "timestamp",
      ]);
      assertEquals([data.code, data.reason, data.expiresIn], [200, "Fine", 4]);
      assert(
        data.contactHeader instanceof FrozenContactHeader && data.routeHeader instanceof FrozenRouteHeader,
      );
      assertEquals(data.contactHeaderList.map(({ uri, expires }) => [String(uri), expires]), [
        ["sip:other@127.0.0.1", 99],
        ["sip:alice@127.0.0.1:5099", 4],
      ]);
      assert(data.contactHeaderList === data.contactHeaderList);
      assertEquals((await told.until("SIPRegistrationWillExpire")).data.expires, 2);
      assertEquals(registration.isRegistered, true);
      assertEquals((await told.until("SIPRegistrationDidEnd")).data.expired, true);
      assertEquals(told.names, [
        "RequestDidSucceed",
        "RegistrationDidSucceed",
        "RequestWillExpire",
        "RegistrationWillExpire",
        "RequestDidEnd",
        "RegistrationDidEnd",
      ]);
      near(told.between("SIPRegistrationDidSucceed", "SIPRegistrationWillExpire"), 2);
      near(told.between("SIPRegistrationWillExpire", "SIPRegistrationDidEnd"), 2);
      assertEquals([registration.isRegistered, registration.contactHeader, registration.expiresIn], [
        false,
        null,
        0,
      ]);
      // It does nothing by itself.
      assertEquals(peer.pending.length, 0);
    },
  );

  it("Registration.end() unregisters, in the golden order", async () => {
    await using peer = await Peer.open();
    const registration = registrationOf();
    using told = new Told(...registrationNames);
    const given = new ContactHeader(SIPURI.parse("sip:alice@127.0.0.1:5099"), {
      parameters: { expires: "120", q: "0.3" },
    });
    registration.register(given, routeTo(peer));
    const first = await peer.next();
    assertEquals([header(first, "Expires"), header(first, "Contact")], ["300", given.body]);
    peer.respond(first, 200, { headers: { Contact: given.body } });
    assertEquals((await told.until("SIPRegistrationDidSucceed")).data.expiresIn, 120);
    registration.end();
    registration.end();
    assertEquals(told.names, ["RequestDidSucceed", "RegistrationDidSucceed"]);
    const last = await peer.next();
    assertEquals(header(last, "Expires"), "0");
    assertEquals(header(last, "Contact"), "<sip:alice@127.0.0.1:5099>;q=0.3");
    assertEquals(header(last, "Call-ID"), header(first, "Call-ID"));
    assertEquals(cseqOf(last).number, 2);
    assertEquals(registration.isRegistered, true);
    peer.respond(last, 200);
    assertEquals((await told.until("SIPRegistrationDidEnd")).data.expired, false);
    await told.until("SIPRequestDidEnd", 2);
    assertEquals(told.names.slice(2), [
      "RegistrationWillEnd",
      "RequestDidSucceed",
      "RegistrationDidEnd",
      "RequestDidEnd",
      "RequestDidEnd",
    ]);
    const [newer, older] = told.of("SIPRequestDidEnd");
    assertEquals([newer!.sender.cseq, older!.sender.cseq], [2, 1]);
    assertEquals([registration.isRegistered, registration.contactHeader], [false, null]);
    registration.end();
    await delay(50);
    assertEquals([told.notes.length, peer.pending.length], [7, 0]);
  });

  it("Registration.end() does nothing when nothing is registered", async () => {
    await using peer = await Peer.open();
    const registration = registrationOf();
    using told = new Told(...registrationNames);
    registration.end();
    registration.register(contact, routeTo(peer));
    peer.respond(await peer.next(), 403);
    await told.until("SIPRequestDidEnd");
    registration.end();
    await delay(50);
    assertEquals([told.names.at(-1), peer.pending.length], ["RequestDidEnd", 0]);
    assertThrows(() => registration.end({ timeout: 0 }), RangeError, "timeout");
  });

  it("Registration tells why it failed, all keys always there", async () => {
    await using peer = await Peer.open();
    const registration = registrationOf();
    using told = new Told(...registrationNames);
    const cases: [number, Record<string, string>, [number | null, number | null]][] = [
      [403, {}, [null, null]],
      [423, { "Min-Expires": "600" }, [600, null]],
      [423, {}, [null, null]],
      [423, { "Min-Expires": "4294967296" }, [4294967295, null]],
      [503, { "Retry-After": "17 (soon);duration=3" }, [null, 17]],
      [500, {}, [null, null]],
    ];
    for (const [index, [code, headers, expected]] of cases.entries()) {
      registration.register(contact, routeTo(peer));
      peer.respond(await peer.next(), code, { headers: { ...headers, "X-Why": "so" } });
      const { data } = await told.until("SIPRegistrationDidFail", index + 1);
      assertEquals(Object.keys(data).sort(), [
        "code",
        "expiresIn",
        "headers",
        "minExpires",
        "reason",
        "retryAfter",
        "routeHeader",
        "timestamp",
        "willRetryIn",
      ]);
      assertEquals([data.code, data.reason, data.headers.text("X-Why")], [code, "Scripted", "so"]);
      assertEquals([data.minExpires, data.retryAfter], expected);
      assertEquals([data.expiresIn, data.willRetryIn], [0, null]);
      assert(data.routeHeader instanceof FrozenRouteHeader);
    }
    assertEquals(told.names.slice(0, 3), ["RequestDidFail", "RegistrationDidFail", "RequestDidEnd"]);
    // Nothing was registered: each began anew.
    const ids = peer.received.map((sent) => `${header(sent, "Call-ID")} ${cseqOf(sent).number}`);
    assertEquals([new Set(ids).size, ids.every((id) => id.endsWith(" 1"))], [cases.length, true]);
  });

  it("Registration fails with code 0 when it cannot be sent, and with 408 when it is not answered", async () => {
    await using peer = await Peer.open();
    const registration = registrationOf();
    using told = new Told(...registrationNames);
    registration.register(contact, RouteHeader.to({ address: "::1", port: 5060 }));
    assertEquals(told.names, []);
    const { data } = await told.until("SIPRegistrationDidFail");
    assertEquals([data.code, data.headers.size], [0, 0]);
    assertMatch(data.reason, /\w/);
    registration.register(contact, routeTo(peer), { timeout: 0.2 });
    const late = await told.until("SIPRegistrationDidFail", 2);
    assertEquals([late.data.code, late.data.reason], [408, "Request Timeout"]);
  });

  it("Registration.register() takes the place of what is on its way", async () => {
    await using peer = await Peer.open();
    const registration = registrationOf();
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer));
    const first = await peer.next();
    registration.register(contact, routeTo(peer));
    const second = await peer.next();
    assertEquals(header(second, "Call-ID"), header(first, "Call-ID"));
    assertEquals([cseqOf(first).number, cseqOf(second).number], [1, 2]);
    peer.respond(first, 500);
    peer.respond(second, 200, { headers: granting(second) });
    await told.until("SIPRegistrationDidSucceed");
    assertEquals(told.names, [
      "RequestDidFail",
      "RequestDidEnd",
      "RequestDidSucceed",
      "RegistrationDidSucceed",
    ]);
    assertEquals(told.of("SIPRequestDidFail")[0]!.data.code, 408);
    await unregister(peer, told, registration);
  });

  it("Registration whose answer crosses the next register() counts once", async () => {
    await using peer = await Peer.open();
    const registration = registrationOf();
    using told = new Told(...registrationNames);
    registration.register(contact, routeTo(peer));
    const first = await peer.next();
    peer.respond(first, 200, { headers: granting(first) });
    // The answer is here, and nobody has read it.
    const until = performance.now() + 100;
    while (performance.now() < until);
    registration.register(contact, routeTo(peer));
    const second = await peer.next();
    peer.respond(second, 200, { headers: granting(second) });
    await told.until("SIPRegistrationDidSucceed");
    await told.until("SIPRequestDidEnd");
    assertEquals(told.of("SIPRegistrationDidSucceed").length, 1);
    assertEquals(told.of("SIPRequestDidEnd").length, 1);
    await unregister(peer, told, registration);
  });

  it("Registration has one rising CSeq for its Call-ID, also after failures", async () => {
    await using peer = await Peer.open();
    const asked: Challenge = { realm: "example.net", nonce: "n1", algorithm: "SHA-256" };
    const registration = registrationOf({ credentials: new Credentials("alice", password) });
    using told = new Told(...registrationNames);
    await register(peer, told, registration);
    for (const [index, code] of [500, 423].entries()) {
      registration.register(contact, routeTo(peer));
      peer.respond(await peer.next(), code);
      await told.until("SIPRegistrationDidFail", index + 1);
    }
    // Preempted when the answer to the challenge is on its way, of which nobody here knows.
    registration.register(contact, routeTo(peer));
    peer.respond(await peer.next(), 401, { headers: { "WWW-Authenticate": challengeText(asked) } });
    await peer.next();
    await register(peer, told, registration);
    await unregister(peer, told, registration);
    assertEquals(new Set(peer.received.map((sent) => header(sent, "Call-ID"))).size, 1);
    const numbers = peer.received.map((sent) => cseqOf(sent).number);
    assertEquals(numbers, [...new Set(numbers)].sort((a, b) => a - b), numbers.join());
    // What comes after is another story.
    const again = await register(peer, told, registration);
    assertEquals(cseqOf(again).number, 1);
    assertNotEquals(header(again, "Call-ID"), header(peer.received[0]!, "Call-ID"));
    registration.end();
    peer.respond(await peer.next(), 200);
    await told.until("SIPRegistrationDidEnd", 2);
  });

  it("Registration holds until its own end when a renewal fails", patient, async () => {
    await using peer = await Peer.open();
    const registration = registrationOf({ duration: 3 });
    using told = new Told(...registrationNames);
    await register(peer, told, registration);
    registration.register(contact, routeTo(peer));
    peer.respond(await peer.next(), 503);
    const { data } = await told.until("SIPRegistrationDidFail");
    assertEquals([data.code, data.expiresIn, registration.isRegistered], [503, 3, true]);
    await told.until("SIPRegistrationDidEnd");
    assertEquals(told.of("SIPRegistrationDidEnd")[0]!.data.expired, true);
    near(told.between("SIPRegistrationDidSucceed", "SIPRegistrationWillExpire"), 1.5);
    near(told.between("SIPRegistrationDidSucceed", "SIPRegistrationDidEnd"), 3);
  });

  it("Registration that is renewed forgets the times of the old one", patient, async () => {
    await using peer = await Peer.open();
    const registration = registrationOf({ duration: 2 });
    using told = new Told(...registrationNames);
    await register(peer, told, registration);
    registration.duration = 300;
    const second = await register(peer, told, registration);
    assertEquals(header(second, "Expires"), "300");
    assertEquals(registration.expiresIn, 300);
    await delay(2300);
    assertEquals(told.names, [
      "RequestDidSucceed",
      "RegistrationDidSucceed",
      "RequestDidSucceed",
      "RegistrationDidSucceed",
      "RequestDidEnd",
    ]);
    await unregister(peer, told, registration);
  });

  it("Registration.end() that is refused leaves it registered", patient, async () => {
    await using peer = await Peer.open();
    const registration = registrationOf({ duration: 3 });
    using told = new Told(...registrationNames);
    await register(peer, told, registration);
    registration.end();
    peer.respond(await peer.next(), 500, { reason: "Not now" });
    const { data } = await told.until("SIPRegistrationDidNotEnd");
    assertEquals(Object.keys(data).sort(), ["code", "reason", "timestamp"]);
    assertEquals([data.code, data.reason, registration.isRegistered], [500, "Not now", true]);
    registration.end({ timeout: 0.1 });
    assertEquals((await told.until("SIPRegistrationDidNotEnd", 2)).data.code, 408);
    assertEquals((await told.until("SIPRegistrationDidEnd")).data.expired, true);
    assertEquals(told.names.filter((name) => name.startsWith("Registration")), [
      "RegistrationDidSucceed",
      "RegistrationWillEnd",
      "RegistrationDidNotEnd",
      "RegistrationWillEnd",
      "RegistrationDidNotEnd",
      "RegistrationWillExpire",
      "RegistrationDidEnd",
    ]);
  });

  it("Registration.end() and the signal take back a REGISTER that is on its way", async () => {
    await using peer = await Peer.open();
    for (const isAbort of [false, true]) {
      const registration = registrationOf();
      const controller = new AbortController();
      using told = new Told(...registrationNames);
      registration.register(contact, routeTo(peer), { signal: controller.signal });
      await peer.next();
      if (isAbort) controller.abort();
      else registration.end();
      const last = await peer.next();
      assertEquals([header(last, "Expires"), cseqOf(last).number], ["0", 2]);
      peer.respond(last, 200);
      await told.until("SIPRegistrationDidEnd");
      assertEquals(told.names.filter((name) => name.startsWith("Registration")), [
        "RegistrationWillEnd",
        "RegistrationDidEnd",
      ]);
      assertEquals(registration.isRegistered, false);
    }
    const registration = registrationOf();
    const reason = new Error("no");
    const signal = AbortSignal.abort(reason);
    assertThrows(() => registration.register(contact, routeTo(peer), { signal }), Error, "no");
    assertEquals(peer.pending.length, 0);
  });

  it("Registration's attributes are for the next REGISTER, and copies", async () => {
    await using peer = await Peer.open();
    const from = new FromHeader(alice);
    const registration = new Registration(from, { extraHeaders: [new Header("X-One", "1")] });
    from.uri.user = "mallory";
    assert(registration.fromHeader instanceof FrozenFromHeader);
    assertEquals(registration.fromHeader.uri.user, "alice");
    assertEquals([registration.duration, registration.credentials, registration.autoRefresh], [
      300,
      null,
      false,
    ]);
    using told = new Told(...registrationNames);
    const first = await register(peer, told, registration);
    assertEquals(header(first, "X-One"), "1");
    registration.fromHeader = new FromHeader(SIPURI.parse("sips:carol@[::1]:5070;x=y"), {
      displayName: "Carol",
    });
    registration.extraHeaders = [new Header("X-Two", "2")];
    registration.duration = 77;
    registration.credentials = new Credentials("carol", "x");
    registration.credentials = null;
    const given = new ContactHeader(SIPURI.parse("sip:alice@127.0.0.1:5099"));
    registration.register(given, RouteHeader.to({ address: "127.0.0.1", port: peer.port }));
    given.uri!.user = "mallory";
    assertEquals(registration.contactHeader?.uri?.user, "alice");
    // A sips address wants TLS, whatever the route says, and nobody listens there.
    assertEquals((await told.until("SIPRegistrationDidFail")).data.code, 503);
    registration.fromHeader = new FromHeader(SIPURI.parse("sip:carol@[::1]:5070;x=y"), {
      displayName: "Carol",
      parameters: { tag: "mine" },
    });
    const second = await register(peer, told, registration);
    assertEquals(second.uri, "sip:[::1]");
    assertEquals(header(second, "From"), '"Carol" <sip:carol@[::1]:5070;x=y>;tag=mine');
    assertEquals(header(second, "To"), '"Carol" <sip:carol@[::1]:5070;x=y>');
    assertEquals([header(second, "X-Two"), header(second, "Expires")], ["2", "77"]);
    assertEquals(second.headers.has("x-one"), false);
    await unregister(peer, told, registration);
  });

  it("Registration refuses bad arguments by name", () => {
    const constructed: [unknown, RegistrationOptions, RegExp][] = [
      [alice, {}, /fromHeader/],
      [null, {}, /fromHeader/],
      [new FromHeader(alice), { credentials: "x" as never }, /credentials/],
      [new FromHeader(alice), { duration: "300" as never }, /duration/],
      [new FromHeader(alice), { autoRefresh: 1 as never }, /autoRefresh/],
      [new FromHeader(alice), { extraHeaders: [new Header("Expires", "1")] }, /extraHeaders\[0\]/],
      [new FromHeader(alice), { extraHeaders: [new Header("Contact", "*")] }, /extraHeaders\[0\]/],
    ];
    for (const [from, options, message] of constructed) {
      assertMatch(assertThrows(() => new Registration(from as never, options), TypeError).message, message);
    }
    for (const duration of [0, -1, 1.5, 2 ** 32]) {
      assertThrows(() => registrationOf({ duration }), RangeError, "duration");
    }
    const registration = registrationOf();
    const route = routeTo({ port: 5060 });
    assertThrows(() => registration.register(alice as never, route), TypeError, "contactHeader");
    assertThrows(() => registration.register(new ContactHeader(null), route), TypeError, "contactHeader");
    assertThrows(() => registration.register(contact, alice as never), TypeError, "routeHeader");
    const named = new RouteHeader(SIPURI.parse("sip:registrar.example.net"));
    assertThrows(() => registration.register(contact, named), TypeError, "routeHeader");
    assertThrows(() => registration.register(contact, route, { timeout: -1 }), RangeError, "timeout");
    assertThrows(() => registration.duration = 0, RangeError, "duration");
    assertThrows(() => registration.extraHeaders = [new Header("Via", "x")], TypeError, "extraHeaders");
    assertThrows(() => registration.fromHeader = alice as never, TypeError, "fromHeader");
    assertThrows(() => registration.credentials = {} as never, TypeError, "credentials");
  });

  it("Registration's stream ends with its disposal, after what that brings", async () => {
    await using peer = await Peer.open();
    const idle = registrationOf();
    const stream = idle.notifications();
    idle[Symbol.dispose]();
    idle[Symbol.dispose]();
    assertEquals(await Array.fromAsync(stream), []);
    assertThrows(() => idle.register(contact, routeTo(peer)), SIPCoreInvalidStateError);

    for (const code of [200, 500]) {
      const registration = registrationOf();
      using told = new Told(...registrationNames);
      await register(peer, told, registration);
      const notes = registration.notifications();
      registration[Symbol.dispose]();
      registration[Symbol.dispose]();
      const last = await peer.next();
      assertEquals(header(last, "Expires"), "0");
      peer.respond(last, code);
      assertEquals((await Array.fromAsync(notes)).map(({ name }) => name), [
        "SIPRegistrationWillEnd",
        code === 200 ? "SIPRegistrationDidEnd" : "SIPRegistrationDidNotEnd",
      ]);
      assertThrows(() => registration.register(contact, routeTo(peer)), SIPCoreInvalidStateError);
      await told.until("SIPRequestDidEnd", 2);
    }
  });

  it("Registration and the end of the engine", async () => {
    await using peer = await Peer.open();
    const registration = registrationOf();
    const idle = registrationOf();
    using told = new Told(...registrationNames, "SIPEngineDidEnd");
    registration.register(contact, routeTo(peer));
    const sent = await peer.next();
    peer.respond(sent, 200, { headers: granting(sent) });
    await told.until("SIPRegistrationDidSucceed");
    registration.register(contact, routeTo(peer));
    await peer.next();
    const stream = registration.notifications();
    await engine.stop();
    assertEquals(told.names, [
      "RequestDidSucceed",
      "RegistrationDidSucceed",
      "RequestDidEnd",
      "RegistrationDidEnd",
      "RequestDidFail",
      "RegistrationDidFail",
      "RequestDidEnd",
      "EngineDidEnd",
    ]);
    assertEquals(told.of("SIPRegistrationDidEnd")[0]!.data.expired, false);
    assertEquals(told.of("SIPRegistrationDidFail")[0]!.data.code, 503);
    assertEquals((await Array.fromAsync(stream)).length, 2);
    // The registrar was told nothing.
    assertEquals(peer.pending.length, 0);
    for (const one of [registration, idle]) {
      one.end();
      const error = assertThrows(() => one.register(contact, routeTo(peer)), SIPCoreInvalidStateError);
      assertEquals(error.code, "ENGINE_NOT_RUNNING");
    }
    engine = await startEngine();
    for (const one of [registration, idle]) {
      assertThrows(() => one.register(contact, routeTo(peer)), SIPCoreInvalidStateError, "has ended");
      one.end();
      one[Symbol.dispose]();
    }
    const fresh = registrationOf();
    await register(peer, told as unknown as Recorder, fresh);
    fresh.end();
    peer.respond(await peer.next(), 200);
    await told.until("SIPRegistrationDidEnd", 2);
  });
});
