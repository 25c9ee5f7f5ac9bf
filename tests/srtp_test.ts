// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import { srtpPatience } from "../media/srtp_session.ts";
import {
  AudioMixer,
  AudioTransport,
  PJSIPError,
  RecordingWaveFile,
  RTPTransport,
  type RTPTransportOptions,
  SDPAttribute,
  SDPSession,
  type SRTPCipher,
  WaveFile,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { AudioPair, openTransport } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { isRtp, MediaProxy } from "./support/media_proxy.ts";
import { protect } from "./support/srtp_packet.ts";
import { until } from "./support/until.ts";

/** Not the default's, where other programs may be. */
const rtpPortRange = [43400, 43799] as const;

const ciphers: readonly SRTPCipher[] = [
  "AEAD_AES_256_GCM",
  "AEAD_AES_128_GCM",
  "AES_256_CM_HMAC_SHA1_80",
  "AES_256_CM_HMAC_SHA1_32",
  "AES_CM_128_HMAC_SHA1_80",
  "AES_CM_128_HMAC_SHA1_32",
];

const none: RTPTransportOptions = {};
const sdes: RTPTransportOptions = { useSrtp: true };
const forcedSdes: RTPTransportOptions = { useSrtp: true, srtpForced: true };
const dtls: RTPTransportOptions = { useSrtp: true, srtpKeying: ["dtls"] };
const forcedDtls: RTPTransportOptions = { ...dtls, srtpForced: true };
const either: RTPTransportOptions = { useSrtp: true, srtpKeying: ["sdes", "dtls"] };
const forcedEither: RTPTransportOptions = { ...either, srtpForced: true };

const names = new Map([
  [none, "none"],
  [sdes, "SDES"],
  [forcedSdes, "forced SDES"],
  [dtls, "DTLS"],
  [forcedDtls, "forced DTLS"],
  [either, "SDES or DTLS"],
  [forcedEither, "forced SDES or DTLS"],
]);

/** What stands behind "a=crypto:" in the only stream. */
function cryptoOf(sdp: SDPSession): string[] {
  return sdp.media[0]!.attributes.getAll("crypto");
}

/** A copy whose lines of that name are these instead. */
function withLines(sdp: SDPSession, name: string, ...values: readonly string[]): SDPSession {
  const copy = SDPSession.from(sdp);
  const { attributes } = copy.media[0]!;
  for (let index = attributes.length; index-- > 0;) {
    if (attributes[index]!.name === name) attributes.splice(index, 1);
  }
  attributes.push(...values.map((value) => new SDPAttribute(name, value)));
  return copy;
}

function stateOf({ transport }: AudioTransport): unknown[] {
  return [transport.srtpActive, transport.srtpActiveKeying, transport.srtpCipher];
}

describe("RTPTransport with SRTP", () => {
  const sounds = [
    makeSound("caller", { sampleRate: 8000, seconds: 1.5 }),
    makeSound("callee", { sampleRate: 8000, seconds: 1.5 }),
  ] as const;
  let folder = "";
  let mixer: AudioMixer;
  const file = (name: string): string => join(folder, `${name}.wav`);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-srtp-"));
    await writeWav(file("left"), sounds[0]);
    await writeWav(file("right"), sounds[1]);
    await startEngine({ rtpPortRange });
    mixer = new AudioMixer(null, null, { sampleRate: 8000 });
  });

  after(async () => {
    mixer.close();
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** Plays both ways; how well each side has heard the other. */
  async function talk({ left, right }: AudioPair, name: string): Promise<number[]> {
    using stack = new DisposableStack();
    const recordings: string[] = [];
    const played = ([[left, right, "left"], [right, left, "right"]] as const).map(([from, to, side]) => {
      const wave = stack.use(new WaveFile(mixer, file(side)));
      const recorder = stack.use(new RecordingWaveFile(mixer, file(`${name} ${side}`)));
      recordings.push(recorder.filename);
      recorder.start();
      mixer.connectSlots(to, recorder);
      const ended = wave.notifications().next();
      wave.start();
      mixer.connectSlots(wave, from);
      return ended;
    });
    await deadline(Promise.all(played), 30_000);
    stack.dispose();
    const heard = await Promise.all(recordings.map((recording) => readWav(recording)));
    return heard.map((sound, index) => correlate(sounds[index]!, sound).median);
  }

  it("RTPTransport refuses bad options of SRTP by name", () => {
    using transport = new RTPTransport();
    const { useSrtp, forceSrtp, srtpKeying, srtpActive, srtpCipher, srtpActiveKeying } = transport;
    assertEquals(
      [useSrtp, forceSrtp, srtpKeying, srtpActive, srtpCipher, srtpActiveKeying],
      [false, false, ["sdes"], false, null, null],
    );
    assertEquals(transport.srtpStatistics, null);
    for (
      const [options, type, argument] of [
        [{ useSrtp: 1 }, TypeError, "useSrtp"],
        [{ srtpForced: "yes" }, TypeError, "srtpForced"],
        [{ srtpKeying: "sdes" }, TypeError, "srtpKeying"],
        [{ srtpKeying: [] }, RangeError, "srtpKeying"],
        [{ srtpKeying: ["zrtp"] }, RangeError, "srtpKeying"],
        [{ srtpKeying: ["sdes", "sdes"] }, RangeError, "srtpKeying"],
        [{ srtpKeying: [1] }, TypeError, "srtpKeying"],
        [{ srtpCiphers: ["NULL"] }, RangeError, "srtpCiphers"],
        [{ srtpCiphers: [] }, RangeError, "srtpCiphers"],
        [{ srtpCiphers: ["AES_256_CM_HMAC_SHA1_80"], srtpKeying: ["dtls"] }, RangeError, "DTLS"],
      ] as const
    ) assertThrows(() => new RTPTransport(options as never), type, argument);
  });

  it("RTPTransport carries sound under every suite, both ways, with SDES and DTLS", async () => {
    const suites: [RTPTransportOptions, SRTPCipher][] = [
      ...ciphers.map((cipher) => [{ ...forcedSdes, srtpCiphers: [cipher] }, cipher] as [object, SRTPCipher]),
      ...ciphers.filter((cipher) => !cipher.startsWith("AES_256"))
        .map((cipher) => [{ ...forcedDtls, srtpCiphers: [cipher] }, cipher] as [object, SRTPCipher]),
    ];
    await Promise.all(suites.map(async ([options, cipher]) => {
      const keying = options.srtpKeying?.[0] ?? "sdes";
      using pair = new AudioPair(mixer, { left: options, right: forcedEither });
      const { left, right } = pair;
      const told = [left, right].map(({ transport }) =>
        transport.notifications("RTPTransportSRTPNegotiationDidSucceed").next()
      );
      pair.start();
      for (const { value } of await deadline(Promise.all(told), 10_000)) {
        assertEquals([value?.data.keying, value?.data.cipher], [keying, cipher]);
      }
      const what = `${keying} ${cipher}`;
      for (const likeness of await talk(pair, what)) assertGreater(likeness, 0.9, what);
      for (const side of [left, right]) {
        assertEquals(stateOf(side), [true, keying, cipher]);
        assertEquals(side.transport.srtpStatistics, { packetsRefused: 0, packetsReplayed: 0 });
        assertEquals(side.statistics?.rx.packetsLost, 0);
      }
    }));
  });

  /** Offerer, answerer: the profile of the offer, and the keying (null: in clear; undefined: refused). */
  const meetings: readonly (readonly [
    left: RTPTransportOptions,
    right: RTPTransportOptions,
    profile: string,
    keying?: "sdes" | "dtls" | null,
  ])[] = [
    [none, none, "RTP/AVP", null],
    [none, sdes, "RTP/AVP", null],
    [none, dtls, "RTP/AVP", null],
    [none, either, "RTP/AVP", null],
    [none, forcedSdes, "RTP/AVP"],
    [none, forcedDtls, "RTP/AVP"],
    [none, forcedEither, "RTP/AVP"],
    [sdes, none, "RTP/AVP", null],
    [sdes, sdes, "RTP/AVP", "sdes"],
    [sdes, forcedSdes, "RTP/AVP", "sdes"],
    [sdes, dtls, "RTP/AVP", null],
    [sdes, forcedDtls, "RTP/AVP"],
    [sdes, either, "RTP/AVP", "sdes"],
    [forcedSdes, none, "RTP/SAVP"],
    [forcedSdes, sdes, "RTP/SAVP", "sdes"],
    [forcedSdes, forcedSdes, "RTP/SAVP", "sdes"],
    [forcedSdes, dtls, "RTP/SAVP"],
    [forcedSdes, forcedEither, "RTP/SAVP", "sdes"],
    [dtls, none, "RTP/AVP", null],
    [dtls, sdes, "RTP/AVP", null],
    [dtls, forcedSdes, "RTP/AVP"],
    [dtls, dtls, "RTP/AVP", "dtls"],
    [dtls, forcedDtls, "RTP/AVP", "dtls"],
    [dtls, either, "RTP/AVP", "dtls"],
    [forcedDtls, none, "UDP/TLS/RTP/SAVP"],
    [forcedDtls, sdes, "UDP/TLS/RTP/SAVP"],
    [forcedDtls, dtls, "UDP/TLS/RTP/SAVP", "dtls"],
    [forcedDtls, forcedEither, "UDP/TLS/RTP/SAVP", "dtls"],
    [either, dtls, "RTP/AVP", null],
    [forcedEither, either, "RTP/SAVP", "sdes"],
  ];

  for (const [left, right, profile, keying] of meetings) {
    const outcome = keying === undefined ? "refused" : keying ?? "in clear";
    it(`RTPTransport with ${names.get(left)} calls one with ${names.get(right)}: ${outcome}`, async () => {
      if (keying === undefined) {
        const error = assertThrows(() => new AudioPair(mixer, { left, right }), PJSIPError);
        assertMatch(error.message, /SRTP|transport protocol/i);
        return;
      }
      using pair = new AudioPair(mixer, { left, right });
      assertEquals([pair.offer, pair.answer].map((sdp) => sdp.media[0]!.transport), [profile, profile]);
      assertEquals([stateOf(pair.left)[0], stateOf(pair.right)[0]], [false, false]);
      pair.start();
      if (keying !== null) await until(() => [pair.left, pair.right].every((one) => stateOf(one)[0]), "SRTP");
      await until(
        () => [pair.left, pair.right].every(({ statistics }) => statistics!.rx.packets > 0),
        "sound",
      );
      const cipher = keying === null ? null : "AEAD_AES_256_GCM";
      for (const side of [pair.left, pair.right]) {
        assertEquals(stateOf(side), [keying !== null, keying, cipher]);
      }
    });
  }

  it("RTPTransport speaks DTLS in either role, and in its channel for RTCP where that has one", async () => {
    for (
      const [setup, mux] of [["active", true], ["passive", true], ["active", false], [
        "passive",
        false,
      ]] as const
    ) {
      using pair = new AudioPair(mixer, {
        left: forcedDtls,
        right: forcedDtls,
        onTheWay: (sdp, from) => {
          const plain = mux ? sdp : withLines(sdp, "rtcp-mux");
          // The answerer takes the role that it is left; what it says then is the other.
          return from === "left" ? withLines(plain, "setup", setup) : plain;
        },
      });
      const answered = setup === "active" ? "passive" : "active";
      assertEquals(pair.answer.media[0]!.attributes.getFirst("setup"), answered);
      pair.start();
      await until(() => [pair.left, pair.right].every((one) => stateOf(one)[0]), `${setup} ${mux}`);
      await until(
        () => pair.left.statistics!.rx.packets > 3 && pair.right.statistics!.rx.packets > 3,
        "sound",
      );
    }
  });

  it("RTPTransport drops packets that were tampered with, and counts them", async () => {
    const changed = { count: 0 };
    await using proxy = await MediaProxy.start((packet, from) => {
      if (from === "left" && isRtp(packet) && proxy.packets.left.length % 5 === 0) {
        changed.count++;
        const copy = packet.slice();
        // In turn: the header, the sound, the tag.
        copy[[4, 20, copy.length - 1][changed.count % 3]!]! ^= 1;
        return [copy];
      }
      return [packet];
    });
    for (const options of [forcedSdes, forcedDtls]) {
      changed.count = proxy.packets.left.length = 0;
      using pair = new AudioPair(mixer, { left: options, right: options, onTheWay: proxy.route }).start();
      await until(() => changed.count >= 8, "tampering", 20_000);
      const { transport } = pair.right;
      await until(() => transport.srtpStatistics!.packetsRefused >= 8, "refusals");
      const { packetsRefused, packetsReplayed } = transport.srtpStatistics!;
      assert(
        packetsRefused <= changed.count && packetsReplayed === 0,
        `${packetsRefused} of ${changed.count}`,
      );
      const { rx } = pair.right.statistics!;
      assert(rx.packets <= proxy.packets.left.length - packetsRefused, "They are not heard");
      assertGreater(rx.packets, 20);
      assertEquals(pair.left.transport.srtpStatistics, { packetsRefused: 0, packetsReplayed: 0 });
      transport.close();
    }
  });

  it("RTPTransport drops packets that are replayed, the first ones too, and counts them", async () => {
    let replayed = 0;
    await using proxy = await MediaProxy.start((packet, from) => {
      if (from === "right" || !isRtp(packet)) return [packet];
      // The one before, and one from the beginning: within the window of replays and behind it.
      const earlier = [proxy.packets.left.at(-2), proxy.packets.left[0]].filter((one) => one && isRtp(one));
      replayed += earlier.length;
      return [packet, ...earlier as Uint8Array[]];
    });
    using pair = new AudioPair(mixer, { left: forcedSdes, right: forcedSdes, onTheWay: proxy.route }).start();
    await until(() => replayed >= 60, "replays", 20_000);
    const { transport } = pair.right;
    await until(() => transport.srtpStatistics!.packetsReplayed >= 60, "refusals");
    const { rx } = pair.right.statistics!;
    assertEquals([rx.packetsDuplicate, transport.srtpStatistics!.packetsRefused], [0, 0]);
    assert(rx.packets <= proxy.packets.left.length, `${rx.packets} of ${proxy.packets.left.length}`);
  });

  it("RTPTransport lets no sound of strangers in, nor sound in clear", async () => {
    await using proxy = await MediaProxy.start((packet, from) => {
      if (from === "right") return [packet];
      const plain = new Uint8Array(172).fill(0x55);
      plain.set(packet.subarray(0, 12));
      return [plain];
    });
    using pair = new AudioPair(mixer, { left: forcedSdes, right: sdes, onTheWay: proxy.route }).start();
    await until(() => pair.right.transport.srtpStatistics!.packetsRefused >= 20, "refusals");
    assertEquals(pair.right.statistics!.rx.packets, 0);
  });

  it("RTPTransport.setInit() makes other keys for another use", async () => {
    const left = openTransport(either);
    const right = openTransport(either);
    const keys = new Set<string>();
    for (let round = 1; round <= 5; round++) {
      using caller = new AudioTransport(mixer, left, { codecs: ["PCMU"] });
      const offer = new SDPSession("127.0.0.1", { media: [caller.getLocalMedia(true)] });
      using callee = new AudioTransport(mixer, right, { codecs: ["PCMU"], remoteSdp: offer });
      const answer = new SDPSession("127.0.0.1", { media: [callee.getLocalMedia(false)] });
      for (const line of [...cryptoOf(offer), ...cryptoOf(answer)]) keys.add(line);
      caller.start(offer, answer);
      callee.start(answer, offer);
      assertEquals([left.srtpActive, right.srtpActive], [true, true]);
      await until(() => [caller, callee].every((one) => one.statistics!.rx.packets > 3), `round ${round}`);
      caller.stop();
      callee.stop();
      assertEquals([left.state, left.srtpActive, left.srtpCipher], ["INIT", false, null]);
    }
    assertEquals(keys.size, 5 * 4);
    left.close();
    right.close();
    assertEquals([left.srtpActive, left.srtpStatistics], [false, null]);
  });

  it("RTPTransport with DTLS can be used again", async () => {
    using left = openTransport(forcedDtls);
    using right = openTransport(forcedDtls);
    for (let round = 1; round <= 5; round++) {
      using caller = new AudioTransport(mixer, left, { codecs: ["PCMU"] });
      const offer = new SDPSession("127.0.0.1", { media: [caller.getLocalMedia(true)] });
      using callee = new AudioTransport(mixer, right, { codecs: ["PCMU"], remoteSdp: offer });
      const answer = new SDPSession("127.0.0.1", { media: [callee.getLocalMedia(false)] });
      caller.start(offer, answer);
      callee.start(answer, offer);
      await until(() => [caller, callee].every((one) => one.statistics!.rx.packets > 3), `round ${round}`);
      caller.stop();
      callee.stop();
      assertEquals([left.srtpActive, right.srtpActive], [false, false]);
    }
  });

  const key = (bytes: number): string => btoa("k".repeat(bytes));
  const cm = "AES_CM_128_HMAC_SHA1_80";

  /** Lines of an offer, and which of them an answerer takes (null: none). */
  const lines: readonly (readonly [what: string, lines: readonly string[], taken: number | null])[] = [
    ["a good line", [`1 ${cm} inline:${key(30)}`], 1],
    ["a key that is too short", [`1 ${cm} inline:${key(29)}`], null],
    ["a key that is too long", [`1 ${cm} inline:${key(31)}`], null],
    ["a key that is far too long", [`1 ${cm} inline:${key(3000)}`], null],
    ["no key", [`1 ${cm} inline:`], null],
    ["nothing behind the suite", [`1 ${cm}`], null],
    ["nothing behind the tag", ["1"], null],
    ["nothing at all", [""], null],
    ["a key that is not base64", [`1 ${cm} inline:${"*".repeat(40)}`], null],
    ["an unknown suite before a good line", [
      `1 F8_128_HMAC_SHA1_80 inline:${key(30)}`,
      `2 ${cm} inline:${key(30)}`,
    ], 2],
    ["the suite that encrypts nothing", ["1 NULL inline:"], null],
    ["a broken line before a good one", [`1 ${cm} inline:${key(3)}`, `7 ${cm} inline:${key(30)}`], 7],
    ["an MKI", [`1 ${cm} inline:${key(30)}|2^20|1:4`, `2 ${cm} inline:${key(30)}|2^20`], 2],
    ["two keys", [`1 ${cm} inline:${key(30)}|1:1;inline:${key(30)}|2:1`], null],
    ["sound that is not encrypted", [`1 ${cm} inline:${key(30)} UNENCRYPTED_SRTP`], null],
    ["sound that is not authenticated", [`1 ${cm} inline:${key(30)} UNAUTHENTICATED_SRTP`], null],
    ["a parameter that may be ignored", [`1 ${cm} inline:${key(30)} -X=1 WSH=64`], 1],
    ["a tag with a leading zero", [`01 ${cm} inline:${key(30)}`], null],
    ["a tag that is no number", [`x ${cm} inline:${key(30)}`], null],
    ["a huge tag", [`99999999999 ${cm} inline:${key(30)}`], null],
    ["another method than inline", [`1 ${cm} uri:${key(30)}`], null],
  ];

  for (const [what, given, taken] of lines) {
    it(`RTPTransport ${taken === null ? "refuses" : "answers"} an offer with ${what}`, () => {
      for (const right of [forcedSdes, sdes]) {
        const meet = () =>
          new AudioPair(mixer, {
            left: forcedSdes,
            right,
            onTheWay: (sdp, from) => from === "left" ? withLines(sdp, "crypto", ...given) : sdp,
          });
        if (taken === null) {
          assertThrows(meet, PJSIPError, "SRTP");
          continue;
        }
        using pair = meet();
        assertEquals(cryptoOf(pair.answer).map((line) => line.split(" ", 1)[0]), [`${taken}`]);
      }
    });
  }

  it("RTPTransport refuses two lines under one tag, and more than 64 lines", () => {
    const line = `1 ${cm} inline:${key(30)}`;
    const onTheWay = (given: readonly string[]) => (sdp: SDPSession) => withLines(sdp, "crypto", ...given);
    const options = { left: forcedSdes, right: forcedSdes };
    assertThrows(() => new AudioPair(mixer, { ...options, onTheWay: onTheWay([line, line]) }), PJSIPError);
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => `${index + 1}${line.slice(1)}`);
    assertThrows(() => new AudioPair(mixer, { ...options, onTheWay: onTheWay(many(65)) }), PJSIPError);
    using pair = new AudioPair(mixer, {
      ...options,
      onTheWay: (sdp, from) => from === "left" ? onTheWay(many(64))(sdp) : sdp,
    });
    assertEquals(cryptoOf(pair.answer)[0]?.slice(0, 3), "1 A");
  });

  it("AudioTransport.start() throws when the answer has no keys of use, and nothing is sent in clear", async () => {
    const cases: [RTPTransportOptions, (answer: SDPSession) => SDPSession][] = [
      [forcedSdes, (answer) => withLines(answer, "crypto")],
      [forcedSdes, (answer) => withLines(answer, "crypto", `9 ${cm} inline:${key(30)}`)],
      [forcedSdes, (answer) => withLines(answer, "crypto", `1 ${cm} inline:${key(30)}`)],
      [forcedSdes, (answer) => withLines(answer, "crypto", `1 AEAD_AES_256_GCM inline:${key(43)}`)],
      [sdes, (answer) => withLines(answer, "crypto", `1 AEAD_AES_256_GCM inline:${key(43)}`)],
      [forcedDtls, (answer) => withLines(answer, "fingerprint")],
      [forcedDtls, (answer) => withLines(answer, "setup")],
    ];
    for (const [options, change] of cases) {
      await using proxy = await MediaProxy.start();
      using pair = new AudioPair(mixer, {
        left: options,
        right: options,
        onTheWay: (sdp, from) => proxy.route(from === "right" ? change(sdp) : sdp, from),
      });
      const error = assertThrows(() => pair.start(), PJSIPError, "Could not establish the RTP transport");
      assertMatch(error.message, /SRTP|Fingerprint/);
      assertEquals([pair.left.transport.state, pair.left.isActive], ["LOCAL", false]);
      assertEquals(proxy.packets.left.filter(isRtp), []);
    }
  });

  it("RTPTransport tells of a certificate that is not the named one, and lets no sound pass", async () => {
    const wrong = "SHA-256 " + Array(32).fill("AB").join(":");
    for (const liar of ["left", "right"] as const) {
      await using proxy = await MediaProxy.start();
      using pair = new AudioPair(mixer, {
        left: dtls,
        right: forcedDtls,
        onTheWay: (sdp, from) =>
          proxy.route(from === liar ? withLines(sdp, "fingerprint", wrong) : sdp, from),
      });
      const deceived = liar === "left" ? pair.right : pair.left;
      const told = deceived.transport.notifications("RTPTransportSRTPNegotiationDidFail").next();
      pair.start();
      const { value } = await deadline(told, 10_000);
      assertMatch(value!.data.reason, /certificate/);
      using clear = new AudioPair(mixer).start();
      await until(() => clear.left.statistics!.tx.packets > 20, "time for sound");
      assertEquals([deceived.transport.srtpActive, deceived.statistics!.rx.packets], [false, 0]);
      const from = liar === "left" ? "right" : "left";
      assertEquals(proxy.packets[from].filter(isRtp), []);
    }
  });

  it("RTPTransport tells why the other side has refused a handshake", async () => {
    const alert = new Uint8Array([21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]);
    await using proxy = await MediaProxy.start((packet, from) => {
      if (from === "right" && !isRtp(packet)) proxy.send(alert, "left");
      return [];
    });
    using pair = new AudioPair(mixer, { left: dtls, right: forcedDtls, onTheWay: proxy.route });
    const told = pair.right.transport.notifications("RTPTransportSRTPNegotiationDidFail").next();
    pair.start();
    const { value } = await deadline(told, 10_000);
    assertMatch(value!.data.reason, /^The DTLS handshake failed: .*handshake failure/);
    assertEquals([pair.right.transport.srtpActive, proxy.packets.right.filter(isRtp)], [false, []]);
  });

  it("RTPTransport tells of a handshake that nobody answers", async () => {
    srtpPatience.ms = 300;
    try {
      await using proxy = await MediaProxy.start(() => []);
      using pair = new AudioPair(mixer, { left: dtls, right: dtls, onTheWay: proxy.route });
      const told = [pair.left, pair.right].map(({ transport }) =>
        transport.notifications("RTPTransportSRTPNegotiationDidFail").next()
      );
      pair.start();
      for (const { value } of await deadline(Promise.all(told), 10_000)) {
        assertEquals(value?.data.reason, "No DTLS handshake within 0.3 seconds");
      }
      assertEquals([...proxy.packets.left, ...proxy.packets.right].filter(isRtp), []);
    } finally {
      srtpPatience.ms = 10_000;
    }
  });

  it("RTPTransport shakes hands although datagrams are lost, come twice, or are garbage", async () => {
    for (const setup of ["active", "passive"]) {
      let seen = 0;
      await using proxy = await MediaProxy.start((packet) => {
        if (isRtp(packet)) return [packet];
        seen++;
        const garbage = crypto.getRandomValues(new Uint8Array(60));
        garbage[0] = 20 + seen % 44;
        // The first of each side is lost; later ones come twice, among garbage and what has been cut.
        return seen <= 2
          ? [garbage]
          : [garbage, packet.subarray(0, 14), packet, packet, packet.subarray(0, 20)];
      });
      using pair = new AudioPair(mixer, {
        left: dtls,
        right: dtls,
        onTheWay: (sdp, from) => proxy.route(from === "left" ? withLines(sdp, "setup", setup) : sdp, from),
      }).start();
      await until(() => [pair.left, pair.right].every((one) => stateOf(one)[0]), "a handshake", 20_000);
      await until(
        () => pair.left.statistics!.rx.packets > 3 && pair.right.statistics!.rx.packets > 3,
        "sound",
      );
      const refused = [pair.left, pair.right].map(({ transport }) =>
        transport.srtpStatistics!.packetsRefused
      );
      assertGreater(refused[0]! + refused[1]!, 0);
    }
  });

  it("RTPTransport survives 20,000 senseless datagrams while it encrypts", async () => {
    for (const options of [forcedSdes, forcedDtls]) {
      await using proxy = await MediaProxy.start();
      using pair = new AudioPair(mixer, { left: options, right: options, onTheWay: proxy.route }).start();
      const { transport } = pair.right;
      await until(() => stateOf(pair.left)[0] === true && transport.srtpActive, "SRTP");
      const sample = await until(() => proxy.packets.left.findLast(isRtp) ?? null, "a packet");
      for (let index = 0; index < 10_000; index++) {
        const kind = index % 3;
        const packet = kind === 0 ? sample.slice(0, index % sample.length) : sample.slice();
        if (kind === 1) packet[index % packet.length]! ^= 1 << index % 8;
        if (kind === 2) crypto.getRandomValues(packet);
        proxy.send(packet, "left");
        if (index % 50 === 0) await new Promise((sent) => setTimeout(sent, 1));
      }
      const heard = pair.right.statistics!.rx.packets;
      await until(() => pair.right.statistics!.rx.packets > heard + 10, "sound after it");
      // Most of them the socket has no room for.
      assertGreater(transport.srtpStatistics!.packetsRefused, 100);
      assertNotEquals(transport.srtpCipher, null);
    }
  });

  it("AudioTransport.update() goes on under other keys, and in the same when none has changed", async () => {
    using pair = new AudioPair(mixer, { left: forcedSdes, right: forcedSdes }).start();
    const { left, right } = pair;
    const heard = async (what: string) => {
      const [before, there] = [left.statistics!.rx.packets, right.statistics!.rx.packets];
      await until(
        () => left.statistics!.rx.packets > before + 5 && right.statistics!.rx.packets > there + 5,
        what,
      );
    };
    await heard("sound");
    pair.update({ direction: "sendonly" });
    pair.update();
    await heard("sound after hold");
    for (const side of [left, right]) {
      assertEquals(side.transport.srtpStatistics, { packetsRefused: 0, packetsReplayed: 0 });
    }
    // The offerer takes another key, and the answerer then another suite.
    const offer = new SDPSession("127.0.0.1", { media: [left.getLocalMedia(true)] });
    assertEquals(cryptoOf(offer).map((line) => line.split(" ")[1]), ["AEAD_AES_256_GCM"]);
    const changed = withLines(offer, "crypto", `1 AEAD_AES_256_GCM inline:${btoa("n".repeat(44))}`);
    const media = right.getLocalMedia(false, { remoteSdp: changed });
    const answer = new SDPSession("127.0.0.1", { media: [media] });
    right.update(answer, changed);
    left.update(changed, answer);
    await heard("sound under the new key");
    assertEquals([stateOf(left), stateOf(right)], Array(2).fill([true, "sdes", "AEAD_AES_256_GCM"]));
  });

  it("AudioTransport.update() with another key of ours goes on with the peer's count under its old one", async () => {
    const cipher = "AES_CM_128_HMAC_SHA1_80";
    const master = crypto.getRandomValues(new Uint8Array(30));
    const socket = createSocket("udp4");
    await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
    try {
      using transport = openTransport({ ...forcedSdes, srtpCiphers: [cipher] });
      using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
      const describe = () => new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
      const offer = describe();
      const line = `1 ${cipher} inline:${btoa(String.fromCharCode(...master))}`;
      const answer = withLines(offer, "crypto", line);
      answer.media[0]!.port = socket.address().port;
      audio.start(offer, answer);
      // The sequence begins anew after ten packets, and is in its second round from then on.
      let sent = 65_526;
      const speak = async (what: string) => {
        const packets = audio.statistics!.rx.packets;
        for (const end = sent + 20; sent < end; sent++) {
          const packet = new Uint8Array(172).fill(0xff);
          packet.set([0x80, 0, sent >> 8 & 255, sent & 255, 0, 0, 0, 0, 1, 2, 3, 4]);
          new DataView(packet.buffer).setUint32(4, sent * 160);
          const secret = protect(packet, master, sent >> 16);
          await new Promise((done) => socket.send(secret, transport.localRtpPort!, "127.0.0.1", done));
        }
        await until(() => audio.statistics!.rx.packets >= packets + 15, what);
        assertEquals(transport.srtpStatistics, { packetsRefused: 0, packetsReplayed: 0 });
      };
      await speak("sound");
      const changed = withLines(describe(), "crypto", `1 ${cipher} inline:${btoa("n".repeat(30))}`);
      audio.update(changed, answer);
      await speak("sound after the change");
    } finally {
      socket.close();
    }
  });

  it("AudioTransport.update() is refused when it would end encryption that is forced, and sound goes on", async () => {
    using pair = new AudioPair(mixer, { left: sdes, right: forcedSdes }).start();
    const { left, right } = pair;
    const offer = withLines(
      new SDPSession("127.0.0.1", { media: [left.getLocalMedia(true)] }),
      "crypto",
    );
    assertThrows(() => right.getLocalMedia(false, { remoteSdp: offer }), PJSIPError, "SRTP");
    const before = right.statistics!.rx.packets;
    await until(() => right.statistics!.rx.packets > before + 5, "sound");
    assertEquals(stateOf(right), [true, "sdes", "AEAD_AES_256_GCM"]);
  });

  it("AudioTransport.update() ends and begins encryption that is optional", async () => {
    using pair = new AudioPair(mixer, { left: either, right: either }).start();
    const { left, right } = pair;
    for (const keying of [null, "sdes", null] as const) {
      const given = new SDPSession("127.0.0.1", { media: [left.getLocalMedia(true)] });
      const offer = keying === "sdes" ? given : withLines(given, "crypto");
      const answer = new SDPSession("127.0.0.1", {
        media: [right.getLocalMedia(false, { remoteSdp: offer })],
      });
      right.update(answer, offer);
      left.update(offer, answer);
      const before = left.statistics!.rx.packets;
      await until(() => left.statistics!.rx.packets > before + 5, `sound: ${keying}`);
      assertEquals([stateOf(left)[1], stateOf(right)[1]], [keying, keying]);
    }
  });

  it("RTPTransport encrypts in the next run of the engine too, with another certificate", async () => {
    const fingerprint = (): string | null => {
      using pair = new AudioPair(mixer, { left: forcedDtls, right: forcedDtls });
      return pair.offer.media[0]!.attributes.getFirst("fingerprint");
    };
    const before = fingerprint();
    assertEquals(fingerprint(), before);
    mixer.close();
    await stopEngine();
    await startEngine({ rtpPortRange });
    mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    assertNotEquals(fingerprint(), before);
    using pair = new AudioPair(mixer, { left: forcedSdes, right: forcedSdes }).start();
    await until(() => pair.left.statistics!.rx.packets > 3, "sound");
  });
});
