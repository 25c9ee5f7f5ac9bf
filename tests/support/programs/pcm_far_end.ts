// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Answers calls and plays the sound of its first argument to each, without JavaScript in between. Prints its port; ends
 * with its stdin.
 */
import process from "node:process";
import { AudioMixer, Engine, NotificationCenter, WaveFile } from "../../../mod.ts";
import { SoundPath } from "../sound_path.ts";

const [sound = ""] = process.argv.slice(2);
const engine = new Engine();
await engine.start({
  ipAddress: "127.0.0.1",
  tcpPort: null,
  tlsPort: null,
  rtpPortRange: [46000, 46999],
  codecs: ["PCMU"],
});
const mixer = new AudioMixer(null, null, { sampleRate: 8000 });
const wave = new WaveFile(mixer, sound, { loop: true });
wave.start();
new NotificationCenter().addObserver(({ sender, data }) => {
  if (data.state !== "incoming") return;
  const path = new SoundPath(mixer, sender.sdp.proposedRemote);
  path.open(sender).then(() => mixer.connectSlots(wave, path.audio));
  sender.sendResponse(200, { sdp: path.sdp });
}, { name: "SIPInvitationChangedState" });
console.log(`port ${engine.udpPort}`);
process.stdin.resume();
process.stdin.once("end", async () => {
  await engine.stop();
  process.exit();
});
