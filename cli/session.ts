// SPDX-License-Identifier: GPL-2.0-or-later
/** The session descriptions of a call with one audio stream. */
import { type BaseSDPSession, SDPMediaStream, SDPSession } from "../mod.ts";

/** Which stream of an offer is the sound; null: none. */
export function audioIndex(offer: BaseSDPSession): number | null {
  const index = offer.media.findIndex((media) => media.media === "audio" && media.port !== 0);
  return index < 0 ? null : index;
}

export interface SessionOptions {
  /** Our address for the sound. */
  readonly address: string;
  readonly audio: SDPMediaStream;
  /** What is answered; null: this is an offer. */
  readonly offer: BaseSDPSession | null;
  /** Which stream of the offer `audio` answers. The others are refused. */
  readonly index: number;
}

/** The next version of a description of ours, with this stream for an offer that came later. */
export function describeAgain(last: BaseSDPSession, options: SessionOptions): SDPSession {
  const session = SDPSession.from(last);
  session.version++;
  session.media = describeSession(options).media;
  return session;
}

/** The description that offers the audio stream, or answers with it. */
export function describeSession(options: SessionOptions): SDPSession {
  const { address, audio, offer, index } = options;
  const session = new SDPSession(address);
  session.media = offer === null
    ? [audio]
    : offer.media.map((media, at) =>
      at === index
        ? audio
        : new SDPMediaStream(media.media, 0, media.transport, { formats: [...media.formats] })
    );
  return session;
}
