// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import {
  bindingRequest,
  canonicalAddress,
  changeAddressAndPort,
  readBindingAnswer,
} from "../core/stun_message.ts";
import { parseStun } from "./support/stun.ts";

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/g)!, (pair) => parseInt(pair, 16));
}

const id = "b7e7a701bc34d686fa87dfae";
/** RFC 5769, sections 2.2 and 2.3. */
const ipv4 = bytes(
  `0101003c2112a442${id}8022000b7465737420766563746f7220002000080001a147e112a643` +
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
);
const ipv6 = bytes(
  `010100482112a442${id}8022000b7465737420766563746f7220002000140002a147` +
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
);

describe("readBindingAnswer()", () => {
  it("readBindingAnswer() reads the samples of RFC 5769", () => {
    const expected = { id: bytes(id).join(), error: null, other: null };
    assertEquals(readBindingAnswer(ipv4), { ...expected, mapped: { address: "192.0.2.1", port: 32853 } });
    const address = "2001:db8:1234:5678:11:2233:4455:6677";
    assertEquals(readBindingAnswer(ipv6), { ...expected, mapped: { address, port: 32853 } });
  });

  it("readBindingAnswer() reads error responses, and what is at an offset", () => {
    const error = bytes(`011100082112a442${id}0009000400000414`);
    const shifted = new Uint8Array(50);
    shifted.set(error, 7);
    const expected = { id: bytes(id).join(), error: 420, mapped: null, other: null };
    assertEquals(readBindingAnswer(shifted.subarray(7, 7 + error.length)), expected);
  });

  it("readBindingAnswer() takes nothing that is cut, too long or of another kind, and never throws", () => {
    for (const sample of [ipv4, ipv6]) {
      for (let size = 0; size < sample.length; size++) {
        assertEquals(readBindingAnswer(sample.subarray(0, size)), null);
      }
      assertEquals(readBindingAnswer(Uint8Array.of(...sample, 0)), null);
      for (let at = 0; at < sample.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const broken = sample.slice();
          broken[at]! ^= 1 << bit;
          const answer = readBindingAnswer(broken);
          // Neither in the type, nor in the length, nor in the cookie.
          if (at < 8) assertEquals(answer, null, `byte ${at}`);
        }
      }
    }
    assertEquals(readBindingAnswer(bindingRequest(bytes(id), 0)), null);
    assertEquals(readBindingAnswer(bytes(`010100002112a442${id}`)), null, "a success without an address");
    assertEquals(readBindingAnswer(bytes(`011100002112a442${id}`)), null, "an error without a code");
    assertEquals(readBindingAnswer(bytes(`010100082112a442${id}0020ffff00000000`)), null);
  });
});

describe("bindingRequest()", () => {
  it("bindingRequest() carries the id, the cookie and CHANGE-REQUEST", () => {
    const whole = bytes(`2112a442${id}`);
    assertEquals(parseStun(bindingRequest(bytes(id), 0)), { type: 1, id: whole, attributes: [] });
    assertEquals(parseStun(bindingRequest(bytes(id), changeAddressAndPort)), {
      type: 1,
      id: whole,
      attributes: [[3, Uint8Array.of(0, 0, 0, 6)]],
    });
  });
});

describe("canonicalAddress()", () => {
  it("canonicalAddress() writes one address in one way", () => {
    for (const address of ["::1", "0:0:0:0:0:0:0:1", "::0001", "::1%lo"]) {
      assertEquals(canonicalAddress(address), "::1");
    }
    assertEquals(canonicalAddress("127.0.0.1"), "127.0.0.1");
  });
});
