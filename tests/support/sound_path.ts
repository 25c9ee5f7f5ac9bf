// SPDX-License-Identifier: GPL-2.0-or-later
import { deadline } from "@std/async";
import {
  type AudioMixer,
  AudioTransport,
  type BaseSDPSession,
  type FrozenSDPSession,
  RecordingWaveFile,
  RTPTransport,
  SDPConnection,
  SDPSession,
  WaveFile,
} from "../../mod.ts";

/** The sound of one call: plays a file to the other side once, and records what comes from there. Ends by `using`. */
export class SoundPath implements Disposable {
  /** Offer, or answer to `remoteSdp`. */
  readonly sdp: SDPSession;
  readonly #transport: RTPTransport = new RTPTransport();
  readonly #audio: AudioTransport;
  readonly #player: WaveFile;
  readonly #recorder: RecordingWaveFile;

  constructor(
    mixer: AudioMixer,
    files: { readonly play: string; readonly record: string },
    remoteSdp: FrozenSDPSession | null = null,
  ) {
    this.#transport.setInit();
    this.#audio = new AudioTransport(mixer, this.#transport, { remoteSdp });
    this.sdp = new SDPSession("127.0.0.1", {
      connection: new SDPConnection("127.0.0.1"),
      media: [this.#audio.getLocalMedia(remoteSdp === null)],
    });
    this.#player = new WaveFile(mixer, files.play);
    this.#recorder = new RecordingWaveFile(mixer, files.record);
  }

  /** The negotiated codec. */
  get codec(): string | null {
    return this.#audio.codec;
  }

  /** Lets sound flow; resolves when the file has been played. */
  async play(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession): Promise<void> {
    const { mixer } = this.#audio;
    this.#audio.start(localSdp, remoteSdp);
    this.#recorder.start();
    mixer.connectSlots(this.#audio, this.#recorder);
    const played = this.#player.notifications("WaveFileDidFinishPlaying").next();
    this.#player.start();
    mixer.connectSlots(this.#player, this.#audio);
    await deadline(played, 20_000);
  }

  [Symbol.dispose](): void {
    this.#player[Symbol.dispose]();
    this.#recorder.stop();
    this.#audio.stop();
    this.#transport.close();
  }
}
