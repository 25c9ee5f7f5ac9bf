// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Answers every call and plays a WAV file to it: `deno run -A examples/answer.ts greeting.wav` or
 * `bun examples/answer.ts greeting.wav`. Ctrl-C ends it.
 */
import process from "node:process";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  type Invitation,
  NotificationCenter,
  RTPTransport,
  SDPSession,
  WaveFile,
} from "../mod.ts";

const [filename] = process.argv.slice(2);
if (!filename) throw new Error("Which WAV file?");

const engine = new Engine();
const center = new NotificationCenter();
await engine.start({ ipAddress: "127.0.0.1", udpPort: 5060 });
const mixer = new AudioMixer(null, null, { sampleRate: 8000 });
console.log(`Call sip:anyone@127.0.0.1:${engine.udpPort}`);
process.once("SIGINT", () => engine.stop());

for await (const { sender, data } of center.stream({ name: "SIPInvitationChangedState" })) {
  if (data.state === "incoming") answer(sender, filename);
}

async function answer(invitation: Invitation, file: string): Promise<void> {
  using transport = new RTPTransport();
  transport.setInit();
  using audio = new AudioTransport(mixer, transport, { remoteSdp: invitation.sdp.proposedRemote });
  using music = new WaveFile(mixer, file, { loop: true });
  const sdp = new SDPSession(transport.localRtpAddress!, { media: [audio.getLocalMedia(false)] });

  const notes = invitation.notifications();
  invitation.sendResponse(200, { sdp });
  for await (const note of notes) {
    if (note.name === "SIPInvitationGotSDPUpdate" && note.data.succeeded) {
      const { localSdp, remoteSdp } = note.data;
      if (audio.isStarted) {
        audio.update(localSdp, remoteSdp);
        continue;
      }
      audio.start(localSdp, remoteSdp);
      music.start();
      mixer.connectSlots(music, audio);
    } else if (note.name === "SIPInvitationChangedState" && note.data.subState === "received_proposal") {
      // The caller holds, or wants another codec.
      const answer = SDPSession.from(invitation.sdp.activeLocal!);
      answer.version++;
      answer.media = [audio.getLocalMedia(false, { remoteSdp: invitation.sdp.proposedRemote })];
      invitation.sendResponse(200, { sdp: answer });
    }
  }
  console.log(`${invitation.remoteIdentity?.uri} has hung up`);
}
