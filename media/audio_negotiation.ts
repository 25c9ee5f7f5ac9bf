// SPDX-License-Identifier: GPL-2.0-or-later
/** What offer and answer (RFC 3264) say of one audio stream. */
import type { MediaDirection } from "../core/sdp_media_stream.ts";
import type { BaseSDPSession } from "../core/sdp_session.ts";

/** Bit 0: send, bit 1: receive; as the library has them. */
export const directionBits: Readonly<Record<MediaDirection, number>> = {
  inactive: 0,
  sendonly: 1,
  recvonly: 2,
  sendrecv: 3,
};

const names = ["inactive", "sendonly", "recvonly", "sendrecv"] as const;

/** Throws TypeError or RangeError for what is no direction. */
export function checkDirection(value: unknown): MediaDirection {
  if (typeof value !== "string") throw new TypeError("direction must be a string");
  if (!Object.hasOwn(directionBits, value)) {
    throw new RangeError(`direction must be one of ${names.join(", ")}`);
  }
  return value as MediaDirection;
}

/** Whether something comes in that direction. */
export function receives(direction: MediaDirection | null): boolean {
  return direction === "sendrecv" || direction === "recvonly";
}

/** Whether something goes in that direction. */
export function sends(direction: MediaDirection | null): boolean {
  return direction === "sendrecv" || direction === "sendonly";
}

/** The direction of a stream; one of the whole session counts where the stream has none (RFC 8866, section 6.7). */
export function directionOf(sdp: BaseSDPSession, index: number): MediaDirection {
  const ofStream = sdp.media[index]?.attributes ?? [];
  const named = [...ofStream, ...sdp.attributes].find(({ name }) => Object.hasOwn(directionBits, name));
  return (named?.name as MediaDirection | undefined) ?? "sendrecv";
}

/** What of the wanted direction fits into an answer to that offer (RFC 3264, section 6.1). */
export function answerDirection(wanted: MediaDirection, offered: MediaDirection): MediaDirection {
  const theirs = directionBits[offered];
  const ours = (theirs & 1) << 1 | theirs >> 1;
  return names[directionBits[wanted] & ours]!;
}

/** What tells the ways to a side, which ICE chooses among by itself. */
const aboutICE = /^(ice-.*|candidate|remote-candidates|end-of-candidates|rtcp)$/;

/**
 * What a stream is made from, of both descriptions: all but its direction, which can change while it goes on, and the
 * names of the session. `byIce`: nor where both sides are, since the transport knows it better.
 */
export function streamKey(
  local: BaseSDPSession,
  remote: BaseSDPSession,
  index: number,
  byIce: boolean,
): string {
  const lines = [local, remote].flatMap((sdp) => {
    const { port, transport, formats, attributes, connection } = sdp.media[index]!;
    return [
      transport,
      ...formats,
      ...(byIce ? [] : [port, (connection ?? sdp.connection)?.address]),
      ...[...attributes, ...sdp.attributes].filter(({ name }) =>
        !Object.hasOwn(directionBits, name) && !(byIce && aboutICE.test(name))
      ),
    ];
  });
  return lines.join("\n");
}
