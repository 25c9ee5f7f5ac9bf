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

/** The same under another number, in its attributes as well. */
function renumbered({ name, clockRate, attributes }: Format, payloadType: string): Format {
  return {
    payloadType,
    name,
    clockRate,
    attributes: attributes.map((one) =>
      new SDPAttribute(one.name, `${payloadType} ${one.value.slice(one.value.indexOf(" ") + 1)}`)
    ),
  };
}

/** The events of 8000 Hz get the first number, 101, which everybody else uses for them. */
function numberEvents(events: readonly Format[]): Format[] {
  const numbers = events.map(({ payloadType }) => payloadType).sort((a, b) => Number(a) - Number(b));
  const usual = events.toSorted((a, b) => Number(b.clockRate === 8000) - Number(a.clockRate === 8000));
  return usual.map((event, index) => renumbered(event, numbers[index]!));
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
  return stream.formats.flatMap((payloadType) => {
    const attributes = stream.attributes.filter(({ name, value }) =>
      (name === "rtpmap" || name === "fmtp") && value.split(" ", 1)[0] === payloadType
    );
    const map = attributes.find(({ name }) => name === "rtpmap")?.value.split(" ")[1] ?? "";
    const [name = "", clockRate = "8000", channels = "1"] = map.split("/");
    // A frame of its two channels is larger than what PJMEDIA has room for; a mixer has one anyway.
    if (name === "L16" && channels !== "1") return [];
    return [{ payloadType, name, clockRate: Number(clockRate), attributes }];
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
  const events = numberEvents(all.filter(({ name }) => name === "telephone-event"))
    .filter(({ clockRate }) => rates.has(clockRate));
  const list = [...chosen, ...events];
  return {
    formats: list.map(({ payloadType }) => payloadType),
    attributes: list.flatMap(({ attributes }) => attributes.map((one) => SDPAttribute.from(one))),
  };
}
