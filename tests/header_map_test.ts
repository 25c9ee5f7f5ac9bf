// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertInstanceOf, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import { emptyHeaderMap, HeaderMap, headerMapFrom } from "../core/header_map.ts";
import {
  BaseHeader,
  FrozenContactHeader,
  FrozenEventHeader,
  type FrozenFromHeader,
  FrozenHeader,
  FrozenToHeader,
  type FrozenViaHeader,
} from "../core/headers.ts";
import { hostile } from "./support/arbitraries.ts";

const decode = (...lines: string[]) => headerMapFrom(new TextEncoder().encode(lines.join("\r\n") + "\r\n"));

describe("HeaderMap", () => {
  it("HeaderMap.get() gives the class that goes with the name", () => {
    const headers = decode(
      'From: "Alice" <sip:alice@example.com>;tag=1',
      "TO: <sip:bob@example.com>",
      "Call-ID: abc@h",
      "Event: presence",
    );
    const from: FrozenFromHeader | null = headers.get("From");
    assertEquals([from?.displayName, from?.tag], ["Alice", "1"]);
    const via: FrozenViaHeader | null = headers.get("Via");
    assertEquals(via, null);
    assertInstanceOf(headers.get("to"), FrozenToHeader);
    assertInstanceOf(headers.get("event"), FrozenEventHeader);
    const id: FrozenHeader | null = headers.get("call-ID");
    assertEquals([id?.name, id?.body, headers.text("Call-Id")], ["Call-ID", "abc@h", "abc@h"]);
    assertEquals([headers.size, headers.has("FROM"), headers.has("Subject"), headers.text("x")], [
      4,
      true,
      false,
      null,
    ]);
    assert(headers.get("From") === from, "made once");
  });

  it("HeaderMap knows compact forms on both sides", () => {
    const headers = decode(
      "f: <sip:a@h>",
      "i: 1",
      "k: 100rel, timer",
      "Content-Length: 0",
      "m: <sip:x@h>",
      "o: dialog",
    );
    assertEquals([...headers].map(({ name }) => name), [
      "From",
      "Call-ID",
      "Supported",
      "Content-Length",
      "Contact",
      "Event",
    ]);
    assertEquals([headers.text("Supported"), headers.text("l"), headers.text("I")], [
      "100rel, timer",
      "0",
      "1",
    ]);
    const contact: FrozenContactHeader | null = headers.get("m");
    assertEquals(contact?.uri?.user, "x");
    const compact = { a: "Accept-Contact", b: "Referred-By", c: "Content-Type", d: "Request-Disposition" };
    const more = {
      e: "Content-Encoding",
      j: "Reject-Contact",
      r: "Refer-To",
      s: "Subject",
      t: "To",
      u: "Allow-Events",
    };
    const rest = { v: "Via", x: "Session-Expires", y: "Identity", n: "Identity-Info" };
    for (const [short, long] of Object.entries({ ...compact, ...more, ...rest })) {
      assertEquals(decode(`${short}: x`).text(long), "x");
      assertEquals(decode(`${long}: x`).text(short.toUpperCase()), "x");
    }
  });

  it("HeaderMap splits Contact, Route, Record-Route and Via, and nothing else", () => {
    const headers = decode(
      "Via: SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b;branch=2",
      'Contact: "A, <B>" <sip:a@h?x=1,2>;q=0.5, sip:b@h ,<sip:c@h>;m="I,B"',
      "Record-Route: <sip:p1;lr>,<sip:p2;lr>",
      "Route: <sip:p3;lr>",
      "Via: SIP/2.0/UDP c",
      "Allow: INVITE, ACK",
      'Warning: 399 a "b", 399 a "c"',
    );
    assertEquals(headers.getAll("Via").map(({ host }) => host), ["a", "b", "c"]);
    assertEquals(headers.getAll("Contact").map(({ uri }) => uri?.user), ["a", "b", "c"]);
    assertEquals(headers.getAll("contact")[0]?.displayName, "A, <B>");
    assertEquals(headers.getAll("Record-Route").map(({ uri }) => uri.host), ["p1", "p2"]);
    assertEquals(headers.getAll("Allow").map(({ body }) => body), ["INVITE, ACK"]);
    assertEquals(headers.size, 11);
    assertEquals([...headers].map(({ name }) => name[0]).join(""), "VVCCCRRRVAW");
    assert(Object.isFrozen(headers.getAll("Via")));
    assertEquals(headers.getAll("Nothing").length, 0);
  });

  it("HeaderMap unfolds continuation lines", () => {
    const headers = decode("Subject: one", "   two", "\tthree", "To:", " <sip:a@h>");
    assertEquals(headers.get("Subject")?.subject, "one two three");
    assertEquals(headers.get("To")?.uri.user, "a");
    assertEquals(headerMapFrom(new TextEncoder().encode("Subject: a\n b\nX: c")).text("X"), "c");
  });

  it("HeaderMap drops nothing that cannot be parsed", () => {
    const headers = decode(
      "From: tel:+1",
      "Contact: <sip:a@h>,,*",
      "no header at all",
      "X y: z",
      "Event: a b",
      ": x",
    );
    assertInstanceOf(headers.get("From"), FrozenHeader);
    assertEquals(headers.text("From"), "tel:+1");
    assertEquals([...headers].map(String), [
      "From: tel:+1",
      "Contact: <sip:a@h>",
      "Contact: ",
      "Contact: *",
      ": no header at all",
      "X y: z",
      "Event: a b",
      ": x",
    ]);
    const contacts = headers.getAll("Contact").map((contact) => contact instanceof FrozenContactHeader);
    assertEquals(contacts, [true, false, true]);
    assertEquals(headers.toString().split("\r\n").length, 9);
  });

  it("HeaderMap decodes UTF-8, and Latin-1 only in the header that is not UTF-8", () => {
    const utf8 = [...new TextEncoder().encode("Subject: Grüße\r\nX: ")];
    const headers = headerMapFrom(Uint8Array.from([...utf8, 0xfc, 0x80, 0x0d, 0x0a]));
    assertEquals([headers.text("Subject"), headers.text("X")], ["Grüße", "ü\u0080"]);
  });

  it("HeaderMap gives headers that cannot be changed", () => {
    const headers = decode("From: <sip:a@h>;tag=1", "X: y");
    for (const header of headers) {
      assert(header.frozen && header instanceof BaseHeader && Object.isFrozen(header));
    }
  });

  it("HeaderMap cannot be constructed", () => {
    const Constructor = HeaderMap as unknown as new (...given: unknown[]) => HeaderMap;
    assertThrows(() => new Constructor(), TypeError, "Illegal constructor");
    assertThrows(() => new Constructor(Symbol(), new Uint8Array()), TypeError, "Illegal constructor");
  });

  it("emptyHeaderMap holds nothing", () => {
    assertEquals([emptyHeaderMap.size, emptyHeaderMap.get("From"), emptyHeaderMap.text("x")], [
      0,
      null,
      null,
    ]);
    assertEquals([...emptyHeaderMap], []);
    assertFalse(emptyHeaderMap.has("Via"));
  });

  it("HeaderMap does not mistake names of Object.prototype", () => {
    const headers = decode("constructor: x", "__proto__: y");
    assertEquals([headers.text("constructor"), headers.text("__proto__"), headers.text("toString")], [
      "x",
      "y",
      null,
    ]);
    assertEquals(headers.get("__proto__")?.body, "y");
  });

  it("HeaderMap never throws, and lists as many as it counts", () => {
    const block = fc.array(fc.tuple(fc.constantFrom("From", "Via", "m", "Route", "Reason", "x", ""), hostile))
      .map((lines) => lines.map(([name, text]) => `${name}: ${text}\r\n`).join(""));
    fc.assert(fc.property(block, (text) => {
      const headers = headerMapFrom(new TextEncoder().encode(text));
      const all = [...headers];
      assertEquals(all.length, headers.size);
      for (const header of all) {
        assert(header.frozen && headers.has(header.name));
        assertEquals(typeof header.toString(), "string");
      }
    }));
  });

  it("HeaderMap finds by name what it lists, whichever is asked first", () => {
    const name = fc.constantFrom(
      "From",
      "from",
      "f",
      "Via",
      "v",
      "Contact",
      "m",
      "Content-Type",
      "c",
      "X-A",
      "x",
      "",
    );
    const text = fc.constantFrom(
      "a",
      "a, b",
      '"a, b" <sip:c@d>',
      "",
      " ",
      "a\r\n b",
      "a\nX-A: b",
      "a\rX-A: c",
      ":",
    );
    const end = fc.constantFrom("\r\n", "\r\n", "\r\n", "\n", "\r");
    const block = fc.array(fc.tuple(name, text, end)).map((lines) =>
      new TextEncoder().encode(lines.map(([key, value, stop]) => `${key}: ${value}${stop}`).join(""))
    );
    fc.assert(fc.property(block, fc.array(name), (bytes, names) => {
      const [searched, listed] = [headerMapFrom(bytes), headerMapFrom(bytes)];
      assertEquals(listed.size, [...listed].length);
      for (const one of names) {
        assertEquals(searched.text(one), listed.text(one));
        assertEquals(String(searched.get(one)), String(listed.get(one)));
      }
      assertEquals(String(searched), String(listed));
    }));
  });

  it("HeaderMap takes time in proportion to the block", () => {
    const start = performance.now();
    for (const piece of ['"', "<", ",", ";a", '"\\', "<>", " ", ";=", "\r\n ", "\r\n", "(", "\\", ';a="']) {
      const long = piece.repeat(65_000 / piece.length);
      const headers = decode(
        `Contact: ${long}`,
        `Via: SIP/2.0/UDP h${long}`,
        `From: ${long}<sip:a@h>`,
        `Retry-After: 1${long}`,
      );
      assertEquals([...headers].length, headers.size);
    }
    assertLess(performance.now() - start, 20_000);
  });
});
