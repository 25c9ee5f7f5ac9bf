// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertGreater } from "@std/assert";
import { deadline } from "@std/async";
import {
  AudioMixer,
  Engine,
  type Invitation,
  NotificationCenter,
  RecordingWaveFile,
  type RTPTransportOptions,
  WaveFile,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, type Sound, writeWav } from "../scripts/wav.ts";
import { Baresip, skipWithoutBaresip } from "./support/baresip.ts";
import { callPort } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { SoundPath } from "./support/sound_path.ts";

const ours = makeSound("caller", { sampleRate: 8000, seconds: 2.5 });
// Longer, so that it is still speaking when ours has ended.
const theirs = makeSound("callee", { sampleRate: 8000, seconds: 6 });

const forced: RTPTransportOptions = { useSrtp: true, srtpForced: true };

/** baresip's way to encrypt, who calls, our options, and the keying that they come to (null: in clear). */
const calls: readonly (readonly [
  mediaenc: string | null,
  caller: "sipcore" | "baresip",
  options: RTPTransportOptions,
  keying: string | null,
])[] = [
  ["srtp", "sipcore", { useSrtp: true }, "sdes"],
  ["srtp-mand", "sipcore", forced, "sdes"],
  ["srtp-mand", "baresip", { useSrtp: true, srtpKeying: ["dtls", "sdes"] }, "sdes"],
  ["dtls_srtp", "sipcore", { ...forced, srtpKeying: ["dtls"] }, "dtls"],
  ["dtls_srtp", "baresip", { ...forced, srtpKeying: ["sdes", "dtls"] }, "dtls"],
  [null, "sipcore", { useSrtp: true, srtpKeying: ["dtls"] }, null],
  [null, "baresip", { useSrtp: true }, null],
];

describe("SRTP and baresip", { skip: skipWithoutBaresip }, () => {
  const engine = new Engine();
  const center = new NotificationCenter();
  let folder = "";
  let mixer: AudioMixer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-test-"));
    await writeWav(join(folder, "ours.wav"), ours);
    await startEngine({ rtpPortRange: [43800, 43899], codecs: ["PCMU"] });
    mixer = new AudioMixer(null, null, { sampleRate: 8000 });
  });

  after(async () => {
    mixer.close();
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** Calls it or is called by it; sound flows when it resolves. */
  async function connect(
    baresip: Baresip,
    caller: string,
    options: RTPTransportOptions,
  ): Promise<[Invitation, SoundPath]> {
    if (caller === "sipcore") {
      const path = new SoundPath(mixer, null, options);
      const call = callPort(baresip.port, path.sdp);
      await path.open(call);
      return [call, path];
    }
    const incoming = center.once("SIPInvitationChangedState", {
      where: ({ sender, data }) => data.state === "incoming" && sender.peerAddress?.port === baresip.port,
    });
    baresip.command("dial", `sip:sipcore@127.0.0.1:${engine.udpPort}`);
    const { sender: call } = await incoming;
    const path = new SoundPath(mixer, call.sdp.proposedRemote, options);
    const open = path.open(call);
    call.sendResponse(200, { sdp: path.sdp });
    await open;
    return [call, path];
  }

  /** One call with sound both ways: the keying, and what each has heard. */
  async function talk(index: number): Promise<[keying: string | null, there: Sound, here: Sound]> {
    const [mediaenc, caller, options] = calls[index]!;
    await using baresip = await Baresip.start(theirs, mediaenc);
    const [call, path] = await deadline(connect(baresip, caller, options), 20_000);
    using _path = path;
    using recorder = new RecordingWaveFile(mixer, join(folder, `${index}.wav`));
    using player = new WaveFile(mixer, join(folder, "ours.wav"));
    recorder.start();
    mixer.connectSlots(path.audio, recorder);
    const played = player.notifications("WaveFileDidFinishPlaying").next();
    player.start();
    mixer.connectSlots(player, path.audio);
    await deadline(played, 30_000);
    const keying = path.audio.transport.srtpActiveKeying;
    const ended = center.once("SIPInvitationChangedState", {
      sender: call,
      where: ({ data }) => data.state === "disconnected",
    });
    call.end();
    await deadline(ended, 10_000);
    await baresip.event("CALL_CLOSED");
    recorder.stop();
    return [keying, await baresip.heard(), await readWav(recorder.filename)];
  }

  const outcomes = new Map<number, ReturnType<typeof talk>>();

  before(() => {
    // All at once: each takes as long as what is said.
    for (const index of calls.keys()) {
      const outcome = talk(index);
      outcome.catch(() => {});
      outcomes.set(index, outcome);
    }
  });

  calls.forEach(([mediaenc, caller, options, keying], index) => {
    const wanted = `${options.srtpForced ? "forced " : ""}${options.srtpKeying?.join(" or ") ?? "sdes"}`;
    it(
      `AudioTransport.start() with ${wanted} and a baresip with ${mediaenc ?? "nothing"} that ${
        caller === "baresip" ? "calls" : "is called"
      }: ${keying ?? "in clear"}`,
      { timeout: 60_000 },
      async () => {
        // Comparing takes a while, and nobody else is answered meanwhile.
        await Promise.allSettled(outcomes.values());
        const said = { ...theirs, samples: theirs.samples.subarray(0, 2 * theirs.sampleRate) };
        const likeness: number[] = [];
        // Where the machine is too busy for all at once, the sound of one alone.
        for (let attempt = 1; attempt <= 3 && !likeness.some((one) => one > 0.9); attempt++) {
          const [found, there, here] = await (attempt === 1 ? outcomes.get(index)! : talk(index));
          assertEquals(found, keying);
          likeness.push(Math.min(correlate(ours, there).median, correlate(said, here).median));
        }
        assertGreater(Math.max(...likeness), 0.9, `What was heard of what was said: ${likeness}`);
      },
    );
  });

  it("Invitation ends with 488 when a baresip without SRTP is called by who forces it", async () => {
    await using baresip = await Baresip.start(theirs);
    for (const options of [forced, { ...forced, srtpKeying: ["dtls"] } as const]) {
      using path = new SoundPath(mixer, null, options);
      const call = callPort(baresip.port, path.sdp);
      const { data } = await deadline(
        center.once("SIPInvitationChangedState", {
          sender: call,
          where: ({ data }) => data.state === "disconnected",
        }),
        10_000,
      );
      assertEquals([data.code, path.audio.transport.srtpActive], [488, false]);
    }
  });
});
