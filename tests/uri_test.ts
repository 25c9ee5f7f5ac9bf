// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SIPCoreError } from "../core/errors.ts";
import { FrozenDict } from "../core/frozen.ts";
import { BaseSIPURI, FrozenSIPURI, isIPLiteral, SIPURI, type SIPURIInit } from "../core/uri.ts";
import { readTable, skipWithoutCorpus } from "./support/corpus.ts";

describe("SIPURI", () => {
  it("SIPURI() takes its components and prints them", () => {
    const uri = new SIPURI({
      user: "alice",
      password: "secret",
      host: "example.com",
      port: 5070,
      secure: true,
      parameters: { transport: "tcp", lr: null },
      headers: new Map([["Subject", "Hello there"]]),
    });
    assertEquals(
      uri.toString(),
      "sips:alice:secret@example.com:5070;transport=tcp;lr?Subject=Hello%20there",
    );
    assert(uri.parameters instanceof Map && uri.headers instanceof Map);
    assertEquals(uri.frozen, false);
  });

  it("SIPURI() leaves what is not given null, and 0 and empty users too", () => {
    const uri = new SIPURI({ host: "example.com", port: 0, user: "" });
    assertEquals(
      [uri.user, uri.password, uri.port, uri.display, uri.secure, uri.parameters.size, uri.headers.size],
      [null, null, null, null, false, 0, 0],
    );
    assertEquals(uri.toString(), "sip:example.com");
  });

  it("SIPURI() refuses what would break the line or the URI, naming the argument", () => {
    for (const bad of ["a\rb", "a\nb", "a\0b", "a\ud800b"]) {
      assertThrows(() => new SIPURI({ host: bad }), TypeError, "host");
      assertThrows(() => new SIPURI({ host: "h", user: bad }), TypeError, "user");
      assertThrows(() => new SIPURI({ host: "h", user: "u", password: bad }), TypeError, "password");
      assertThrows(() => new SIPURI({ host: "h", display: bad }), TypeError, "display");
      assertThrows(() => new SIPURI({ host: "h", parameters: { x: bad } }), TypeError, '"x" in parameters');
      assertThrows(() => new SIPURI({ host: "h", parameters: { [bad]: "x" } }), TypeError, "parameters");
      assertThrows(() => new SIPURI({ host: "h", headers: { x: bad } }), TypeError, '"x" in headers');
      const uri = new SIPURI({ host: "h", user: "u" });
      assertThrows(() => uri.host = bad, TypeError, "host");
      assertThrows(() => uri.user = bad, TypeError, "user");
      assertThrows(() => uri.password = bad, TypeError, "password");
      assertThrows(() => uri.display = bad, TypeError, "display");
      assertThrows(() => uri.transport = bad, TypeError, "transport");
      assertThrows(() => uri.parameters = { x: bad }, TypeError, "parameters");
      assertThrows(() => uri.headers = { x: bad }, TypeError, "headers");
      assertThrows(() => uri.matches(bad), TypeError, "address");
      assertEquals(uri.toString(), "sip:u@h");
    }
    for (
      const host of ["", "a b", "a@b", "a;lr", "a?b", "a>b", "[::1", "::1]", "[qb06::1]", "[1.2.3.4]", "é"]
    ) {
      assertThrows(() => new SIPURI({ host }), TypeError, "host");
    }
    assertThrows(() => new SIPURI({ host: "h", password: "p" }), TypeError, "password");
    for (const port of [-1, 65536, 1.5, Number.NaN]) {
      assertThrows(() => new SIPURI({ host: "h", port }), RangeError, "port");
    }
    assertThrows(() => new SIPURI({ host: 1 } as unknown as SIPURIInit), TypeError, "host");
    assertThrows(() => new SIPURI("sip:h" as unknown as SIPURIInit), TypeError);
    assertThrows(() => new SIPURI({ host: "h", secure: 1 } as unknown as SIPURIInit), TypeError, "secure");
    assertThrows(() => new SIPURI({ host: "h", parameters: { a: 1 } } as unknown as SIPURIInit), TypeError);
    assertThrows(() => new SIPURI({ host: "h", parameters: { "": "1" } }), TypeError, "parameters");
  });

  it("BaseSIPURI cannot be constructed", () => {
    const Base = BaseSIPURI as unknown as new (init: SIPURIInit) => BaseSIPURI;
    assertThrows(() => new Base({ host: "h" }), TypeError, "Illegal constructor");
  });

  it("SIPURI.parse() keeps escapes", () => {
    const text =
      "sip:al%20ice%40home:p%3Aw@example.com:5070;x=%3Bb;%22q%22;lr?Replaces=a%40b%3Bto-tag%3D1&S=%26";
    const uri = SIPURI.parse(text);
    assertEquals([uri.user, uri.password], ["al ice@home", "p:w"]);
    assertEquals([...uri.parameters], [["x", ";b"], ['"q"', null], ["lr", null]]);
    assertEquals([...uri.headers], [["Replaces", "a@b;to-tag=1"], ["S", "&"]]);
    assertEquals(uri.toString(), text);
  });

  it("SIPURI.parse() leaves unescaped what each component may hold", () => {
    for (
      const text of [
        "sip:-_.!~*'()&=+$,;?/azAZ09@h",
        "sip:u:-_.!~*'()&=+$,azAZ09@h",
        "sip:h;p-_.!~*'()[]/:&+$=v-_.!~*'()[]/:&+$",
        "sip:h?n-_.!~*'()[]/?:+$=v-_.!~*'()[]/?:+$",
      ]
    ) {
      assertEquals(SIPURI.parse(text).toString(), text);
    }
  });

  it("SIPURI.parse() keeps bytes that are no UTF-8, and NUL, CR and LF behind escapes", () => {
    for (const text of ["sip:a%FFb@h", "sip:%C3%28%C3%A9@h", "sip:a%00%0D%0A@h", "sip:%ED%A0%80@h"]) {
      const uri = SIPURI.parse(text);
      assertEquals(uri.toString(), text.replace("%28", "(").replace(/%C3%28/, "%C3("));
      assertEquals(FrozenSIPURI.from(uri).toString(), uri.toString());
      assert(SIPURI.parse(uri.toString()).equals(uri));
    }
    assertEquals(SIPURI.parse("sip:null-%00-null@h").user, "null-\0-null");
    assertEquals(SIPURI.parse("sip:%F0%9F%99%82%C3%A9@h").user, "🙂é");
  });

  it("SIPURI.parse() takes the brackets from IPv6, and printing puts them back", () => {
    const uri = SIPURI.parse("sip:alice@[2001:db8::1]:5070;maddr=[::1]");
    assertEquals([uri.host, uri.port], ["2001:db8::1", 5070]);
    assertEquals(uri.toString(), "sip:alice@[2001:db8::1]:5070;maddr=[::1]");
    assertEquals(new SIPURI({ host: "[::1]" }).toString(), new SIPURI({ host: "::1" }).toString());
    assertEquals(SIPURI.parse("sip:[2001:db8::10:5070]").port, null);
  });

  it("SIPURI.parse() finds the display name, which is neither printed nor compared", () => {
    const uri = SIPURI.parse('"Alice \\"A\\" \\\\ Smith" <sip:alice@example.com>');
    assertEquals(uri.display, 'Alice "A" \\ Smith');
    assertEquals(uri.toString(), "sip:alice@example.com");
    assert(uri.equals(SIPURI.parse("sip:alice@example.com")));
    assertEquals(SIPURI.parse(" Alice Smith <sip:a@b> ").display, "Alice Smith");
    assertEquals(SIPURI.parse("<sip:a@b>").display, null);
  });

  it("SIPURI.parse() throws a SIPCoreError for malformed text", () => {
    for (
      const text of [
        "",
        "alice@example.com",
        "tel:+1",
        "sip:",
        "sip:a@",
        "sip:@h",
        "sip:a b@h",
        "sip:h x",
        "sip:h:99999",
        "sip:h:x",
        "sip:h;",
        "sip:h;=x",
        "sip:h;a=1;A=2",
        "sip:h?",
        "sip:[::1",
        "<sip:h",
        "<sip:h>;tag=1",
        '"open <sip:h>',
        "sip:a\r\nb@h",
        "sip:h;a=\0",
        "sip:\ud800@h",
      ]
    ) {
      const error = assertThrows(() => SIPURI.parse(text), SIPCoreError, "Cannot parse SIP URI");
      assertEquals(error.code, "PARSE");
      assertEquals(FrozenSIPURI.tryParse(text), null);
    }
    assertThrows(() => SIPURI.parse(null as unknown as string), TypeError, "text");
    assertThrows(() => SIPURI.tryParse(1 as unknown as string), TypeError, "text");
  });

  it("SIPURI.parse() joins a header given twice by a comma", () => {
    assertEquals(SIPURI.parse("sip:h?Route=a&x&Route=b").headers.get("Route"), "a,b");
  });

  it("SIPURI.from() copies", () => {
    const uri = SIPURI.parse('"A" <sip:a:p@h:1;x=y?z=w>');
    const copy = SIPURI.from(uri);
    copy.parameters.set("x", "changed");
    copy.headers.clear();
    copy.user = "b";
    assertEquals(uri.toString(), "sip:a:p@h:1;x=y?z=w");
    assertEquals(SIPURI.from(uri).display, "A");
    assertThrows(() => SIPURI.from({ host: "h" } as unknown as SIPURI), TypeError, "other");
  });

  it("SIPURI.equals() compares components, the host without case", () => {
    const uri = SIPURI.parse("sip:a@Example.COM:5060;x=1;y?z=1");
    assert(uri.equals(FrozenSIPURI.parse("sip:a@example.com:5060;Y;x=1?z=1")));
    assert(FrozenSIPURI.parse("sip:a@example.com:5060;y;x=1?z=1").equals(uri));
    for (
      const other of [
        "sips:a@example.com:5060;x=1;y?z=1",
        "sip:A@example.com:5060;x=1;y?z=1",
        "sip:a:p@example.com:5060;x=1;y?z=1",
        "sip:example.com:5060;x=1;y?z=1",
        "sip:a@example.com;x=1;y?z=1",
        "sip:a@example.org:5060;x=1;y?z=1",
        "sip:a@example.com:5060;x=2;y?z=1",
        "sip:a@example.com:5060;x=1;y=?z=1",
        "sip:a@example.com:5060;x=1;z?z=1",
        "sip:a@example.com:5060;x=1;y",
      ]
    ) {
      assertFalse(uri.equals(SIPURI.parse(other)), other);
    }
    assertFalse(uri.equals(uri.toString()));
    assertFalse(uri.equals(null));
  });

  it("SIPURI.transport reads and writes the parameter", () => {
    const uri = SIPURI.parse("sip:h");
    assertEquals(uri.transport, "udp");
    uri.transport = "TCP";
    assertEquals(uri.toString(), "sip:h;transport=tcp");
    uri.transport = "udp";
    assertEquals(uri.toString(), "sip:h");
    assertEquals(FrozenSIPURI.parse("sip:h;Transport=TLS").transport, "tls");
  });

  it("SIPURI.user set to null takes the password away", () => {
    const uri = SIPURI.parse("sip:a:p@h");
    uri.user = null;
    assertEquals([uri.password, uri.toString()], [null, "sip:h"]);
    assertThrows(() => uri.password = "p", TypeError, "password");
  });

  it("SIPURI.toString() refuses a lone surrogate put into a map", () => {
    const uri = SIPURI.parse("sip:h");
    uri.parameters.set("a", "b\r\nInjected: yes");
    assertEquals(uri.toString(), "sip:h;a=b%0D%0AInjected:%20yes");
    uri.parameters.set("a", "\ud800");
    assertThrows(() => uri.toString(), TypeError);
  });

  it("SIPURI.matches() asks for the given components only", () => {
    const uri = SIPURI.parse("sip:alice@Example.org:54321;transport=tls;lr?Subject=x");
    for (
      const address of [
        "alice",
        "sip:alice",
        "alice@example.org",
        "sip:alice@example.org",
        "alice@example.org:54321",
        "alice@example.org;transport=tls",
        "alice@example.org;lr?Subject=x",
        "alice;lr",
      ]
    ) {
      assert(uri.matches(address), address);
    }
    for (
      const address of [
        "bob",
        "sips:alice@example.org",
        "alice@example.com",
        "alice@example.org:5060",
        "alice@example.org;transport=tcp",
        "alice@example.org;maddr=1.2.3.4",
        "alice@example.org?Subject=y",
        "alice:secret@example.org",
        "example.org",
        "@example.org",
        "",
        "alice@",
        ";;;",
      ]
    ) {
      assertFalse(uri.matches(address), address);
    }
    assertFalse(SIPURI.parse("sip:alice@example.org;transport=tls").matches("sips:alice@example.org"));
    assert(SIPURI.parse("sip:al%20ice@h").matches("al%20ice@h"));
    assert(SIPURI.parse("sip:example.org:5070").matches("sip:example.org"));
    assertFalse(SIPURI.parse("sip:example.org").matches("x@example.org"));
  });

  it("SIPURI.matches() holds for the printed URI, and throws for nothing", () => {
    fc.assert(fc.property(fc.string(), (address) => {
      if (/[\r\n\0]/.test(address)) return;
      assertEquals(typeof SIPURI.parse("sip:a@b;c=d").matches(address), "boolean");
    }));
  });

  it("FrozenSIPURI never changes", () => {
    const uri = FrozenSIPURI.parse("sip:alice@example.com;lr");
    assertEquals(uri.frozen, true);
    assert(Object.isFrozen(uri) && uri.parameters instanceof FrozenDict && uri.headers instanceof FrozenDict);
    const target = uri as unknown as Record<string, unknown>;
    for (
      const key of ["host", "user", "password", "port", "secure", "display", "parameters", "transport", "x"]
    ) {
      assertThrows(() => target[key] = "x", TypeError);
    }
    const init = { host: "h", parameters: new Map([["a", "b"]]) };
    const made = new FrozenSIPURI(init);
    init.parameters.set("a", "c");
    assertEquals(made.toString(), "sip:h;a=b");
  });

  it("SIPURI.parse() takes time in proportion to the text", () => {
    const start = performance.now();
    for (const piece of [";", "?", "@", "%", '"', ";a", "[", "<", "\\", "%ff", '"\\', " "]) {
      SIPURI.tryParse(`sip:h${piece.repeat(60_000 / piece.length)}`);
      SIPURI.tryParse(`"${piece.repeat(60_000 / piece.length)} <sip:h`);
    }
    const many = Array.from({ length: 20_000 }, (_, i) => `;p${i}`).join("");
    const uri = SIPURI.parse(`sip:h${many}`);
    assert(uri.equals(FrozenSIPURI.from(uri)));
    // A parser that looks at all text again for each piece takes minutes here.
    assertLess(performance.now() - start, 10_000);
  });

  it("isIPLiteral() tells addresses from names", () => {
    assertEquals(["1.2.3.4", "::1", "2001:db8::1.2.3.4"].map(isIPLiteral), [true, true, true]);
    assertEquals(
      ["localhost", "1.2.3", "1.2.3.256", "1.2.3.4.5", "a:b:z", "2001:db8:::1", ""].map(isIPLiteral),
      Array(7).fill(false),
    );
  });
});

describe("SIPURI and the corpus", { skip: skipWithoutCorpus }, () => {
  const rows = readTable("uris/uris.tsv").map(([source, verdict, ...text]) => {
    const plain = text.join("\t").replace(/\\(\\|x[0-9a-f]{2})/gi, (_, code: string) => {
      return code === "\\" ? "\\" : String.fromCharCode(Number.parseInt(code.slice(1), 16));
    });
    return { source, verdict, text: plain };
  });

  it("SIPURI.parse() agrees with the verdicts on sip and sips URIs", () => {
    let seen = 0;
    for (const { source, verdict, text } of rows) {
      if (verdict !== "ok" && verdict !== "bad") continue;
      seen++;
      const expected = verdict === "ok" && !text.startsWith("tel:");
      assertEquals(SIPURI.tryParse(text) !== null, expected, `${source}: ${text}`);
    }
    assert(seen > 50);
  });

  it("SIPURI.toString() gives back what parse() found", () => {
    for (const { text } of rows) {
      const uri = SIPURI.tryParse(text);
      if (uri !== null) assert(SIPURI.parse(uri.toString()).equals(uri), text);
    }
  });
});
