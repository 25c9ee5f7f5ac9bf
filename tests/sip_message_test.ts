// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { SIPMessage } from "../core/sip_message.ts";
import { hostile } from "./support/arbitraries.ts";
import { readFolder, skipWithoutCorpus } from "./support/corpus.ts";

const encoder = new TextEncoder();
const decode = (...lines: string[]) => SIPMessage.decode(encoder.encode(lines.join("\r\n")));

/** Reads whatever a message has to say. */
function readAll(message: SIPMessage): void {
  const { isRequest, method, requestUri, requestUriText, code, reason, headers, contentType, body } = message;
  assertEquals(isRequest, method !== null);
  assertEquals(isRequest, requestUriText !== null);
  assertEquals(isRequest, code === null);
  assertEquals(isRequest, reason === null);
  assert(requestUri === null || requestUriText !== null);
  assert(contentType === null || headers.has("Content-Type"));
  assertEquals(body === null, message.bodyBytes.length === 0);
  for (const header of headers) String(header);
}

describe("SIPMessage", () => {
  it("SIPMessage.decode() reads a request", () => {
    const message = decode(
      "MESSAGE sip:bob@example.com;lr SIP/2.0",
      "From: <sip:alice@example.com>;tag=1",
      "Content-Type: text/plain",
      "Content-Length: 7",
      "",
      "Grüße and more",
    );
    assertEquals([message.isRequest, message.method, message.code, message.reason], [
      true,
      "MESSAGE",
      null,
      null,
    ]);
    assertEquals(message.requestUri?.toString(), "sip:bob@example.com;lr");
    assertEquals(message.requestUriText, "sip:bob@example.com;lr");
    assertEquals(message.headers.get("From")?.tag, "1");
    assertEquals([message.contentType?.contentType, message.body], ["text/plain", "Grüße"]);
    assert(message.requestUri === message.requestUri && message.headers === message.headers);
  });

  it("SIPMessage.decode() reads a response", () => {
    const message = decode("SIP/2.0 486 Busy  Here", "Via: SIP/2.0/UDP h", "", "");
    assertEquals([message.isRequest, message.method, message.code, message.reason], [
      false,
      null,
      486,
      "Busy  Here",
    ]);
    assertEquals([message.requestUri, message.requestUriText, message.body], [null, null, null]);
    assertEquals(message.headers.getAll("Via").length, 1);
    assertEquals([decode("SIP/2.0 200 ", "", "").reason, decode("SIP/2.0 200", "", "").code], ["", 200]);
    assertEquals([decode("SIP/2.0 4294967301 x", "", "").code, decode("SIP/2.0", "").code], [0, 0]);
  });

  it("SIPMessage.requestUri is null for other schemes, brackets and garbage, and the text remains", () => {
    for (const text of ["tel:+1", "<sip:a@h>", "sip:a b@h", "", "x"]) {
      const message = decode(`OPTIONS ${text} SIP/2.0`, "", "");
      assertEquals([message.requestUri, message.requestUriText, message.method], [null, text, "OPTIONS"]);
    }
  });

  it("SIPMessage.body is a string for text that is UTF-8, else bytes", () => {
    const bytes = (type: string, body: Uint8Array) => {
      const head = encoder.encode(`INFO sip:h SIP/2.0\r\nc: ${type}\r\n\r\n`);
      return SIPMessage.decode(Uint8Array.from([...head, ...body])).body;
    };
    for (
      const type of [
        "text/html;charset=x",
        "application/sdp",
        "APPLICATION/SDP",
        "message/sipfrag;version=2.0",
        "application/simple-message-summary",
        "application/pidf+xml",
        "image/svg+xml",
        "text/xml",
        "application/json",
      ]
    ) {
      assertEquals(bytes(type, encoder.encode("é\r\n")), "é\r\n", type);
      assert(bytes(type, Uint8Array.of(0xff)) instanceof Uint8Array, type);
    }
    for (
      const type of [
        "application/octet-stream",
        "image/png",
        "application/xmlish",
        "application/x-json",
        "x",
        "",
      ]
    ) {
      assertEquals(bytes(type, Uint8Array.of(65)), Uint8Array.of(65), type);
    }
    assertEquals(bytes("text/plain", new Uint8Array()), null);
    assertEquals(bytes("text/plain", Uint8Array.of(0xef, 0xbb, 0xbf, 65)), "\ufeffA");
  });

  it("SIPMessage.bodyBytes ends where Content-Length says, and never beyond the message", () => {
    const body = (...lengths: string[]) => {
      return decode("INFO sip:h SIP/2.0", ...lengths.map((l) => `Content-Length: ${l}`), "", "12345")
        .bodyBytes.length;
    };
    assertEquals([body("3"), body("0"), body(), body("9999999999999999999999"), body("-1"), body("x")], [
      3,
      0,
      5,
      5,
      5,
      5,
    ]);
  });

  it("SIPMessage.decode() passes over empty lines ahead, and takes bare line feeds", () => {
    const message = SIPMessage.decode(encoder.encode("\r\n\r\nINFO sip:h SIP/2.0\nSubject: x\n\nbody"));
    assertEquals([message.method, message.headers.size, message.bodyBytes.length], ["INFO", 1, 4]);
  });

  it("SIPMessage.decode() makes something of anything", () => {
    for (const bytes of [[], [0], [13, 10], [255, 254], [10, 10, 10]]) {
      const message = SIPMessage.decode(Uint8Array.from(bytes));
      readAll(message);
      assertEquals([message.isRequest, message.requestUri], [true, null]);
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => readAll(SIPMessage.decode(bytes))));
    fc.assert(fc.property(hostile, hostile, hostile, (start, header, body) => {
      readAll(decode(start, `Content-Type: ${header}`, header, "", body));
    }));
  });
});

