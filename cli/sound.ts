// SPDX-License-Identifier: GPL-2.0-or-later
/** The sound of one call: what is played into it, what is recorded of it, and how loud it is. */
import {
  type AudioMixer,
  AudioTransport,
  type BaseSDPSession,
  NotificationCenter,
  RecordingWaveFile,
  RTPTransport,
  type RTPTransportOptions,
  type SDPMediaStream,
  type StreamStatistics,
  WaveFile,
} from "../mod.ts";
import type { CallEvent, StreamReport } from "./call_report.ts";

export interface SoundOptions {
  readonly mixer: AudioMixer;
  /** Local address to send from and receive on. */
  readonly address: string;
  /** The file to play, and the one to record to; null: none. */
  readonly play: string | null;
  readonly record: string | null;
  readonly loop: boolean;
  /** After the file, or at once where there is none, gives back what it hears. */
  readonly echo: boolean;
  /** Encryption and ICE; left out: neither. */
  readonly rtp?: Omit<RTPTransportOptions, "localRtpAddress">;
}

/** The fields of a "level". */
export type LevelReport = Omit<Extract<CallEvent, { type: "level" }>, "type">;

export class Sound {
  readonly #options: SoundOptions;
  readonly #center: NotificationCenter = new NotificationCenter();
  readonly #transport: RTPTransport;
  #audio: AudioTransport | null = null;
  #index = 0;
  #recorder: RecordingWaveFile | null = null;
  #wave: WaveFile | null = null;
  #played: Promise<boolean> = Promise.resolve(false);

  constructor(options: SoundOptions) {
    this.#options = options;
    this.#transport = new RTPTransport({ ...options.rtp, localRtpAddress: options.address });
  }

  /** The stream of this call; null before `open()`. */
  get audio(): AudioTransport | null {
    return this.#audio;
  }

  /** Whether the sound is encrypted. */
  get isSecure(): boolean {
    return this.#transport.srtpActive;
  }

  /** Where the recording is; null while nothing is recorded. */
  get recording(): string | null {
    return this.#recorder === null ? null : this.#options.record;
  }

  /**
   * Opens the sockets and gives the stream to offer, or that answers the stream `index` of this offer.
   *
   * @throws {Error} when the sockets cannot be had.
   */
  async open(offer: BaseSDPSession | null, index: number): Promise<SDPMediaStream> {
    const opened = this.#center.once(["RTPTransportDidInitialize", "RTPTransportDidFail"], {
      sender: this.#transport,
    });
    this.#transport.setInit();
    const result = await opened;
    if (result.name === "RTPTransportDidFail") throw new Error(result.data.reason);
    const { mixer } = this.#options;
    this.#index = index;
    this.#audio = new AudioTransport(mixer, this.#transport, {
      ...(offer !== null && { remoteSdp: offer, sdpIndex: index }),
    });
    return this.#audio.getLocalMedia(offer === null);
  }

  /** The stream that answers a change of the call; or offers, where none was offered. */
  change(offer: BaseSDPSession | null): SDPMediaStream {
    return this.#audio!.getLocalMedia(offer === null, { remoteSdp: offer });
  }

  /** Starts the stream and the recording; later ones follow what has changed. */
  start(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession): void {
    const { mixer, record } = this.#options;
    const audio = this.#audio!;
    if (audio.isStarted) {
      if (audio.isActive) audio.update(localSdp, remoteSdp, { sdpIndex: this.#index });
      return;
    }
    audio.start(localSdp, remoteSdp, { sdpIndex: this.#index });
    if (record === null) return;
    this.#recorder = new RecordingWaveFile(mixer, record);
    this.#recorder.start();
    mixer.connectSlots(audio, this.#recorder);
  }

  /** Plays the file into the call; true when it was played to its end. */
  play(): Promise<boolean> {
    return this.#played = this.#play();
  }

  async #play(): Promise<boolean> {
    const { mixer, play, loop, echo } = this.#options;
    const audio = this.#audio;
    if (audio === null || !audio.isActive) return false;
    if (play === null) {
      if (echo) mixer.connectSlots(audio, audio);
      return false;
    }
    const wave = this.#wave = new WaveFile(mixer, play, { loop });
    wave.start();
    const finished = this.#center.once("WaveFileDidFinishPlaying", { sender: wave });
    mixer.connectSlots(wave, audio);
    const { reason } = (await finished).data;
    if (reason !== "end") return false;
    if (echo && audio.isActive) mixer.connectSlots(audio, audio);
    return true;
  }

  /** What is heard at this moment, as the demo reports it; null while there is no stream. */
  get level(): LevelReport | null {
    const audio = this.#audio;
    const statistics = audio?.statistics ?? null;
    if (audio === null || audio.slot === null || statistics === null) return null;
    const { packets, packetsLost, jitter } = statistics.rx;
    return {
      heard: this.#options.mixer.getSignalLevel(audio).rx,
      received: packets,
      lost: packetsLost,
      jitter: jitter.last / 1000,
    };
  }

  /** The packets of both directions; null when the stream was never started. */
  get streams(): { readonly received: StreamReport; readonly sent: StreamReport } | null {
    const statistics = this.#audio?.isStarted === true ? this.#audio.statistics : null;
    if (statistics === null) return null;
    const { rx, tx } = statistics;
    return { received: streamOf(rx, true), sent: streamOf(tx, tx.jitter.count > 0) };
  }

  /** Ends everything; the recording is complete, and every notification posted, when this resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#wave?.stop();
    this.#recorder?.stop();
    this.#audio?.stop();
    this.#transport.close();
    // Whoever called play() hears of its failure.
    await this.#played.catch(() => {});
  }
}

function streamOf({ packets, bytes, packetsLost, jitter }: StreamStatistics, known: boolean): StreamReport {
  // The library's microseconds are milliseconds in the demo.
  const measured = jitter.count === 0 ? null : { mean: jitter.avg / 1000, max: jitter.max / 1000 };
  return { packets, bytes, arrival: known ? { lost: packetsLost, jitter: measured } : null };
}
