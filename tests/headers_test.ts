// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { SIPCoreError } from "../core/errors.ts";
import { FrozenDict } from "../core/frozen.ts";
import {
  BaseFromHeader,
  BaseHeader,
  ContactHeader,
  ContentTypeHeader,
  EventHeader,
  FromHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenHeader,
  FrozenToHeader,
  FrozenViaHeader,
  Header,
  ReasonHeader,
  RecordRouteHeader,
  ReferredByHeader,
  ReferToHeader,
  ReplacesHeader,
  RetryAfterHeader,
  RouteHeader,
  SubjectHeader,
  SubscriptionStateHeader,
  ToHeader,
  ViaHeader,
  WarningHeader,
} from "../core/headers.ts";
import { FrozenSIPURI, SIPURI } from "../core/uri.ts";

const BREAKING = ["a\rb", "a\nb", "a\0b", "a\udfffb"];
const uri = SIPURI.parse("sip:alice@example.com");

describe("Header", () => {
  it("Header() keeps name and body, without white space around it", () => {
    const header = new Header("X-Kind", "  two words\t");
    assertEquals([header.name, header.body, header.toString()], ["X-Kind", "two words", "X-Kind: two words"]);
    header.name = "Y";
    header.body = "";
    assertEquals(header.toString(), "Y: ");
    assert(new Header({ name: "y", body: "" }).equals(header));
    assert(header instanceof BaseHeader);
  });

  it("Header() refuses names that are no token, and bodies that break the line", () => {
    for (const name of ["", "a b", "a:b", "é", ...BREAKING]) {
      assertThrows(() => new Header(name, ""), TypeError, "name");
    }
    for (const body of BREAKING) {
      assertThrows(() => new FrozenHeader("X", body), TypeError, "body");
      assertThrows(() => new Header("X", "").body = body, TypeError, "body");
    }
    assertThrows(() => new Header("X", undefined as unknown as string), TypeError, "body");
  });

  it("Header.equals() compares the name without case, and kinds apart", () => {
    assert(new Header("x-a", "1").equals(new FrozenHeader("X-A", "1")));
    assertFalse(new Header("x-a", "B").equals(new Header("x-a", "b")));
    assertFalse(new Header("Subject", "x").equals(new SubjectHeader("x")));
    assertFalse(new SubjectHeader("x").equals(new Header("Subject", "x")));
  });

  it("Header.from() takes any header, Header.parse() any line", () => {
    assertEquals(Header.from(new SubjectHeader("x")).toString(), "Subject: x");
    const header = Header.parse("X-Folded : one,\r\n two");
    assertEquals([header.name, header.body], ["X-Folded", "one, two"]);
    for (const text of ["no colon", ": x", "a b: x", "X: a\r\nY: b", ""]) {
      assertThrows(() => Header.parse(text), SIPCoreError);
      assertEquals(Header.tryParse(text), null);
    }
  });
});

