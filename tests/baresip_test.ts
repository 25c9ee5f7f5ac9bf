// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtempSync, rmSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import { openedLibrary } from "../ffi/library.ts";
import {
  AudioMixer,
  Engine,
  type Invitation,
  NotificationCenter,
  RecordingWaveFile,
  Referral,
  ReferToHeader,
  SIPURI,
  WaveFile,
} from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { Baresip, skipWithoutBaresip } from "./support/baresip.ts";
import { callPort, Calls, silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Notes } from "./support/notes.ts";
import { referralOptions } from "./support/referrals.ts";
import { SoundPath } from "./support/sound_path.ts";

const ours = makeSound("caller", { sampleRate: 8000, seconds: 4 });
// Longer, so that it is still speaking when ours has ended.
const theirs = makeSound("callee", { sampleRate: 8000, seconds: 8 });

const patient = { timeout: 40_000 };

/** The least correlation with what was said. */
const likeness = 0.9;

describe("AudioTransport and baresip", { skip: skipWithoutBaresip }, () => {
  const engine = new Engine();
  const center = new NotificationCenter();
  let folder = "";
  let baresip: Baresip;
  let mixer: AudioMixer;
  let files: { play: string; record: string };

  before(() => engine.start({ ipAddress: "127.0.0.1", tcpPort: null, rtpPortRange: [43100, 43199] }));
  after(() => engine.stop());

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sipcore-test-"));
    files = { play: join(folder, "ours.wav"), record: join(folder, "heard.wav") };
    await writeWav(files.play, ours);
    baresip = await Baresip.start(theirs);
    mixer = new AudioMixer(null, null, { sampleRate: 8000 });
  });

  afterEach(async () => {
    mixer.close();
    await baresip[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
    assertEquals(openedLibrary()?.sc_live_objects(), 0);
  });

  /** Talks from the answer until our sound is over, then hangs up, and compares what both have heard. */
  async function talk(invitation: Invitation, path: SoundPath, codec: string): Promise<void> {
    await deadline(path.open(invitation), 10_000);
    assertEquals(path.audio.codec, codec);
    using recorder = new RecordingWaveFile(mixer, files.record);
    using player = new WaveFile(mixer, files.play);
    recorder.start();
    mixer.connectSlots(path.audio, recorder);
    const played = player.notifications("WaveFileDidFinishPlaying").next();
    player.start();
    mixer.connectSlots(player, path.audio);
    await deadline(played, 20_000);

    const ended = center.once("SIPInvitationChangedState", {
      sender: invitation,
      where: ({ data }) => data.state === "disconnected",
    });
    invitation.end();
    await deadline(ended, 10_000);
    await baresip.event("CALL_CLOSED");
    recorder.stop();
    assertGreater(correlate(ours, await baresip.heard()).median, likeness, "What baresip has heard");
    const heard = await readWav(files.record);
    const said = { ...theirs, samples: theirs.samples.subarray(0, 3.5 * theirs.sampleRate) };
    assertGreater(correlate(said, heard).median, likeness, "What sipcore has heard");
  }

  it("AudioTransport.start() talks to a baresip that was called", patient, async () => {
    engine.codecs = ["PCMU", "PCMA"];
    using path = new SoundPath(mixer);
    const invitation = callPort(baresip.port, path.sdp);
    await talk(invitation, path, "PCMU");
    assertMatch(invitation.remoteUserAgent ?? "", /^baresip/);
  });

  it("AudioTransport.start() talks to a baresip that has called", patient, async () => {
    engine.codecs = ["PCMA"];
    const incoming = center.once("SIPInvitationChangedState", {
      where: ({ data }) => data.state === "incoming",
    });
    baresip.command("dial", `sip:sipcore@127.0.0.1:${engine.udpPort}`);
    const { sender: invitation } = await deadline(incoming, 10_000);
    using path = new SoundPath(mixer, invitation.sdp.proposedRemote);
    invitation.sendResponse(180);
    const talked = talk(invitation, path, "PCMA");
    invitation.sendResponse(200, { sdp: path.sdp });
    await talked;
    assertEquals(invitation.remoteIdentity?.uri.user, "peer");
  });
});

describe("REFER and baresip", { skip: skipWithoutBaresip }, () => {
  afterEach(stopEngine);

  // baresip 1.0.0 has an ear for REFER within calls only.
  it("Referral.sendRefer() tells of the 501 of a baresip, which takes no REFER outside of calls", async () => {
    await using baresip = await Baresip.start(ours);
    const engine = await startEngine();
    const referral = new Referral(referralOptions(baresip.port, {
      referToHeader: new ReferToHeader(`sip:sipcore@127.0.0.1:${engine.udpPort}`),
    }));
    const notes = new Notes(referral.notifications());
    referral.sendRefer();
    assertEquals(await notes.end(), ["NULL -> SENT", "WillStart", "DidFail 501", "SENT -> TERMINATED"]);
    assertEquals(referral.peerAddress, { ip: "127.0.0.1", port: baresip.port });
  });

  for (const [code, status, end] of [[200, "200 OK", "DidEnd"], [486, "486 Busy Here", "DidFail"]] as const) {
    it(`Invitation.transfer() tells that a baresip got a ${code} from whom it called`, patient, async () => {
      await using baresip = await Baresip.start(theirs);
      const engine = await startEngine();
      using calls = new Calls(engine, (call) => call.sendResponse(180));
      const call = callPort(baresip.port);
      await calls.until(() => calls.connected.size === 1);
      const told = call.notifications([
        "SIPInvitationTransferDidStart",
        "SIPInvitationTransferGotNotify",
        "SIPInvitationTransferDidEnd",
        "SIPInvitationTransferDidFail",
      ]);
      call.transfer(SIPURI.parse(`sip:carol@127.0.0.1:${engine.udpPort}`));
      await calls.until(() => calls.incoming.size === 1);
      const [carol] = calls.incoming;
      assertEquals(carol!.requestUri?.user, "carol");
      carol!.sendResponse(code, code === 200 ? { sdp: silentSdp } : {});
      for (
        const expected of [
          "SIPInvitationTransferDidStart",
          "SIPInvitationTransferGotNotify SIP/2.0 100 Trying",
          `SIPInvitationTransferGotNotify SIP/2.0 ${status}`,
          `SIPInvitationTransfer${end}`,
        ]
      ) {
        const { value } = await deadline(told.next(), 10_000);
        const { name, data } = value!;
        assertEquals("body" in data ? `${name} ${String(data.body).trim()}` : name, expected);
      }
      await calls.until(() => calls.connected.has(carol!) === (code === 200));
    });
  }
});
