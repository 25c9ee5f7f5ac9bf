// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A conference in which each speaker is heard apart, as who writes down what was said by whom wants it: all who call
 * hear each other, and of each there is a WAV file, and a line when they have said something. Where those lines come
 * from, a program sends the samples to a service that recognises speech.
 *
 * `deno run -A examples/transcriber.ts FOLDER 5060` or `bun examples/transcriber.ts FOLDER 5060`, the port being
 * optional. Ctrl-C ends it.
 */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
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

/** What services that recognise speech want. */
const sampleRate = 16000;
/** A frame is loud above this effective value, and something was said when it was quiet for so many frames. */
const loudness = 300;
const pause = 25;
const headSize = 44;

/** 16-bit PCM, one channel. */
class WavWriter implements AsyncDisposable {
  readonly #file: FileHandle;
  #samples = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<WavWriter> {
    const self = new WavWriter(await open(path, "w"));
    await self.#writeHead();
    return self;
  }

  get seconds(): number {
    return this.#samples / sampleRate;
  }

  async write(samples: Int16Array): Promise<void> {
    await this.#file.write(
      new Uint8Array(samples.buffer),
      0,
      samples.byteLength,
      headSize + this.#samples * 2,
    );
    this.#samples += samples.length;
  }

  async #writeHead(): Promise<void> {
    const head = new DataView(new ArrayBuffer(headSize));
    const text = (at: number, word: string) =>
      [...word].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
    text(0, "RIFF");
    head.setUint32(4, headSize - 8 + this.#samples * 2, true);
    text(8, "WAVEfmt ");
    head.setUint32(16, 16, true);
    head.setUint16(20, 1, true);
    head.setUint16(22, 1, true);
    head.setUint32(24, sampleRate, true);
    head.setUint32(28, sampleRate * 2, true);
    head.setUint16(32, 2, true);
    head.setUint16(34, 16, true);
    text(36, "data");
    head.setUint32(40, this.#samples * 2, true);
    await this.#file.write(new Uint8Array(head.buffer), 0, headSize, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writeHead();
    await this.#file.close();
  }
}

const [folder, port = "5060"] = process.argv.slice(2);
if (!folder) throw new Error("Which folder?");

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", udpPort: Number(port) });
const mixer = new AudioMixer(null, null, { sampleRate });
const speakers = new Set<AudioTransport>();
let count = 0;
console.log(`Call sip:conference@127.0.0.1:${engine.udpPort}`);
process.once("SIGINT", () => engine.stop());

const calls = new NotificationCenter().stream({ name: "SIPInvitationChangedState" });
for await (const { sender, data } of calls) {
  if (data.state !== "incoming") continue;
  // A stranger's name is not to become a path.
  const user = sender.remoteIdentity?.uri.user?.replace(/[^\w.+-]/g, "_") ?? "nobody";
  answer(sender, `${++count}-${user}`);
}

async function answer(call: Invitation, name: string): Promise<void> {
  using transport = new RTPTransport();
  transport.setInit();
  using audio = new AudioTransport(mixer, transport, { remoteSdp: call.sdp.proposedRemote });
  const notes = call.notifications();
  call.sendResponse(200, {
    sdp: new SDPSession(transport.localRtpAddress!, { media: [audio.getLocalMedia(false)] }),
  });
  for await (const { name: what, data } of notes) {
    if (what !== "SIPInvitationGotSDPUpdate" || !data.succeeded || audio.isStarted) continue;
    audio.start(data.localSdp, data.remoteSdp);
    for (const other of speakers) {
      mixer.connectSlots(audio, other);
      mixer.connectSlots(other, audio);
    }
    speakers.add(audio);
    transcribe(name, audio.pcm({ sampleRate })).catch((error) => console.error(name, error));
  }
  // The call is over, its sound ends here, and with it what reads that.
  speakers.delete(audio);
}

/** One speaker, from beginning to end. */
async function transcribe(name: string, voice: PCMPort): Promise<void> {
  const seconds = await write(name, voice);
  console.log(`${name} has left after ${seconds.toFixed(1)} s`);
}

/** Resolves when the file is whole: how many seconds it has. */
async function write(name: string, voice: PCMPort): Promise<number> {
  await using file = await WavWriter.open(join(folder!, `${name}.wav`));
  let from = 0;
  let quiet = pause;
  for await (const frame of voice.readable) {
    await file.write(frame);
    const isLoud = Math.sqrt(
      frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length,
    ) > loudness;
    if (isLoud && quiet >= pause) from = file.seconds;
    quiet = isLoud ? 0 : quiet + 1;
    if (quiet === pause) console.log(`${name} spoke from ${from.toFixed(1)} to ${file.seconds.toFixed(1)} s`);
  }
  return file.seconds;
}
