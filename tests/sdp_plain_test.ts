// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertFalse, assertLess } from "@std/assert";
import { isPlainSdp } from "../core/sdp_plain.ts";
import { FrozenSDPSession } from "../core/sdp_session.ts";
import { readFolder, skipWithoutCorpus } from "./support/corpus.ts";
import { Dice } from "./support/dice.ts";

const encoder = new TextEncoder();
const isPlain = (text: string): boolean => isPlainSdp(encoder.encode(text));

/** As pjmedia prints it, with a line of each type. */
const USUAL = [
  "v=0",
  "o=- 3977389723 3977389724 IN IP4 192.0.2.1",
  "s=pjmedia",
  "i=what it is about",
  "c=IN IP4 192.0.2.1",
  "b=AS:84",
  "t=0 0",
  "a=X-nat:0",
  "m=audio 4000 RTP/AVP 96 0 120",
  "c=IN IP6 2001:db8::1",
  "b=TIAS:64000",
  "a=rtcp:4001 IN IP4 192.0.2.1",
  "a=rtpmap:96 opus/48000/2",
  "a=fmtp:96 useinbandfec=1",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:120 telephone-event/8000",
  "a=fmtp:120 0-16",
  "a=candidate:Hc0000201 1 UDP 2130706431 192.0.2.1 4000 typ host",
  "a=sendrecv",
  "m=video 0 RTP/AVP 31",
  "",
].join("\r\n");

/** One to three bytes of it changed, doubled, or left out. */
function spoil(bytes: Uint8Array, dice: Dice): Uint8Array {
  const letters = encoder.encode(" \t\r\n=:/019azAZ-*\0\xff");
  let spoilt = bytes;
  for (let count = dice.throw(3); count >= 0; count--) {
    const at = dice.throw(spoilt.length);
    const kept = [1, 1, 0, 2][dice.throw(4)]!;
    const put = dice.percent(70) ? [letters[dice.throw(letters.length)]!] : [];
    spoilt = Uint8Array.from([...spoilt.subarray(0, at), ...put, ...spoilt.subarray(at + kept)]);
  }
  return spoilt;
}

function parses(bytes: Uint8Array): boolean {
  return FrozenSDPSession.tryParse(new TextDecoder("latin1").decode(bytes)) !== null;
}

describe("isPlainSdp()", () => {
  it("isPlainSdp() is true for what PJSIP prints, and for what we print", () => {
    assert(isPlain(USUAL));
    assert(isPlain(FrozenSDPSession.parse(USUAL).toString()));
  });

  it("isPlainSdp() is false for what cannot be parsed, line by line", () => {
    const changes: [string, string][] = [
      ["v=0", "v=1"],
      ["v=0\r\n", ""],
      ["o=- 3", "x=- 3"],
      ["3977389723", "397738972x"],
      ["3977389724 IN", "IN"],
      ["o=- ", "o= "],
      ["c=IN IP4 192.0.2.1", "c=IN IP4"],
      ["b=AS:84", "b=AS"],
      ["b=AS:84", "b=:84"],
      ["t=0 0", "t=0"],
      ["t=0 0", "t=x 0"],
      ["a=sendrecv", "a="],
      ["a=sendrecv", "a=:sendrecv"],
      ["audio 4000", "audio x"],
      ["audio 4000", "audio 65536"],
      ["video 0 RTP/AVP 31", "video 0"],
      ["s=pjmedia", "s pjmedia"],
      ["s=pjmedia", "s=pj\0media"],
      ["s=pjmedia", "s=pj\rmedia"],
      ["s=pjmedia", "\u00e9=pjmedia"],
    ];
    for (const [from, to] of changes) {
      assert(USUAL.includes(from), from);
      const text = USUAL.replace(from, to);
      assertFalse(parses(encoder.encode(text)), to);
      assertFalse(isPlain(text), to);
    }
    assertFalse(isPlain(""));
    assertFalse(isPlain("v=0\r\n"));
  });

  it("isPlainSdp() says yes to nothing that cannot be parsed", () => {
    const dice = new Dice(2327);
    const usual = encoder.encode(USUAL);
    let plain = 0, broken = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = spoil(usual, dice);
      const isWhole = parses(bytes);
      if (!isWhole) broken++;
      if (!isPlainSdp(bytes)) continue;
      plain++;
      assert(isWhole, new TextDecoder("latin1").decode(bytes));
    }
    assertLess(3_000, plain, "hardly any was taken for plain");
    assertLess(3_000, broken, "hardly any was broken");
  });

  it("isPlainSdp() does not look at what is very long", () => {
    assertFalse(isPlain(USUAL + "a=x\r\n".repeat(4_000)));
  });

  it(
    "isPlainSdp() is no more than the parser for pjproject's own descriptions",
    { skip: skipWithoutCorpus },
    () => {
      const files = [...readFolder("pjproject-tests/files")].filter(([name]) => name.endsWith(".sdp"));
      assert(files.length > 20);
      for (const [name, bytes] of files) assert(parses(bytes) || !isPlainSdp(bytes), name);
    },
  );
});
