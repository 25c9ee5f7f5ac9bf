// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { MediaCodec } from "../core/media_codec.ts";

describe("MediaCodec", () => {
  it("MediaCodec.equals() takes codecs and names, without case", () => {
    const codec = new MediaCodec("opus", 48000);
    assert(codec.equals(new MediaCodec({ name: "OPUS", rate: 48000 })));
    for (const name of ["opus", "Opus", "OPUS/48000"]) assert(codec.equals(name));
    assertFalse(codec.equals(new MediaCodec("opus", 16000)));
    for (const other of ["opu", "opus/8000", "opus/", "", null, { name: "opus", rate: 48000 }]) {
      assertFalse(codec.equals(other));
    }
  });

  it("MediaCodec never changes", () => {
    const codec = new MediaCodec("PCMU", 8000);
    assert(Object.isFrozen(codec));
    assertEquals(String(codec), "PCMU/8000");
    assertThrows(() => new MediaCodec("PCMU", -1), RangeError, "rate");
    assertThrows(() => new MediaCodec("PC\nMU", 8000), TypeError, "name");
    assertThrows(() => new MediaCodec("PCMU", undefined as unknown as number), TypeError, "rate");
  });
});
