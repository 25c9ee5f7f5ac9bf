// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { deadline } from "@std/async";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  type Invitation,
  NotificationCenter,
  RecordingWaveFile,
  SDPSession,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { openTransport } from "./support/audio_pair.ts";
import { Baresip, skipWithoutBaresip } from "./support/baresip.ts";
import { callPort } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ownName, startProgram } from "./support/program.ts";
import { TalkingEnd } from "./support/talking_end.ts";
import { until } from "./support/until.ts";

const center = new NotificationCenter();
const patient = { timeout: 60_000 };

/** One round of talk: what is agreed on, and who hears whom then. */
interface Round {
  /** Whose re-INVITE it is; null: the first INVITE. */
  readonly by: "caller" | "callee" | null;
  readonly codec: "PCMU" | "opus" | "G722";
  /** Of whoever offers. */
  readonly direction: "sendrecv" | "sendonly" | "recvonly" | "inactive";
  readonly callerHears: boolean;
  readonly calleeHears: boolean;
}

const rounds: readonly Round[] = [
  { by: null, codec: "PCMU", direction: "sendrecv", callerHears: true, calleeHears: true },
  { by: "caller", codec: "opus", direction: "sendonly", callerHears: false, calleeHears: true },
  { by: "callee", codec: "opus", direction: "inactive", callerHears: false, calleeHears: false },
  { by: "callee", codec: "G722", direction: "sendrecv", callerHears: true, calleeHears: true },
];

const reversed = {
  sendrecv: "sendrecv",
  sendonly: "recvonly",
  recvonly: "sendonly",
  inactive: "inactive",
} as const;

describe("Re-INVITE of a call with sound", () => {
  const sounds = {
    caller: makeSound("caller", { seconds: 1.6 }),
    callee: makeSound("callee", { seconds: 1.6 }),
  };
  let folder = "";
  const file = (name: string): string => join(folder, `${name}.wav`);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-reinvite-"));
    for (const side of ["caller", "callee"] as const) await writeWav(file(side), sounds[side]);
    await startEngine({ rtpPortRange: [42500, 42599], codecs: ["PCMU", "PCMA"] });
  });

  after(async () => {
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** Whether that recording is the sound, or nothing at all. */
  async function assertHeard(side: "caller" | "callee", name: string, isHeard: boolean): Promise<void> {
    const heard = await readWav(file(name));
    if (isHeard) assertGreater(correlate(sounds[side], heard, { maxOffset: 1 }).median, 0.8, name);
    // What is left in the jitter buffers of the round before may be heard for a moment.
    else assertLess(Math.max(...heard.samples.subarray(heard.samples.length / 4).map(Math.abs)), 50, name);
  }

  async function disconnected(invitation: Invitation): Promise<void> {
    if (invitation.state === "disconnected") return;
    await deadline(
      center.once("SIPInvitationChangedState", {
        sender: invitation,
        where: ({ data }) => data.state === "disconnected",
      }),
      10_000,
    );
  }

  it(
    "Invitation.sendReinvite() changes codec and direction between two processes, from both sides",
    patient,
    async () => {
      const other = startProgram("reinvited", [], { runtime: ownName === "Deno" ? "Bun" : "Deno" });
      const { match } = await other.line(/^port (\d+)$/, 20_000);
      using mixer = new AudioMixer(null, null);
      const ask = async (command: string, answer: RegExp): Promise<void> => {
        const answered = other.line(answer, 20_000);
        other.write(`${command}\n`);
        await answered;
      };
      using end = new TalkingEnd(mixer, null, ["PCMU", "opus", "G722"]);
      const offer = end.offer({ codec: "PCMU" });
      let told = other.line(/^(PCMU|opus|G722) (\w+)$/, 10_000);
      let updated = Promise.withResolvers<void>();
      const invitation = callPort(Number(match[1]), offer);
      end.follow(invitation, () => updated.resolve());
      for (const [number, { by, codec, direction, callerHears, calleeHears }] of rounds.entries()) {
        if (by === "caller") {
          end.wanted = direction;
          invitation.sendReinvite({ sdp: end.offer({ codec, direction }) });
        } else if (by === "callee") {
          end.wanted = "sendrecv";
          other.write(`offer ${direction} ${codec}\n`);
        }
        await deadline(updated.promise, 10_000);
        const { match: [, theirCodec, theirs] } = await told;
        const callers = by === "callee" ? reversed[direction] : direction;
        assertEquals([end.audio.codec, theirCodec], [codec, codec], `round ${number}`);
        assertEquals([end.audio.direction, theirs], [callers, reversed[callers]], `round ${number}`);
        await until(
          () => invitation.state === "connected" && invitation.subState === "normal",
          "It does not settle",
        );
        await ask(`hear ${file(`callee-${number}`)}`, /^hearing$/);
        end.hear(file(`caller-${number}`));
        await Promise.all([ask(`say ${file("callee")}`, /^said$/), end.say(file("caller"))]);
        end.stopHearing();
        await ask("stop", /^stopped$/);
        await assertHeard("callee", `caller-${number}`, callerHears);
        await assertHeard("caller", `callee-${number}`, calleeHears);
        updated = Promise.withResolvers();
        told = other.line(/^(PCMU|opus|G722) (\w+)$/, 10_000);
        told.catch(() => {});
      }
      const figures = other.line(/^\{.*\}$/, 10_000);
      other.write("\n");
      const { received, lost, sent, mos } = JSON.parse((await figures).match[0]) as Record<string, number>;
      const { rx, tx } = end.audio.statistics!;
      assertLess(Math.abs(received! - tx.packets), 12);
      assertLess(Math.abs(rx.packets - sent!), 12);
      assertLess(lost!, 12);
      assertGreater(mos!, 3.8);
      await other.ended;
      await disconnected(invitation);
    },
  );

  it("Invitation.sendReinvite() with port 0 ends one of two streams", patient, async () => {
    using mixer = new AudioMixer(null, null);
    const incoming = center.once("SIPInvitationChangedState", {
      where: ({ data }) => data.state === "incoming",
    });
    const callers = [0, 1].map((sdpIndex) => new AudioTransport(mixer, openTransport(), { sdpIndex }));
    const offer = new SDPSession("127.0.0.1", { media: callers.map((audio) => audio.getLocalMedia(true)) });
    const follow = (invitation: Invitation, audios: readonly AudioTransport[]): Disposable =>
      center.addObserver(({ data }) => {
        if (!data.succeeded) return;
        for (const audio of audios) {
          if (audio.isActive) audio.update(data.localSdp, data.remoteSdp);
          else if (!audio.isStarted) audio.start(data.localSdp, data.remoteSdp);
        }
      }, { name: "SIPInvitationGotSDPUpdate", sender: invitation });
    const call = callPort(new Engine().udpPort!, offer);
    using _caller = follow(call, callers);
    const { sender: callee } = await deadline(incoming, 10_000);
    const remoteSdp = callee.sdp.proposedRemote!;
    const callees = [0, 1].map((sdpIndex) =>
      new AudioTransport(mixer, openTransport(), { sdpIndex, remoteSdp })
    );
    using _callee = follow(callee, callees);
    callee.sendResponse(200, {
      sdp: new SDPSession("127.0.0.1", { media: callees.map((audio) => audio.getLocalMedia(false)) }),
    });
    const all = [...callers, ...callees];
    await until(() => all.every((audio) => (audio.statistics?.rx.packets ?? 0) > 5), "Not all four hear");
    const ended = callers[1]!.notifications();
    using _answers = center.addObserver(({ data }) => {
      if (data.subState !== "received_proposal") return;
      const answer = SDPSession.from(callee.sdp.activeLocal!);
      answer.version++;
      answer.media[1]!.port = 0;
      callee.sendResponse(200, { sdp: answer });
    }, { name: "SIPInvitationChangedState", sender: callee });
    const fewer = SDPSession.from(call.sdp.activeLocal!);
    fewer.version++;
    fewer.media[1]!.port = 0;
    call.sendReinvite({ sdp: fewer });
    assertEquals((await deadline(ended.next(), 5000)).done, true);
    await until(() => !callees[1]!.isActive, "The callee's second stream does not end");
    assertEquals(all.map(({ isActive }) => isActive), [true, false, true, false]);
    const { packets } = callers[0]!.statistics!.rx;
    await until(
      () => callers[0]!.statistics!.rx.packets > packets + 10,
      "The first stream has ended as well",
    );
    call.end();
    await disconnected(callee);
    for (const audio of all) {
      audio.stop();
      audio.transport.close();
    }
  });
});

