// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { AudioMixer, AudioTransport, type RTPTransportOptions, SDPSession } from "../mod.ts";
import { AudioPair, openTransport } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Together } from "./support/together.ts";
import { until } from "./support/until.ts";

const kinds:
  readonly (readonly [name: string, options: RTPTransportOptions, active: "srtpActive" | "iceActive"])[] = [
    ["SDES", { useSrtp: true, srtpForced: true }, "srtpActive"],
    ["DTLS", { useSrtp: true, srtpForced: true, srtpKeying: ["dtls"] }, "srtpActive"],
    ["ICE", { useIce: true }, "iceActive"],
  ];

describe("AudioTransport.update() below which more goes on", () => {
  before(() => startEngine({ rtpPortRange: [43000, 43199] }));
  after(stopEngine);

  const together = new Together();

  /** Resolves when both hear something new. */
  async function bothHear(...ends: readonly AudioTransport[]): Promise<void> {
    const before = ends.map((end) => end.statistics!.rx.packets);
    await until(
      () => ends.every((end, index) => end.statistics!.rx.packets > before[index]! + 20),
      `Not both hear: ${before} before, ${ends.map((end) => end.statistics!.rx.packets)} now`,
    );
  }

  for (const [name, options, active] of kinds) {
    together.it(`AudioTransport.update() changes codec and direction over ${name}`, async () => {
      using mixer = new AudioMixer(null, null);
      using pair = new AudioPair(mixer, { codecs: ["PCMU", "G722"], left: options, right: options });
      for (const { media } of [pair.offer, pair.answer]) media[0]!.formats = ["0", "101"];
      pair.start();
      const { left, right } = pair;
      await bothHear(left, right);
      for (const payloadType of ["9", "0", "9"]) {
        pair.update({ payloadType });
        assertEquals([left.codec, right.codec], payloadType === "9" ? ["G722", "G722"] : ["PCMU", "PCMU"]);
        await bothHear(left, right);
        assertEquals([left.transport[active], right.transport[active]], [true, true]);
      }
      pair.update({ direction: "inactive" });
      pair.update({ direction: "sendrecv" });
      await bothHear(left, right);
      assertEquals(left.statistics!.rx.packetsLost + right.statistics!.rx.packetsLost < 40, true);
      for (const { transport } of [left, right]) {
        const { packetsRefused, packetsReplayed } = transport.srtpStatistics ?? none;
        assertEquals([packetsRefused, packetsReplayed], [0, 0]);
      }
    });

    // PJMEDIA 2.17 begins no second handshake on a transport that has had one.
    if (name === "DTLS") continue;
    together.it(
      `AudioTransport.update() goes on with another peer, at another address with other keys, over ${name}`,
      async () => {
        using mixer = new AudioMixer(null, null);
        using pair = new AudioPair(mixer, { left: options, right: options }).start();
        const { left } = pair;
        await bothHear(left, pair.right);
        // It offers: what is below begins anew then.
        using transport = openTransport(options);
        using other = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
        const offer = new SDPSession("127.0.0.1", { media: [other.getLocalMedia(true)] });
        const answer = new SDPSession("127.0.0.1", {
          media: [left.getLocalMedia(false, { remoteSdp: offer })],
        });
        left.update(answer, offer);
        other.start(offer, answer);
        pair.right.stop();
        await bothHear(left, other);
        assertEquals(left.transport.remoteRtpPortSdp, offer.media[0]!.port);
        assertGreater(left.statistics!.rx.packets, other.statistics!.rx.packets);
      },
    );
  }
});
