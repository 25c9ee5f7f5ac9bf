// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Body, decodeBody, encodeBody } from "../core/body.ts";

describe("body", () => {
  it("decodeBody() gives back what encodeBody() was given", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
      assertEquals(decodeBody(encodeBody(text), "text/plain"), text);
    }));
    const bytes = Uint8Array.of(0xff, 0);
    assertStrictEquals(decodeBody(bytes, "text/plain"), bytes);
    assertStrictEquals(decodeBody(bytes, null), bytes);
    assertEquals(decodeBody(new Uint8Array(), "text/plain"), null);
  });

  it("encodeBody() keeps line ends and NUL, and refuses lone surrogates", () => {
    assertEquals(encodeBody("a\r\n\0"), Uint8Array.of(97, 13, 10, 0));
    assertThrows(() => encodeBody("\ud800", "content"), TypeError, "content");
    assertThrows(() => encodeBody(null as unknown as Body), TypeError, "body");
  });
});
