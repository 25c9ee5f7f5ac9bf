// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { deadline, delay } from "@std/async";
import {
  AudioMixer,
  AudioTransport,
  PJSIPError,
  RecordingWaveFile,
  SDPAttribute,
  SDPConnection,
  SDPSession,
  SIPCoreInvalidStateError,
  WaveFile,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { AudioPair, openTransport } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { RTPPeer } from "./support/rtp_peer.ts";
import { Together } from "./support/together.ts";
import { until } from "./support/until.ts";

const codecs = ["PCMU", "opus", "G722"];

describe("AudioTransport.update()", () => {
  const sound = makeSound("callee", { seconds: 4.5 });
  let folder = "";

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-update-"));
    await writeWav(join(folder, "sound.wav"), sound);
    await startEngine({ rtpPortRange: [42200, 42399] });
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  const together = new Together();

  /** Plays the sound from left to right; `at` is called when that many seconds of it are over. */
  async function talk(
    pair: AudioPair,
    name: string,
    at: readonly [number, () => void][],
  ): Promise<Int16Array[]> {
    const { mixer } = pair.left;
    const file = join(folder, `${name}.wav`);
    using wave = new WaveFile(mixer, join(folder, "sound.wav"));
    using recorder = new RecordingWaveFile(mixer, file);
    recorder.start();
    mixer.connectSlots(pair.right, recorder);
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, pair.left);
    const start = performance.now();
    for (const [seconds, change] of at) {
      await delay(Math.max(0, seconds * 1000 - (performance.now() - start)));
      change();
    }
    await deadline(ended, 30_000);
    recorder.stop();
    const heard = await readWav(file);
    const half = heard.sampleRate / 2;
    return Array.from(
      { length: Math.floor(heard.samples.length / half) },
      (_, index) => heard.samples.subarray(index * half, (index + 1) * half),
    );
  }

  together.it("AudioTransport.update() changes the codec in its slot, and sound goes on", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer, { codecs });
    for (const { media } of [pair.offer, pair.answer]) media[0]!.formats = ["0", "101"];
    pair.start();
    pair.left.volume = 100;
    const facts: unknown[] = [];
    const note = (): void => {
      const { left, right } = pair;
      facts.push([
        left.codec,
        right.codec,
        left.sampleRate,
        left.slot,
        right.slot,
        mixer.connectedSlots.length,
      ]);
    };
    let packets = 0;
    const change = (payloadType: string): void => {
      note();
      packets = pair.right.statistics!.rx.packets;
      pair.update({ payloadType });
      assert(pair.right.statistics!.rx.packets >= packets, "the statistics have begun anew");
    };
    await talk(pair, "codecs", [[1.5, () => change("99")], [3, () => change("9")], [4, note]]);
    assertEquals(facts, [
      ["PCMU", "PCMU", 8000, 1, 2, 2],
      ["opus", "opus", 48000, 1, 2, 2],
      ["G722", "G722", 16000, 1, 2, 2],
    ]);
    const heard = await readWav(join(folder, "codecs.wav"));
    const { windows, median } = correlate(sound, heard, { maxOffset: 1 });
    const good = windows.filter(({ correlation }) => correlation > 0.85);
    // Each change may spoil the window in which it is, and the next while the jitter buffer fills anew.
    assert(good.length >= windows.length - 4, `${windows.map(({ correlation }) => correlation.toFixed(2))}`);
    assertGreater(median, 0.8);
    // All that went has come, through three streams.
    const [sent, received] = [pair.left.statistics!.tx, pair.right.statistics!.rx];
    assertLess(Math.abs(sent.packets - received.packets - received.packetsLost), 8);
    assertGreater(received.packets, 180);
    assertLess(received.packetsLost, 8);
  });

  together.it("AudioTransport.update() holds and goes on: silence between sound", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer, { codecs: ["PCMU"] }).start({
      noMediaTimeout: 0.3,
      mediaCheckInterval: 0.3,
    });
    const alarms = pair.right.notifications("RTPAudioTransportDidNotGetRTP");
    const directions: unknown[] = [];
    const change = (direction: "inactive" | "sendrecv"): void => {
      pair.update({ direction });
      directions.push([pair.left.direction, pair.right.direction]);
    };
    const halves = await talk(pair, "hold", [[1.5, () => change("inactive")], [3, () => change("sendrecv")]]);
    assertEquals(directions, [["inactive", "inactive"], ["sendrecv", "sendrecv"]]);
    const loudness = halves.map((samples) =>
      Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length)
    );
    assertGreater(Math.max(...loudness.slice(1, 3)), 500);
    assertLess(Math.max(...loudness.slice(4, 6)), 20);
    assertGreater(Math.max(...loudness.slice(7, 9)), 500);
    // Where nothing is to come nothing is missed.
    assertEquals(alarms.pending, 0);
    const heard = await readWav(join(folder, "hold.wav"));
    const part = (from: number, to: number): number => {
      const samples = sound.samples.slice(from * sound.sampleRate, to * sound.sampleRate);
      return correlate({ ...sound, samples }, heard).median;
    };
    assertGreater(part(0, 1.3), 0.7);
    assertGreater(part(3.5, 4.5), 0.7);
  });

  together.it("AudioTransport.update() sends to another address, from the same source on", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using transport = openTransport();
    using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    using first = await RTPPeer.open();
    using second = await RTPPeer.open();
    const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
    audio.start(offer, first.answer(offer));
    await until(() => first.received.length > 20, "The first peer gets nothing");
    audio.update(offer, second.answer(offer));
    assertEquals([transport.state, transport.remoteRtpPortSdp], ["ESTABLISHED", second.port]);
    await until(() => second.received.length > 20, "The second peer gets nothing");
    const before = first.received.at(-1)!;
    const [after] = second.received;
    assertEquals(after!.ssrc, before.ssrc);
    const gap = (after!.sequence - before.sequence) & 0xffff;
    assert(gap >= 1 && gap < 5, `${gap} packets further`);
    assertLess((after!.timestamp - before.timestamp) >>> 0, 160 * 25);
    const count = first.received.length;
    second.target = first.target = transport.localRtpPort!;
    const { packets } = audio.statistics!.rx;
    for (let sent = 0; sent < 20; sent++) await second.send();
    await until(() => audio.statistics!.rx.packets === packets + 20, "The second peer is not heard");
    assertEquals(first.received.length, count);
  });

  together.it(
    "AudioTransport.update() with nothing new but a direction leaves the stream as it is",
    async () => {
      using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
      using transport = openTransport();
      using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
      using peer = await RTPPeer.open();
      const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
      audio.start(offer, peer.answer(offer));
      await until(() => peer.received.length > 5, "The peer gets nothing");
      for (let version = 1; version <= 20; version++) {
        const again = new SDPSession("127.0.0.1", { version, media: [...offer.media] });
        audio.update(again, peer.answer(offer));
        await delay(20);
      }
      const { sequence, timestamp } = peer.received[0]!;
      for (const [index, packet] of peer.received.entries()) {
        assertEquals([packet.sequence, packet.timestamp], [
          (sequence + index) & 0xffff,
          (timestamp + index * 160) >>> 0,
        ]);
      }
      // A stream that another takes the place of says goodbye.
      assertEquals(peer.hasBye, false);
      audio.stop();
      await until(() => peer.hasBye, "The stream says no goodbye");
    },
  );

  together.it("AudioTransport.update() obeys 0.0.0.0, the hold of old", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using transport = openTransport();
    using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    using peer = await RTPPeer.open();
    const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
    const answer = peer.answer(offer);
    audio.start(offer, answer);
    await until(() => peer.received.length > 5, "The peer gets nothing");
    const held = peer.answer(offer);
    held.media[0]!.connection = new SDPConnection("0.0.0.0");
    audio.update(offer, held);
    const { packets } = audio.statistics!.tx;
    await delay(200);
    audio.updateDirection("sendrecv");
    await delay(100);
    assertEquals(audio.statistics!.tx.packets, packets);
    const count = peer.received.length;
    audio.update(offer, answer);
    await until(() => peer.received.length > count + 5, "Nothing is sent after the hold");
  });

  together.it("AudioTransport.update() ends a stream that was given up: port 0", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    const notes = pair.left.notifications();
    const { offer, answer } = pair.change();
    answer.media[0]!.port = 0;
    pair.left.update(offer, answer);
    assertEquals((await notes.next()).done, true);
    assertEquals([pair.left.isActive, pair.left.slot, pair.left.transport.state], [false, null, "INIT"]);
    assertThrows(() => pair.left.update(offer, answer), SIPCoreInvalidStateError, "not active");
  });

  together.it("AudioTransport.update() that fails leaves the stream that is", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    await until(() => pair.left.statistics!.rx.packets > 5, "No packets");
    const { offer, answer } = pair.change();
    for (const { media } of [offer, answer]) {
      media[0]!.formats = ["96"];
      media[0]!.attributes = [new SDPAttribute("rtpmap", "96 nothing/8000")];
    }
    assertThrows(() => pair.left.update(offer, answer), PJSIPError, "Could not change the audio stream");
    assertEquals([pair.left.isActive, pair.left.codec, pair.left.slot], [true, "PCMU", 1]);
    const { rx, tx } = pair.left.statistics!;
    await until(() => {
      const now = pair.left.statistics!;
      return now.rx.packets > rx.packets + 5 && now.tx.packets > tx.packets + 5;
    }, "The old stream does not go on");
    assertThrows(() => pair.left.update(offer, answer, { sdpIndex: 1 }), RangeError, "no stream at index 1");
    assertThrows(() => pair.left.update(offer, "v=0" as never), TypeError, "remoteSdp");
    assertThrows(() => pair.left.update({} as never, answer), TypeError, "localSdp");
  });

  it(
    "AudioTransport.update() throws before the start, after the end and after the transport's",
    () => {
      using mixer = new AudioMixer(null, null);
      using pair = new AudioPair(mixer);
      const update = (): void => pair.left.update(pair.offer, pair.answer);
      assertThrows(update, SIPCoreInvalidStateError, "not active");
      pair.start();
      const { offer, answer } = pair.change();
      answer.media[0]!.port += 2;
      pair.left.transport.close();
      assertThrows(() => pair.left.update(offer, answer), SIPCoreInvalidStateError, "INVALID");
      assertEquals(pair.left.isActive, true);
      assertThrows(() => pair.left.sendDtmf("1"), SIPCoreInvalidStateError);
      assertEquals(typeof pair.left.statistics!.rx.packets, "number");
      pair.left.stop();
      assertThrows(update, SIPCoreInvalidStateError, "not active");
    },
  );

  it("AudioTransport.update() bears a hundred changes while packets come and go", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer, { codecs }).start();
    mixer.connectSlots(pair.left, pair.right);
    mixer.connectSlots(pair.right, pair.left);
    const types = ["0", "99", "9"];
    for (let count = 0; count < 100; count++) {
      const direction = (["sendrecv", "sendonly", "inactive", "recvonly"] as const)[count % 4]!;
      pair.update({ payloadType: types[count % 3]!, direction });
      assertEquals([pair.left.direction, pair.left.slot, pair.right.slot], [direction, 1, 2]);
      if (count % 10 === 0) await delay(30);
    }
    pair.update({ payloadType: "0" });
    const { packets } = pair.right.statistics!.rx;
    await until(() => pair.right.statistics!.rx.packets > packets + 10, "Nothing comes any more");
    assertEquals(mixer.connectedSlots.length, 2);
  });
});

