// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import { SIPCoreError } from "../core/errors.ts";
import {
  FrozenSDPAttribute,
  FrozenSDPAttributeList,
  SDPAttribute,
  SDPAttributeList,
} from "../core/sdp_attribute.ts";

const attributes = [
  new SDPAttribute("rtpmap", "0 PCMU/8000"),
  new FrozenSDPAttribute("rtpmap", "8 PCMA/8000"),
  new SDPAttribute("sendonly", ""),
];

describe("SDPAttribute", () => {
  it("SDPAttribute without a value is a flag", () => {
    assertEquals(String(new SDPAttribute("sendrecv", "")), "a=sendrecv");
    assertEquals(String(new SDPAttribute({ name: "fmtp", value: "1 a:b" })), "a=fmtp:1 a:b");
    assertEquals(SDPAttribute.parse("a=fmtp:1 a:b").value, "1 a:b");
    assertEquals([SDPAttribute.parse("x:").value, SDPAttribute.parse("x").value], ["", ""]);
  });

  it("SDPAttribute refuses names and values that break the line", () => {
    for (const name of ["", "a:b", "a\r", "a\nb", "a\0", "\ud800"]) {
      assertThrows(() => new SDPAttribute(name, ""), TypeError, "name");
    }
    for (const value of ["a\r", "a\nb", "a\0", "\ud800"]) {
      assertThrows(() => new SDPAttribute("a", value), TypeError, "value");
    }
    assertThrows(() => new SDPAttribute("a", undefined as unknown as string), TypeError, "value");
    for (const text of ["", "a=", ":x", "a=x\r\nb=y"]) {
      assertThrows(() => SDPAttribute.parse(text), SIPCoreError);
    }
  });
});

describe("SDPAttributeList", () => {
  it("SDPAttributeList is asked by name", () => {
    for (const list of [new SDPAttributeList(attributes), new FrozenSDPAttributeList(attributes)]) {
      assert(Array.isArray(list));
      assertEquals([list.has("rtpmap"), list.has("RTPMAP"), list.has(new SDPAttribute("sendonly", ""))], [
        true,
        false,
        true,
      ]);
      assertFalse(list.has(new SDPAttribute("sendonly", "x")));
      assertEquals(list.getAll("rtpmap"), ["0 PCMU/8000", "8 PCMA/8000"]);
      assertEquals([list.getFirst("rtpmap"), list.getFirst("sendonly"), list.getFirst("x")], [
        "0 PCMU/8000",
        "",
        null,
      ]);
      assertEquals(list.getFirst("x", 7), 7);
      assert(
        list.equals(new SDPAttributeList(attributes)) && list.equals(new FrozenSDPAttributeList(attributes)),
      );
      assertFalse(list.equals(attributes.slice(1)));
      assertFalse(list.equals("x"));
    }
  });

  it("SDPAttributeList copies into attributes that can be changed", () => {
    const list = new SDPAttributeList(attributes);
    list[0]!.value = "changed";
    list.push(new SDPAttribute("x", ""));
    assertEquals([attributes[0]!.value, attributes.length, list.length], ["0 PCMU/8000", 3, 4]);
    assertStrictEquals(Object.getPrototypeOf(list.filter(Boolean)), Array.prototype);
    assertEquals(list.splice(0, 2).length, 2);
    assertEquals(list.map(String), ["a=sendonly", "a=x"]);
  });

  it("FrozenSDPAttributeList never changes", () => {
    const list = new FrozenSDPAttributeList(attributes);
    assert(
      Object.isFrozen(list) && list.every((attribute) => attribute.frozen && Object.isFrozen(attribute)),
    );
    assertThrows(() => list.pop(), TypeError);
    assertThrows(
      () => new FrozenSDPAttributeList(["x" as unknown as SDPAttribute]),
      TypeError,
      "SDPAttribute",
    );
    assertThrows(
      () => new SDPAttributeList([{ name: "a", value: "b" } as unknown as SDPAttribute]),
      TypeError,
    );
  });
});
