// SPDX-License-Identifier: GPL-2.0-or-later
/** Much at once, in no order, and what once broke: run against the address sanitizer it tells most. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import {
  AudioMixer,
  type BaseSDPSession,
  type Engine,
  FromHeader,
  type FrozenSDPSession,
  Header,
  Invitation,
  NotificationCenter,
  RecordingWaveFile,
  RouteHeader,
  SIPURI,
  ToHeader,
  WaveFile,
} from "../mod.ts";
import { writeWav } from "../scripts/wav.ts";
import { silentSdp } from "./support/calls.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import { callFromPeer } from "./support/peer_calls.ts";
import { header, tagOf } from "./support/sip_text.ts";
import { SoundPath } from "./support/sound_path.ts";
import { until } from "./support/until.ts";

/** Both ends of many calls of one engine to itself, each doing something at some moment. Ends by `using`. */
class Crowd implements Disposable {
  readonly live: Set<Invitation> = new Set();
  readonly errors: unknown[] = [];
  ended = 0;
  readonly #engine: Engine;
  readonly #dice: Dice;
  readonly #mixer: AudioMixer;
  readonly #paths: Map<Invitation, SoundPath> = new Map();
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();
  readonly #observers: Disposable[];

  constructor(engine: Engine, dice: Dice, mixer: AudioMixer) {
    this.#engine = engine;
    this.#dice = dice;
    this.#mixer = mixer;
    const center = new NotificationCenter();
    this.#observers = [
      center.addObserver(({ sender, data }) => {
        // Its caller may have hung up already.
        if (data.state === "incoming") attempt(() => this.#incoming(sender));
        if (data.state === "connected" && dice.percent(80)) this.#later(200, () => sender.end());
        if (data.state === "disconnected") this.#disconnected(sender);
      }, { name: "SIPInvitationChangedState" }),
      center.addObserver(({ sender, data }) => {
        if (data.succeeded) this.#negotiated(sender, data.localSdp, data.remoteSdp);
      }, { name: "SIPInvitationGotSDPUpdate" }),
      center.addObserver(({ data }) => void this.errors.push(data.value), { name: "SIPEngineGotException" }),
    ];
  }