describe("SIPMessage and the corpus", { skip: skipWithoutCorpus }, () => {
  const torture = readFolder("rfc4475/files");
  const read = (name: string) => SIPMessage.decode(torture.get(name)!);

  it("SIPMessage.decode() reads the torture messages of RFC 4475", () => {
    const wsinv = read("wsinv.dat");
    assertEquals([wsinv.method, wsinv.requestUriText], [
      "INVITE",
      "sip:vivekg@chair-dnrc.example.com;unknownparam",
    ]);
    assertEquals(wsinv.headers.get("To")?.tag, "1918181833n");
    assertEquals(wsinv.headers.get("From")?.displayName, 'J Rosenberg \\"');
    assertEquals(wsinv.headers.getAll("Via").map(({ transport }) => transport), ["UDP", "TCP", "UDP"]);
    assertEquals(read("esc01.dat").requestUri?.user, "sips:user@example.com");
    assertEquals(read("escnull.dat").headers.getAll("Contact").map(({ uri }) => uri?.user), ["\0", "\0\0"]);
    assertEquals(read("esc02.dat").method, "RE%47IST%45R");
    assertEquals(read("semiuri.dat").requestUri?.user, "user;par=u@example.net");
    assertEquals(read("intmeth.dat").headers.get("From")?.uri?.host, "example.com");
    assertEquals(read("unreason.dat").reason, "= 2**3 * 5**2 но сто девяносто девять - простое");
    assertEquals([read("noreason.dat").code, read("noreason.dat").reason], [100, ""]);
    assertEquals(read("cparam01.dat").headers.get("Contact")?.parameters.has("unknownparam"), true);
    assertEquals(read("cparam02.dat").headers.get("Contact")?.uri?.parameters.has("unknownparam"), true);
    assertEquals(
      read("regescrt.dat").headers.get("Contact")?.uri?.headers.get("Route"),
      "<sip:sip.example.com>",
    );
    assertEquals([read("unkscm.dat").requestUri, read("bigcode.dat").code], [null, 0]);
    assert(read("mpart01.dat").body instanceof Uint8Array);
  });

  it("SIPMessage.decode() parses every header with a class in the valid messages of RFC 4475", () => {
    const names = [
      "From",
      "To",
      "Via",
      "Contact",
      "Route",
      "Record-Route",
      "Content-Type",
      "Event",
      "Subject",
    ] as const;
    // unksm2 has addresses of other schemes: the exception that HeaderMap.get() tells of.
    for (
      const file of [
        "wsinv",
        "intmeth",
        "esc01",
        "escnull",
        "lwsdisp",
        "longreq",
        "transports",
        "regaut01",
        "inv2543",
      ]
    ) {
      const { headers } = read(`${file}.dat`);
      for (const name of names) {
        for (const header of headers.getAll(name)) {
          assert(header.constructor.name !== "FrozenHeader", `${file}: ${String(header)}`);
        }
      }
    }
  });

  it("SIPMessage.decode() reads the IPv6 messages of RFC 5118", () => {
    const messages = readFolder("rfc5118/wire");
    const uriOf = (name: string) => SIPMessage.decode(messages.get(`${name}.sip`)!).requestUri;
    assertEquals(uriOf("ipv6-good")?.host, "2001:db8::10");
    assertEquals(uriOf("ipv6-bad"), null);
    assertEquals([uriOf("port-ambiguous")?.host, uriOf("port-ambiguous")?.port], ["2001:db8::10:5070", null]);
    assertEquals([uriOf("port-unambiguous")?.host, uriOf("port-unambiguous")?.port], ["2001:db8::10", 5070]);
    assertEquals(uriOf("ipv6-bug-abnf-3-colons")?.host, "2001:db8:::192.0.2.1");
    const viaOf = (name: string) => SIPMessage.decode(messages.get(`${name}.sip`)!).headers.get("Via");
    assertEquals(viaOf("via-received-param-with-delim")?.received, "[2001:db8::9:255]");
    assertEquals(viaOf("via-received-param-no-delim")?.received, "2001:db8::9:255");
  });

  it("SIPMessage.decode() survives every file, whole, cut and mutated", () => {
    const folders = ["rfc4475/files", "rfc5118/wire", "osip/files", "rtckit/files", "pjproject-tests/files"];
    const files = folders.flatMap((folder) => [...readFolder(folder).values()]);
    assert(files.length > 200);
    for (const bytes of files) {
      readAll(SIPMessage.decode(bytes));
      readAll(SIPMessage.decode(bytes.subarray(0, bytes.length / 2)));
    }
    const mutation = fc.tuple(
      fc.nat(files.length - 1),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 20 }),
    );
    fc.assert(fc.property(mutation, ([index, changes]) => {
      const bytes = files[index]!.slice();
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      readAll(SIPMessage.decode(bytes));
    }));
  });
});
