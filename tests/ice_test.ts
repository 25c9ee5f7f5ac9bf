// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  AudioMixer,
  type AudioTransport,
  type BaseSDPSession,
  Engine,
  type ICEResult,
  NotificationCenter,
  RecordingWaveFile,
  RTPTransport,
  type RTPTransportOptions,
  SDPAttribute,
  SDPSession,
  SIPCoreInvalidStateError,
  WaveFile,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { callPort } from "./support/calls.ts";
import { Coturn, skipWithoutCoturn } from "./support/coturn.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ICEPair, ICESide } from "./support/ice_pair.ts";
import { ownAddress } from "./support/own_address.ts";
import { StunServer } from "./support/stun_server.ts";
import { SoundPath } from "./support/sound_path.ts";
import { Together } from "./support/together.ts";
import { until } from "./support/until.ts";

/** Not the default's, where other programs may be. */
const rtpPortRange = [41700, 41999] as const;

const address = ownAddress("IPv4") ?? "127.0.0.1";
const host: RTPTransportOptions = { useIce: true, localRtpAddress: address };

describe("ICE", () => {
  const sound = makeSound("callee", { seconds: 2 });
  let folder = "";
  let coturn: Coturn | undefined;
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-ice-"));
    await writeWav(file("sound.wav"), sound);
    await startEngine({ rtpPortRange });
    if (!skipWithoutCoturn) coturn = await Coturn.start();
  });

  after(async () => {
    await coturn?.[Symbol.asyncDispose]();
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  const together = new Together();

  /** How like the sound is what goes from one to the other, at best: a busy machine may be late with some of it. */
  async function likeness(from: AudioTransport, to: AudioTransport, name: string): Promise<number> {
    let best = 0;
    for (let tries = 0; tries < 3 && best <= 0.9; tries++) {
      best = Math.max(best, await listen(from, to, name));
    }
    return best;
  }

  async function listen(from: AudioTransport, to: AudioTransport, name: string): Promise<number> {
    const { mixer } = from;
    using wave = new WaveFile(mixer, file("sound.wav"));
    using recorder = new RecordingWaveFile(mixer, file(`${name}.wav`));
    recorder.start();
    mixer.connectSlots(to, recorder);
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, from);
    await deadline(ended, 20_000);
    recorder.stop();
    return correlate(sound, await readWav(recorder.filename), { maxLag: 0.4 }).median;
  }

  it("RTPTransport refuses bad options of ICE by name", () => {
    const turn = { address: "127.0.0.1" };
    for (
      const [options, type, name] of [
        [{ useIce: 1 }, TypeError, "useIce"],
        [{ iceStunAddress: 1 }, TypeError, "iceStunAddress"],
        [{ iceStunAddress: "a b" }, RangeError, "iceStunAddress"],
        [{ iceStunAddress: "" }, RangeError, "iceStunAddress"],
        [{ iceStunPort: 0 }, RangeError, "iceStunPort"],
        [{ iceStunPort: 65536 }, RangeError, "iceStunPort"],
        [{ iceTurn: "127.0.0.1" }, TypeError, "iceTurn"],
        [{ iceTurn: {} }, TypeError, "iceTurn.address"],
        [{ iceTurn: { ...turn, port: -1 } }, RangeError, "iceTurn.port"],
        [{ iceTurn: { ...turn, transport: "sctp" } }, RangeError, "iceTurn.transport"],
        [{ iceTurn: { ...turn, username: 1 } }, TypeError, "iceTurn.username"],
        [{ iceTurn: { ...turn, password: null, username: "a\n" } }, TypeError, "iceTurn.username"],
        [{ iceTurn: { ...turn, password: 1 } }, TypeError, "iceTurn.password"],
        [{ iceRelayOnly: "yes" }, TypeError, "iceRelayOnly"],
        [{ iceRelayOnly: true }, TypeError, "iceRelayOnly needs iceTurn"],
      ] as const
    ) {
      const make = () => new RTPTransport({ useIce: true, ...(options as object) });
      assertThrows(make, type, name);
    }
  });

  it("RTPTransport has the attributes of ICE before there is any", () => {
    using plain = new RTPTransport();
    using transport = new RTPTransport({ useIce: true, iceStunAddress: "stun.example", iceStunPort: 3479 });
    const { useIce, iceActive, iceStunAddress, iceStunPort } = transport;
    assertEquals([useIce, iceActive, iceStunAddress, iceStunPort], [true, false, "stun.example", 3479]);
    assertEquals([plain.useIce, plain.iceActive, plain.iceStunAddress, plain.iceStunPort], [
      false,
      false,
      null,
      3478,
    ]);
    for (const one of [plain, transport]) {
      assertEquals([one.state, one.localRtpAddress, one.localRtpPort], ["NULL", null, null]);
      assertEquals(chosen(one), [null, null, null, null]);
    }
  });

  together.it("ICE finds the way between host candidates, carries sound and tells how", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = await ICEPair.open(mixer, host);
    const { left, right } = pair;
    assertEquals(left.transport.state, "INIT");
    const [first, last] = new Engine().rtpPortRange;
    const port = left.transport.localRtpPort!;
    assert(port >= first && port < last && port % 2 === 0, `${port}`);
    pair.start();
    const lines = left.sdp!.media[0]!.attributes.getAll("candidate");
    assertEquals(lines.length, 2);
    assertMatch(lines[0]!, new RegExp(`^\\S+ 1 UDP \\d+ ${address} ${port} typ host$`));
    assertMatch(lines[1]!, new RegExp(`^\\S+ 2 UDP \\d+ ${address} ${port + 1} typ host$`));
    assert(left.sdp!.media[0]!.hasIceCandidates && right.sdp!.hasIceProposal);

    const results = await Promise.all([left, right].map(async (side) => {
      const { name, data } = await side.negotiated();
      assertEquals(name, "RTPTransportICENegotiationDidSucceed");
      return data as ICEResult;
    }));
    for (const [index, side] of [left, right].entries()) {
      const other = [right, left][index]!;
      const { duration, ...result } = results[index]!;
      assertEquals(side.short, [
        "GATHERING",
        "GATHERING_COMPLETE",
        "DidInitialize",
        "NEGOTIATION_START",
        "NEGOTIATING",
        "RUNNING",
        "ICENegotiationDidSucceed",
      ]);
      assert(duration >= 0 && duration < 5, `${duration}`);
      const [own, others] = [side.transport.localRtpPort!, other.transport.localRtpPort!];
      const { rtp, rtcp } = result.chosenLocalCandidates;
      assertEquals([rtp?.component, rtp?.type, rtp?.address, rtp?.port], ["RTP", "host", address, own]);
      assertEquals([rtcp?.component, rtcp?.type, rtcp?.port], ["RTCP", "host", own + 1]);
      assertEquals(result.chosenRemoteCandidates.rtp?.port, others);
      assertEquals(result.chosenRemoteCandidates.rtcp?.port, others + 1);
      assertEquals(result.localCandidates.map(({ port }) => port), [own, own + 1]);
      assertEquals(result.remoteCandidates.map(({ port }) => port), [others, others + 1]);
      assert(result.localCandidates.every(({ priority }) => priority > 2 ** 30));
      const good = result.connectivityChecksResults.filter(({ state }) => state === "SUCCEEDED");
      assertEquals(good.map(({ component }) => component).sort(), ["RTCP", "RTP"]);
      assert(good.every(({ nominated }) => nominated));
      const check = good.find(({ component }) => component === "RTP")!;
      assertEquals([check.source, check.destination], [{ ip: address, port: own }, {
        ip: address,
        port: others,
      }]);
      assertEquals(chosen(side.transport), [address, others, "host", "host"]);
      assert(side.transport.iceActive);
    }
    assertGreater(await likeness(left.audio!, right.audio!, "host"), 0.9);
    const { remoteRtpAddressReceived, remoteRtpPortReceived } = right.transport;
    assertEquals([remoteRtpAddressReceived, remoteRtpPortReceived], [address, port]);
    const heard = left.audio!.statistics!;
    assertGreater(heard.rx.packets, 50);
  });

  together.it("ICE offers what the STUN server has seen, and offers it first", async () => {
    // A NAT that nothing gets through: the host candidates are left.
    await using server = await StunServer.open((server, arrival) =>
      server.answer(arrival, { address: "127.0.0.77", port: arrival.from.port })
    );
    using mixer = new AudioMixer(null, null);
    using pair = await ICEPair.open(mixer, {
      useIce: true,
      iceStunAddress: "127.0.0.1",
      iceStunPort: server.port,
    });
    const { left } = pair;
    assertEquals(left.short, ["GATHERING", "GATHERING_COMPLETE", "DidInitialize"]);
    assertEquals(left.transport.localRtpAddress, "127.0.0.77");
    const port = left.transport.localRtpPort!;
    pair.start();
    const media = left.sdp!.media[0]!;
    assertEquals([media.connection?.address, media.port], ["127.0.0.77", port]);
    const candidates = media.attributes.getAll("candidate");
    assert(
      candidates.some((one) => one.endsWith(`127.0.0.77 ${port} typ srflx raddr 127.0.0.1 rport ${port}`)),
      candidates.join("\n"),
    );
    const { name, data } = await left.negotiated();
    assertEquals(name, "RTPTransportICENegotiationDidSucceed");
    assert((data as ICEResult).localCandidates.some(({ type }) => type === "srflx"));
    assertEquals(chosen(left.transport), [
      "127.0.0.1",
      pair.right.transport.localRtpPort,
      "host",
      "host",
    ]);
  });

  together.it("ICE finds its servers by name, and says so when there is none", async () => {
    await using server = await StunServer.open((server, arrival) =>
      server.answer(arrival, { address: "127.0.0.77", port: arrival.from.port })
    );
    using found = new ICESide({ useIce: true, iceStunAddress: "localhost", iceStunPort: server.port });
    using lost = new ICESide({ useIce: true, iceStunAddress: "nowhere.invalid" });
    const [good, bad] = await Promise.all([found.init(), lost.init()]);
    assertEquals([good.name, found.transport.localRtpAddress], ["RTPTransportDidInitialize", "127.0.0.77"]);
    assertEquals([bad.name, lost.transport.state], ["RTPTransportDidFail", "STUN_FAILED"]);
    assertMatch((bad.data as { reason: string }).reason, /nowhere\.invalid/);
  });

  together.it("ICE takes its own way where the peer has none, and nothing else changes", async () => {
    using mixer = new AudioMixer(null, null);
    for (const [leftOptions, rightOptions] of [[host, {}], [{}, host]] as const) {
      using pair = await ICEPair.open(mixer, { localRtpAddress: address, ...leftOptions }, {
        localRtpAddress: address,
        ...rightOptions,
      });
      pair.start();
      const { left, right } = pair;
      const withIce = left.transport.useIce ? left : right;
      assertGreater(await likeness(left.audio!, right.audio!, "plain"), 0.9);
      assertEquals([withIce.transport.iceActive, ...chosen(withIce.transport)], [
        false,
        ...Array(4).fill(null),
      ]);
      assertEquals(left.transport.remoteRtpPortReceived, right.transport.localRtpPort);
      const states = withIce.transport.useIce ? withIce.told : [];
      assert(states.every(({ name }) => name !== "RTPTransportICENegotiationDidFail"));
    }
  });

  together.it("ICE over IPv6", async () => {
    using mixer = new AudioMixer(null, null);
    for (const localRtpAddress of ["::1", ownAddress("IPv6")!]) {
      using pair = await ICEPair.open(mixer, { useIce: true, localRtpAddress });
      pair.start();
      assertEquals(pair.left.sdp!.media[0]!.connection?.addressType, "IP6");
      assertEquals((await pair.left.negotiated()).name, "RTPTransportICENegotiationDidSucceed");
      await pair.right.negotiated();
      assertEquals(pair.left.transport.remoteRtpAddressIce, localRtpAddress);
      assertGreater(await likeness(pair.left.audio!, pair.right.audio!, "ipv6"), 0.9);
    }
  }, { skip: ownAddress("IPv6") ? false : "no IPv6 address but loopback" });

  together.it("ICE serves another call after setInit()", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = await ICEPair.open(mixer, host);
    const { left, right } = pair;
    const passwords = new Set<string>();
    for (let round = 0; round < 5; round++) {
      pair.start();
      passwords.add(left.sdp!.media[0]!.attributes.getFirst("ice-pwd")!);
      await Promise.all([left.negotiated(), right.negotiated()]);
      assertEquals([left.transport.iceActive, right.transport.iceActive], [true, true]);
      const port = left.transport.localRtpPort;
      left.audio!.stop();
      right.audio!.stop();
      assertEquals([left.transport.state, left.transport.iceActive], ["INIT", false]);
      assertEquals([...chosen(left.transport), left.transport.localRtpPort], [null, null, null, null, port]);
      await Promise.all([left.until("RTPTransportDidInitialize"), right.until("RTPTransportDidInitialize")]);
    }
    assertEquals(passwords.size, 5);
  });

  for (const keying of [null, "sdes", "dtls"] as const) {
    together.it(
      `ICE is agreed upon by SIP, and carries ${keying ? `SRTP with keys by ${keying}` : "plain RTP"}`,
      async () => {
        using mixer = new AudioMixer(null, null);
        const options: RTPTransportOptions = {
          useIce: true,
          ...(keying ? { useSrtp: true, srtpForced: true, srtpKeying: [keying] } : {}),
        };
        const port = new Engine().udpPort!;
        using ours = new SoundPath(mixer, null, options);
        const caller = callPort(port, ours.sdp);
        const incoming = new NotificationCenter().once("SIPInvitationChangedState", {
          where: ({ sender, data }) =>
            data.state === "incoming" && passwordOf(sender.sdp.proposedRemote!) === passwordOf(ours.sdp),
        });
        const oursOpen = ours.open(caller);
        const { sender: callee } = await deadline(incoming, 10_000);
        using theirs = new SoundPath(mixer, callee.sdp.proposedRemote, options);
        const theirsOpen = theirs.open(callee);
        const done = [ours, theirs].map(({ audio: { transport } }) =>
          new NotificationCenter().once("RTPTransportICENegotiationDidSucceed", { sender: transport })
        );
        callee.sendResponse(200, { sdp: theirs.sdp });
        await deadline(Promise.all([oursOpen, theirsOpen, ...done]), 10_000);
        mixer.connectSlots(theirs.audio, theirs.audio);
        const { transport } = ours.audio;
        assertEquals([transport.iceActive, transport.localRtpCandidateType], [true, "host"]);
        await until(() => transport.srtpActive === (keying !== null), "SRTP");
        assertGreater(await likeness(ours.audio, theirs.audio, `call-${keying}`), 0.9);
        const ended = Array.fromAsync(callee.notifications());
        caller.end();
        await deadline(ended, 10_000);
      },
    );
  }

  together.it("ICE begins anew within a call, from either side, and a hold does not disturb it", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = await ICEPair.open(mixer, host);
    const { left, right } = pair;
    assertThrows(() => left.transport.restartIce(), SIPCoreInvalidStateError, "INIT");
    assertThrows(() => new RTPTransport().restartIce(), SIPCoreInvalidStateError, "without ICE");
    pair.start();
    await Promise.all([left.negotiated(), right.negotiated()]);
    const slot = right.audio!.slot;
    const passwords = new Set([passwordOf(left.sdp!)]);

    /** A re-INVITE from that side; the offer. */
    const reinvite = (from: ICESide, to: ICESide, direction: "sendrecv" | "sendonly"): SDPSession => {
      const offer = from.session(from.audio!.getLocalMedia(true, { direction }));
      const answer = to.session(to.audio!.getLocalMedia(false, { remoteSdp: offer }));
      to.audio!.update(answer, offer);
      from.audio!.update(offer, answer);
      return offer;
    };

    const told = left.told.length;
    const hold = reinvite(left, right, "sendonly");
    assertEquals([left.audio!.direction, right.audio!.direction], ["sendonly", "recvonly"]);
    // What has been chosen, and nothing else (RFC 8839, section 4.4.1.2.2).
    assertEquals(hold.media[0]!.attributes.getAll("candidate").length, 2);
    assertEquals(passwordOf(hold), [...passwords][0]);
    reinvite(left, right, "sendrecv");

    for (const [from, to] of [[left, right], [right, left]] as const) {
      from.transport.restartIce();
      assertEquals([from.transport.iceActive, to.transport.iceActive], [false, true]);
      passwords.add(passwordOf(reinvite(from, to, "sendrecv")));
      for (const { name } of await Promise.all([left.negotiated(), right.negotiated()])) {
        assertEquals(name, "RTPTransportICENegotiationDidSucceed");
      }
      assertEquals(chosen(from.transport), [address, to.transport.localRtpPort, "host", "host"]);
    }
    assertEquals(passwords.size, 3);
    assertEquals(left.short.slice(told), [
      ...["NEGOTIATION_START", "NEGOTIATING", "RUNNING", "ICENegotiationDidSucceed"],
      ...["NEGOTIATING", "RUNNING", "ICENegotiationDidSucceed"],
    ]);
    // The same stream all the time.
    assertEquals(right.audio!.slot, slot);
    // pjnath passes over what comes before the first check.
    assertLess(right.audio!.statistics!.rx.packetsLost, 10);
    assertGreater(await likeness(left.audio!, right.audio!, "restarted"), 0.9);
  });

  together.it(
    "ICE tells in time that nothing works: a silent STUN server, a peer that cannot be reached",
    async () => {
      await using silent = await StunServer.open(() => {});
      using mixer = new AudioMixer(null, null);
      const start = performance.now();
      const seconds = () => (performance.now() - start) / 1000;
      using asking = new ICESide({ useIce: true, iceStunAddress: "127.0.0.1", iceStunPort: silent.port });
      const failing = asking.init();
      assertEquals(asking.transport.state, "WAIT_STUN");
      assertEquals([asking.transport.localRtpAddress, asking.transport.localRtpPort], [null, null]);
      asking.transport.setInit();
      for (const use of [() => asking.transport.setLocal(new SDPSession("127.0.0.1"), 0)]) {
        assertEquals(assertThrows(use, SIPCoreInvalidStateError).state, "WAIT_STUN");
      }

      using pair = await ICEPair.open(mixer, host);
      // Nobody listens there.
      pair.start((sdp) => {
        const moved = SDPSession.from(sdp);
        const media = moved.media[0]!;
        const nobody = (text: string) =>
          text.replace(/ (\d+) typ/, (_, port) => ` ${Number(port) % 2 + 2} typ`);
        for (const attribute of media.attributes) {
          if (attribute.name === "candidate") attribute.value = nobody(attribute.value);
        }
        media.attributes.splice(media.attributes.findIndex(({ name }) => name === "rtcp"), 1);
        media.attributes.push(new SDPAttribute("rtcp", "3"));
        media.port = 2;
        return moved;
      });
      const outcome = await pair.left.negotiated();
      assertEquals(outcome.name, "RTPTransportICENegotiationDidFail");
      assertMatch((outcome.data as { reason: string }).reason, /No way to the peer/);
      assertEquals(pair.left.short.slice(-2), ["FAILED", "ICENegotiationDidFail"]);
      assertEquals([pair.left.transport.iceActive, pair.left.transport.state], [false, "ESTABLISHED"]);
      assertLess(seconds(), 15);

      const { name, data } = await failing;
      assertEquals([name, asking.transport.state], ["RTPTransportDidFail", "STUN_FAILED"]);
      assertMatch((data as { reason: string }).reason, /STUN server 127\.0\.0\.1 at port \d+: .*timed out/);
      assertEquals(asking.short, ["GATHERING", "FAILED", "DidFail"]);
      assertLess(seconds(), 15);
      assertThrows(() => asking.transport.setInit(), SIPCoreInvalidStateError, "STUN_FAILED");
      assertEquals(asking.transport.localRtpPort, null);
    },
  );

  const turn = (more: object = {}): RTPTransportOptions => ({
    useIce: true,
    iceTurn: {
      address: "127.0.0.1",
      port: coturn!.port,
      username: "alice",
      password: "alicepw",
      ...more,
    },
  });

  for (const transport of ["udp", "tcp"] as const) {
    together.it(`ICE goes through a TURN relay alone, reached by ${transport}`, async () => {
      using mixer = new AudioMixer(null, null);
      using pair = await ICEPair.open(mixer, { ...turn({ transport }), iceRelayOnly: true });
      pair.start();
      const { left, right } = pair;
      for (const { sdp } of [left, right]) {
        const candidates = sdp!.media[0]!.attributes.getAll("candidate");
        assertEquals(candidates.map((one) => / typ (\S+)/.exec(one)?.[1]), ["relay", "relay"]);
      }
      const { name, data } = await left.negotiated();
      if (name !== "RTPTransportICENegotiationDidSucceed") throw coturn!.failure("lets nothing through");
      await right.negotiated();
      const { localCandidates, chosenRemoteCandidates } = data as ICEResult;
      assertEquals(localCandidates.map(({ type }) => type), ["relay", "relay"]);
      assertEquals(chosenRemoteCandidates.rtp?.port, right.transport.localRtpPort);
      assertEquals(chosen(left.transport).slice(2), ["relay", "relay"]);
      assertGreater(await likeness(left.audio!, right.audio!, `relay-${transport}`), 0.9);
    }, { skip: skipWithoutCoturn });
  }

  together.it("ICE has candidates of all kinds, and takes the nearest", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = await ICEPair.open(mixer, {
      ...turn(),
      iceStunAddress: "127.0.0.1",
      iceStunPort: coturn!.port,
    });
    // The STUN server sees the host candidates themselves.
    pair.start();
    const { name, data } = await pair.left.negotiated();
    assertEquals(name, "RTPTransportICENegotiationDidSucceed");
    assertEquals((data as ICEResult).localCandidates.map(({ type }) => type).sort(), [
      "host",
      "host",
      "relay",
      "relay",
    ]);
    assertEquals(chosen(pair.left.transport).slice(2), ["host", "host"]);
  }, { skip: skipWithoutCoturn });

  together.it("ICE says that a TURN server refuses, or is none", async () => {
    await using silent = await StunServer.open((server, arrival) =>
      server.answer(arrival, arrival.from, {
        type: 0x0113,
        attributes: [[0x0009, Uint8Array.of(0, 0, 5, 0)]],
      })
    );
    const outcomes = await Promise.all([
      [turn({ password: "wrong" }), /TURN server 127\.0\.0\.1 at port \d+: Unauthorized/],
      [turn({ username: "nobody" }), /Unauthorized/],
      [turn({ username: "" }), /TURN server/],
      [turn({ port: silent.port }), /TURN server/],
      [turn({ port: 9, transport: "tcp" }), /TURN server .*refused/i],
    ].map(async ([options, reason]) => {
      using side = new ICESide(options as RTPTransportOptions);
      const { name, data } = await side.init();
      return [name, side.transport.state, side.short.at(-2), (data as { reason: string }).reason, reason];
    }));
    for (const [name, state, ice, told, reason] of outcomes) {
      assertEquals([name, state, ice], ["RTPTransportDidFail", "STUN_FAILED", "FAILED"]);
      assertMatch(told as string, reason as RegExp);
    }
  }, { skip: skipWithoutCoturn });
});

function passwordOf(sdp: BaseSDPSession): string {
  return sdp.media[0]!.attributes.getFirst("ice-pwd")!;
}

function chosen(transport: RTPTransport): unknown[] {
  const { remoteRtpAddressIce, remoteRtpPortIce, localRtpCandidateType, remoteRtpCandidateType } = transport;
  return [remoteRtpAddressIce, remoteRtpPortIce, localRtpCandidateType, remoteRtpCandidateType];
}
