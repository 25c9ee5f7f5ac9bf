// SPDX-License-Identifier: GPL-2.0-or-later
/** Who is heard, and who is not: what comes to a live port from elsewhere than the peer. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { delay } from "@std/async";
import {
  AudioMixer,
  AudioTransport,
  RecordingWaveFile,
  SDPMediaStream,
  SDPSession,
  WaveFile,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { AudioPair, openTransport } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ICEPair } from "./support/ice_pair.ts";
import { rtpPacket, RtpSender } from "./support/rtp_sender.ts";
import { Together } from "./support/together.ts";
import { until } from "./support/until.ts";

const rtpPortRange = [42000, 42199] as const;

/** RTCP of that kind with nothing in it. */
function rtcp(type: number, ssrc: number): Uint8Array {
  const packet = new Uint8Array(8);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x80 + (type === 203 ? 1 : 0));
  view.setUint8(1, type);
  view.setUint16(2, 1);
  view.setUint32(4, ssrc);
  return packet;
}

describe("RTPTransport and strangers", () => {
  const sound = makeSound("callee", { seconds: 2 });
  let folder = "";
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-guard-"));
    await writeWav(file("sound.wav"), sound);
    await startEngine({ rtpPortRange });
  });

  const together = new Together();

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** A stream that waits for the RTP of a scripted peer, whose description says that address and port. */
  function listen(
    mixer: AudioMixer,
    port: number,
    address = "127.0.0.1",
  ): { audio: AudioTransport; port: number } & Disposable {
    const transport = openTransport();
    const audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
    const media = SDPMediaStream.from(offer.media[0]!);
    media.port = port;
    media.connection!.address = address;
    audio.start(offer, new SDPSession(address, { media: [media] }));
    return {
      audio,
      port: transport.localRtpPort!,
      [Symbol.dispose]: () => {
        audio.stop();
        transport.close();
      },
    };
  }

  const packets = (audio: AudioTransport) => audio.statistics!.rx.packets;
  const heard = (audio: AudioTransport, count: number) =>
    until(() => packets(audio) >= count, `${count} packets`).then(() => assertEquals(packets(audio), count));

  together.it("RTPTransport does not mix in what a stranger sends, nor follow him", async () => {
    using mixer = new AudioMixer(null, null);
    using plain = new AudioPair(mixer).start();
    mixer.connectSlots(plain.right, plain.right);
    using ice = await ICEPair.open(mixer, { useIce: true });
    ice.start();
    await Promise.all([ice.left.negotiated(), ice.right.negotiated()]);
    await Promise.all(([[plain.left, plain.right], [ice.left.audio!, ice.right.audio!]] as const).map(
      async ([left, right], index) => {
        using stranger = await RtpSender.open(0xbad);
        using wave = new WaveFile(mixer, file("sound.wav"));
        using recorder = new RecordingWaveFile(mixer, file(`heard${index}.wav`));
        recorder.start();
        mixer.connectSlots(right, recorder);
        await until(() => packets(right) > 5, "the peer is heard");
        const ended = wave.notifications().next();
        wave.start();
        mixer.connectSlots(wave, left);
        let isOver = false;
        void ended.finally(() => isOver = true);
        const port = right.transport.localRtpPort!;
        while (!isOver) {
          // Twenty between two packets of the peer's, loud, with the peer's payload type.
          await stranger.sendRtp(20, port, { level: 0x80 });
          await stranger.send(rtcp(203, 0xbad), port + 1);
          await stranger.send(rtcp(200, 0xbad), port + 1);
          await delay(15);
        }
        recorder.stop();
        const match = correlate(sound, await readWav(recorder.filename));
        assertGreater(match.median, 0.9, `${index}`);
        assertEquals(right.transport.remoteRtpPortReceived, left.transport.localRtpPort);
        const { rx } = right.statistics!;
        assertEquals([rx.packetsLost, rx.packetsDiscarded], [0, 0]);
        // What we send does not go to him either.
        assertEquals(stranger.received, 0);
      },
    ));
  });

  together.it(
    "RTPTransport follows a peer behind a NAT, from the third packet on, and then nobody else",
    async () => {
      using mixer = new AudioMixer(null, null);
      using peer = await RtpSender.open(0x111);
      using stranger = await RtpSender.open(0x222);
      // An address of a private network, as such a peer gives it.
      using stream = listen(mixer, 4000, "127.200.200.200");
      const { audio, port } = stream;
      assertEquals([audio.transport.remoteRtpAddressReceived, audio.transport.remoteRtpPortReceived], [
        null,
        null,
      ]);
      await peer.sendRtp(2, port);
      // Not in a row: neither comes to three.
      await stranger.sendRtp(1, port);
      await peer.sendRtp(2, port);
      await stranger.send(Uint8Array.of(0x80, 0), port);
      assertEquals(packets(audio), 0);
      await peer.sendRtp(2, port);
      await heard(audio, 2);
      assertEquals(audio.transport.remoteRtpPortReceived, peer.port);
      await stranger.sendRtp(50, port);
      await peer.sendRtp(1, port);
      await heard(audio, 3);
      // What we send goes to the peer from now on, RTCP to the next port.
      await until(() => peer.received > 5, "RTP comes to the peer");
      assertEquals([stranger.received, audio.transport.remoteRtpPortReceived], [0, peer.port]);
    },
  );

  together.it("RTPTransport gives way to the address of the description at any time", async () => {
    using mixer = new AudioMixer(null, null);
    using peer = await RtpSender.open(0x111);
    using stranger = await RtpSender.open(0x222);
    using stream = listen(mixer, peer.port);
    const { audio, port } = stream;
    // He is first, and may be the peer for all that anybody knows.
    await stranger.sendRtp(5, port);
    await heard(audio, 3);
    await peer.sendRtp(1, port);
    await heard(audio, 4);
    await stranger.sendRtp(30, port);
    await peer.sendRtp(3, port);
    await heard(audio, 7);
    assertEquals(audio.transport.remoteRtpPortReceived, peer.port);
    const before = stranger.received;
    await until(() => peer.received > 10, "RTP comes to the peer");
    assertLess(stranger.received - before, 3);
  });

  together.it(
    "RTPTransport lets a stream go on from another address once it was silent, and no other stream",
    async () => {
      using mixer = new AudioMixer(null, null);
      using peer = await RtpSender.open(0x111);
      using moved = await RtpSender.open(0x111);
      using stranger = await RtpSender.open(0x222);
      using stream = listen(mixer, peer.port);
      const { audio, port } = stream;
      await peer.sendRtp(3, port);
      await heard(audio, 3);
      moved.sequence = peer.sequence;
      await moved.sendRtp(5, port);
      await stranger.sendRtp(5, port);
      assertEquals(packets(audio), 3);
      await delay(3100);
      await stranger.sendRtp(5, port);
      await moved.sendRtp(2, port);
      await heard(audio, 5);
      assertEquals(audio.transport.remoteRtpPortReceived, moved.port);
      await peer.sendRtp(1, port);
      await heard(audio, 6);
    },
  );

  together.it("RTPTransport counts nothing that is no RTP", async () => {
    using mixer = new AudioMixer(null, null);
    using peer = await RtpSender.open(0x111);
    using stream = listen(mixer, peer.port);
    const { audio, port } = stream;
    for (const first of [0x00, 0x01, 0x40, 0xc0, 0xff]) {
      await peer.send(new Uint8Array(200).fill(first), port);
      await peer.send(new Uint8Array(200).fill(first), port + 1);
    }
    for (const size of [0, 1, 7, 11]) await peer.send(rtpPacket(1, 1).subarray(0, size), port);
    await peer.sendRtp(1, port);
    await heard(audio, 1);
    const { packetsLost, packetsDiscarded } = audio.statistics!.rx;
    assertEquals([packetsLost, packetsDiscarded], [0, 0]);
  });
});
