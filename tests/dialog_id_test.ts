// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { DialogID } from "../core/dialog_id.ts";

describe("DialogID", () => {
  it("DialogID.equals() compares the three parts", () => {
    const id = new DialogID("call@h", "l", "r");
    assert(id.equals(new DialogID({ callId: "call@h", localTag: "l", remoteTag: "r" })));
    for (
      const other of [
        new DialogID("x", "l", "r"),
        new DialogID("call@h", "x", "r"),
        new DialogID("call@h", "l", null),
      ]
    ) {
      assertFalse(id.equals(other));
    }
    assertFalse(id.equals({ ...id }));
  });

  it("DialogID never changes, and prints as Replaces has it", () => {
    const id = new DialogID("call@h", "l", null);
    assert(Object.isFrozen(id));
    assertEquals([String(id), id.remoteTag], ["call@h;from-tag=l", null]);
    assertEquals(String(new DialogID("call@h", "l", "r")), "call@h;to-tag=r;from-tag=l");
    assertThrows(() => new DialogID("a\r\nb", "l", "r"), TypeError, "callId");
    assertThrows(() => new DialogID("a", undefined as unknown as string, "r"), TypeError, "localTag");
  });
});