describe("Re-INVITE and baresip", { skip: skipWithoutBaresip }, () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ rtpPortRange: [42500, 42599] });
  });
  after(stopEngine);

  it(
    "AudioTransport.update() goes along with a baresip that holds, and changes codec with it",
    patient,
    async () => {
      await using baresip = await Baresip.start(makeSound("callee", { sampleRate: 8000, seconds: 30 }));
      using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
      using end = new TalkingEnd(mixer, null, ["PCMU", "PCMA"]);
      const updates: string[] = [];
      const invitation = callPort(baresip.port, end.offer({ codec: "PCMU" }));
      end.follow(invitation, () => updates.push(`${end.audio.codec} ${end.audio.direction}`));
      const level = (): number => mixer.getSignalLevel(end.audio).rx;
      using sink = new RecordingWaveFile(mixer, "/dev/null");
      sink.start();
      await until(() => end.audio.isActive, "It does not answer");
      mixer.connectSlots(end.audio, sink);
      const hears = (): Promise<true> => until(() => level() > 20, "baresip is not heard");
      await hears();
      invitation.sendReinvite({ sdp: end.offer({ codec: "PCMA" }) });
      await until(
        () => updates.length === 2 && invitation.subState === "normal",
        "The codec does not change",
      );
      await hears();
      baresip.command("hold");
      await until(() => updates.length === 3, "baresip does not hold");
      await until(() => level() === 0, "It is still heard");
      baresip.command("resume");
      await until(() => updates.length === 4, "baresip does not go on");
      await hears();
      assertEquals(updates, ["PCMU sendrecv", "PCMA sendrecv", "PCMA recvonly", "PCMA sendrecv"]);
      invitation.end();
      await until(() => invitation.state === "disconnected", "It does not end");
      assertEquals(engine.isRunning, true);
    },
  );
});
