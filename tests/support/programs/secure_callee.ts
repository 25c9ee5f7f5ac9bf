// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Takes calls with SRTP and no others, by whatever keying and suite they come, says its port, plays SOUND in each and,
 * when a call is over, tells its user, keying and suite and how like OTHER it was what it has heard. Until it is killed.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import {
  AudioMixer,
  type Invitation,
  NotificationCenter,
  RecordingWaveFile,
  WaveFile,
} from "../../../mod.ts";
import { correlate } from "../../../scripts/correlation.ts";
import { readWav } from "../../../scripts/wav.ts";
import { startEngine } from "../engine_fixture.ts";
import { SoundPath } from "../sound_path.ts";

const [sound, other] = process.argv.slice(2) as [string, string];
const folder = await mkdtemp(join(tmpdir(), "sipcore-callee-"));
const engine = await startEngine({
  tcpPort: null,
  rtpPortRange: [44000, 44099],
  codecs: ["PCMU"],
  logLevel: 0,
});
const mixer = new AudioMixer(null, null, { sampleRate: 8000 });
const center = new NotificationCenter();

async function take(call: Invitation): Promise<void> {
  const user = call.requestUri!.user!;
  const ended = center.once("SIPInvitationChangedState", {
    sender: call,
    where: ({ data }) => data.state === "disconnected",
  });
  using path = new SoundPath(mixer, call.sdp.proposedRemote, {
    useSrtp: true,
    srtpForced: true,
    srtpKeying: ["sdes", "dtls"],
  });
  const { transport } = path.audio;
  const secured = center.once("RTPTransportSRTPNegotiationDidSucceed", { sender: transport });
  const open = path.open(call);
  call.sendResponse(200, { sdp: path.sdp });
  await open;
  const { data: { keying, cipher } } = await secured;
  using recorder = new RecordingWaveFile(mixer, join(folder, `${user}.wav`));
  using player = new WaveFile(mixer, sound);
  recorder.start();
  player.start();
  mixer.connectSlots(path.audio, recorder);
  mixer.connectSlots(player, path.audio);
  await ended;
  recorder.stop();
  const { median } = correlate(await readWav(other), await readWav(recorder.filename));
  console.log(`heard ${user} ${keying} ${cipher} ${median}`);
}

center.addObserver(({ sender, data }) => {
  if (data.state === "incoming") void take(sender);
}, { name: "SIPInvitationChangedState" });
console.log(`port ${engine.udpPort}`);
