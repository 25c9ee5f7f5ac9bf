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
  /** What was agreed on before, which this changes; left out: nothing. */
  readonly before?: BaseSDPSession | null;
}

/** The description that offers the audio stream, or answers with it. */
export function describeSession(options: SessionOptions): SDPSession {
  const { address, audio, offer, index, before = null } = options;
  const session = new SDPSession(
    address,
    before === null ? {} : { id: before.id, version: before.version + 1 },
  );
  session.media = offer === null
    ? [audio]
    : offer.media.map((media, at) =>
      at === index
        ? audio
        : new SDPMediaStream(media.media, 0, media.transport, { formats: [...media.formats] })
    );
  return session;
}
