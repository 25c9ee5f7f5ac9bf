// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertEquals, assertGreater, assertMatch, assertThrows } from "@std/assert";
import { deadline } from "@std/async";
import {
  AudioMixer,
  type Engine,
  type FrozenSDPSession,
  type Invitation,
  NotificationCenter,
  PJSIPError,
  RecordingWaveFile,
  type RTPTransportOptions,
  type SRTPCipher,
  WaveFile,
} from "../mod.ts";
import type { Child } from "../scripts/bench/child.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { callPort } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ICEPair } from "./support/ice_pair.ts";
import { ownAddress } from "./support/own_address.ts";
import { ownName, startProgram } from "./support/program.ts";
import { SoundPath } from "./support/sound_path.ts";
import { until } from "./support/until.ts";

const forced: RTPTransportOptions = { useSrtp: true, srtpForced: true };
const forcedDtls: RTPTransportOptions = { ...forced, srtpKeying: ["dtls"] };

/** The keys on the a=crypto lines of a description. */
function keysOf(sdp: FrozenSDPSession): string[] {
  return sdp.media.flatMap(({ attributes }) => attributes.getAll("crypto"))
    .map((line) => /inline:([A-Za-z0-9+/=]+)/.exec(line)![1]!);
}

describe("Calls with SRTP", () => {
  const ours = makeSound("caller", { sampleRate: 8000, seconds: 2 });
  const theirs = makeSound("callee", { sampleRate: 8000, seconds: 6 });
  const center = new NotificationCenter();
  let folder = "";
  let engine: Engine;
  let mixer: AudioMixer;
  const file = (name: string): string => join(folder, `${name}.wav`);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-srtp-"));
    await writeWav(file("ours"), ours);
    await writeWav(file("theirs"), theirs);
    engine = await startEngine({
      rtpPortRange: [43900, 43999],
      codecs: ["PCMU"],
      logLevel: 6,
      traceSip: true,
    });
    mixer = new AudioMixer(null, null, { sampleRate: 8000 });
  });

  after(async () => {
    mixer.close();
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  const disconnected = (sender: Invitation) =>
    center.once("SIPInvitationChangedState", { sender, where: ({ data }) => data.state === "disconnected" });

  /** What the log and the trace say from now on. */
  function listen(): { said: string[] } & Disposable {
    const said: string[] = [];
    const observers = [
      center.addObserver(({ data }) => void said.push(data.message), { name: "SIPEngineLog" }),
      center.addObserver(({ data }) => void said.push(data.data), { name: "SIPEngineSIPTrace" }),
      center.addObserver(({ data }) => void said.push(JSON.stringify(data)), {
        name: ["RTPTransportSRTPNegotiationDidSucceed", "RTPTransportSRTPNegotiationDidFail"],
      }),
    ];
    return {
      said,
      [Symbol.dispose]: () => {
        for (const observer of observers) observer[Symbol.dispose]();
      },
    };
  }

  it("Engine has no key in its log at any level, nor in the trace, nor in what SRTP tells", async () => {
    using heard = listen();
    const { said } = heard;
    const incoming = center.once("SIPInvitationChangedState", {
      where: ({ data }) => data.state === "incoming",
    });
    using caller = new SoundPath(mixer, null, forced);
    const call = callPort(engine.udpPort!, caller.sdp);
    const open = caller.open(call);
    const { sender: callee } = await deadline(incoming, 10_000);
    using answering = new SoundPath(mixer, callee.sdp.proposedRemote, forced);
    const answered = answering.open(callee);
    callee.sendResponse(200, { sdp: answering.sdp });
    await deadline(Promise.all([open, answered]), 10_000);
    await until(() => caller.audio.statistics!.rx.packets > 3, "sound");
    const keys = [...keysOf(call.sdp.activeLocal!), ...keysOf(call.sdp.activeRemote!)];
    assertEquals(keys.length, 4);
    const ended = disconnected(call);
    call.end();
    await deadline(ended, 10_000);
    const all = said.join("\n");
    assertMatch(all, /SRTP started/);
    assertMatch(all, /a=crypto:1 AEAD_AES_256_GCM inline:\*{60}\r\n/);
    assertMatch(all, /"cipher":"AEAD_AES_256_GCM"/);
    for (const key of keys) {
      assertEquals(all.includes(key.slice(0, 12)), false, "A key was said");
      const bytes = Uint8Array.from(atob(key), (letter) => letter.charCodeAt(0));
      assertEquals(all.toLowerCase().includes(bytes.slice(0, 8).toHex()), false, "A key was said");
    }
  });

  it("Engine says no key when it cannot parse the message, wherever in it the key stands", async () => {
    using heard = listen();
    const { said } = heard;
    const socket = createSocket("udp4");
    await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
    try {
      const key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0";
      const line = (method: string) => `a=crypto:1 AES_CM_128_HMAC_SHA1_80 ${method}${key}|2^20\r\n`;
      const answer = new Promise<string>((resolve) =>
        socket.once("message", (data) => resolve(String(data)))
      );
      const body = `v=0\r\n${line("inline:")}${line("INLINE:")}${line("inline: ")}`;
      const message = "INVITE sip:a@127.0.0.1 SIP/2.0\r\n" +
        `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bKkeys\r\nFrom: <sip:a@b>;tag=1\r\n` +
        `To: <sip:a@127.0.0.1>\r\nCall-ID: keys\r\nCSeq: x INVITE\r\nX: inline:${key}\r\n` +
        `Content-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      socket.send(message, engine.udpPort!, "127.0.0.1");
      assertMatch(await deadline(answer, 10_000), /^SIP\/2\.0 400 /);
      await until(() => said.some((one) => one.includes("z9hG4bKkeys")), "the trace");
      assertEquals(said.filter((one) => one.includes(key.slice(0, 10))), []);
      assertMatch(said.join(), /inline:\*{40}\|2\^20\r\n.*INLINE:\*{40}\|.*inline: \*{40}\|/s);
    } finally {
      socket.close();
    }
  });

  it("A call without SRTP is refused by who forces it, with 488, and taken in clear by who does not", async () => {
    for (
      const [options, isTaken] of [[forced, false], [forcedDtls, false], [{ useSrtp: true }, true]] as const
    ) {
      const incoming = center.once("SIPInvitationChangedState", {
        where: ({ data }) => data.state === "incoming",
      });
      using caller = new SoundPath(mixer);
      const call = callPort(engine.udpPort!, caller.sdp);
      const open = caller.open(call);
      open.catch(() => {});
      const ended = disconnected(call);
      const { sender: callee } = await deadline(incoming, 10_000);
      if (!isTaken) {
        const error = assertThrows(
          () => new SoundPath(mixer, callee.sdp.proposedRemote, options),
          PJSIPError,
        );
        assertMatch(error.message, /^Could not describe the RTP transport: SRTP crypto attribute required/);
        callee.sendResponse(488);
        assertEquals((await deadline(ended, 10_000)).data.code, 488);
        continue;
      }
      using answering = new SoundPath(mixer, callee.sdp.proposedRemote, options);
      const answered = answering.open(callee);
      callee.sendResponse(200, { sdp: answering.sdp });
      await deadline(Promise.all([open, answered]), 10_000);
      await until(() => caller.audio.statistics!.rx.packets > 3, "sound");
      assertEquals(answering.audio.transport.srtpActive, false);
      call.end();
      await deadline(ended, 10_000);
    }
  });

  it("RTPTransport encrypts what ICE has found a way for, by either keying", async () => {
    const localRtpAddress = ownAddress("IPv4") ?? "127.0.0.1";
    for (const options of [forced, forcedDtls, { useSrtp: true, srtpKeying: ["dtls"] } as const]) {
      const keying = options.srtpKeying?.[0] ?? "sdes";
      using pair = await ICEPair.open(mixer, { ...options, useIce: true, localRtpAddress });
      pair.start();
      const sides = [pair.left, pair.right];
      await until(() => sides.every(({ transport }) => transport.srtpActive), `SRTP by ${keying}`);
      await until(() => sides.every(({ audio }) => audio!.statistics!.rx.packets > 5), "sound");
      for (const { transport } of sides) {
        assertEquals([transport.srtpActiveKeying, transport.iceActive], [keying, true]);
        assertEquals([transport.localRtpCandidateType], ["host"]);
      }
    }
  });

  describe("between Deno and Bun", () => {
    const ciphers: readonly SRTPCipher[] = [
      "AEAD_AES_256_GCM",
      "AEAD_AES_128_GCM",
      "AES_256_CM_HMAC_SHA1_80",
      "AES_256_CM_HMAC_SHA1_32",
      "AES_CM_128_HMAC_SHA1_80",
      "AES_CM_128_HMAC_SHA1_32",
    ];
    const calls: readonly (readonly [user: string, options: RTPTransportOptions, cipher: SRTPCipher])[] = [
      ...ciphers.map((cipher) => [cipher, { ...forced, srtpCiphers: [cipher] }, cipher] as const),
      ["dtls", forcedDtls, "AEAD_AES_256_GCM"],
    ];

    /** One call with sound both ways; how well the one who has heard worse has heard the other. */
    async function converse(
      callee: Child,
      port: number,
      [user, options, cipher]: typeof calls[number],
    ): Promise<number> {
      const keying = user === "dtls" ? "dtls" : "sdes";
      using path = new SoundPath(mixer, null, options);
      const { transport } = path.audio;
      const secured = center.once("RTPTransportSRTPNegotiationDidSucceed", { sender: transport });
      const call = callPort(port, path.sdp, user);
      const ended = disconnected(call);
      await deadline(Promise.all([path.open(call), secured]), 20_000);
      using recorder = new RecordingWaveFile(mixer, file(user));
      using player = new WaveFile(mixer, file("ours"));
      recorder.start();
      mixer.connectSlots(path.audio, recorder);
      const played = player.notifications("WaveFileDidFinishPlaying").next();
      player.start();
      mixer.connectSlots(player, path.audio);
      const said = callee.line(new RegExp(`^heard ${user} (\\w+) (\\w+) (\\S+)$`), 50_000);
      await deadline(played, 30_000);
      assertEquals([transport.srtpActiveKeying, transport.srtpCipher], [keying, cipher]);
      call.end();
      await deadline(ended, 10_000);
      recorder.stop();
      const { match } = await said;
      assertEquals(match.slice(1, 3), [keying, cipher]);
      const part = { ...theirs, samples: theirs.samples.subarray(0, 1.5 * theirs.sampleRate) };
      return Math.min(Number(match[3]), correlate(part, await readWav(recorder.filename)).median);
    }

    it("A call in each suite, and one by DTLS, carry sound both ways", { timeout: 90_000 }, async () => {
      const runtime = ownName === "Deno" ? "Bun" : "Deno";
      const callee = startProgram("secure_callee", [file("theirs"), file("ours")], { runtime });
      try {
        const port = Number((await callee.line(/^port (\d+)$/, 30_000)).match[1]);
        const heard = await Promise.all(calls.map((call) => converse(callee, port, call)));
        for (const [index, call] of calls.entries()) {
          // Where the machine is too busy for all at once, the sound of one alone.
          for (let attempt = 2; attempt <= 4 && heard[index]! <= 0.9; attempt++) {
            heard[index] = await converse(callee, port, call);
          }
          assertGreater(heard[index]!, 0.9, call[0]);
        }
      } finally {
        await callee.stop();
      }
    });
  });
});