describe("FromHeader, ToHeader, RouteHeader, RecordRouteHeader", () => {
  it("FromHeader() prints name, URI and parameters", () => {
    const from = new FromHeader(uri, { displayName: 'A "B" \\ C', parameters: { tag: "x1", "x-y": null } });
    assertEquals(from.toString(), 'From: "A \\"B\\" \\\\ C" <sip:alice@example.com>;tag=x1;x-y');
    assertEquals([from.name, from.tag, from.frozen], ["From", "x1", false]);
    assertEquals(from.body, from.toString().slice("From: ".length));
    assertEquals(new FromHeader({ uri }).toString(), "From: <sip:alice@example.com>");
    assertEquals(new FromHeader(uri, { displayName: "" }).displayName, null);
    assertEquals(new ToHeader(uri).toString(), "To: <sip:alice@example.com>");
    assertEquals(new RouteHeader(uri).toString(), "Route: <sip:alice@example.com>");
    assertEquals(new RecordRouteHeader(uri).toString(), "Record-Route: <sip:alice@example.com>");
  });

  it("FromHeader() takes the display name of the URI, unless given another", () => {
    const named = SIPURI.parse('"Alice" <sip:alice@example.com>');
    assertEquals(new FromHeader(named).displayName, "Alice");
    assertEquals(new FrozenToHeader({ uri: named }).displayName, "Alice");
    assertEquals(new FromHeader(named, { displayName: null }).displayName, null);
    assertEquals(new FromHeader(named, { displayName: "B" }).toString(), 'From: "B" <sip:alice@example.com>');
  });

  it("FromHeader() copies its URI, and gives one that can be changed", () => {
    const mine = SIPURI.from(uri);
    const from = new FromHeader(mine);
    mine.user = "changed";
    assertEquals(from.uri.user, "alice");
    from.uri.port = 5070;
    assertEquals(from.body, "<sip:alice@example.com:5070>");
    from.uri = FrozenSIPURI.parse("sip:bob@example.com");
    from.uri.port = 1;
    assertEquals(from.body, "<sip:bob@example.com:1>");
    const frozen = new FrozenFromHeader(mine);
    assert(frozen.uri instanceof FrozenSIPURI && frozen.parameters instanceof FrozenDict);
    mine.user = "again";
    assertEquals(frozen.uri.user, "changed");
  });

  it("FromHeader.parse() takes both forms of addresses, and a lone body", () => {
    for (
      const [text, displayName, address, tag] of [
        ["From: sip:a@h;tag=1", null, "sip:a@h", "1"],
        ["f:<sip:a@h;lr>", null, "sip:a@h;lr", null],
        ['FROM : "A \\"x\\" <y>"<sip:a@h> ; tag = 1', 'A "x" <y>', "sip:a@h", "1"],
        ["From: Alice Smith <sip:a@h>;TAG=2", "Alice Smith", "sip:a@h", "2"],
        ['"" <sips:[::1]:5061>', null, "sips:[::1]:5061", null],
        ["From: <sip:a@h>\r\n\t;tag=1", null, "sip:a@h", "1"],
      ] as const
    ) {
      const from = FromHeader.parse(text);
      assertEquals([from.displayName, from.uri.toString(), from.tag], [displayName, address, tag]);
      assert(FrozenFromHeader.parse(from.toString()).equals(from));
    }
    assertEquals(ToHeader.parse("t: <sip:b@h>;tag=x").tag, "x");
  });

  it("FromHeader.parse() refuses what is malformed", () => {
    for (
      const text of [
        "",
        "From:",
        "From: alice",
        "From: tel:+1",
        "From: <sip:a@h",
        "From: <sip:a@h> x",
        "From: <sip:a@h>;",
        "From: <sip:a@h>;tag=1;TAG=2",
        "From: <sip:a@h>;tag=1,<sip:b@h>",
        'From: "open <sip:a@h>',
        "From: sip:a@h?x=y",
        "From: <sip:a@h>\r\nTo: <sip:b@h>",
        "To: <sip:a@h>",
      ]
    ) {
      assertThrows(() => FromHeader.parse(text), SIPCoreError);
      assertEquals(FrozenFromHeader.tryParse(text), null);
    }
  });

  it("FromHeader.tag sets, replaces and takes away the parameter", () => {
    const from = new FromHeader(uri);
    assertEquals(from.tag, null);
    from.tag = "a";
    assertEquals(from.parameters.get("tag"), "a");
    from.parameters = new Map([["Tag", "b"]]);
    assertEquals(from.tag, "b");
    from.tag = "c";
    assertEquals([...from.parameters], [["Tag", "c"]]);
    from.tag = null;
    assertEquals(from.parameters.size, 0);
    assertThrows(() => from.tag = "a b", TypeError, "tag");
  });

  it("FromHeader() refuses what would break the line, naming the argument", () => {
    for (const bad of BREAKING) {
      assertThrows(() => new FromHeader(uri, { displayName: bad }), TypeError, "displayName");
      assertThrows(() => new FromHeader(uri, { parameters: { x: bad } }), TypeError, '"x" in parameters');
      assertThrows(() => new FromHeader(uri, { parameters: { [bad]: "x" } }), TypeError, "parameters");
      const from = new FromHeader(uri);
      assertThrows(() => from.displayName = bad, TypeError, "displayName");
      assertThrows(() => from.parameters = { x: bad }, TypeError, "parameters");
      from.parameters.set("x", bad);
      assertThrows(() => from.toString(), TypeError, '"x" in parameters');
      assertThrows(() => FrozenFromHeader.from(from), TypeError, '"x" in parameters');
    }
    for (const strange of [null, undefined, "sip:a@h", {}, { uri: "sip:a@h" }]) {
      assertThrows(() => new FromHeader(strange as unknown as SIPURI), TypeError);
    }
  });

  it("FromHeader.equals() keeps kinds apart and compares all components", () => {
    const from = FromHeader.parse('From: "A" <sip:a@h>;tag=1;x=y');
    assert(from.equals(FrozenFromHeader.parse('"A" <sip:a@H>;X=y;tag=1')));
    for (
      const other of [
        '"A" <sip:b@h>;tag=1;x=y',
        "<sip:a@h>;tag=1;x=y",
        '"A" <sip:a@h>;tag=1',
        '"A" <sip:a@h>;tag=1;x',
      ]
    ) {
      assertFalse(from.equals(FromHeader.parse(other)));
    }
    assertFalse(from.equals(ToHeader.parse('"A" <sip:a@h>;tag=1;x=y')));
    assertFalse(from.equals(Header.from(from)));
  });

  it("BaseFromHeader cannot be constructed", () => {
    const Base = BaseFromHeader as unknown as new (uri: SIPURI, options: object) => BaseFromHeader;
    assertThrows(() => new Base(uri, {}), TypeError, "Illegal constructor");
  });

  it("RouteHeader.to() leaves out default ports and adds the transport", () => {
    const to = (target: Parameters<typeof RouteHeader.to>[0]) => RouteHeader.to(target).uri.toString();
    assertEquals(to({ address: "192.0.2.1" }), "sip:192.0.2.1");
    assertEquals(to({ address: "192.0.2.1", port: 5060, transport: "tcp" }), "sip:192.0.2.1;transport=tcp");
    assertEquals(to({ address: "[::1]", port: 5070 }), "sip:[::1]:5070");
    assertEquals(
      to({ address: "192.0.2.1", port: 5061, transport: "tls", tlsName: "example.com" }),
      "sip:192.0.2.1;transport=tls;tlsName=example.com",
    );
    assertEquals(
      to({ address: "192.0.2.1", port: 5060, transport: "tls" }),
      "sip:192.0.2.1:5060;transport=tls",
    );
    assertThrows(() => to({ address: "example.com" }), TypeError, "address");
    assertThrows(() => to({ address: "192.0.2.1", tlsName: "x" }), TypeError, "tlsName");
    assertThrows(() => to({ address: "192.0.2.1", port: 65536 }), RangeError, "port");
    assertThrows(() => to({ address: "192.0.2.1", transport: "ws" as "udp" }), RangeError, "transport");
  });
});

