// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A voice agent: answers every call and lets a speech service talk with the caller, over a WebSocket and in the manner of
 * the realtime services of today: JSON, in it 16-bit PCM at 24 kHz in base64. When the caller begins to speak, what the
 * agent says stops at once, and the service hears how far it was heard.
 *
 * `deno run -A examples/voice_agent.ts ws://127.0.0.1:8080 5060` or `bun examples/voice_agent.ts ws://127.0.0.1:8080
 * 5060`, the port being optional. Ctrl-C ends it.
 */
import { Buffer } from "node:buffer";
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

/** What the service says, as far as it is of interest here. */
type ServiceEvent =
  | { type: "session.created" }
  | { type: "input_audio_buffer.speech_started" }
  | { type: "response.output_audio.delta"; item_id: string; delta: string }
  | { type: "response.output_audio.done"; item_id: string }
  | { type: "error"; error: { message: string } };

/** Hz, as the services want it. */
const sampleRate = 24000;

/** What the service says to the caller, an item after the other. */
class Agent {
  readonly #voice: PCMPort;
  readonly #send: (event: object) => void;
  readonly #mouth: WritableStreamDefaultWriter<Int16Array>;
  #item: string | null = null;
  /** How many ms of the item there are. */
  #length = 0;
  /** What was cut off; the service may have sent more of it before it knew. */
  #cut: string | null = null;

  constructor(voice: PCMPort, send: (event: object) => void) {
    this.#voice = voice;
    this.#send = send;
    this.#mouth = voice.writable.getWriter();
    this.#tellMarks();
  }

  handle(event: ServiceEvent): void {
    switch (event.type) {
      case "response.output_audio.delta":
        this.#say(event.item_id, Buffer.from(event.delta, "base64"));
        break;
      case "response.output_audio.done":
        if (event.item_id !== this.#cut) this.#voice.mark(event.item_id);
        break;
      case "input_audio_buffer.speech_started":
        this.#listen();
        break;
      case "error":
        console.error(event.error.message);
    }
  }

  /** A service sends faster than one speaks: what is ahead waits in `writable`, however much it is. */
  #say(item: string, bytes: Uint8Array): void {
    if (item === this.#cut) return;
    if (item !== this.#item) this.#length = 0;
    this.#item = item;
    const samples = new Int16Array(Uint8Array.from(bytes).buffer);
    this.#length += samples.length / sampleRate * 1000;
    this.#mouth.write(samples);
  }

  /** The caller has begun to speak. */
  #listen(): void {
    const dropped = this.#voice.flush();
    if (dropped === 0 || this.#item === null) return;
    this.#cut = this.#item;
    this.#send({
      type: "conversation.item.truncate",
      item_id: this.#item,
      audio_end_ms: Math.max(0, Math.round(this.#length - dropped)),
    });
  }

  /** An item has been said to its end, or was cut off. */
  async #tellMarks(): Promise<void> {
    for await (const { data } of this.#voice.notifications("PCMPortDidReachMark")) {
      this.#send({ type: "output_audio_buffer.mark", item_id: data.name, reached: data.reached });
    }
  }
}

const [url, port = "5060"] = process.argv.slice(2);
if (!url) throw new Error("Where is the speech service?");

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", udpPort: Number(port) });
const mixer = new AudioMixer(null, null);
console.log(`Call sip:agent@127.0.0.1:${engine.udpPort}`);
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
    talk(audio.pcm({ sampleRate })).then(
      () => call.end(),
      (error) => {
        console.error(String(error));
        if (call.state === "connected" || call.state === "connecting") call.end();
      },
    );
  }
}

/** Until either side ends it. */
async function talk(voice: PCMPort): Promise<void> {
  const service = new WebSocket(url!);
  const send = (event: object) => {
    if (service.readyState === WebSocket.OPEN) service.send(JSON.stringify(event));
  };
  service.onopen = () => send({ type: "session.update", session: { input_audio_format: "pcm16" } });
  service.onclose = () => voice.stop();
  const agent = new Agent(voice, send);
  service.onmessage = ({ data }) => agent.handle(JSON.parse(data) as ServiceEvent);
  try {
    for await (const chunk of voice.readable) {
      send({ type: "input_audio_buffer.append", audio: Buffer.from(chunk.buffer).toString("base64") });
    }
  } finally {
    service.close();
  }
}
