// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { SIPCoreError } from "../core/errors.ts";
import { SDPAttribute } from "../core/sdp_attribute.ts";
import { SDPBandwidthInfo } from "../core/sdp_bandwidth_info.ts";
import { SDPConnection } from "../core/sdp_connection.ts";
import { FrozenSDPMediaStream, SDPMediaStream } from "../core/sdp_media_stream.ts";

const flags = (...names: string[]) => names.map((name) => new SDPAttribute(name, ""));

describe("SDPMediaStream", () => {
  it("SDPMediaStream() prints its section", () => {
    const stream = new SDPMediaStream("audio", 40000, "RTP/AVP", {
      formats: ["0", "8"],
      attributes: flags("sendrecv"),
    });
    assertEquals(stream.toString(), "m=audio 40000 RTP/AVP 0 8\r\na=sendrecv\r\n");
    stream.portCount = 2;
    stream.formats = new Set(["9"]);
    stream.info = "x";
    stream.connection = new SDPConnection("::1");
    stream.bandwidthInfo = [new SDPBandwidthInfo("AS", 64)];
    assertEquals(
      stream.toString(),
      "m=audio 40000/2 RTP/AVP 9\r\ni=x\r\nc=IN IP6 ::1\r\nb=AS:64\r\na=sendrecv\r\n",
    );
    assert(FrozenSDPMediaStream.parse(stream.toString()).equals(stream));
    assertEquals(
      new SDPMediaStream({ media: "audio", port: 0, transport: "RTP/AVP" }).toString(),
      "m=audio 0 RTP/AVP\r\n",
    );
  });

  it("SDPMediaStream() refuses wrong arguments, naming them", () => {
    for (const bad of ["", "a b", "a\r", "a\n", "a\0", "\ud800"]) {
      assertThrows(() => new SDPMediaStream(bad, 1, "RTP/AVP"), TypeError, "media");
      assertThrows(() => new SDPMediaStream("audio", 1, bad), TypeError, "transport");
      assertThrows(() => new SDPMediaStream("audio", 1, "RTP/AVP", { formats: [bad] }), TypeError, "formats");
    }
    for (const bad of [-1, 65536, 0.5]) {
      assertThrows(() => new SDPMediaStream("audio", bad, "RTP/AVP"), RangeError, "port");
      assertThrows(() => new SDPMediaStream("audio", 1, "RTP/AVP").port = bad, RangeError, "port");
    }
    assertThrows(() => new SDPMediaStream("audio", 1, "RTP/AVP", { portCount: 0 }), RangeError, "portCount");
    assertThrows(() => new SDPMediaStream("audio", 1, "RTP/AVP", { formats: "0 8" }), TypeError, "formats");
    assertThrows(() => new SDPMediaStream("audio", undefined as unknown as number, "x"), TypeError, "port");
    const stream = new SDPMediaStream("audio", 1, "RTP/AVP");
    stream.formats.push("0\r\na=injected");
    assertThrows(() => stream.toString(), TypeError, "formats");
    for (const text of ["", "a=x", "m=audio 1 RTP/AVP\r\nm=audio 1 RTP/AVP"]) {
      assertThrows(() => SDPMediaStream.parse(text), SIPCoreError);
    }
  });

  it("SDPMediaStream.direction is the first one among the attributes", () => {
    const direction = (...names: string[]) => {
      return new SDPMediaStream("audio", 1, "RTP/AVP", { attributes: flags(...names) }).direction;
    };
    assertEquals([direction(), direction("x"), direction("x", "recvonly", "inactive")], [
      "sendrecv",
      "sendrecv",
      "recvonly",
    ]);
    assertEquals(["sendrecv", "sendonly", "inactive"].map((name) => direction(name)), [
      "sendrecv",
      "sendonly",
      "inactive",
    ]);
  });

  it("SDPMediaStream.codecList reads rtpmap before the static payload types", () => {
    const stream = SDPMediaStream.parse(
      "m=audio 1 RTP/AVP 0 111 9 101 77 8\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n" +
        "a=rtpmap:8 L16/16000\r\na=rtpmap:8 X/1\r\na=rtpmap:77 broken\r\na=rtpmap:x\r\n",
    );
    assertEquals(stream.codecList.map(String), [
      "PCMU/8000",
      "opus/48000",
      "G722/8000",
      "telephone-event/8000",
      "Unknown/0",
      "L16/16000",
    ]);
    assert(stream.codecList[0]?.equals("pcmu"));
    stream.formats = ["constructor", "__proto__"];
    assertEquals(stream.codecList.map(String), ["Unknown/0", "Unknown/0"]);
    stream.media = "message";
    assertEquals(stream.codecList.length, 0);
  });

  it("SDPMediaStream.codecList follows formats and attributes", () => {
    const stream = new SDPMediaStream("video", 1, "RTP/AVP", { formats: ["96"] });
    assertEquals(stream.codecList.map(String), ["Unknown/0"]);
    stream.attributes.push(new SDPAttribute("rtpmap", "96 VP8/90000"));
    stream.formats.push("96");
    assertEquals(stream.codecList.map(String), ["VP8/90000", "VP8/90000"]);
  });

  it("SDPMediaStream knows whether it has ICE attributes and candidates", () => {
    const stream = new SDPMediaStream("audio", 1, "RTP/AVP", { attributes: flags("ice-ufrag") });
    assertFalse(stream.hasIceAttributes || stream.hasIceCandidates);
    stream.attributes.push(...flags("ice-pwd"));
    assert(stream.hasIceAttributes);
    stream.attributes.push(...flags("candidate"));
    assert(stream.hasIceCandidates);
  });
});

describe("SDPConnection and SDPBandwidthInfo", () => {
  it("SDPConnection() takes the address type from the address", () => {
    assertEquals(String(new SDPConnection("2001:db8::1")), "c=IN IP6 2001:db8::1");
    assertEquals(String(new SDPConnection("h", { netType: "X", addressType: "Y" })), "c=X Y h");
    assertEquals(SDPConnection.parse("c=IN IP4 224.2.1.1/127/3").address, "224.2.1.1/127/3");
    for (const bad of ["", "a b", "a\n"]) {
      assertThrows(() => new SDPConnection(bad), TypeError, "address");
      assertThrows(() => new SDPConnection("h", { netType: bad }), TypeError, "netType");
      assertThrows(() => new SDPConnection("h").addressType = bad, TypeError, "addressType");
    }
    for (const text of ["", "IN IP4", "IN IP4 a b"]) assertEquals(SDPConnection.tryParse(text), null);
  });

  it("SDPBandwidthInfo() keeps modifier and value", () => {
    assertEquals(SDPBandwidthInfo.parse("b=AS:64").value, 64);
    for (const bad of ["", "a:b", "a b", "a\r"]) {
      assertThrows(() => new SDPBandwidthInfo(bad, 1), TypeError, "modifier");
    }
    for (const bad of [-1, 0.5, 2 ** 53]) {
      assertThrows(() => new SDPBandwidthInfo("AS", bad), RangeError, "value");
    }
    for (const text of ["", "AS", "AS:", "AS:1x", ":1", "AS:-1"]) {
      assertEquals(SDPBandwidthInfo.tryParse(text), null);
    }
  });
});