describe("ContactHeader", () => {
  it("ContactHeader() of null is every contact", () => {
    const contact = new ContactHeader(null);
    assertEquals([contact.uri, contact.toString()], [null, "Contact: *"]);
    assert(FrozenContactHeader.parse("m: *").equals(contact));
    assertFalse(contact.equals(new ContactHeader(uri)));
    assertFalse(new ContactHeader(uri).equals(contact));
    assertThrows(() => new ContactHeader(null, { displayName: "A" }), TypeError, "displayName");
    assertThrows(() => contact.displayName = "A", TypeError, "displayName");
    assertEquals(ContactHeader.tryParse("*x"), null);
    contact.uri = uri;
    contact.displayName = "A";
    contact.uri = null;
    assertEquals(contact.toString(), "Contact: *");
  });

  it("ContactHeader.q and expires are null unless they really stand there", () => {
    const contact = ContactHeader.parse("Contact: <sip:a@h>");
    assertEquals([contact.q, contact.expires], [null, null]);
    assertEquals(contact.toString(), "Contact: <sip:a@h>");
    const read = ContactHeader.parse("<sip:a@h>;Q=0.5;Expires=99999999999999999999");
    assertEquals([read.q, read.expires], [0.5, 4294967295]);
    const broken = ContactHeader.parse("<sip:a@h>;q=much;expires=-1");
    assertEquals([broken.q, broken.expires], [null, null]);
  });

  it("ContactHeader.q and expires set their parameters", () => {
    const contact = new ContactHeader(uri);
    contact.q = 1 / 3;
    contact.expires = 3600;
    assertEquals(contact.body, "<sip:alice@example.com>;q=0.333;expires=3600");
    assertEquals([contact.q, contact.expires], [0.333, 3600]);
    for (const bad of [-0.1, 1.1, Number.NaN]) assertThrows(() => contact.q = bad, RangeError, "q");
    for (const bad of [-1, 0.5, 2 ** 32]) assertThrows(() => contact.expires = bad, RangeError, "expires");
    assertThrows(() => contact.q = "1" as unknown as number, TypeError, "q");
    contact.q = contact.expires = null;
    assertEquals(contact.body, "<sip:alice@example.com>");
  });

  it("ContactHeader keeps quoted parameters quoted", () => {
    const text = 'Contact: <sip:a@h>;+sip.instance="<urn:uuid:1>";methods="INVITE,BYE";ob';
    const contact = ContactHeader.parse(text);
    assertEquals(contact.parameters.get("+sip.instance"), '"<urn:uuid:1>"');
    assertEquals(contact.parameters.get("ob"), null);
    assertEquals(contact.toString(), text);
    contact.parameters.set("x", "two words");
    assert(contact.toString().endsWith(';ob;x="two words"'));
  });
});

