// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import { FrozenDict, FrozenList } from "../core/frozen.ts";
import { FrozenSIPURI, SIPURI } from "../core/uri.ts";

describe("FrozenList", () => {
  it("FrozenList() copies and never changes", () => {
    const source = [1, 2, 3];
    const list = new FrozenList(source);
    source.push(4);
    assertEquals([...list], [1, 2, 3]);
    assert(Array.isArray(list) && Object.isFrozen(list));
    assertThrows(() => list.push(4), TypeError);
    assertThrows(() => list.sort(), TypeError);
    assertThrows(() => list[0] = 9, TypeError);
    assertThrows(() => list.length = 0, TypeError);
    assertEquals([...list], [1, 2, 3]);
  });

  it("FrozenList.map() and the like give plain arrays", () => {
    const list = new FrozenList(["b", "a"]);
    for (const result of [list.map(String), list.filter(Boolean), list.slice(), list.concat(["c"])]) {
      assertStrictEquals(Object.getPrototypeOf(result), Array.prototype);
      result.push("d");
    }
    assertEquals([...list], ["b", "a"]);
  });

  it("FrozenList.from() and of() make frozen lists", () => {
    assert(FrozenList.of(5) instanceof FrozenList);
    assertEquals([...FrozenList.of(5)], [5]);
    assertEquals([...FrozenList.from(new Set([1, 2]), (item) => item * 2)], [2, 4]);
    assert(Object.isFrozen(FrozenList.from({ length: 1, 0: "x" })));
  });

  it("FrozenList.equals() asks the items", () => {
    const uri = SIPURI.parse("sip:alice@EXAMPLE.com");
    const list = new FrozenList([uri]);
    assert(list.equals([FrozenSIPURI.parse("sip:alice@example.com")]));
    assertFalse(list.equals([]));
    assertFalse(list.equals([SIPURI.parse("sip:bob@example.com")]));
    assertFalse(list.equals(null));
    assert(new FrozenList([Number.NaN]).equals([Number.NaN]));
  });
});

describe("FrozenDict", () => {
  it("FrozenDict() takes pairs, maps and plain objects", () => {
    const dict = new FrozenDict<string | null>({ transport: "tcp", lr: null });
    assert(dict.equals(new FrozenDict<string | null>([["lr", null], ["transport", "tcp"]])));
    assert(dict.equals(new Map([["lr", null], ["transport", "tcp"]])));
    assertEquals([dict.size, dict.get("transport"), dict.get("lr"), dict.get("x")], [
      2,
      "tcp",
      null,
      undefined,
    ]);
    assertEquals([dict.has("lr"), dict.has("x")], [true, false]);
    assertEquals([...dict], [["transport", "tcp"], ["lr", null]]);
    assertEquals([[...dict.keys()], [...dict.values()]], [["transport", "lr"], ["tcp", null]]);
    assertEquals([...dict.entries()], [...dict]);
  });

  it("FrozenDict() copies and never changes", () => {
    const source = new Map([["a", 1]]);
    const dict = new FrozenDict(source);
    source.set("a", 2);
    assertEquals(dict.get("a"), 1);
    assert(Object.isFrozen(dict));
    assertFalse("set" in dict || "delete" in dict || "clear" in dict);
    assertThrows(() => Map.prototype.set.call(dict, "a", 3), TypeError);
  });

  it("FrozenDict() takes __proto__ for a key like any other", () => {
    const dict = new FrozenDict<string>([["__proto__", "x"]]);
    assertEquals(dict.get("__proto__"), "x");
    assertEquals(dict.get("constructor"), undefined);
  });

  it("FrozenDict.equals() tells null from missing, and values apart", () => {
    const dict = new FrozenDict<string | null>({ a: null });
    assertFalse(dict.equals(new Map([["b", null]])));
    assertFalse(dict.equals(new Map([["a", ""]])));
    assertFalse(dict.equals(new Map()));
    assertFalse(dict.equals({ a: null }));
  });

  it("FrozenDict.forEach() passes value, key and itself", () => {
    const seen: unknown[] = [];
    const dict = new FrozenDict({ a: 1 });
    dict.forEach((value, key, map) => seen.push(value, key, map === dict));
    assertEquals(seen, [1, "a", true]);
  });
});
