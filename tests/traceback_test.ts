// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { exceptionType, traceback } from "../core/traceback.ts";

describe("traceback", () => {
  it("exceptionType() names the error or the type of the value", () => {
    assertEquals(exceptionType(new RangeError("x")), "RangeError");
    assertEquals(exceptionType("text"), "string");
    assertEquals(exceptionType(null), "null");
    assertEquals(exceptionType(undefined), "undefined");
  });

  it("traceback() has name, message and the frames, each once", () => {
    class Odd extends Error {
      constructor(message: string) {
        super(message);
        this.name = "Odd";
      }
    }
    const text = traceback(new Odd("went wrong"));
    assertMatch(text, /^Odd: went wrong\n {4}at .*traceback_test/);
    assertEquals(text.split("went wrong").length, 2);
  });

  it("traceback() follows the causes", () => {
    const text = traceback(new Error("outer", { cause: new TypeError("inner", { cause: 42 }) }));
    assertStringIncludes(text, "Error: outer");
    assertStringIncludes(text, "\nCaused by: TypeError: inner");
    assertStringIncludes(text, "\nCaused by: 42");
  });

  it("traceback() ends on a ring of causes", () => {
    const error = new Error("ring");
    error.cause = error;
    assertEquals(traceback(error).split("Error: ring").length, 9);
  });

  it("traceback() and exceptionType() survive whatever is thrown", () => {
    const refuse = () => {
      throw new Error("refused");
    };
    const hostile: unknown[] = [
      Object.create(null),
      Symbol("s"),
      new Proxy({}, { get: refuse, getPrototypeOf: refuse }),
      Object.defineProperty(new Error("x"), "name", { get: refuse }),
      Object.defineProperty(new Error("x"), "stack", { get: refuse }),
      Object.defineProperty(new Error("x"), "stack", { value: 7 }),
      Object.defineProperty(new Error("x"), "cause", { get: refuse }),
      { toString: refuse },
    ];
    for (const value of hostile) {
      assertEquals(typeof traceback(value), "string");
      assertEquals(typeof exceptionType(value), "string");
    }
    fc.assert(fc.property(fc.anything({ withNullPrototype: true }), (value) => {
      assertEquals(typeof traceback(value), "string");
      assertEquals(typeof exceptionType(value), "string");
    }));
  });
});