describe("ViaHeader", () => {
  it("ViaHeader() reads 5060 where no port is written", () => {
    const via = new ViaHeader("UDP", "example.com");
    assertEquals([via.port, via.toString()], [5060, "Via: SIP/2.0/UDP example.com"]);
    assert(via.equals(new ViaHeader("UDP", "EXAMPLE.com", { port: 5060 })));
    assertEquals(
      new ViaHeader({ transport: "TCP", host: "[::1]", port: 5070 }).body,
      "SIP/2.0/TCP [::1]:5070",
    );
    assertThrows(() => new ViaHeader("U DP", "h"), TypeError, "transport");
    assertThrows(() => new ViaHeader("UDP", "h h"), TypeError, "host");
    assertThrows(() => new ViaHeader("UDP", "h", { port: 70000 }), RangeError, "port");
  });

  it("ViaHeader.parse() reads parameters, with white space where it may stand", () => {
    const via = ViaHeader.parse(
      "v:  SIP  / 2.0  / TCP     spindle.example.com : 5070  ;\r\n  branch  =   z9hG4bK9ikj8  ;rport;ttl=70;" +
        "received=[2001:db8::9:255];comp=sigcomp;maddr=224.2.0.1",
    );
    assertEquals([via.transport, via.host, via.port], ["TCP", "spindle.example.com", 5070]);
    assertEquals([via.branch, via.rport, via.ttl], ["z9hG4bK9ikj8", 0, 70]);
    assertEquals([via.received, via.compression, via.maddr], ["[2001:db8::9:255]", "sigcomp", "224.2.0.1"]);
    const bare = FrozenViaHeader.parse("SIP/2.0/UDP h;rport=5062;received=2001:db8::1");
    assertEquals([bare.rport, bare.received, bare.branch, bare.ttl], [5062, "2001:db8::1", null, null]);
    for (
      const text of [
        "SIP/7.0/UDP h",
        "UDP h",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP h;;",
        "SIP/2.0/UDP h:99999",
      ]
    ) {
      assertEquals(ViaHeader.tryParse(text), null);
    }
  });

  it("ViaHeader setters write the parameters", () => {
    const via = new ViaHeader("UDP", "h");
    via.branch = "z9hG4bK1";
    via.rport = 0;
    assertEquals(via.body, "SIP/2.0/UDP h;branch=z9hG4bK1;rport");
    via.rport = 5062;
    via.received = "192.0.2.1";
    via.maddr = "224.2.0.1";
    via.ttl = 16;
    via.compression = "sigcomp";
    assertEquals(
      via.body,
      "SIP/2.0/UDP h;branch=z9hG4bK1;rport=5062;received=192.0.2.1;maddr=224.2.0.1;ttl=16;comp=sigcomp",
    );
    via.branch =
      via.received =
      via.maddr =
      via.compression =
        null;
    via.rport = via.ttl = null;
    assertEquals(via.body, "SIP/2.0/UDP h");
    via.port = 5080;
    via.host = "::1";
    via.transport = "TLS";
    assertEquals(via.body, "SIP/2.0/TLS [::1]:5080");
    assertThrows(() => via.ttl = 256, RangeError, "ttl");
    assertThrows(() => via.rport = 65536, RangeError, "rport");
    assertThrows(() => via.branch = "a b", TypeError, "branch");
  });
});

