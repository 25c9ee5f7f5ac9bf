// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Calls a SIP address at an IP address and records five seconds of what it says:
 * `deno run -A examples/call.ts sip:bob@127.0.0.1:5060` or `bun examples/call.ts sip:bob@127.0.0.1:5060`.
 */
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  FromHeader,
  Invitation,
  RecordingWaveFile,
  RouteHeader,
  RTPTransport,
  SDPSession,
  SIPURI,
  ToHeader,
} from "../mod.ts";

const uri = SIPURI.parse(process.argv[2] ?? "sip:bob@127.0.0.1:5060");

await using engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1" });
using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
using transport = new RTPTransport();
transport.setInit();
using audio = new AudioTransport(mixer, transport);
using recording = new RecordingWaveFile(mixer, "heard.wav");
using invitation = new Invitation();

const notes = invitation.notifications();
invitation.sendInvite({
  requestUri: uri,
  fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "127.0.0.1" }), { displayName: "Alice" }),
  toHeader: new ToHeader(uri),
  routeHeader: RouteHeader.to({ address: uri.host, port: uri.port }),
  sdp: new SDPSession(transport.localRtpAddress!, { media: [audio.getLocalMedia(true)] }),
  timeout: 30,
});

for await (const { name, data } of notes) {
  if (name === "SIPInvitationGotSDPUpdate" && data.succeeded) {
    if (audio.isStarted) {
      audio.update(data.localSdp, data.remoteSdp); // a re-INVITE has changed something
      continue;
    }
    audio.start(data.localSdp, data.remoteSdp);
    recording.start();
    mixer.connectSlots(audio, recording);
  } else if (name === "SIPInvitationChangedState") {
    console.log(data.prevState, "->", data.state, data.code ?? "", data.reason ?? "");
    if (data.state === "connected") wait(5000).then(() => invitation.end());
  }
}
console.log(`${audio.codec}: ${audio.statistics?.rx.packets ?? 0} packets came`);