describe("AudioTransport.getLocalMedia()", () => {
  before(() => startEngine({ rtpPortRange: [42200, 42399] }));
  after(stopEngine);

  it("AudioTransport.getLocalMedia() answers with what fits the offer's direction", () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    const described = pair.offer.media[0]!.attributes.filter(({ name }) => name !== "sendrecv");
    const answered = (
      offered: string,
      direction: "sendrecv" | "sendonly" | "recvonly" | "inactive",
    ): string => {
      const offer = SDPSession.from(pair.offer);
      offer.media[0]!.attributes = [...described, new SDPAttribute(offered, "")];
      return pair.right.getLocalMedia(false, { direction, remoteSdp: offer }).direction;
    };
    assertEquals(
      ["sendrecv", "sendonly", "recvonly", "inactive"].map((offered) => [
        answered(offered, "sendrecv"),
        answered(offered, "sendonly"),
        answered(offered, "recvonly"),
        answered(offered, "inactive"),
      ]),
      [
        ["sendrecv", "sendonly", "recvonly", "inactive"],
        ["recvonly", "inactive", "recvonly", "inactive"],
        ["sendonly", "sendonly", "inactive", "inactive"],
        ["inactive", "inactive", "inactive", "inactive"],
      ],
    );
    // Of the whole session, where the stream says nothing.
    const offer = SDPSession.from(pair.offer);
    offer.media[0]!.attributes = [...described];
    offer.attributes = [new SDPAttribute("sendonly", "")];
    assertEquals(pair.right.getLocalMedia(false, { remoteSdp: offer }).direction, "recvonly");
    assertThrows(() => pair.right.getLocalMedia("no" as never), TypeError, "isOffer");
    assertThrows(() => pair.right.getLocalMedia(false, { remoteSdp: {} as never }), TypeError, "remoteSdp");
  });
});
