// SPDX-License-Identifier: GPL-2.0-or-later
/** Two audio transports with ICE, or with whatever else, that agree with each other without SIP. */
import { deadline } from "@std/async";
import {
  type AudioMixer,
  AudioTransport,
  type NotificationStream,
  RTPTransport,
  type RTPTransportNotifications,
  type RTPTransportOptions,
  type SDPMediaStream,
  SDPSession,
  type SIPNotification,
} from "../../mod.ts";

type Name = keyof RTPTransportNotifications;

/** One side: its transport, and all that it has told. */
export class ICESide implements Disposable {
  readonly transport: RTPTransport;
  readonly told: SIPNotification<Name>[] = [];
  readonly #stream: NotificationStream<Name>;
  audio: AudioTransport | null = null;
  sdp: SDPSession | null = null;

  constructor(options: RTPTransportOptions) {
    this.transport = new RTPTransport(options);
    this.#stream = this.transport.notifications();
  }

  /** Reads on until one of these names. */
  async until<const N extends Name>(...names: N[]): Promise<SIPNotification<N>> {
    for (;;) {
      const { done, value } = await deadline(this.#stream.next(), 20_000);
      if (done) throw new Error(`It has ended after ${this.short.join(", ")}`);
      this.told.push(value);
      if ((names as Name[]).includes(value.name)) return value as SIPNotification<N>;
    }
  }

  /** What was told, in short: states by name, else the name without its prefix. */
  get short(): string[] {
    return this.told.map((note) =>
      note.name === "RTPTransportICENegotiationStateDidChange"
        ? note.data.state
        : note.name.replace("RTPTransport", "")
    );
  }

  /** setInit(), and what comes of it. */
  async init(): Promise<SIPNotification<"RTPTransportDidInitialize" | "RTPTransportDidFail">> {
    this.transport.setInit();
    return await this.until("RTPTransportDidInitialize", "RTPTransportDidFail");
  }

  /** The outcome of the checks. */
  async negotiated(): Promise<
    SIPNotification<"RTPTransportICENegotiationDidSucceed" | "RTPTransportICENegotiationDidFail">
  > {
    return await this.until("RTPTransportICENegotiationDidSucceed", "RTPTransportICENegotiationDidFail");
  }

  /** An offer, or the answer to `remoteSdp`. */
  describe(mixer: AudioMixer, remoteSdp: SDPSession | null = null): SDPSession {
    this.audio = new AudioTransport(mixer, this.transport, { codecs: ["PCMU"], remoteSdp });
    return this.sdp = this.session(this.audio.getLocalMedia(remoteSdp === null));
  }

  /** A description of that stream. */
  session(stream: SDPMediaStream): SDPSession {
    return new SDPSession(this.transport.localRtpAddress!, { media: [stream] });
  }

  [Symbol.dispose](): void {
    this.audio?.stop();
    this.transport.close();
  }
}

/** Both sides. Ends by `using`. */
export class ICEPair implements Disposable {
  readonly left: ICESide;
  readonly right: ICESide;
  readonly #mixer: AudioMixer;

  private constructor(mixer: AudioMixer, left: RTPTransportOptions, right: RTPTransportOptions) {
    this.#mixer = mixer;
    this.left = new ICESide(left);
    this.right = new ICESide(right);
  }

  /** Both are in "INIT". */
  static async open(
    mixer: AudioMixer,
    left: RTPTransportOptions,
    right: RTPTransportOptions = left,
  ): Promise<ICEPair> {
    const pair = new ICEPair(mixer, left, right);
    const told = await Promise.all([pair.left.init(), pair.right.init()]);
    for (const { name, data } of told) if (name === "RTPTransportDidFail") throw new Error(data.reason);
    return pair;
  }

  /** Offer, answer and both streams. `change`: what becomes of a description on its way to the other side. */
  start(change: (sdp: SDPSession) => SDPSession = (sdp) => sdp): this {
    const { left, right } = this;
    const offer = left.describe(this.#mixer);
    const seenOffer = change(offer);
    const answer = right.describe(this.#mixer, seenOffer);
    right.audio!.start(answer, seenOffer);
    // What nobody listens to waits, and would be heard late.
    this.#mixer.connectSlots(right.audio!, right.audio!);
    left.audio!.start(offer, change(answer));
    return this;
  }

  [Symbol.dispose](): void {
    this.left[Symbol.dispose]();
    this.right[Symbol.dispose]();
  }
}
