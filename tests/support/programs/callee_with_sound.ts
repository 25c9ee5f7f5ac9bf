// SPDX-License-Identifier: GPL-2.0-or-later
/** Takes every call with sound, from RTP ports that are given as arguments. Says its port, and goes on until it is killed. */
import process from "node:process";
import { AudioMixer, NotificationCenter } from "../../../mod.ts";
import { startEngine } from "../engine_fixture.ts";
import { SoundPath } from "../sound_path.ts";

const [first = 0, last = 0] = process.argv.slice(2).map(Number);
const engine = await startEngine({ tcpPort: null, logLevel: 0, rtpPortRange: [first, last] });
const mixer = new AudioMixer(null, null, { sampleRate: 8000 });

new NotificationCenter().addObserver(({ sender, data }) => {
  if (data.state !== "incoming") return;
  const path = new SoundPath(mixer, sender.sdp.proposedRemote);
  void path.open(sender);
  sender.sendResponse(200, { sdp: path.sdp });
}, { name: "SIPInvitationChangedState" });

console.log(`port ${engine.udpPort}`);
