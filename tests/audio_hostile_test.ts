// SPDX-License-Identifier: GPL-2.0-or-later
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { delay } from "@std/async";
import { AudioMixer, AudioTransport, Engine, PJSIPError, RecordingWaveFile, SIPCoreError } from "../mod.ts";
import { AudioPair, openTransport } from "./support/audio_pair.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { RTPPeer } from "./support/rtp_peer.ts";

/** Packets for each kind of attack; SIPCORE_HOSTILE_RTP says another number. */
const count = Number(process.env["SIPCORE_HOSTILE_RTP"] ?? 4000);

/** A square wave of 500 Hz in PCMU, loud. */
const tone = Uint8Array.from({ length: 160 }, (_, index) => index % 16 < 8 ? 0x90 : 0x10);

describe("Hostile RTP", () => {
  before(() => startEngine({ rtpPortRange: [42700, 42899] }));
  after(stopEngine);

  interface Victim {
    readonly audio: AudioTransport;
    readonly peer: RTPPeer;
    readonly dice: Dice;
    /** Some sound of the peer's, and whether it is heard. */
    listen(): Promise<void>;
  }

  /** A stream of that codec with a scripted peer, which is heard before and after `body` where it is PCMU. */
  async function attacked(codec: string, body: (victim: Victim) => Promise<void>): Promise<void> {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using transport = openTransport();
    using audio = new AudioTransport(mixer, transport, { codecs: [codec] });
    using peer = await RTPPeer.open();
    using sink = new RecordingWaveFile(mixer, "/dev/null");
    peer.join(audio);
    sink.start();
    mixer.connectSlots(audio, sink);
    const listen = async (): Promise<void> => {
      for (let sent = 0; sent < 100; sent++) {
        await peer.send({ payload: tone });
        if (sent > 5 && mixer.getSignalLevel(audio).rx > 100) return;
        await delay(20);
      }
      throw new Error("The peer is not heard");
    };
    await body({ audio, peer, dice: new Dice(codec.length * 7919), listen });
    assertEquals(audio.isActive, true);
    assert(audio.statistics !== null);
  }

  function randomBytes(dice: Dice, size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => dice.throw(256));
  }

  it(
    "Hostile RTP: payloads of all sizes and types, for every codec, hurt nobody",
    { timeout: 300_000 },
    async () => {
      await Promise.all(
        new Engine().availableCodecs.map((codec) =>
          attacked(codec, async ({ peer, dice, audio, listen }) => {
            const formats = audio.codec === null ? [] : [0, 3, 8, 9, 11, 96, 97, 98, 99, 101, 105];
            for (let sent = 0; sent < count; sent++) {
              const size = [
                0,
                1,
                2,
                3,
                4,
                20,
                33,
                62,
                159,
                160,
                161,
                320,
                882,
                1400,
                1988,
                4000,
              ][dice.throw(16)]!;
              const isOwn = dice.percent(70);
              await peer.send({
                payloadType: isOwn ? formats[dice.throw(formats.length)]! : dice.throw(128),
                payload: dice.percent(50)
                  ? randomBytes(dice, size)
                  : new Uint8Array(size).fill(dice.throw(256)),
                marker: dice.percent(10),
                ...(dice.percent(5) && { sequence: dice.throw(65536) }),
                ...(dice.percent(5) && { timestamp: dice.throw(2 ** 31) * 2 }),
                ...(dice.percent(3) && { ssrc: dice.throw(2 ** 31) }),
              });
              // Ticks decode what has come.
              if (sent % 50 === 49) await delay(5);
            }
            // Most have come through the socket to the stream.
            assertGreater(audio.statistics!.rx.packets, count / 2);
            if (codec === "PCMU") await listen();
          })
        ),
      );
    },
  );

  it("Hostile RTP: headers that lie hurt nobody", { timeout: 300_000 }, async () => {
    await attacked("PCMU", async ({ peer, dice, listen }) => {
      await listen();
      for (let sent = 0; sent < count; sent++) {
        const packet = randomBytes(dice, dice.throw(200));
        // Mostly of the right version, with extensions and sources that reach beyond the end.
        if (packet.length > 1 && dice.percent(80)) {
          packet[0] = 0x80 | packet[0]! & 0x3f;
          packet[1] = [0, 101, 8, 200][dice.throw(4)]!;
        }
        await peer.sendBytes(packet);
      }
      await listen();
    });
  });

  it("Hostile RTP: RTCP that lies hurts nobody, and BYE ends nothing", { timeout: 300_000 }, async () => {
    await attacked("PCMU", async ({ peer, dice, audio, listen }) => {
      await listen();
      for (let sent = 0; sent < count; sent++) {
        const packet = randomBytes(dice, [4, 8, 12, 28, 32, 52, 200][dice.throw(7)]!);
        if (dice.percent(90)) {
          packet[0] = 0x80 | packet[0]! & 0x3f;
          packet[1] = 200 + dice.throw(8);
          // Lengths that fit, and those that do not.
          const words = dice.percent(60) ? packet.length / 4 - 1 : dice.throw(300);
          packet[2] = words >> 8;
          packet[3] = words & 255;
        }
        await peer.sendControlBytes(packet);
      }
      for (let sent = 0; sent < 10; sent++) {
        const bye = new Uint8Array([0x81, 203, 0, 3, 0x5e, 0xad, 0, 1, 200, 65, 66, 67, 0, 0, 0, 0]);
        await peer.sendControlBytes(bye);
      }
      await listen();
      const { rtt, tx, mos } = audio.statistics!;
      assertEquals([rtt.count, tx.packetsLost], [0, 0]);
      assert(mos !== null && mos >= 1 && mos <= 4.5);
    });
  });

  it("Hostile RTP: clocks, sequences and sources that jump interrupt the sound for a moment at most", async () => {
    await attacked("PCMU", async ({ peer, listen }) => {
      await listen();
      const jumps: (() => void)[] = [
        () => peer.timestamp += 8000 * 3600,
        () => peer.timestamp -= 8000 * 7200,
        () => peer.sequence += 20_000,
        () => peer.sequence -= 30_000,
        () => [peer.sequence, peer.timestamp] = [65530, 2 ** 32 - 800],
        () => peer.ssrc++,
        () => [peer.ssrc, peer.sequence, peer.timestamp] = [7, 7, 7],
      ];
      for (const jump of jumps) {
        jump();
        await listen();
      }
    });
  });

  it("Hostile RTP: what comes from a stranger is not mixed in", async () => {
    await attacked("PCMU", async ({ peer, audio, listen }) => {
      await listen();
      using stranger = await RTPPeer.open();
      stranger.target = audio.transport.localRtpPort!;
      let loudest = 0;
      // The peer is silent, the stranger is loud and twice as quick, under a source of his own and under the peer's.
      for (const ssrc of [0x0bad, peer.ssrc]) {
        await delay(100);
        for (let sent = 0; sent < 50; sent++) {
          await peer.send();
          for (let more = 0; more < 2; more++) {
            await stranger.send({ payload: tone, ssrc, sequence: peer.sequence, timestamp: peer.timestamp });
          }
          await delay(20);
          // What was the peer's own is through by then.
          if (sent > 25) loudest = Math.max(loudest, audio.mixer.getSignalLevel(audio).rx);
        }
      }
      assertLess(loudest, 30);
    });
  });

  it("AudioTransport answers every call in every state with a result or an exception", async () => {
    const states: ((pair: AudioPair) => void)[] = [
      () => {},
      (pair) => void pair.start(),
      (pair) => pair.start().update({ direction: "inactive" }),
      (pair) => pair.start().left.stop(),
      (pair) => pair.start().left.transport.close(),
      (pair) => pair.start().left.mixer.close(),
      (pair) => pair.left.transport.close(),
    ];
    const calls: ((pair: AudioPair) => unknown)[] = [
      ({ left }) => left.getLocalMedia(true),
      ({ left, offer }) => left.getLocalMedia(false, { remoteSdp: offer }),
      ({ left, offer, answer }) => left.start(offer, answer),
      ({ left, offer, answer }) => left.update(offer, answer),
      (pair) => pair.update({ payloadType: "0", direction: "sendonly" }),
      ({ left }) => left.updateDirection("recvonly"),
      ({ left }) => left.sendDtmf("5"),
      ({ left }) => left.volume = 150,
      ({ left }) => [left.slot, left.codec, left.sampleRate, left.direction, left.isActive, left.isStarted],
      ({ left }) => left.statistics,
      ({ left }) => left.transport.setInit(),
      ({ left }) => left.notifications().return!(),
      ({ left }) => left.stop(),
      ({ left }) => left[Symbol.dispose](),
    ];
    let [results, exceptions] = [0, 0];
    for (const come of states) {
      for (const first of calls) {
        using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
        using pair = new AudioPair(mixer, { codecs: ["PCMU"] });
        come(pair);
        for (const call of [first, ...calls]) {
          try {
            call(pair);
            results++;
          } catch (error) {
            assert(error instanceof SIPCoreError || error instanceof PJSIPError, String(error));
            exceptions++;
          }
        }
      }
    }
    assertGreater(results, 500);
    assertGreater(exceptions, 300);
    await delay(0);
  });
});
