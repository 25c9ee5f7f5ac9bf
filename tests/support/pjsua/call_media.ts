// SPDX-License-Identifier: GPL-2.0-or-later
/** The sound of one call of the program: its descriptions, as pjsua would make them, and its stream. */
import {
  type AudioMixer,
  AudioTransport,
  type BaseSDPMediaStream,
  type BaseSDPSession,
  RTPTransport,
  SDPAttribute,
  SDPConnection,
  SDPMediaStream,
  SDPSession,
} from "../../../mod.ts";
import { answerCrypto, BadCrypto } from "./crypto.ts";
import type { PjsuaOptions } from "./options.ts";

/** The code that refuses an offer. */
export class Refusal extends Error {
  constructor(readonly code: number) {
    super(`refused with ${code}`);
  }
}

const mirrored = {
  sendrecv: "sendrecv",
  sendonly: "recvonly",
  recvonly: "sendonly",
  inactive: "inactive",
} as const;

export class CallMedia {
  readonly #options: PjsuaOptions;
  readonly #mixer: AudioMixer;
  readonly #codecs: readonly string[];
  readonly #transports: RTPTransport[] = [];
  #audio: AudioTransport | null = null;
  #hasStarted = false;
  #version = 1;

  constructor(options: PjsuaOptions, mixer: AudioMixer, codecs: readonly string[]) {
    this.#options = options;
    this.#mixer = mixer;
    this.#codecs = codecs;
  }

  /** Our offer: as many audio streams as the options want. */
  offer(
    { direction = "sendrecv", codecs = this.#codecs }: {
      direction?: "sendrecv" | "sendonly";
      codecs?: readonly string[];
    } = {},
  ): BaseSDPSession {
    if (this.#options.customSdp) return this.#options.customSdp;
    const count = this.#options.audioStreams;
    const media = Array.from({ length: count }, (_, index) => {
      const transport = this.#transport(index);
      const audio = new AudioTransport(this.#mixer, transport, { codecs, sdpIndex: 0 });
      const stream = audio.getLocalMedia(true, { direction });
      transport.setInit();
      return stream;
    });
    return this.#session(media);
  }

  /**
   * Our answer: one audio stream, the safest of those that we can take; the others are refused.
   *
   * @throws Refusal when there is none.
   */
  answer(offer: BaseSDPSession): BaseSDPSession {
    if (this.#options.customSdp) return this.#options.customSdp;
    if (offer.media.length === 0) throw new Refusal(400);
    const taken = this.#choose(offer);
    const media = offer.media.map((stream, index) =>
      index === taken.index
        ? taken.stream
        : new SDPMediaStream(stream.media, 0, stream.transport, { formats: [...stream.formats] })
    );
    return this.#session(media);
  }

  #choose(offer: BaseSDPSession): { index: number; stream: SDPMediaStream } {
    let bad = 488;
    const found: { index: number; stream: SDPMediaStream; isSafe: boolean }[] = [];
    for (const [index, stream] of offer.media.entries()) {
      if (stream.media !== "audio" || stream.port === 0) continue;
      if (!this.#knows(stream)) {
        // In the middle of a call pjsua finds out later, and says so with another code.
        if (this.#hasStarted) bad = 500;
        continue;
      }
      const isSafe = stream.transport === "RTP/SAVP";
      const isTaken = isSafe
        ? this.#options.srtp > 0
        : stream.transport === "RTP/AVP" && this.#options.srtp < 2;
      if (!isTaken) continue;
      try {
        const crypto = this.#options.srtp > 0 ? answerCrypto(stream) : null;
        if (isSafe && crypto === null) bad = 406;
        else found.push({ index, stream: this.#stream(offer, index, crypto), isSafe });
      } catch (error) {
        if (!(error instanceof BadCrypto)) throw error;
        bad = 406;
      }
    }
    const chosen = found.find(({ isSafe }) => isSafe) ?? found[0];
    if (!chosen) throw new Refusal(bad);
    return chosen;
  }

  #knows(stream: BaseSDPMediaStream): boolean {
    const known = this.#codecs.map((name) => name.toLowerCase());
    return stream.codecList.some(({ name }) => known.includes(name.toLowerCase()));
  }

  #stream(offer: BaseSDPSession, sdpIndex: number, crypto: string | null): SDPMediaStream {
    const transport = this.#transport(0);
    const plain = SDPSession.from(offer);
    // The keys are the program's own affair.
    for (const stream of plain.media) if (stream.transport === "RTP/SAVP") stream.transport = "RTP/AVP";
    const audio = new AudioTransport(this.#mixer, transport, {
      remoteSdp: plain,
      sdpIndex,
      codecs: this.#codecs,
    });
    const offered = offer.media[sdpIndex]!;
    const session = Object.keys(mirrored).find((name) => offer.attributes.has(name)) as keyof typeof mirrored;
    const own = Object.keys(mirrored).some((name) => offered.attributes.has(name));
    const direction = mirrored[own ? offered.direction : session ?? "sendrecv"];
    const stream = audio.getLocalMedia(false, { direction });
    return new SDPMediaStream("audio", stream.port, offered.transport, {
      formats: [...stream.formats],
      connection: stream.connection,
      attributes: [...stream.attributes, ...(crypto ? [new SDPAttribute("crypto", crypto)] : [])],
    });
  }

  /** Ready for a description. */
  #transport(index: number): RTPTransport {
    const transport = this.#transports[index] ??= new RTPTransport();
    if (index === 0) this.#audio?.stop();
    transport.setInit();
    return transport;
  }

  #session(media: SDPMediaStream[]): SDPSession {
    const address = this.#transports[0]!.localRtpAddress!;
    return new SDPSession(address, {
      id: 3_000_000_000,
      version: 3_000_000_000 + this.#version++,
      connection: new SDPConnection(address),
      media,
    });
  }

  /** What was negotiated is heard, as far as it is plain RTP; gives its index and codec. */
  start(local: BaseSDPSession, remote: BaseSDPSession): { index: number; codec: string | null } {
    this.#audio?.stop();
    this.#hasStarted = true;
    const sdpIndex = local.media.findIndex(({ port }, index) =>
      port > 0 && (remote.media[index]?.port ?? 0) > 0
    );
    const stream = local.media[sdpIndex];
    if (!stream || stream.transport !== "RTP/AVP" || this.#options.customSdp) {
      return { index: Math.max(0, sdpIndex), codec: null };
    }
    const index = Math.max(0, this.#transports.findIndex(({ localRtpPort }) => localRtpPort === stream.port));
    const transport = this.#transports[index]!;
    transport.setInit();
    this.#audio = new AudioTransport(this.#mixer, transport, { sdpIndex });
    this.#audio.start(local, remote, { noMediaTimeout: 0 });
    return { index: sdpIndex, codec: this.#audio.codec };
  }

  close(): void {
    this.#audio?.stop();
    for (const transport of this.#transports) transport.close();
  }
}
