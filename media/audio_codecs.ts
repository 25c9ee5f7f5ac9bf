// SPDX-License-Identifier: GPL-2.0-or-later
import { running } from "../core/running.ts";
import { SDPAttribute } from "../core/sdp_attribute.ts";
import type { SDPMediaStream } from "../core/sdp_media_stream.ts";
import { SDPSession } from "../core/sdp_session.ts";
import { cstring, readAnswer } from "../ffi/wire.ts";

/** The formats of an m=audio line with what describes them. */
export interface AudioFormats {
  formats: string[];
  attributes: SDPAttribute[];
}

/** One format of the build's own offer. */
interface Format {
  readonly payloadType: string;
  readonly name: string;
  readonly clockRate: number;
  readonly attributes: SDPAttribute[];
}

/** Everything that this build can do, as PJMEDIA describes it (`pjmedia_endpt_create_sdp`). */
function buildFormats(): Format[] {
  const native = running();
  const address = cstring("127.0.0.1");
  const answer = readAnswer((buffer, capacity) =>
    native.sc_engine_audio_sdp(address, 4000, buffer, capacity)
  );
  const stream: SDPMediaStream | undefined = SDPSession.parse(answer?.text() ?? "").media[0];
  if (!stream) return [];
  return stream.formats.map((payloadType) => {
    const attributes = stream.attributes.filter(({ name, value }) =>
      (name === "rtpmap" || name === "fmtp") && value.split(" ", 1)[0] === payloadType
    );
    const map = attributes.find(({ name }) => name === "rtpmap")?.value.split(" ")[1] ?? "";
    const [name = "", clockRate = "8000"] = map.split("/");
    return { payloadType, name, clockRate: Number(clockRate), attributes };
  });
}

/**
 * The formats of the named codecs in their order, then telephone-event (RFC 4733) at the clock rates of those codecs.
 * Names are case-insensitive; what the build lacks is left out.
 */
export function audioFormats(codecs: readonly string[]): AudioFormats {
  const all = buildFormats();
  const chosen = codecs.flatMap((codec) => {
    const same = all.filter(({ name }) => name.toLowerCase() === codec.toLowerCase());
    return same.sort((a, b) => b.clockRate - a.clockRate);
  });
  const rates = new Set(chosen.map(({ clockRate }) => clockRate));
  const events = all.filter(({ name, clockRate }) => name === "telephone-event" && rates.has(clockRate));
  const list = [...chosen, ...events];
  return {
    formats: list.map(({ payloadType }) => payloadType),
    attributes: list.flatMap(({ attributes }) => attributes.map((one) => SDPAttribute.from(one))),
  };
}
