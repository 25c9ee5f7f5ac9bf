// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { clean, labelOf } from "../scripts/demo/label.ts";
import { Ladder } from "../scripts/demo/ladder.ts";
import { Merge, type Step } from "../scripts/demo/merge.ts";
import type { EventBody, PartyEvent, Side } from "../scripts/demo/protocol.ts";
import { type Output, painter, Screen } from "../scripts/demo/terminal.ts";
import { sip } from "./support/fake_party.ts";

const invite = sip("INVITE sip:bob@example.com SIP/2.0", "INVITE", true);
const ringing = sip("SIP/2.0 180 Ringing", "INVITE");
const ok = sip("SIP/2.0 200 OK", "BYE");

describe("labelOf()", () => {
  it("takes the method of a request and the status of a response", () => {
    assertEquals(labelOf(invite), { text: "INVITE + SDP", kind: "request" });
    assertEquals(labelOf(ringing), { text: "180 Ringing", kind: "provisional" });
    assertEquals(labelOf(ok), { text: "200 OK (BYE)", kind: "success" });
    assertEquals(labelOf(sip("SIP/2.0 486 Busy Here", "INVITE")).kind, "failure");
    assertEquals(labelOf(sip("SIP/2.0 302", "INVITE")), { text: "302", kind: "failure" });
  });

  it("knows a re-INVITE by the tag in its To", () => {
    const again = "INVITE sip:bob@example.com SIP/2.0\r\nt: <sip:bob@example.com> ; tag=1\r\n\r\n";
    assertEquals(labelOf(again).text, "re-INVITE");
  });

  it("finds SDP by the compact form of Content-Type, not in the body", () => {
    assertEquals(labelOf("ACK sip:a SIP/2.0\r\nc: application/sdp\r\n\r\n").text, "ACK + SDP");
    assertEquals(
      labelOf("MESSAGE sip:a SIP/2.0\r\n\r\nContent-Type: application/sdp\r\n").text,
      "MESSAGE",
    );
  });

  it("answers any text with a label without control characters", () => {
    assertEquals(labelOf("").text, "?");
    assertEquals(labelOf("\x1b[2J").text, "?");
    assertEquals(labelOf(sip("SIP/2.0 200 \x1b]0;owned\x07", "INVITE")).text, "200 \ufffd]0;owned\ufffd");
    fc.assert(fc.property(fc.string({ unit: "binary" }), (noise) => {
      for (const text of [noise, `SIP/2.0 200 ${noise}`, `SIP/2.0 200 OK\r\nCSeq: 1 ${noise}`]) {
        assert(!/\p{C}/u.test(labelOf(text).text));
      }
    }));
  });
});

describe("clean()", () => {
  it("replaces what a terminal would obey and what nobody sees", () => {
    assertEquals(clean("a\x1b[31mb\r\nc\u202ed\u2028e"), "a\ufffd[31mb\ufffd\ufffdc\ufffdd\ufffde");
    assertEquals(clean("Grüße, 你好"), "Grüße, 你好");
  });
});

