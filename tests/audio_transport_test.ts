// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertThrows } from "@std/assert";
import { deadline, delay } from "@std/async";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  NotificationCenter,
  PJSIPError,
  RTPTransport,
  SDPMediaStream,
  SDPSession,
  SIPCoreError,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { AudioPair, openTransport } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { RTPPeer } from "./support/rtp_peer.ts";
import { until } from "./support/until.ts";

/** Not the default's, where other programs may be. */
const rtpPortRange = [41300, 41699] as const;

describe("AudioTransport", () => {
  before(() => startEngine({ rtpPortRange }));
  after(stopEngine);

  it("AudioTransport hears a peer that sends before it starts", async () => {
    using mixer = new AudioMixer(null, null);
    using peer = await RTPPeer.open();
    // Whoever answers sends at once, and his packets wait in the socket: the reader must get past them each time.
    for (let round = 1; round <= 200; round++) {
      using transport = openTransport();
      const audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
      const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
      peer.target = transport.localRtpPort!;
      for (let number = 1; number <= 3; number++) await peer.send();
      audio.start(offer, peer.answer(offer));
      for (let number = 4; audio.statistics!.rx.packets < 6; number++) {
        assertLess(number, 1000, `nothing is heard in round ${round}`);
        await peer.send();
        await delay(1);
      }
      audio.stop();
    }
  });

  it("AudioTransport has its attributes before, while and after it is active", () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer);
    const { left } = pair;
    const facts = (): unknown[] => [left.isStarted, left.isActive, left.slot, left.codec, left.direction];
    assertEquals(facts(), [false, false, null, null, null]);
    assertEquals([left.statistics, left.volume, left.enableSilenceDetection], [null, 100, false]);
    assert(left.mixer === mixer);
    assertEquals([left.transport.state, pair.right.transport.state], ["LOCAL", "INIT"]);
    left.stop();
    pair.start();
    assertEquals(facts(), [true, true, 1, "PCMU", "sendrecv"]);
    assertEquals([left.sampleRate, mixer.usedSlotCount], [8000, 2]);
    assertEquals([left.transport.state, pair.right.transport.state], ["ESTABLISHED", "ESTABLISHED"]);
    left.volume = 50;
    assertThrows(() => left.volume = -1, RangeError, "volume");
    mixer.connectSlots(left, pair.right);
    left.stop();
    left.stop();
    assertEquals(facts(), [true, false, null, "PCMU", "sendrecv"]);
    assertEquals([left.transport.state, mixer.connectedSlots, mixer.usedSlotCount], ["INIT", [], 1]);
    assertThrows(() => left.start(pair.offer, pair.answer), SIPCoreInvalidStateError, "started before");
  });

  it("AudioTransport refuses bad arguments and a transport that is not open", () => {
    using mixer = new AudioMixer(null, null);
    using transport = openTransport();
    using unopened = new RTPTransport();
    const none = new SDPSession("127.0.0.1", { media: [new SDPMediaStream("video", 4000, "RTP/AVP")] });
    assertEquals(
      assertThrows(() => new AudioTransport(mixer, unopened), SIPCoreInvalidStateError).state,
      "NULL",
    );
    assertThrows(() => new AudioTransport({} as never, transport), TypeError, "mixer");
    assertThrows(() => new AudioTransport(mixer, {} as never), TypeError, "transport");
    assertThrows(() => new AudioTransport(mixer, transport, { remoteSdp: none }), RangeError, "no audio");
    assertThrows(() => new AudioTransport(mixer, transport, { sdpIndex: -1 }), RangeError, "sdpIndex");
    assertThrows(() => new AudioTransport(mixer, transport, { codecs: ["MP3"] }), RangeError, "MP3");
    assertThrows(() => new AudioTransport(mixer, transport, { codecs: ["GSM", "gsm"] }), RangeError, "twice");
    const audio = new AudioTransport(mixer, transport);
    assertThrows(() => audio.getLocalMedia(true, { direction: "up" as never }), RangeError, "direction");
    assertThrows(() => audio.sendDtmf("1"), SIPCoreInvalidStateError, "not active");
    assertThrows(() => audio.updateDirection("inactive"), SIPCoreInvalidStateError, "not active");
    const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
    for (
      const options of [{ sdpIndex: 0.5 }, { noMediaTimeout: -1 }, { mediaCheckInterval: Infinity }]
    ) assertThrows(() => audio.start(offer, offer, options), RangeError, Object.keys(options)[0]);
    assertThrows(() => audio.start(offer, offer, { sdpIndex: 1 }), RangeError, "no stream at index 1");
    assertThrows(() => audio.start(offer, "v=0" as never), TypeError, "remoteSdp");
    assertEquals([audio.isStarted, transport.state], [false, "LOCAL"]);
  });

  it("AudioTransport.start() throws when a side has refused the stream, or speaks another codec", () => {
    using mixer = new AudioMixer(null, null);
    for (const [port, formats, kind] of [[0, ["0"], SIPCoreError], [4000, ["96"], PJSIPError]] as const) {
      using transport = openTransport();
      const audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
      const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
      const { connection } = offer.media[0]!;
      const media = new SDPMediaStream("audio", port, "RTP/AVP", { formats, connection });
      const answer = new SDPSession("127.0.0.1", { media: [media] });
      assertThrows(() => audio.start(offer, answer), kind, "Could not");
      assertEquals([audio.isActive, audio.slot, mixer.usedSlotCount], [false, null, 0]);
    }
  });

  it("AudioTransport.getLocalMedia() describes the engine's codecs, or its own, in their order", () => {
    using mixer = new AudioMixer(null, null);
    using transport = openTransport();
    const mine = new AudioTransport(mixer, transport, { codecs: ["pcma", "g722", "PCMU"] });
    const media = mine.getLocalMedia(true, { direction: "recvonly" });
    assertEquals([media.media, media.port, media.transport], ["audio", transport.localRtpPort, "RTP/AVP"]);
    assertEquals(media.connection?.address, "127.0.0.1");
    assertEquals(media.direction, "recvonly");
    assertEquals(media.codecList.map(({ name }) => name), ["PCMA", "G722", "PCMU", "telephone-event"]);
    using another = openTransport();
    const all = new AudioTransport(mixer, another).getLocalMedia(true).codecList.map(({ name }) => name);
    const order = new Engine().codecs.map((name) => name.toLowerCase());
    assertEquals([...new Set(all.map((name) => name.toLowerCase()))].slice(0, order.length), order);
  });

  it("AudioTransport keeps its place among other streams", () => {
    using mixer = new AudioMixer(null, null);
    using left = openTransport();
    using right = openTransport();
    const video = new SDPMediaStream("video", 0, "RTP/AVP", { formats: ["99"] });
    const caller = new AudioTransport(mixer, left, { sdpIndex: 1, codecs: ["GSM"] });
    const offer = new SDPSession("127.0.0.1", { media: [video, caller.getLocalMedia(true)] });
    const callee = new AudioTransport(mixer, right, { sdpIndex: 1, remoteSdp: offer, codecs: ["GSM"] });
    const answer = new SDPSession("127.0.0.1", { media: [video, callee.getLocalMedia(false)] });
    caller.start(offer, answer);
    callee.start(answer, offer);
    assertEquals([caller.codec, callee.codec], ["GSM", "GSM"]);
    assertEquals(left.remoteRtpPortSdp, right.localRtpPort);
    caller.stop();
    callee.stop();
  });

  it("AudioTransport.statistics counts both ways, and is there after stop()", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    await until(() => (pair.right.statistics?.rx.packets ?? 0) >= 20, "No packets");
    pair.left.stop();
    pair.right.stop();
    const [left, right] = [pair.left.statistics!, pair.right.statistics!];
    assertEquals(pair.left.statistics, left);
    assertGreater(left.tx.packets, 0);
    assertEquals(right.rx.bytes, right.rx.packets * 160);
    assertLess(Math.abs(left.tx.packets - right.rx.packets), 5);
    assertEquals([right.rx.packetsLost, right.rx.packetsDuplicate, right.rx.burstLoss], [0, 0, false]);
    assert(right.mos !== null && right.mos > 3 && right.mos <= 4.5, `${right.mos}`);
    const { remoteRtpPortReceived } = pair.left.transport;
    assert(remoteRtpPortReceived === null || remoteRtpPortReceived === pair.right.transport.localRtpPort);
  });

  it("AudioTransport tells where RTP came from", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    const { transport } = pair.left;
    await until(() => transport.remoteRtpPortReceived, "Nothing came");
    assertEquals(transport.remoteRtpAddressReceived, "127.0.0.1");
    assertEquals(transport.remoteRtpPortReceived, pair.right.transport.localRtpPort);
  });

  it("AudioTransport tells once that it got no RTP when none came, and again at each interval", async () => {
    using mixer = new AudioMixer(null, null);
    using transport = openTransport();
    using peer = await RTPPeer.open();
    const audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
    const notes = audio.notifications("RTPAudioTransportDidNotGetRTP");
    const start = performance.now();
    audio.start(offer, peer.answer(offer), { noMediaTimeout: 0.2, mediaCheckInterval: 0.1 });
    for (const due of [200, 300]) {
      assertEquals((await deadline(notes.next(), 5000)).value?.data.gotAny, false);
      assertGreater(performance.now() - start, due - 10);
    }
    audio.stop();
    assertEquals((await notes.next()).done, true);
  });

  it("AudioTransport tells that RTP comes no more when some had come", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start({ noMediaTimeout: 0.3, mediaCheckInterval: 0.3 });
    const notes = pair.left.notifications("RTPAudioTransportDidNotGetRTP");
    await until(() => (pair.left.statistics?.rx.packets ?? 0) > 5, "No packets");
    const stopped = performance.now();
    pair.right.stop();
    const { value } = await deadline(notes.next(), 5000);
    assertEquals([value?.data.gotAny, value?.sender === pair.left], [true, true]);
    assertGreater(performance.now() - stopped, 100);
  });

  it("AudioTransport checks nothing with noMediaTimeout 0, and once with mediaCheckInterval 0", async () => {
    using mixer = new AudioMixer(null, null);
    using peer = await RTPPeer.open();
    const told: string[] = [];
    using _observer = new NotificationCenter().addObserver(({ sender }) => {
      told.push(started.get(sender)!);
    }, { name: "RTPAudioTransportDidNotGetRTP" });
    const started = new Map<AudioTransport, string>();
    const start = (name: string, noMediaTimeout: number, mediaCheckInterval: number): AudioTransport => {
      const audio = new AudioTransport(mixer, openTransport(), { codecs: ["PCMU"] });
      const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
      started.set(audio, name);
      audio.start(offer, peer.answer(offer), { noMediaTimeout, mediaCheckInterval });
      return audio;
    };
    start("never", 0, 0.05);
    start("once", 0.05, 0);
    start("often", 0.05, 0.05);
    await until(() => told.filter((name) => name === "often").length >= 5, "The last one does not tell");
    assertEquals(told.filter((name) => name !== "often"), ["once"]);
    for (const audio of started.keys()) {
      audio.stop();
      audio.transport.close();
    }
  });

  it("AudioTransport sends or receives only, as was agreed", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer, { direction: "sendonly", answerDirection: "recvonly" });
    pair.start({ noMediaTimeout: 0.05, mediaCheckInterval: 0.05 });
    assertEquals([pair.left.direction, pair.right.direction], ["sendonly", "recvonly"]);
    const notes = pair.left.notifications();
    await until(() => (pair.right.statistics?.rx.packets ?? 0) >= 20, "No packets");
    assertEquals([pair.left.statistics?.rx.bytes, pair.right.statistics?.tx.bytes], [0, 0]);
    assertEquals(notes.pending, 0);
    pair.left.updateDirection("inactive");
    assertEquals(pair.left.direction, "inactive");
    assertThrows(() => pair.left.updateDirection("up" as never), RangeError, "direction");
  });

  it("AudioTransport.updateDirection() pauses sending and goes on with it", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    const sent = (): number => pair.left.statistics!.tx.packets;
    const received = (): number => pair.left.statistics!.rx.packets;
    await until(() => sent() > 5, "Nothing is sent");
    pair.left.updateDirection("recvonly");
    const before = [sent(), received()];
    await until(() => received() > before[1]! + 20, "Nothing is received");
    assertLess(sent() - before[0]!, 3);
    pair.left.updateDirection("sendrecv");
    await until(() => sent() > before[0]! + 20, "Nothing is sent any more");
  });

  it("AudioTransport leaves an RTP transport that another can use", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = new AudioPair(mixer).start();
    await until(() => (pair.left.statistics?.rx.packets ?? 0) > 0, "No packets");
    pair.left.stop();
    const { transport } = pair.left;
    const again = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    const offer = new SDPSession("127.0.0.1", { media: [again.getLocalMedia(true)] });
    assertEquals(offer.media[0]!.port, pair.offer.media[0]!.port);
    again.start(offer, pair.answer);
    await until(() => (again.statistics?.rx.packets ?? 0) > 5, "No packets for the second one");
    again.stop();
  });

  it("AudioTransport.enableSilenceDetection sends nothing while nothing is said", async () => {
    using mixer = new AudioMixer(null, null);
    using transport = openTransport();
    using peer = await RTPPeer.open();
    const quiet = new AudioTransport(mixer, transport, { codecs: ["PCMU"], enableSilenceDetection: true });
    const offer = new SDPSession("127.0.0.1", { media: [quiet.getLocalMedia(true)] });
    quiet.start(offer, peer.answer(offer));
    using talker = new AudioPair(mixer).start();
    await until(() => talker.left.statistics!.tx.packets > 20, "Nothing is sent");
    assertLess(quiet.statistics!.tx.packets, 10);
    quiet.stop();
  });

  it("AudioTransport ends with the engine, and its statistics stay", async () => {
    const mixer = new AudioMixer(null, null);
    const pair = new AudioPair(mixer).start();
    await until(() => (pair.left.statistics?.rx.packets ?? 0) > 5, "No packets");
    const notes = pair.left.notifications();
    await stopEngine();
    assertEquals((await notes.next()).done, true);
    const { isActive, isStarted, slot, transport } = pair.left;
    assertEquals([isActive, isStarted, slot, transport.state], [false, true, null, "INVALID"]);
    assertGreater(pair.left.statistics!.rx.packets, 5);
    assertThrows(() => pair.left.sendDtmf("1"), SIPCoreInvalidStateError);
    assertThrows(() => pair.left.getLocalMedia(true), SIPCoreInvalidStateError);
    pair[Symbol.dispose]();
    await startEngine({ rtpPortRange });
  });
});
