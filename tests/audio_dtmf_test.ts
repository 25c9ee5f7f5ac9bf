// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { deadline, delay } from "@std/async";
import {
  AudioMixer,
  AudioTransport,
  PJSIPError,
  SDPAttribute,
  SDPSession,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { AudioPair, openTransport } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { type KeyEvent, RTPPeer } from "./support/rtp_peer.ts";
import { Together } from "./support/together.ts";
import { until } from "./support/until.ts";

const digits = "0123456789*#ABCD";

/** Formats of one codec each: clocks of 8000, 16000, 32000 and 48000 Hz. */
const codecs: readonly (readonly [name: string, payloadType: string])[] = [
  ["PCMU", "0"],
  ["PCMA", "8"],
  ["GSM", "3"],
  ["G722", "9"],
  ["speex", "98"],
  ["speex", "97"],
  ["speex", "96"],
  ["opus", "99"],
];

describe("DTMF of AudioTransport", () => {
  before(() => startEngine({ rtpPortRange: [41800, 41999] }));
  after(stopEngine);

  const together = new Together();

  /** Runs `body` with a stream of PCMU to a scripted peer. */
  async function withPeer(body: (peer: RTPPeer, audio: AudioTransport) => Promise<void>): Promise<void> {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using transport = openTransport();
    using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    using peer = await RTPPeer.open();
    peer.join(audio);
    // The stream has to know who its peer is.
    for (let count = 0; count < 5; count++) await peer.send();
    await until(() => audio.statistics!.rx.packets >= 5, "The first packets do not come");
    await body(peer, audio);
  }

  /** The offer with one codec, and the events of its clock only, where several are offered. */
  function only(offer: SDPSession, payloadType: string): SDPSession {
    const media = offer.media[0]!;
    const events = media.attributes.filter(({ name, value }) =>
      name === "rtpmap" && value.includes("telephone-event")
    ).map(({ value }) => value.split(" ")[0]!);
    media.formats = [payloadType, ...events];
    return offer;
  }

  together.it(
    "AudioTransport.sendDtmf() sends each digit for 200 ms with every codec, and GotDTMF tells as much",
    async () => {
      using mixer = new AudioMixer(null, null);
      await Promise.all(codecs.map(async ([name, payloadType]) => {
        using pair = new AudioPair(mixer, { codecs: [name] });
        only(pair.offer, payloadType);
        only(pair.answer, payloadType);
        pair.start();
        const notes = pair.right.notifications("RTPAudioTransportGotDTMF");
        await until(() => pair.right.statistics!.rx.packets > 5, "No packets");
        for (const digit of digits) pair.left.sendDtmf(digit);
        for (const digit of digits) {
          const { value } = await deadline(notes.next(), 20_000);
          assertEquals(value!.data.digit, digit, name);
          assertLess(
            Math.abs(value!.data.duration - 200),
            20,
            `${name} ${digit}: ${value!.data.duration} ms`,
          );
        }
        assertEquals(notes.pending, 0);
      }));
    },
  );

  together.it(
    "AudioTransport.sendDtmf() and the jitter go by RTP's clock where Opus samples at a lower one",
    async () => {
      using mixer = new AudioMixer(null, null);
      for (const rate of [8000, 16000]) {
        using pair = new AudioPair(mixer, { codecs: ["opus"] });
        for (const { media } of [pair.offer, pair.answer]) {
          const { attributes } = media[0]!;
          const at = attributes.findIndex(({ name, value }) => name === "fmtp" && value.startsWith("99 "));
          attributes[at] = new SDPAttribute("fmtp", `${attributes[at]!.value};maxplaybackrate=${rate}`);
        }
        pair.start();
        assertEquals(pair.right.sampleRate, rate);
        const notes = pair.right.notifications("RTPAudioTransportGotDTMF");
        pair.left.sendDtmf("7");
        const { value } = await deadline(notes.next(), 10_000);
        // pjmedia's longest key is 1000 ms of the clock of the samples.
        const expected = rate === 8000 ? 166 : 200;
        assertLess(Math.abs(value!.data.duration - expected), 20, `${value!.data.duration} ms at ${rate} Hz`);
        await until(() => pair.right.statistics!.rx.jitter.count > 20, "No jitter");
        assertLess(pair.right.statistics!.rx.jitter.last, 15_000);
      }
    },
  );

  together.it(
    "AudioTransport.sendDtmf() keeps RTP's rules: marker, one timestamp, three ends, and a pause",
    async () => {
      await withPeer(async (peer, audio) => {
        for (const digit of "55d") audio.sendDtmf(digit);
        const ends = (): KeyEvent[] => peer.keys(101).filter(({ isEnd }) => isEnd);
        await until(() => ends().length >= 9, "The ends have not come");
        const keys = peer.keys(101);
        const starts = keys.filter(({ packet }) => packet.marker);
        assertEquals(starts.map(({ event }) => event), [5, 5, 15]);
        for (const { packet, event } of starts) {
          const same = keys.filter((key) => key.packet.timestamp === packet.timestamp);
          assert(same.every((key) => key.event === event));
          assertEquals(same.slice(-3).map(({ isEnd }) => isEnd), [true, true, true]);
          const durations = same.map(({ duration }) => duration);
          assertEquals(durations, durations.toSorted((a, b) => a - b));
          assertEquals([durations[0], durations.at(-1)], [160, 1600]);
        }
        const [first, second] = starts.map(({ packet }) => packet.sequence);
        const between = peer.received.filter(({ sequence, payloadType }) =>
          sequence > first! && sequence < second! && payloadType === 0
        );
        // 60 ms of sound between two keys.
        assert(between.length >= 3 && between.length <= 4, `${between.length}`);
        const { sequence } = peer.received[0]!;
        assertEquals(
          peer.received.map((packet) => packet.sequence),
          peer.received.map((_, index) => sequence + index),
        );
      });
    },
  );

  together.it(
    "AudioTransport.sendDtmf() throws for what is no digit, when too many wait, and when it must not send",
    async () => {
      await withPeer((_peer, audio) => {
        for (const bad of ["", "12", "E", " ", "é"]) {
          assertThrows(() => audio.sendDtmf(bad), RangeError, "digit");
        }
        assertThrows(() => audio.sendDtmf(1 as never), TypeError, "digit");
        assertThrows(
          () => {
            for (let count = 0; count < 40; count++) audio.sendDtmf("1");
          },
          PJSIPError,
          "Could not send DTMF",
        );
        audio.updateDirection("recvonly");
        assertEquals(assertThrows(() => audio.sendDtmf("1"), SIPCoreInvalidStateError).state, "recvonly");
        audio.stop();
        assertThrows(() => audio.sendDtmf("1"), SIPCoreInvalidStateError, "not active");
        return Promise.resolve();
      });
      using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
      using transport = openTransport();
      using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
      using peer = await RTPPeer.open();
      const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
      const answer = peer.answer(offer, ["0"]);
      answer.media[0]!.attributes = answer.media[0]!.attributes.filter(({ value }) =>
        !value.startsWith("101 ")
      );
      audio.start(offer, answer);
      assertThrows(() => audio.sendDtmf("1"), PJSIPError, "Could not send DTMF");
    },
  );

  together.it(
    "RTPAudioTransportGotDTMF tells each key once: again, late, long, and without an end",
    async () => {
      await withPeer(async (peer, audio) => {
        const notes = audio.notifications("RTPAudioTransportGotDTMF");
        const next = async (): Promise<string> => {
          const { value } = await deadline(notes.next(), 5000);
          return `${value!.data.digit} ${value!.data.duration}`;
        };
        // The end three times.
        peer.timestamp += 160;
        await peer.sendKey(1, 160, { marker: true });
        for (let count = 0; count < 3; count++) await peer.sendKey(1, 800, { isEnd: true });
        assertEquals(await next(), "1 100");
        // The same key again, as long, and nothing of it but its end; then a late packet of the first one.
        const first = peer.timestamp;
        peer.timestamp += 1600;
        const { timestamp } = peer;
        await peer.sendKey(1, 800, { isEnd: true });
        assertEquals(await next(), "1 100");
        await peer.sendKey(1, 800, { isEnd: true, timestamp: first });
        // Without an end, and then another: its beginning ends it.
        peer.timestamp = timestamp + 1600;
        await peer.sendKey(11, 400, { marker: true });
        peer.timestamp += 800;
        await peer.sendKey(12, 160, { marker: true });
        assertEquals(await next(), "# 50");
        // Nothing follows.
        const started = performance.now();
        assertEquals(await next(), "A 20");
        assertGreater(performance.now() - started, 200);
        // Over 8 s: another segment, which counts from 0 (RFC 4733, section 2.5.1.3).
        peer.timestamp += 800;
        await peer.sendKey(7, 160, { marker: true });
        await peer.sendKey(7, 65535);
        peer.timestamp += 65535;
        await peer.sendKey(7, 160);
        await peer.sendKey(7, 14465, { isEnd: true });
        assertEquals(await next(), "7 10000");
        await delay(300);
        assertEquals(notes.pending, 0);
      });
    },
  );

  together.it(
    "RTPAudioTransportGotDTMF tells nothing of what is no key, no key of the peer's, or comes on hold",
    async () => {
      await withPeer(async (peer, audio) => {
        const notes = audio.notifications("RTPAudioTransportGotDTMF");
        using stranger = await RTPPeer.open();
        stranger.target = audio.transport.localRtpPort!;
        stranger.ssrc = peer.ssrc;
        stranger.sequence = peer.sequence + 1;
        stranger.timestamp = peer.timestamp + 8000;
        for (let event = 0; event < 8; event++) {
          stranger.timestamp += 1600;
          await stranger.sendKey(event, 800, { isEnd: true });
        }
        // A flash, a fax tone, one that is cut, one of another payload type.
        for (const event of [16, 32, 255]) {
          peer.timestamp += 1600;
          await peer.sendKey(event, 800, { isEnd: true });
        }
        await peer.send({ payloadType: 101, payload: new Uint8Array([1, 0x8a, 3]) });
        await peer.send({ payloadType: 101, payload: new Uint8Array() });
        await peer.sendKey(2, 800, { isEnd: true, payloadType: 100 });
        audio.updateDirection("sendonly");
        peer.timestamp += 1600;
        await peer.sendKey(3, 800, { isEnd: true });
        await until(() => audio.statistics!.rx.packets >= 12, "The packets do not come");
        audio.updateDirection("sendrecv");
        peer.timestamp += 1600;
        await peer.sendKey(9, 800, { isEnd: true });
        assertEquals((await deadline(notes.next(), 5000)).value?.data.digit, "9");
        assertEquals(notes.pending, 0);
      });
    },
  );

  together.it("RTPAudioTransportGotDTMF bears a flood: 40 at once, 20 a second", async () => {
    await withPeer(async (peer, audio) => {
      const notes = audio.notifications("RTPAudioTransportGotDTMF");
      const start = performance.now();
      for (let count = 0; count < 5000; count++) {
        peer.timestamp += 400;
        await peer.sendKey(count % 16, 320, { isEnd: true });
      }
      await until(() => notes.pending >= 40, "Not even 40 are told");
      await peer.send({ timestamp: peer.timestamp + 160 });
      await delay(100);
      const seconds = (performance.now() - start) / 1000;
      assertLess(notes.pending, 40 + 20 * seconds + 2);
      // After a while keys are told again.
      await delay(500);
      const before = notes.pending;
      peer.timestamp += 1600;
      await peer.sendKey(1, 800, { isEnd: true });
      await until(() => notes.pending > before, "No key is told any more");
    });
  });
});
