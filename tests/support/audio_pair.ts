// SPDX-License-Identifier: GPL-2.0-or-later
import {
  type AudioMixer,
  type AudioStartOptions,
  AudioTransport,
  type MediaDirection,
  RTPTransport,
  SDPSession,
} from "../../mod.ts";

export interface AudioPairOptions {
  readonly codecs?: readonly string[];
  /** What the offering side wants. Default "sendrecv". */
  readonly direction?: MediaDirection;
  /** What the answering side wants. Default "sendrecv". */
  readonly answerDirection?: MediaDirection;
}

/** Two audio transports that have agreed with each other, without SIP. Ends by `using`. */
export class AudioPair implements Disposable {
  readonly left: AudioTransport;
  readonly right: AudioTransport;
  readonly offer: SDPSession;
  readonly answer: SDPSession;

  /** Both ends in one mixer, or the answering one in another. */
  constructor(mixer: AudioMixer, options: AudioPairOptions = {}, answering: AudioMixer = mixer) {
    const { codecs = ["PCMU"], direction = "sendrecv", answerDirection = "sendrecv" } = options;
    this.left = new AudioTransport(mixer, openTransport(), { codecs });
    this.offer = session(this.left, true, direction);
    this.right = new AudioTransport(answering, openTransport(), { codecs, remoteSdp: this.offer });
    this.answer = session(this.right, false, answerDirection);
  }

  /** Starts both. */
  start(options: AudioStartOptions = {}): this {
    this.left.start(this.offer, this.answer, options);
    this.right.start(this.answer, this.offer, options);
    return this;
  }

  [Symbol.dispose](): void {
    for (const audio of [this.left, this.right]) {
      audio.stop();
      audio.transport.close();
    }
  }
}

/** An RTP transport in "INIT". */
export function openTransport(): RTPTransport {
  const transport = new RTPTransport();
  transport.setInit();
  return transport;
}

function session(audio: AudioTransport, isOffer: boolean, direction: MediaDirection): SDPSession {
  return new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(isOffer, { direction })] });
}
