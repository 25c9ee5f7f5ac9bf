// SPDX-License-Identifier: GPL-2.0-or-later
import {
  type AudioMixer,
  type AudioStartOptions,
  AudioTransport,
  type MediaDirection,
  RTPTransport,
  type RTPTransportOptions,
  SDPSession,
} from "../../mod.ts";

export interface AudioPairOptions {
  readonly codecs?: readonly string[];
  /** What the offering side wants. Default "sendrecv". */
  readonly direction?: MediaDirection;
  /** What the answering side wants. Default "sendrecv". */
  readonly answerDirection?: MediaDirection;
  readonly left?: RTPTransportOptions;
  readonly right?: RTPTransportOptions;
  /** What the other side gets of a description. Default: the same. */
  readonly onTheWay?: (sdp: SDPSession, from: "left" | "right") => SDPSession;
}

/** Two audio transports that have agreed with each other, without SIP. Ends by `using`. */
export class AudioPair implements Disposable {
  readonly left: AudioTransport;
  readonly right: AudioTransport;
  readonly offer: SDPSession;
  readonly answer: SDPSession;
  readonly #heard: { readonly offer: SDPSession; readonly answer: SDPSession };

  constructor(mixer: AudioMixer, options: AudioPairOptions = {}) {
    const { codecs = ["PCMU"], direction = "sendrecv", answerDirection = "sendrecv" } = options;
    const { onTheWay = (sdp) => sdp } = options;
    using transports = new DisposableStack();
    const open = (given?: RTPTransportOptions) => transports.use(openTransport(given));
    this.left = new AudioTransport(mixer, open(options.left), { codecs });
    this.offer = session(this.left, true, direction);
    const offer = onTheWay(this.offer, "left");
    this.right = new AudioTransport(mixer, open(options.right), { codecs, remoteSdp: offer });
    this.answer = session(this.right, false, answerDirection);
    this.#heard = { offer, answer: onTheWay(this.answer, "right") };
    transports.move();
  }

  /** Starts both. */
  start(options: AudioStartOptions = {}): this {
    this.left.start(this.offer, this.#heard.answer, options);
    this.right.start(this.answer, this.#heard.offer, options);
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
export function openTransport(options: RTPTransportOptions = {}): RTPTransport {
  const transport = new RTPTransport(options);
  transport.setInit();
  return transport;
}

function session(audio: AudioTransport, isOffer: boolean, direction: MediaDirection): SDPSession {
  return new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(isOffer, { direction })] });
}