describe("Ladder", () => {
  function ladder(width: number = 60, colour: boolean = false): Ladder {
    return new Ladder({
      paint: painter(colour),
      width: () => width,
      headings: { caller: ["Caller", "Deno"], callee: ["Callee", "Bun", "127.0.0.1:5060"] },
    });
  }

  it("draws a call", () => {
    const it = ladder();
    assertEquals(
      [
        ...it.head(),
        it.message(1000, "caller", invite),
        it.note(1001, "callee", "SIPInvitationChangedState", "incoming"),
        it.message(1004, "callee", ringing),
        it.note(1005, "caller", "RTP", ""),
        it.sound(2250, "PCMU", 8000),
      ],
      [
        "          Caller                                     Callee",
        "          Deno                                          Bun",
        "                                             127.0.0.1:5060",
        "          │                                               │",
        "  0.000 s ├──────────────── INVITE + SDP ────────────────▶│",
        "  0.001 s │           SIPInvitationChangedState incoming ●│",
        "  0.004 s │◀──────────────── 180 Ringing ─────────────────┤",
        "  0.005 s │● RTP                                          │",
        "  1.250 s │◀═════════════ ♪ PCMU 8000 Hz ♪ ══════════════▶│",
      ].map((line) => line.length === 60 ? line.slice(0, 59) : line),
    );
  });

  it("keeps every line as wide as the terminal lets it, whatever it holds", () => {
    fc.assert(fc.property(
      fc.integer({ min: 40, max: 110 }),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom<Side>("caller", "callee"),
      (width, text, side) => {
        const it = ladder(width);
        const lines = [
          it.message(0, side, `SIP/2.0 200 ${text}\r\nCSeq: 1 INVITE\r\n\r\n`),
          it.note(1, side, text, text),
          it.sound(2, text, 8000),
        ];
        for (const line of lines) assertEquals([...line].length, width - 1);
      },
    ));
  });

  it("shortens with an ellipsis", () => {
    assertEquals(
      ladder(40).note(0, "callee", "SIPInvitationChangedState", "outgoing"),
      "  0.000 s │ SIPInvitationChangedSta… ●│",
    );
    assertEquals(
      ladder(50).note(0, "caller", "SIPInvitationChangedState", "outgoing → early"),
      "  0.000 s │● SIPInvitationChangedState outgoin… │",
    );
  });

  it("does not go back behind its first line", () => {
    const it = ladder();
    it.message(1000, "caller", invite);
    assertStringIncludes(it.message(999, "callee", ringing), "0.000 s");
  });

  it("colours requests, provisional, good and bad answers differently", () => {
    const it = ladder(60, true);
    const codes = [invite, ringing, ok, sip("SIP/2.0 500 Oops", "INVITE")].map((message) => {
      const found = [...it.message(0, "caller", message).matchAll(/\[(3[0-9])m/g)].map((match) => match[1]);
      assertEquals(new Set(found).size, 1);
      return found[0];
    });
    assertEquals(codes, ["36", "33", "32", "31"]);
  });
});

describe("Merge", () => {
  const note = (at: number, text: string): PartyEvent => ({ type: "note", at, name: "N", text });
  const sent = (at: number, text: string): PartyEvent => ({ type: "trace", at, received: false, text });
  const got = (at: number, text: string): PartyEvent => ({ type: "trace", at, received: true, text });
  const words = (steps: readonly Step[]): string[] =>
    steps.map(({ side, event }) =>
      `${side}${event.type === "trace" && event.received ? " got" : ""} ${(event as { text: string }).text}`
    );

  it("puts a message before what its receiver makes of it, even when the clocks say otherwise", () => {
    const merge = new Merge(["caller", "callee"]);
    merge.push("callee", got(5, "INVITE"), 0);
    merge.push("callee", note(5, "incoming"), 0);
    merge.push("callee", sent(5, "180"), 0);
    merge.push("caller", note(6, "calling"), 10);
    merge.push("caller", sent(6, "INVITE"), 10);
    merge.push("caller", got(6, "180"), 10);
    merge.push("caller", note(6, "early"), 10);
    assertEquals(words(merge.take(70)), [
      "caller calling",
      "caller INVITE",
      "callee incoming",
      "callee 180",
      "caller early",
    ]);
    assertEquals(merge.lost("caller") + merge.lost("callee"), 0);
  });

  it("holds an event back for a moment, until an earlier one can have been reported", () => {
    const merge = new Merge(["caller", "callee"]);
    merge.push("caller", note(20, "third"), 100);
    assertEquals(words(merge.take(120)), []);
    merge.push("callee", note(10, "first"), 130);
    merge.push("caller", note(15, "second"), 130);
    assertEquals(words(merge.take(189)), []);
    assertEquals(words(merge.take(190)), ["callee first", "caller second", "caller third"]);
  });

  it("keeps the order of what a party reports for one and the same moment", () => {
    const merge = new Merge(["caller"]);
    for (const text of ["a", "b", "c"]) merge.push("caller", note(1, text), 0);
    assertEquals(words(merge.take(60)), ["caller a", "caller b", "caller c"]);
  });

  it("counts a message once for each time it was sent, and knows the one that was lost", () => {
    const merge = new Merge(["caller", "callee"]);
    for (const at of [0, 500, 1500]) merge.push("caller", sent(at, "INVITE"), at);
    for (const at of [501, 1501]) merge.push("callee", got(at, "INVITE"), at);
    assertEquals(words(merge.take(1600)), ["caller INVITE", "caller INVITE", "caller INVITE"]);
    assertEquals(merge.lost("caller"), 1);
    assertEquals(merge.lost("callee"), 0);
  });

  it("shows a message from nowhere after a while", () => {
    const merge = new Merge(["caller", "callee"]);
    merge.push("callee", got(0, "OPTIONS"), 0);
    merge.push("callee", note(1, "after"), 0);
    assertEquals(words(merge.take(400)), []);
    assertEquals(words(merge.take(600)), ["callee got OPTIONS", "callee after"]);
  });

  it("shows everything of a single party, what it sent and what it got", () => {
    const merge = new Merge(["caller"]);
    merge.push("caller", sent(0, "INVITE"), 0);
    merge.push("caller", got(1, "180"), 0);
    assertEquals(words(merge.take(60)), ["caller INVITE", "caller got 180"]);
    assertEquals(merge.lost("caller"), 0);
  });

  it("drain() gives all the rest", () => {
    const merge = new Merge(["caller", "callee"]);
    merge.push("caller", got(3, "BYE"), 0);
    merge.push("caller", note(4, "over"), 0);
    merge.push("callee", sent(5, "200"), 0);
    assertEquals(words(merge.drain()), ["callee 200", "caller got BYE", "caller over"]);
    assertEquals(merge.drain(), []);
  });

  it("keeps each party's own order and loses nothing", () => {
    const step = fc.tuple(fc.constantFrom<Side>("caller", "callee"), fc.boolean(), fc.nat(3), fc.nat(40));
    fc.assert(fc.property(fc.array(step), (plan) => {
      const merge = new Merge(["caller", "callee"]);
      const steps: Step[] = [];
      const pushed: Record<Side, EventBody[]> = { caller: [], callee: [] };
      let now = 0;
      for (const [side, isNote, text, later] of plan) {
        now += later;
        const event = isNote ? note(now, `${now}`) : sent(now, `${text}`);
        pushed[side].push(event);
        merge.push(side, event, now);
        steps.push(...merge.take(now));
      }
      steps.push(...merge.drain());
      for (const side of ["caller", "callee"] as const) {
        assertEquals(steps.filter((s) => s.side === side).map((s): EventBody => s.event), pushed[side]);
      }
    }));
  });
});

describe("Screen", () => {
  class Paper implements Output {
    text = "";
    readonly isTTY: boolean;
    readonly columns?: number;

    constructor(isTTY: boolean, columns?: number) {
      this.isTTY = isTTY;
      if (columns !== undefined) this.columns = columns;
    }

    write(text: string): void {
      this.text += text;
    }
  }

  it("keeps the status line below the lines of a terminal", () => {
    const paper = new Paper(true);
    const screen = new Screen(paper, {});
    screen.status("1 s");
    screen.line("INVITE");
    screen.status("2 s");
    screen.status("2 s");
    screen.status("");
    screen.line("BYE");
    assertEquals(paper.text, "1 s\r\x1b[2KINVITE\n1 s\r\x1b[2K2 s\r\x1b[2KBYE\n");
  });

  it("has neither a status line nor colours where the output is a file", () => {
    const paper = new Paper(false);
    const screen = new Screen(paper, {});
    screen.status("1 s");
    screen.line(screen.paint("red", "x"));
    assertEquals(paper.text, "x\n");
  });

  it("honours NO_COLOR and FORCE_COLOR", () => {
    assertEquals(new Screen(new Paper(true), {}).paint("red", "x"), "\x1b[31mx\x1b[0m");
    assertEquals(new Screen(new Paper(true), { NO_COLOR: "1" }).paint("red", "x"), "x");
    assertEquals(new Screen(new Paper(true), { NO_COLOR: "" }).paint("red", "x"), "\x1b[31mx\x1b[0m");
    assertEquals(new Screen(new Paper(false), { FORCE_COLOR: "1" }).paint("red", "x"), "\x1b[31mx\x1b[0m");
    assertEquals(new Screen(new Paper(true), { TERM: "dumb" }).paint("red", "x"), "x");
  });

  it("is as wide as the terminal, within reason", () => {
    assertEquals([undefined, 20, 90, 500].map((columns) => new Screen(new Paper(true, columns), {}).width), [
      100,
      40,
      90,
      100,
    ]);
  });
});
