// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Streams under attack: two that talk to each other without ICE, two with it, and some with a peer of the attacker's, at
 * the port that is given (RTCP at the next). On stdin "ports" makes it print where all of them are, "hear" what is heard
 * of the sound that the former carry, "figures" what it counts; it stops when stdin ends.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { delay } from "@std/async";
import {
  AudioMixer,
  AudioTransport,
  NotificationCenter,
  RecordingWaveFile,
  SDPAttribute,
  SDPMediaStream,
  SDPSession,
  WaveFile,
} from "../../../mod.ts";
import { openedLibrary } from "../../../ffi/library.ts";
import { correlate } from "../../../scripts/correlation.ts";
import { makeSound } from "../../../scripts/make-sounds.ts";
import { readWav, writeWav } from "../../../scripts/wav.ts";
import { AudioPair, openTransport } from "../audio_pair.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";
import { ICEPair, ICESide } from "../ice_pair.ts";
import { residentBytes } from "../process_figures.ts";
import { collectGarbage } from "../program.ts";

const attacker = Number(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), "sipcore-rtp-target-"));
const sound = makeSound("callee", { seconds: 3 });
const played = join(folder, "sound.wav");
await writeWav(played, sound);

await startEngine({ rtpPortRange: [47200, 47299], tcpPort: null, tlsPort: null });
const exceptions: string[] = [];
new NotificationCenter().addObserver(({ data }) => void exceptions.push(`${data.type}: ${data.value}`), {
  name: "SIPEngineGotException",
});
const mixer = new AudioMixer(null, null);

const plain = new AudioPair(mixer).start();
const ice = await ICEPair.open(mixer, { useIce: true });
ice.start();
await Promise.all([ice.left.negotiated(), ice.right.negotiated()]);
const honest = [[plain.left, plain.right], [ice.left.audio!, ice.right.audio!]] as const;
// What nobody listens to waits, and would be heard late.
mixer.connectSlots(plain.right, plain.right);

/** Our offer as the attacker's answer to it. */
function answerOf(offer: SDPSession, more: readonly SDPAttribute[] = []): SDPSession {
  const media = SDPMediaStream.from(offer.media[0]!);
  media.port = attacker;
  media.attributes.splice(
    0,
    media.attributes.length,
    ...media.attributes.filter(({ name }) => !/^(ice-|candidate$|rtcp$)/.test(name)),
    ...more,
  );
  return new SDPSession("127.0.0.1", { media: [media] });
}

const victims = ["PCMU", "G722", "GSM", "speex", "opus"].map((codec) => {
  const transport = openTransport();
  const audio = new AudioTransport(mixer, transport, { codecs: [codec] });
  const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
  audio.start(offer, answerOf(offer));
  // Somebody must want to hear it, or it is not decoded.
  mixer.connectSlots(audio, audio);
  return audio;
});

/** ICE whose peer is the attacker. */
const bait = new ICESide({ useIce: true });
await bait.init();

/** Begins its checks, which nobody answers well, with new passwords. */
function begin(): { ufrag: string | null; password: string | null } {
  bait.audio?.stop();
  const offer = bait.describe(mixer);
  const { attributes } = offer.media[0]!;
  bait.audio!.start(
    offer,
    answerOf(offer, [
      new SDPAttribute("ice-ufrag", "peer"),
      new SDPAttribute("ice-pwd", "0123456789012345678901"),
      ...[1, 2].map((component) =>
        new SDPAttribute(
          "candidate",
          `1 ${component} UDP ${3 - component} 127.0.0.1 ${attacker + component - 1} typ host`,
        )
      ),
    ]),
  );
  return { ufrag: attributes.getFirst("ice-ufrag"), password: attributes.getFirst("ice-pwd") };
}

begin();

async function hear(): Promise<number[]> {
  return await Promise.all(honest.map(async ([left, right], index) => {
    using wave = new WaveFile(mixer, played);
    using recorder = new RecordingWaveFile(mixer, join(folder, `heard${index}.wav`));
    recorder.start();
    mixer.connectSlots(right, recorder);
    const ended = wave.notifications().next();
    wave.start();
    mixer.connectSlots(wave, left);
    await ended;
    recorder.stop();
    return correlate(sound, await readWav(recorder.filename)).median;
  }));
}

const commands: Readonly<Record<string, () => unknown>> = {
  ports: () => ({
    honest: honest.flat().map(({ transport }) => transport.localRtpPort),
    victims: [...victims.map(({ transport }) => transport), bait.transport].map(({ localRtpPort }) =>
      localRtpPort
    ),
  }),
  begin,
  hear: async () => ({ likeness: await hear() }),
  figures: async () => {
    for (let i = 0; i < 3; i++) {
      collectGarbage();
      await delay(20);
    }
    openedLibrary()!.sc_trim();
    return {
      exceptions,
      residentBytes: residentBytes(),
      received: victims.map(({ statistics }) => statistics!.rx.packets),
      sources: honest.map(([left, right]) =>
        right.transport.remoteRtpPortReceived === left.transport.localRtpPort
      ),
    };
  },
};

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await commands[line]!()));
}
for (const audio of victims) {
  audio.stop();
  audio.transport.close();
}
for (const each of [bait, ice, plain]) each[Symbol.dispose]();
mixer.close();
await stopEngine();
rmSync(folder, { recursive: true });
