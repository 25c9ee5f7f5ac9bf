// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Answers every call and says again what it hears, a second later: `deno run -A examples/echo.ts 5060` or
 * `bun examples/echo.ts 5060`, the port being optional. Ctrl-C ends it.
 */
import process from "node:process";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  type Invitation,
  NotificationCenter,
  type PCMPort,
  RTPTransport,
  SDPSession,
} from "../mod.ts";

/** In ms. */
const delay = 1000;

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", udpPort: Number(process.argv[2] ?? 5060) });
const mixer = new AudioMixer(null, null);
console.log(`Call sip:echo@127.0.0.1:${engine.udpPort}`);
process.once("SIGINT", () => engine.stop());

const calls = new NotificationCenter().stream({ name: "SIPInvitationChangedState" });
for await (const { sender, data } of calls) {
  if (data.state === "incoming") answer(sender);
}

async function answer(call: Invitation): Promise<void> {
  using transport = new RTPTransport();
  transport.setInit();
  using audio = new AudioTransport(mixer, transport, { remoteSdp: call.sdp.proposedRemote });
  const notes = call.notifications();
  call.sendResponse(200, {
    sdp: new SDPSession(transport.localRtpAddress!, { media: [audio.getLocalMedia(false)] }),
  });
  for await (const { name, data } of notes) {
    if (name !== "SIPInvitationGotSDPUpdate" || !data.succeeded || audio.isStarted) continue;
    audio.start(data.localSdp, data.remoteSdp);
    // As much must be able to wait as is to be late.
    repeat(audio.pcm({ capacity: delay + 400 }));
  }
}

async function repeat(voice: PCMPort): Promise<void> {
  // A second of silence goes ahead, and everything waits behind it.
  const late = new TransformStream<Int16Array, Int16Array>({
    start: (controller) => controller.enqueue(new Int16Array(voice.sampleRate * delay / 1000)),
  });
  try {
    await voice.readable.pipeThrough(late).pipeTo(voice.writable);
  } catch {
    console.log(`It ended after ${voice.statistics.read / 1000} s`);
  }
}