describe("the other headers", () => {
  it("WarningHeader keeps code, agent and text", () => {
    const warning = new WarningHeader(399, "h:5060", 'say "no"');
    assertEquals(warning.toString(), 'Warning: 399 h:5060 "say \\"no\\""');
    assertEquals(WarningHeader.parse(warning.toString()).text, 'say "no"');
    assertThrows(() => new WarningHeader(99, "a", "b"), RangeError, "code");
    assertThrows(() => new WarningHeader(1000, "a", "b"), RangeError, "code");
    assertThrows(() => new WarningHeader(399, "a b", "c"), TypeError, "agent");
    for (const text of ["399 a", '399 a "b', '399 a "b" c', '1 a "b"', '399 a "b", 399 a "c"']) {
      assertEquals(WarningHeader.tryParse(text), null, text);
    }
    for (const bad of BREAKING) assertThrows(() => warning.text = bad, TypeError, "text");
  });

  it("EventHeader has an id", () => {
    const event = EventHeader.parse("o: dialog ; id=7");
    assertEquals([event.event, event.id, event.toString()], ["dialog", "7", "Event: dialog;id=7"]);
    event.id = null;
    event.event = "presence.winfo";
    assertEquals(event.body, "presence.winfo");
    assertThrows(() => new EventHeader("a b"), TypeError, "event");
  });

  it("SubscriptionStateHeader has its name on the wire", () => {
    const state = SubscriptionStateHeader.parse("Subscription-State: active;expires=60");
    assertEquals([state.name, state.state, state.expires], ["Subscription-State", "active", 60]);
    assertEquals([state.reason, state.retryAfter], [null, null]);
    state.state = "terminated";
    state.expires = null;
    state.reason = "giveup";
    state.retryAfter = 5;
    assertEquals(state.toString(), "Subscription-State: terminated;reason=giveup;retry-after=5");
    assertThrows(() => state.retryAfter = -1, RangeError, "retryAfter");
  });

  it("ReasonHeader quotes its text", () => {
    const reason = ReasonHeader.parse('Reason: Q.850 ;cause=16 ;text="Terminated \\"now\\""');
    assertEquals([reason.protocol, reason.cause, reason.text], ["Q.850", 16, 'Terminated "now"']);
    assertEquals(reason.toString(), 'Reason: Q.850;cause=16;text="Terminated \\"now\\""');
    reason.text = "short";
    assertEquals(reason.body, 'Q.850;cause=16;text="short"');
    assert(reason.equals(ReasonHeader.parse("Q.850;cause=16;text=short")));
    assertFalse(reason.equals(ReasonHeader.parse("SIP;cause=16;text=short")));
    assertThrows(() => reason.text = "a\nb", TypeError, "text");
  });

  it("ContentTypeHeader is told by type and subtype, without case", () => {
    const header = ContentTypeHeader.parse('c: Text / Plain ;charset="utf-8"');
    assertEquals([header.contentType, header.type, header.subtype], ["Text/Plain", "Text", "Plain"]);
    assert(header.equals(new ContentTypeHeader("text/plain", { parameters: { charset: "utf-8" } })));
    for (const bad of ["", "text", "text/", "/plain", "a/b/c", "a b/c", ...BREAKING]) {
      assertThrows(() => new ContentTypeHeader(bad), TypeError, "contentType");
    }
  });

  it("SubjectHeader takes any text of one line", () => {
    assertEquals(SubjectHeader.parse("s:  Grüße: 100% ").subject, "Grüße: 100%");
    assertEquals(new SubjectHeader("").toString(), "Subject: ");
    for (const bad of BREAKING) assertThrows(() => new SubjectHeader(bad), TypeError, "subject");
  });

  it("ReplacesHeader takes its tags in any order", () => {
    const replaces = ReplacesHeader.parse(
      "Replaces: 98732@h;x=y;from-tag=r33th4x0r;To-Tag=ff87ff;early-only",
    );
    assertEquals([replaces.callId, replaces.fromTag, replaces.toTag, replaces.earlyOnly], [
      "98732@h",
      "r33th4x0r",
      "ff87ff",
      true,
    ]);
    assertEquals(replaces.body, "98732@h;to-tag=ff87ff;from-tag=r33th4x0r;early-only;x=y");
    replaces.earlyOnly = false;
    assertEquals([...replaces.parameters], [["x", "y"]]);
    for (const text of ["a@h", "a@h;to-tag=1", "a@h;from-tag=1", ";to-tag=1;from-tag=1"]) {
      assertEquals(ReplacesHeader.tryParse(text), null);
    }
    const parameters = { "To-Tag": "1" };
    assertThrows(() => new ReplacesHeader("a", "b", "c", { parameters }), TypeError, "To-Tag");
    assertThrows(() => new ReplacesHeader("a;b", "b", "c"), TypeError, "callId");
  });

  it("RetryAfterHeader keeps its comment", () => {
    const header = RetryAfterHeader.parse("Retry-After: 18000 (a (b) \\\\ c);duration=3600");
    assertEquals([header.seconds, header.comment, header.duration], [18000, "a (b) \\ c", 3600]);
    assertEquals(header.toString(), "Retry-After: 18000 (a (b) \\\\ c);duration=3600");
    header.comment = "smile :)";
    assertEquals(header.body, "18000 (smile :\\));duration=3600");
    assertEquals(RetryAfterHeader.parse(header.body).comment, "smile :)");
    header.comment = "";
    assertEquals([header.comment, header.body], [null, "18000;duration=3600"]);
    for (const text of ["", "x", "-1", "5 (open", "5 x", "4294967296"]) {
      assertEquals(RetryAfterHeader.tryParse(text), null);
    }
    assertThrows(() => new RetryAfterHeader(-1), RangeError, "seconds");
    assertThrows(() => header.comment = "a\rb", TypeError, "comment");
  });

  it("ReferToHeader and ReferredByHeader take any URI, without its brackets", () => {
    const refer = new ReferToHeader(SIPURI.parse('"C" <sip:carol@h?Replaces=a%40b%3Bto-tag%3D1>'));
    assertEquals(refer.toString(), 'Refer-To: "C" <sip:carol@h?Replaces=a%40b%3Bto-tag%3D1>');
    assertEquals(refer.uri, "sip:carol@h?Replaces=a%40b%3Bto-tag%3D1");
    assertEquals(ReferToHeader.parse("r: <tel:+1-201>;method=INVITE").uri, "tel:+1-201");
    assertEquals(new ReferToHeader("<sip:a@h>").toString(), "Refer-To: <sip:a@h>");
    refer.uri = "urn:service:sos";
    refer.displayName = null;
    assertEquals(refer.body, "<urn:service:sos>");
    assertEquals(ReferredByHeader.parse("b: sip:a@h").toString(), "Referred-By: <sip:a@h>");
    assertFalse(new ReferToHeader("sip:a@h").equals(new ReferredByHeader("sip:a@h")));
    for (const bad of ["", "nothing", "sip:a b", "sip:a>b", "<sip:a", ...BREAKING]) {
      assertThrows(() => new ReferToHeader(bad), TypeError, "uri");
    }
  });
});
