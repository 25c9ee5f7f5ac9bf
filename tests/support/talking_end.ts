// SPDX-License-Identifier: GPL-2.0-or-later
import { deadline } from "@std/async";
import {
  type AudioMixer,
  AudioTransport,
  type BaseSDPSession,
  type Invitation,
  type MediaDirection,
  NotificationCenter,
  RecordingWaveFile,
  SDPSession,
  WaveFile,
} from "../../mod.ts";
import { openTransport } from "./audio_pair.ts";

/** The codecs that an end can change between, with their payload types. */
export const payloadTypes = { PCMU: "0", PCMA: "8", G722: "9", opus: "99" } as const;

export type TalkingCodec = keyof typeof payloadTypes;

/** What an offer is to say. */
export interface OfferOptions {
  /** The only one. Default: all. */
  readonly codec?: TalkingCodec;
  readonly direction?: MediaDirection;
}

/** One end of a call with sound, which follows whatever is negotiated. Ends by `using`. */
export class TalkingEnd implements Disposable {
  readonly audio: AudioTransport;
  readonly #mixer: AudioMixer;
  #last: SDPSession | null = null;
  #recorder: RecordingWaveFile | null = null;
  readonly #observers: Disposable[] = [];
  /** What it wants when the other end offers something. */
  wanted: MediaDirection = "sendrecv";

  /** `remoteSdp`: what is answered; null: this end calls. */
  constructor(mixer: AudioMixer, remoteSdp: BaseSDPSession | null, codecs: readonly TalkingCodec[]) {
    this.#mixer = mixer;
    this.audio = new AudioTransport(mixer, openTransport(), { remoteSdp, codecs });
  }

  #describe(media: SDPSession["media"][number]): SDPSession {
    const last = this.#last;
    const sdp = new SDPSession("127.0.0.1", {
      ...(last && { id: last.id, version: last.version + 1 }),
      media: [media],
    });
    this.#last = sdp;
    return sdp;
  }

  offer({ codec, direction = "sendrecv" }: OfferOptions = {}): SDPSession {
    const media = this.audio.getLocalMedia(true, { direction });
    if (codec) {
      const events = media.codecList.map(({ name }, index) =>
        name === "telephone-event" ? media.formats[index]! : ""
      );
      media.formats = [payloadTypes[codec], ...events.filter((format) => format !== "")];
    }
    return this.#describe(media);
  }

  answer(remoteSdp: BaseSDPSession): SDPSession {
    return this.#describe(this.audio.getLocalMedia(false, { direction: this.wanted, remoteSdp }));
  }

  /** Takes every offer, and from now on starts and updates as is negotiated. */
  follow(invitation: Invitation, onUpdate: () => void = () => {}): void {
    const center = new NotificationCenter();
    this.#observers.push(
      center.addObserver(({ data }) => {
        if (!data.succeeded) return;
        if (this.audio.isStarted) this.audio.update(data.localSdp, data.remoteSdp);
        else this.audio.start(data.localSdp, data.remoteSdp);
        onUpdate();
      }, { name: "SIPInvitationGotSDPUpdate", sender: invitation }),
      center.addObserver(({ data }) => {
        if (data.subState !== "received_proposal") return;
        invitation.sendResponse(200, { sdp: this.answer(invitation.sdp.proposedRemote!) });
      }, { name: "SIPInvitationChangedState", sender: invitation }),
    );
  }

  /** Records what comes from now on, until `stopHearing()`. */
  hear(file: string): void {
    this.#recorder = new RecordingWaveFile(this.#mixer, file);
    this.#recorder.start();
    this.#mixer.connectSlots(this.audio, this.#recorder);
  }

  stopHearing(): void {
    this.#recorder?.stop();
    this.#recorder = null;
  }

  /** Says that file, whole. */
  async say(file: string): Promise<void> {
    using wave = new WaveFile(this.#mixer, file);
    const said = wave.notifications().next();
    wave.start();
    this.#mixer.connectSlots(wave, this.audio);
    await deadline(said, 20_000);
  }

  [Symbol.dispose](): void {
    for (const observer of this.#observers) observer[Symbol.dispose]();
    this.stopHearing();
    this.audio.stop();
    this.audio.transport.close();
  }
}
