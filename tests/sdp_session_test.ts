// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertLess, assertThrows } from "@std/assert";
import { SIPCoreError } from "../core/errors.ts";
import { FrozenList } from "../core/frozen.ts";
import { FrozenSDPAttributeList, SDPAttribute, SDPAttributeList } from "../core/sdp_attribute.ts";
import { SDPBandwidthInfo } from "../core/sdp_bandwidth_info.ts";
import { FrozenSDPConnection, SDPConnection } from "../core/sdp_connection.ts";
import { FrozenSDPMediaStream, SDPMediaStream } from "../core/sdp_media_stream.ts";
import { BaseSDPSession, FrozenSDPSession, SDPSession } from "../core/sdp_session.ts";
import { readFolder, skipWithoutCorpus } from "./support/corpus.ts";

const FULL = [
  "v=0",
  "o=jdoe 18446744073709551615 4611731400430051336 IN IP4 198.51.100.1",
  "s=A Seminar: on SDP ",
  "i=what it is about",
  "c=IN IP4 233.252.0.1/127",
  "b=AS:128",
  "b=X-YZ:64",
  "t=2873397496 2873404696",
  "a=recvonly",
  "a=tool:sipcore 1:0",
  "m=audio 49170/2 RTP/AVP 0 101",
  "i=a microphone",
  "c=IN IP6 2001:db8::1",
  "b=TIAS:64000",
  "a=rtpmap:101 telephone-event/8000",
  "a=sendonly",
  "m=message 0 TCP/MSRP *",
  "",
].join("\r\n");

const MINIMAL = "v=0\r\no=- 1 2 IN IP4 h\r\ns= \r\nt=0 0\r\n";

