// SPDX-License-Identifier: GPL-2.0-or-later
import {
  type AudioMixer,
  type AudioStartOptions,
  AudioTransport,
  type MediaDirection,
  RTPTransport,
  type RTPTransportOptions,
  type SDPMediaStream,
  SDPSession,
} from "../../mod.ts";

export interface AudioPairOptions {
  readonly codecs?: readonly string[];
  /** What the offering side wants. Default "sendrecv". */
  readonly direction?: MediaDirection;
  /** What the answering side wants. Default "sendrecv". */
  readonly answerDirection?: MediaDirection;
  /** Of both. Default false. */
  readonly enableSilenceDetection?: boolean;
  readonly left?: RTPTransportOptions;
  readonly right?: RTPTransportOptions;
  /** What the other side gets of a description. Default: the same. */
  readonly onTheWay?: (sdp: SDPSession, from: "left" | "right") => SDPSession;
}

/** What a later offer and answer are to say. */
export interface AudioPairChange {
  /** The only one of the codec's formats. Default: all. */
  readonly payloadType?: string;
  readonly direction?: MediaDirection;
  readonly answerDirection?: MediaDirection;
}

/** Two audio transports that have agreed with each other, without SIP. Ends by `using`. */
export class AudioPair implements Disposable {
  readonly left: AudioTransport;
  readonly right: AudioTransport;
  readonly offer: SDPSession;
  readonly answer: SDPSession;
  readonly #heard: { readonly offer: SDPSession; readonly answer: SDPSession };

  /** Both ends in one mixer, or the answering one in another. */
  constructor(mixer: AudioMixer, options: AudioPairOptions = {}, answering: AudioMixer = mixer) {
    const { codecs = ["PCMU"], direction = "sendrecv", answerDirection = "sendrecv" } = options;
    const { onTheWay = (sdp) => sdp, enableSilenceDetection = false } = options;
    using transports = new DisposableStack();
    const open = (given?: RTPTransportOptions) => transports.use(openTransport(given));
    this.left = new AudioTransport(mixer, open(options.left), { codecs, enableSilenceDetection });
    this.offer = session(this.left, true, direction);
    const offer = onTheWay(this.offer, "left");
    this.right = new AudioTransport(answering, open(options.right), {
      codecs,
      enableSilenceDetection,
      remoteSdp: offer,
    });
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

  /** What a re-INVITE from left to right would agree on. */
  change(change: AudioPairChange = {}): { offer: SDPSession; answer: SDPSession } {
    const { payloadType, direction = "sendrecv", answerDirection = "sendrecv" } = change;
    const offer = session(this.left, true, direction);
    const media = this.right.getLocalMedia(false, { direction: answerDirection, remoteSdp: offer });
    const answer = new SDPSession("127.0.0.1", { media: [media] });
    if (payloadType !== undefined) {
      for (const { media } of [offer, answer]) media[0]!.formats = [payloadType, ...eventsOf(media[0]!)];
    }
    return { offer, answer };
  }

  /** Changes both by such a re-INVITE. */
  update(change: AudioPairChange = {}): void {
    const { offer, answer } = this.change(change);
    this.right.update(answer, offer);
    this.left.update(offer, answer);
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

function eventsOf(media: SDPMediaStream): string[] {
  return media.attributes.filter(({ value }) => value.includes("telephone-event"))
    .map(({ value }) => value.split(" ")[0]!);
}

function session(audio: AudioTransport, isOffer: boolean, direction: MediaDirection): SDPSession {
  return new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(isOffer, { direction })] });
}