  /** Does it at some moment before that many milliseconds have passed; too late is no failure. */
  #later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      attempt(action);
    }, this.#dice.throw(ms));
    this.#timers.add(timer);
  }

  call(): void {
    const invitation = new Invitation();
    const transport = this.#dice.percent(40) ? "tcp" : "udp";
    const port = (transport === "tcp" ? this.#engine.tcpPort : this.#engine.udpPort)!;
    const uri = new SIPURI({ user: "bob", host: "127.0.0.1", port });
    invitation.sendInvite({
      requestUri: uri,
      fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "127.0.0.1" })),
      toHeader: new ToHeader(uri),
      routeHeader: RouteHeader.to({ address: "127.0.0.1", port, transport }),
      sdp: this.#describe(invitation),
      timeout: 2,
    });
    this.live.add(invitation);
    if (this.#dice.percent(5)) attempt(() => invitation.end());
    if (this.#dice.percent(30)) this.#later(this.#dice.percent(50) ? 3 : 100, () => invitation.end());
  }

  #describe(invitation: Invitation, offer: FrozenSDPSession | null = null): BaseSDPSession {
    if (this.#dice.percent(50)) return silentSdp;
    const path = new SoundPath(this.#mixer, offer);
    this.#paths.set(invitation, path);
    return path.sdp;
  }

  #incoming(invitation: Invitation): void {
    this.live.add(invitation);
    const take = () =>
      attempt(() =>
        invitation.sendResponse(200, { sdp: this.#describe(invitation, invitation.sdp.proposedRemote) })
      );
    switch (this.#dice.throw(8)) {
      case 0:
        return invitation.sendResponse(486);
      case 1:
        return invitation.end();
      case 2:
        return; // until the caller gives up
      case 3:
        return take();
    }
    invitation.sendResponse(180, { extraHeaders: [new Header("X-Ring", "1")] });
    this.#later(60, take);
    if (this.#dice.percent(20)) this.#later(60, () => invitation.end());
  }

  #negotiated(invitation: Invitation, local: FrozenSDPSession, remote: FrozenSDPSession): void {
    const path = this.#paths.get(invitation);
    if (!path || local.media[0]?.port === 0 || remote.media[0]?.port === 0) return;
    path.audio.start(local, remote);
    this.#mixer.connectSlots(path.audio, 0);
    this.#mixer.connectSlots(0, path.audio);
    if (this.#dice.percent(20)) this.#later(100, () => path.audio.transport.close());
    if (this.#dice.percent(20)) this.#later(100, () => path.audio.stop());
    if (this.#dice.percent(20)) this.#later(100, () => path.audio.sendDtmf("5"));
  }

  #disconnected(invitation: Invitation): void {
    this.ended++;
    this.live.delete(invitation);
    this.#paths.get(invitation)?.[Symbol.dispose]();
    this.#paths.delete(invitation);
  }

  [Symbol.dispose](): void {
    for (const observer of this.#observers) observer[Symbol.dispose]();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const path of this.#paths.values()) path[Symbol.dispose]();
  }
}

/** What comes too late, or finds no more ports, throws; that it throws and does no more is what is tried here. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    assert(error instanceof Error && error.name.endsWith("Error"), String(error));
  }
}

describe("Engine", () => {
  it("Engine stops and starts again in the middle of calls", async () => {
    const dice = new Dice(20261122);
    for (let round = 0; round < 8; round++) {
      const engine = await startEngine({ tcpPort: 0 });
      {
        using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
        using crowd = new Crowd(engine, dice, mixer);
        for (let count = 10 + dice.throw(10); count > 0; count--) attempt(() => crowd.call());
        await delay(dice.throw(150));
        await engine.stop();
        assertEquals([crowd.errors, crowd.live.size], [[], 0]);
        assertGreater(crowd.ended, 0);
      }
      await stopEngine();
    }
  });
});

describe("Under stress", () => {
  let engine: Engine;
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-stress-"));
    engine = await startEngine({ tcpPort: 0 });
  });
  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  it("Invitation ends on both sides whenever either answers, cancels or hangs up", async () => {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using crowd = new Crowd(engine, new Dice(4711), mixer);
    for (let count = 0; count < 120; count++) {
      attempt(() => crowd.call());
      await until(() => crowd.live.size < 40, "The calls do not end");
    }
    await delay(300);
    for (const invitation of crowd.live) attempt(() => invitation.end({ timeout: 1 }));
    await until(() => crowd.live.size === 0, "The calls do not end");
    assertEquals(crowd.errors, []);
    assertGreater(crowd.ended, 150);
  });

  it("Invitation.end() ends a call whose BYE cannot be sent", async () => {
    await using peer = await Peer.open();
    for (
      const contact of ["<sip:a@no.such.host.invalid>", "<sip:a@0.0.0.0>", "<sip:a@127.0.0.1;transport=tls>"]
    ) {
      const { story, invitation } = await callFromPeer(engine, peer, { headers: { Contact: contact } });
      invitation.sendResponse(200, { sdp: silentSdp });
      const ok = await peer.next({ code: 200, cseqMethod: "INVITE" });
      peer.ack(ok);
      await story.until("connected");
      invitation.end();
      await story.end();
      assertEquals(story.changes.at(-1), "disconnecting -> disconnected");
    }
  });

  it("Invitation.end() takes back a 200 that waits for a PRACK", async () => {
    await using peer = await Peer.open();
    const { story, invitation, invite } = await callFromPeer(engine, peer, {
      headers: { Require: "100rel", Supported: "100rel" },
    });
    invitation.sendResponse(183, { sdp: silentSdp });
    assert(tagOf(header(await peer.next({ code: 183 }), "To")) !== null);
    invitation.sendResponse(200);
    invitation.end();
    const answer = await peer.next({ code: 603 });
    assertEquals(header(answer, "Call-ID"), header(invite, "Call-ID"));
    peer.ack(answer);
    await story.end();
  });

  const media = "m=audio 4000 RTP/AVP 0\r\n";
  const disguised: Readonly<Record<string, string>> = {
    "without a colon": `${media}a=rtpmap 200 x/8000\r\n`,
    "behind zeros": `${media}a=rtpmap:0000000200 x/8000\r\n`,
    "in an m= line with zeros": "m=audio 4000 RTP/AVP 0 0000000200\r\n",
    "of a transport that is not RTP": "m=audio 4000 other 0 200\r\n",
    "behind a bare CR": "m=audio 4000 RTP/AVP 0\ra=rtpmap:200 x/8000\r\n",
    "of RED behind a tab": `${media}a=rtpmap:98\tred /8000\r\n`,
    "of RED in capitals": `${media}a=rtpmap:98 RED/8000\r\n`,
  };
  for (const [how, lines] of Object.entries(disguised)) {
    for (const newline of ["\r\n", "\n"]) {
      it(`INVITE is refused with a payload number ${how} (${JSON.stringify(newline)})`, async () => {
        await using peer = await Peer.open();
        const body = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${lines}`;
        const head = [
          `INVITE sip:bob@127.0.0.1:${engine.udpPort} SIP/2.0`,
          `Via: SIP/2.0/UDP 127.0.0.1:${peer.port};rport;branch=z9hG4bK${Math.random()}`,
          "Max-Forwards: 70",
          `From: <${peer.uri}>;tag=1`,
          "To: <sip:bob@127.0.0.1>",
          `Call-ID: ${Math.random()}`,
          "CSeq: 1 INVITE",
          `Contact: <${peer.uri}>`,
          "Content-Type: application/sdp",
          `Content-Length: ${body.length}`,
        ];
        // pjsip takes headers that end with a bare LF as well.
        peer.send(head.join(newline) + newline + newline + body, engine.udpPort!);
        assertEquals((await peer.next()).code, 488);
      });
    }
  }

  it("INVITE is refused when its sound would need a name server", async () => {
    await using peer = await Peer.open();
    const named = silentSdp.toString().replace("c=IN IP4 127.0.0.1", "c=IN IP4 no.such.host.invalid");
    const feedback = `${silentSdp}a=rtcp:4001 IN IP4 no.such.host.invalid\r\n`;
    for (const body of [named, feedback]) {
      peer.ack(await refusal(body));
    }

    function refusal(body: string): ReturnType<Peer["next"]> {
      peer.request("INVITE", { uri: `sip:bob@127.0.0.1:${engine.udpPort}`, body });
      return peer.next({ code: 488 });
    }
  });

  it("WaveFile tells of its end however many end together", async () => {
    await writeWav(join(folder, "short.wav"), { sampleRate: 8000, samples: new Int16Array(800) });
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    const files = Array.from({ length: 200 }, () => new WaveFile(mixer, join(folder, "short.wav")));
    for (const file of files) {
      file.start();
      mixer.connectSlots(file, 0);
    }
    await until(() => files.every((file) => !file.isActive), "Some play on");
  });

  it("AudioMixer goes on ticking while ports come and go", async () => {
    await writeWav(join(folder, "loop.wav"), { sampleRate: 16000, samples: new Int16Array(1600).fill(1000) });
    using mixer = new AudioMixer(null, null, { sampleRate: 16000, slotCount: 40 });
    const dice = new Dice(99);
    const ports: (WaveFile | RecordingWaveFile)[] = [];
    for (let round = 0; round < 400; round++) {
      if (ports.length > 20 || dice.percent(40)) ports.splice(dice.throw(ports.length + 1), 1)[0]?.stop();
      const port = dice.percent(70)
        ? new WaveFile(mixer, join(folder, "loop.wav"), { loop: true })
        : new RecordingWaveFile(mixer, join(folder, `${round % 30}.wav`));
      port.start();
      ports.push(port);
      for (let count = dice.throw(3); count > 0; count--) {
        mixer.connectSlots(ports[dice.throw(ports.length)]!, port);
        if (dice.percent(30)) mixer.disconnectSlots(ports[dice.throw(ports.length)]!, port);
      }
      if (dice.percent(10)) await delay(dice.throw(30));
    }
    using last = new WaveFile(mixer, join(folder, "loop.wav"), { loop: true });
    for (const port of ports) port.stop();
    last.start();
    mixer.connectSlots(last, 0);
    await until(() => mixer.getSignalLevel(last).rx > 0, "Nothing is played any more");
    assertEquals(mixer.usedSlotCount, 1);
  });

  it("AudioMixer refuses the rates that pjmedia does not survive", () => {
    for (const sampleRate of [0, 25, 66_000, 96_000, 192_000]) {
      assertThrows(() => new AudioMixer(null, null, { sampleRate }), RangeError, "sampleRate");
    }
  });
});