describe("SDPSession", () => {
  it("SDPSession() has the seed's defaults, and NTP seconds for numbers", () => {
    const before = Math.floor(Date.now() / 1000) + 2208988800;
    const sdp = new SDPSession("192.0.2.1");
    const after = Math.floor(Date.now() / 1000) + 2208988800;
    for (const number of [sdp.id, sdp.version]) assert(before <= number && number <= after);
    assertEquals([sdp.user, sdp.netType, sdp.addressType, sdp.name], ["-", "IN", "IP4", " "]);
    assertEquals([sdp.info, sdp.connection, sdp.startTime, sdp.stopTime], [null, null, 0, 0]);
    assertEquals([sdp.attributes.length, sdp.bandwidthInfo.length, sdp.media.length], [0, 0, 0]);
    assertEquals(new SDPSession({ address: "::1", id: null, version: 7 }).addressType, "IP6");
    assertEquals(
      new SDPSession("::1", { id: 1, version: 2 }).toString(),
      "v=0\r\no=- 1 2 IN IP6 ::1\r\ns= \r\nt=0 0\r\n",
    );
  });

  it("SDPSession.parse() reads what toString() prints, all lines and digits", () => {
    const sdp = SDPSession.parse(FULL);
    assertEquals(sdp.toString(), FULL);
    assertEquals(FrozenSDPSession.from(sdp).toString(), FULL);
    assertEquals(SDPSession.from(FrozenSDPSession.parse(FULL)).toString(), FULL);
    assertEquals([sdp.user, sdp.address, sdp.name, sdp.info], [
      "jdoe",
      "198.51.100.1",
      "A Seminar: on SDP ",
      "what it is about",
    ]);
    assertEquals([sdp.id, sdp.version], [2 ** 64, 4611731400430051336]);
    assertFalse(sdp.equals(SDPSession.parse(FULL.replace("18446744073709551615", "18446744073709551614"))));
    assertEquals([sdp.startTime, sdp.stopTime], [2873397496, 2873404696]);
    assertEquals(sdp.bandwidthInfo.map(String), ["b=AS:128", "b=X-YZ:64"]);
    assertEquals(sdp.attributes.getFirst("tool"), "sipcore 1:0");
    const [audio, message] = sdp.media;
    assertEquals([audio?.port, audio?.portCount, audio?.formats, audio?.info], [
      49170,
      2,
      ["0", "101"],
      "a microphone",
    ]);
    assertEquals([audio?.connection?.addressType, audio?.direction], ["IP6", "sendonly"]);
    assertEquals([message?.media, message?.port, message?.transport, message?.formats], [
      "message",
      0,
      "TCP/MSRP",
      ["*"],
    ]);
  });

  it("SDPSession.parse() passes over what SIP gives no meaning", () => {
    const text =
      "v=0\no=- 1 2 IN IP4 h\ns=x\nu=http://h\ne=a@h\np=+1\nt=0 0\nr=7d 1h\nz=0 0\nk=prompt\nx=?\n" +
      "m=audio 1 RTP/AVP 0\nk=prompt\nx=?\n\n";
    const sdp = SDPSession.parse(text);
    assertEquals(sdp.toString(), "v=0\r\no=- 1 2 IN IP4 h\r\ns=x\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n");
    assertEquals(SDPSession.parse("v=0\r\no=- 1 2 IN IP4 h").toString(), MINIMAL);
  });

  it("SDPSession.parse() throws a SIPCoreError for malformed text", () => {
    for (
      const text of [
        "",
        "x",
        "o=- 1 2 IN IP4 h\r\n",
        "v=1\r\no=- 1 2 IN IP4 h\r\n",
        "v=0\r\ns=-\r\n",
        "v=0\r\no=- 1 2 IN IP4\r\n",
        "v=0\r\no=- x 2 IN IP4 h\r\n",
        "v=0\r\no=- -1 2 IN IP4 h\r\n",
        "v=0\r\no=- 18446744073709551616 2 IN IP4 h\r\n",
        `${MINIMAL}t\r\n`,
        `${MINIMAL}garbage\r\n`,
        `${MINIMAL}a=\r\n`,
        `${MINIMAL}a=x\0y\r\n`,
        `${MINIMAL}c=IN IP4\r\n`,
        `${MINIMAL}b=AS\r\n`,
        `${MINIMAL}b=AS:x\r\n`,
        `${MINIMAL}m=audio\r\n`,
        `${MINIMAL}m=audio x RTP/AVP 0\r\n`,
        `${MINIMAL}m=audio 65536 RTP/AVP 0\r\n`,
        `${MINIMAL}m=audio 1/0 RTP/AVP 0\r\n`,
        `${MINIMAL}m=audio 1/ RTP/AVP 0\r\n`,
        "v=0\r\no=- 1 2 IN IP4 h\r\nt=0\r\n",
      ]
    ) {
      const error = assertThrows(() => SDPSession.parse(text), SIPCoreError, "Cannot parse SDP");
      assertEquals(error.code, "PARSE");
      assertEquals(FrozenSDPSession.tryParse(text), null);
    }
  });

  it("SDPSession.parse() refuses bombs, at once", () => {
    const start = performance.now();
    assertThrows(() => SDPSession.parse(MINIMAL + "a=x\r\n".repeat(9_000)), SIPCoreError, "lines");
    assertThrows(
      () => SDPSession.parse(MINIMAL + `a=${"x".repeat(300_000)}\r\n`),
      SIPCoreError,
      "characters",
    );
    SDPSession.parse(MINIMAL + "m=audio 1 RTP/AVP 0\r\n".repeat(8_000));
    SDPSession.parse(MINIMAL + `m=audio 1 RTP/AVP${" 0".repeat(100_000)}\r\n`).media[0]?.codecList.length;
    SDPSession.parse(MINIMAL + `m=audio 1 RTP/AVP 0\r\n${"a=rtpmap:0 X/1\r\n".repeat(8_000)}`).media[0]
      ?.codecList.length;
    SDPSession.tryParse(MINIMAL + `b=${" ".repeat(200_000)}x\r\n`);
    assertLess(performance.now() - start, 10_000);
  });

  it("SDPSession() refuses wrong arguments, naming them", () => {
    for (const bad of ["a\rb", "a\nb", "a\0b", "\ud800"]) {
      assertThrows(() => new SDPSession(bad), TypeError, "address");
      for (const key of ["user", "netType", "addressType", "name", "info"]) {
        assertThrows(() => new SDPSession("h", { [key]: bad }), TypeError, key);
        const sdp = new SDPSession("h") as unknown as Record<string, string>;
        assertThrows(() => sdp[key] = bad, TypeError, key);
      }
    }
    for (const bad of ["", "a b"]) assertThrows(() => new SDPSession(bad), TypeError, "address");
    for (const bad of [-1, 0.5, 2 ** 53, -1n, 2n ** 64n]) {
      assertThrows(() => new SDPSession("h", { id: bad }), RangeError, "id");
      assertThrows(() => new SDPSession("h").version = bad, RangeError, "version");
    }
    assertThrows(() => new SDPSession("h", { startTime: -1 }), RangeError, "startTime");
    assertThrows(() => new SDPSession("h", { media: ["m=audio"] as unknown as SDPMediaStream[] }), TypeError);
    assertThrows(
      () => new SDPSession("h", { connection: "h" as unknown as SDPConnection }),
      TypeError,
      "connection",
    );
    const Base = BaseSDPSession as unknown as new (init: object, frozen: boolean) => BaseSDPSession;
    assertThrows(() => new Base({ address: "h" }, false), TypeError, "Illegal constructor");
  });

  it("SDPSession copies what it is given, and what it holds can be changed", () => {
    const stream = new FrozenSDPMediaStream("audio", 1, "RTP/AVP");
    const connection = new SDPConnection("192.0.2.1");
    const sdp = new SDPSession("h", { id: 1, version: 2, connection, media: [stream] });
    connection.address = "changed";
    assertEquals(sdp.connection?.address, "192.0.2.1");
    sdp.media[0]!.port = 7;
    sdp.media[0]!.attributes.push(new SDPAttribute("inactive", ""));
    sdp.attributes = [new SDPAttribute("x", "")];
    sdp.bandwidthInfo = new Set([new SDPBandwidthInfo("AS", 1)]);
    sdp.version += 1;
    sdp.info = "";
    assertEquals(
      sdp.toString(),
      "v=0\r\no=- 1 3 IN IP4 h\r\ns= \r\nc=IN IP4 192.0.2.1\r\nb=AS:1\r\nt=0 0\r\na=x\r\nm=audio 7 RTP/AVP\r\na=inactive\r\n",
    );
    assertEquals([stream.port, stream.attributes.length], [1, 0]);
    assert(sdp.attributes instanceof SDPAttributeList && sdp.media[0] instanceof SDPMediaStream);
  });

  it("FrozenSDPSession is frozen all the way down", () => {
    const sdp = FrozenSDPSession.parse(FULL);
    const parts: readonly object[] = [
      sdp,
      sdp.attributes,
      sdp.attributes[0]!,
      sdp.bandwidthInfo,
      sdp.bandwidthInfo[0]!,
      sdp.connection!,
      sdp.media,
      sdp.media[0]!,
      sdp.media[0]!.formats,
      sdp.media[0]!.attributes,
      sdp.media[0]!.connection!,
      sdp.media[0]!.bandwidthInfo[0]!,
    ];
    for (const part of parts) assert(Object.isFrozen(part));
    assert(sdp.media instanceof FrozenList && sdp.attributes instanceof FrozenSDPAttributeList);
    assert(sdp.connection instanceof FrozenSDPConnection);
    assertThrows(() => sdp.media.push(sdp.media[0]!), TypeError);
  });

  it("SDPSession.equals() compares all components", () => {
    const sdp = SDPSession.parse(FULL);
    for (
      const [from, to] of [
        ["jdoe", "x"],
        ["1336 IN", "1337 IN"],
        ["1336 IN", "1336 XX"],
        ["IP4 198", "IP6 198"],
        ["198.51.100.1", "h"],
        ["A Sem", "B Sem"],
        ["i=what", "i=that"],
        ["i=what it is about\r\n", ""],
        ["c=IN IP4 233", "c=IN IP4 232"],
        ["c=IN IP4 233.252.0.1/127\r\n", ""],
        ["b=AS:128", "b=AS:127"],
        ["t=2873397496", "t=0"],
        ["2873404696", "0"],
        ["a=recvonly", "a=sendonly"],
        ["49170/2", "49170"],
        ["audio 4", "audio 5"],
        ["RTP/AVP 0", "RTP/SAVP 0"],
        ["AVP 0 ", "AVP "],
        ["i=a mic", "i=b mic"],
        ["2001:db8::1", "2001:db8::2"],
        ["b=TIAS:64000\r\n", ""],
        ["a=sendonly\r\nm=", "m="],
        ["m=message 0 TCP/MSRP *\r\n", ""],
      ] as const
    ) {
      assert(FULL.includes(from), from);
      const other = SDPSession.parse(FULL.replace(from, to));
      assertFalse(sdp.equals(other) || other.equals(sdp), from);
    }
    assertFalse(sdp.equals(FULL));
    assert(sdp.equals(FrozenSDPSession.parse(FULL)));
  });

  it("SDPSession.hasIceProposal looks at both levels", () => {
    assertFalse(SDPSession.parse(FULL).hasIceProposal);
    assert(SDPSession.parse(`${MINIMAL}a=ice-lite\r\n`).hasIceProposal);
    assert(FrozenSDPSession.parse(`${FULL}a=candidate:1 1 UDP 1 192.0.2.1 1 typ host\r\n`).hasIceProposal);
  });
});

describe("SDPSession and the corpus", { skip: skipWithoutCorpus }, () => {
  it("SDPSession.parse() reads every SDP of pjproject's tests", () => {
    const files = [...readFolder("pjproject-tests/files")].filter(([name]) => name.endsWith(".sdp"));
    assert(files.length > 20);
    for (const [name, bytes] of files) {
      const text = new TextDecoder().decode(bytes);
      const sdp = SDPSession.parse(text);
      assert(SDPSession.parse(sdp.toString()).equals(sdp), name);
      for (const media of sdp.media) media.codecList.map(String);
    }
  });
});
