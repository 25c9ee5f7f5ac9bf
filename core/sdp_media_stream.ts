// SPDX-License-Identifier: GPL-2.0-or-later
import {
  checkConcrete,
  checkInstance,
  checkInteger,
  checkOptionalText,
  checkWord,
} from "./check_argument.ts";
import { equalItems, FrozenList } from "./frozen.ts";
import { MediaCodec } from "./media_codec.ts";
import { orNull, parsing } from "./parsing.ts";
import {
  type BaseSDPAttribute,
  frozenAttribute,
  FrozenSDPAttributeList,
  SDPAttributeList,
} from "./sdp_attribute.ts";
import { type BaseSDPBandwidthInfo, FrozenSDPBandwidthInfo, SDPBandwidthInfo } from "./sdp_bandwidth_info.ts";
import { BaseSDPConnection, frozenConnection, FrozenSDPConnection, SDPConnection } from "./sdp_connection.ts";
import { allValues, firstValue, parseLines, type SDPLine, wordsOf } from "./sdp_lines.ts";

/** Which way media flows. */
export type MediaDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** What may be left out of {@linkcode SDPMediaStream}. */
export interface SDPMediaStreamOptions {
  /** How many consecutive ports; 1, the default, is not printed. */
  portCount?: number;
  /** Payload numbers or other formats, the preferred one first. */
  formats?: Iterable<string>;
  /** The "i=" line; null or "": none. */
  info?: string | null;
  /** The "c=" line; null: none, the session's holds. */
  connection?: BaseSDPConnection | null;
  /** The "a=" lines. */
  attributes?: Iterable<BaseSDPAttribute>;
  /** The "b=" lines. */
  bandwidthInfo?: Iterable<BaseSDPBandwidthInfo>;
}

/** What {@linkcode SDPMediaStream} is made from. */
export interface SDPMediaStreamInit extends SDPMediaStreamOptions {
  /** "audio", "video", "message" … */
  media: string;
  /** 0 to 65535; 0 refuses or ends the stream. */
  port: number;
  /** "RTP/AVP", "RTP/SAVP" … */
  transport: string;
}

interface Fields {
  media: string;
  port: number;
  transport: string;
  portCount: number;
  formats: readonly string[];
  info: string | null;
  connection: BaseSDPConnection | null;
  attributes: SDPAttributeList | FrozenSDPAttributeList;
  bandwidthInfo: readonly BaseSDPBandwidthInfo[];
}

/** The payload types with a fixed meaning (RFC 3551, section 6). */
const STATIC_CODECS: ReadonlyMap<string, MediaCodec> = new Map([
  ["0", new MediaCodec("PCMU", 8000)],
  ["3", new MediaCodec("GSM", 8000)],
  ["4", new MediaCodec("G723", 8000)],
  ["5", new MediaCodec("DVI4", 8000)],
  ["6", new MediaCodec("DVI4", 16000)],
  ["7", new MediaCodec("LPC", 8000)],
  ["8", new MediaCodec("PCMA", 8000)],
  ["9", new MediaCodec("G722", 8000)],
  ["10", new MediaCodec("L16", 44100)],
  ["11", new MediaCodec("L16", 44100)],
  ["12", new MediaCodec("QCELP", 8000)],
  ["13", new MediaCodec("CN", 8000)],
  ["14", new MediaCodec("MPA", 90000)],
  ["15", new MediaCodec("G728", 8000)],
  ["16", new MediaCodec("DVI4", 11025)],
  ["17", new MediaCodec("DVI4", 22050)],
  ["18", new MediaCodec("G729", 8000)],
]);

const UNKNOWN_CODEC = new MediaCodec("Unknown", 0);

let write: (stream: BaseSDPMediaStream, fields: Partial<Fields>) => void;

/** What {@linkcode SDPMediaStream} and {@linkcode FrozenSDPMediaStream} share. */
export abstract class BaseSDPMediaStream {
  /** A copy, of the class on which it is called, with copies of all that it holds. */
  static from<T extends BaseSDPMediaStream>(
    this: new (init: SDPMediaStreamInit) => T,
    other: BaseSDPMediaStream,
  ): T {
    return new this(checkInstance(other, BaseSDPMediaStream, "other"));
  }

  /**
   * Parses a media section: an "m=" line and what follows it. Of i= and c= the first line counts; k= and
   * lines of unknown types are passed over, as SIP gives them no meaning.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseSDPMediaStream>(this: new (init: SDPMediaStreamInit) => T, text: string): T {
    return parsing("SDP media", text, () => new this(mediaStreamInit(parseLines(text))));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSDPMediaStream>(
    this: new (init: SDPMediaStreamInit) => T,
    text: string,
  ): T | null {
    return orNull(() => parsing("SDP media", text, () => new this(mediaStreamInit(parseLines(text)))));
  }

  static {
    write = (stream, fields) => Object.assign(stream.#fields, fields);
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(init: SDPMediaStreamInit, frozen: boolean) {
    checkConcrete(new.target, BaseSDPMediaStream);
    this.#fields = {
      media: checkWord(init.media, "media"),
      port: checkStreamPort(init.port),
      transport: checkWord(init.transport, "transport"),
      portCount: checkPortCount(init.portCount ?? 1),
      formats: copyFormats(init.formats ?? [], frozen),
      info: checkOptionalText(init.info, "info") || null,
      connection: copyConnection(init.connection ?? null, frozen),
      attributes: copyAttributes(init.attributes ?? [], frozen),
      bandwidthInfo: copyBandwidthInfo(init.bandwidthInfo ?? [], frozen),
    };
  }

  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** "audio", "video", "message" … */
  get media(): string {
    return this.#fields.media;
  }

  /** 0 when the stream is refused or has ended. */
  get port(): number {
    return this.#fields.port;
  }

  /** "RTP/AVP", "RTP/SAVP" … */
  get transport(): string {
    return this.#fields.transport;
  }

  /** How many consecutive ports. */
  get portCount(): number {
    return this.#fields.portCount;
  }

  /** Payload numbers or other formats, the preferred one first. */
  get formats(): readonly string[] {
    return this.#fields.formats;
  }

  /** The "i=" line, null when there is none. */
  get info(): string | null {
    return this.#fields.info;
  }

  /** The "c=" line, null when there is none. */
  get connection(): BaseSDPConnection | null {
    return this.#fields.connection;
  }

  /** The "a=" lines. */
  get attributes(): SDPAttributeList | FrozenSDPAttributeList {
    return this.#fields.attributes;
  }

  /** The "b=" lines. */
  get bandwidthInfo(): readonly BaseSDPBandwidthInfo[] {
    return this.#fields.bandwidthInfo;
  }

  /** The first direction among the attributes, "sendrecv" when there is none. */
  get direction(): MediaDirection {
    return this.#attributes.map(({ name }) => name).find(isDirection) ?? "sendrecv";
  }

  /**
   * The codec of each format of an audio or video stream, by "a=rtpmap" or the static payload types;
   * "Unknown" with rate 0 where neither tells. Empty for other media.
   */
  get codecList(): FrozenList<MediaCodec> {
    if (this.media !== "audio" && this.media !== "video") return new FrozenList();
    const mapped = new Map<string, MediaCodec>();
    for (const { name, value } of this.#attributes) {
      const map = name === "rtpmap" ? /^[ \t]*([0-9]+)[ \t]+([^\s/]+)\/([0-9]{1,10})/.exec(value) : null;
      if (map !== null && !mapped.has(map[1]!)) {
        mapped.set(map[1]!, new MediaCodec(map[2]!, Number(map[3])));
      }
    }
    return FrozenList.from(this.formats, (format) => {
      return mapped.get(format) ?? STATIC_CODECS.get(format) ?? UNKNOWN_CODEC;
    });
  }

  /** Whether the section holds both "a=ice-ufrag" and "a=ice-pwd". */
  get hasIceAttributes(): boolean {
    return this.attributes.has("ice-ufrag") && this.attributes.has("ice-pwd");
  }

  /** Whether the section holds any "a=candidate". */
  get hasIceCandidates(): boolean {
    return this.attributes.has("candidate");
  }

  /** Whether all components are equal. */
  equals(other: unknown): boolean {
    return other instanceof BaseSDPMediaStream &&
      this.media === other.media &&
      this.port === other.port &&
      this.transport === other.transport &&
      this.portCount === other.portCount &&
      equalItems(this.formats, other.formats) &&
      this.info === other.info &&
      (this.connection?.equals(other.connection) ?? other.connection === null) &&
      equalItems(this.attributes, other.attributes) &&
      equalItems(this.bandwidthInfo, other.bandwidthInfo);
  }

  /** The section as it stands in SDP, each line ended by CRLF. */
  toString(): string {
    const { media, port, portCount, transport, formats, info, connection } = this.#fields;
    const ports = portCount === 1 ? String(port) : `${port}/${portCount}`;
    // A changeable array is checked here, where what was put in reaches the wire.
    let text = `m=${media} ${ports} ${transport}`;
    for (const format of formats) text += ` ${checkFormat(format)}`;
    text += "\r\n";
    if (info !== null) text += `i=${info}\r\n`;
    if (connection !== null) text += `${connection}\r\n`;
    for (const line of this.bandwidthInfo) text += `${line}\r\n`;
    for (const line of this.#attributes) text += `${line}\r\n`;
    return text;
  }

  get #attributes(): readonly BaseSDPAttribute[] {
    return this.#fields.attributes;
  }
}

/**
 * A media section of SDP (RFC 8866, section 5.14): an "m=" line and what follows it.
 *
 * @example
 * ```ts
 * import { SDPAttribute, SDPMediaStream } from "@sipcore/sipcore";
 *
 * const stream = new SDPMediaStream("audio", 40000, "RTP/AVP", {
 *   formats: ["0", "8"],
 *   attributes: [new SDPAttribute("sendonly", "")],
 * });
 * stream.direction; // "sendonly"
 * stream.codecList.map(String); // ["PCMU/8000", "PCMA/8000"]
 * ```
 */
export class SDPMediaStream extends BaseSDPMediaStream {
  /** From its parts, which are copied. */
  constructor(media: string, port: number, transport: string, options?: SDPMediaStreamOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPMediaStreamInit);
  constructor(
    first: string | SDPMediaStreamInit,
    port?: number,
    transport?: string,
    options?: SDPMediaStreamOptions,
  ) {
    super(positional(first, port, transport, options), false);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The kind of the stream, such as "audio". */
  override get media(): string {
    return super.media;
  }
  override set media(media: string) {
    write(this, { media: checkWord(media, "media") });
  }

  /** The port; 0: the stream is refused or over. */
  override get port(): number {
    return super.port;
  }
  override set port(port: number) {
    write(this, { port: checkStreamPort(port) });
  }

  /** The transport, such as "RTP/AVP". */
  override get transport(): string {
    return super.transport;
  }
  override set transport(transport: string) {
    write(this, { transport: checkWord(transport, "transport") });
  }

  /** How many ports the stream takes. */
  override get portCount(): number {
    return super.portCount;
  }
  override set portCount(portCount: number) {
    write(this, { portCount: checkPortCount(portCount) });
  }

  /** The formats; for RTP the payload types. */
  override get formats(): string[] {
    return super.formats as string[];
  }
  override set formats(formats: Iterable<string>) {
    write(this, { formats: copyFormats(formats, false) });
  }

  /** The "i=" line; null when there is none. */
  override get info(): string | null {
    return super.info;
  }
  override set info(info: string | null) {
    write(this, { info: checkOptionalText(info, "info") || null });
  }

  /** The "c=" line; null when there is none. */
  override get connection(): SDPConnection | null {
    return super.connection as SDPConnection | null;
  }
  override set connection(connection: BaseSDPConnection | null) {
    write(this, { connection: copyConnection(connection, false) });
  }

  /** The "a=" lines. */
  override get attributes(): SDPAttributeList {
    return super.attributes as SDPAttributeList;
  }
  override set attributes(attributes: Iterable<BaseSDPAttribute>) {
    write(this, { attributes: copyAttributes(attributes, false) });
  }

  /** The "b=" lines. */
  override get bandwidthInfo(): SDPBandwidthInfo[] {
    return super.bandwidthInfo as SDPBandwidthInfo[];
  }
  override set bandwidthInfo(bandwidthInfo: Iterable<BaseSDPBandwidthInfo>) {
    write(this, { bandwidthInfo: copyBandwidthInfo(bandwidthInfo, false) });
  }
}

/** A {@linkcode SDPMediaStream} that never changes, nor does anything in it. */
export class FrozenSDPMediaStream extends BaseSDPMediaStream {
  /** From its parts, which are copied. */
  constructor(media: string, port: number, transport: string, options?: SDPMediaStreamOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPMediaStreamInit);
  constructor(
    first: string | SDPMediaStreamInit,
    port?: number,
    transport?: string,
    options?: SDPMediaStreamOptions,
  ) {
    super(positional(first, port, transport, options), true);
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }

  /** The formats; for RTP the payload types. */
  override get formats(): FrozenList<string> {
    return super.formats as FrozenList<string>;
  }

  /** The "c=" line; null when there is none. */
  override get connection(): FrozenSDPConnection | null {
    return super.connection as FrozenSDPConnection | null;
  }

  /** The "a=" lines. */
  override get attributes(): FrozenSDPAttributeList {
    return super.attributes as FrozenSDPAttributeList;
  }

  /** The "b=" lines. */
  override get bandwidthInfo(): FrozenList<FrozenSDPBandwidthInfo> {
    return super.bandwidthInfo as FrozenList<FrozenSDPBandwidthInfo>;
  }
}

export function copyConnection(
  connection: BaseSDPConnection | null,
  frozen: boolean,
): BaseSDPConnection | null {
  if (connection === null) return null;
  checkInstance(connection, BaseSDPConnection, "connection");
  // What never changes is shared, here and below.
  if (frozen && connection instanceof FrozenSDPConnection) return connection;
  return frozen ? FrozenSDPConnection.from(connection) : SDPConnection.from(connection);
}

export function copyAttributes(
  attributes: Iterable<BaseSDPAttribute>,
  frozen: boolean,
): SDPAttributeList | FrozenSDPAttributeList {
  if (!frozen) return new SDPAttributeList(attributes);
  if (attributes instanceof FrozenSDPAttributeList) return attributes;
  return isEmpty(attributes) ? noAttributes : new FrozenSDPAttributeList(attributes);
}

const noAttributes = new FrozenSDPAttributeList();
const noBandwidthInfo: FrozenList<FrozenSDPBandwidthInfo> = new FrozenList();

function isEmpty(items: Iterable<unknown>): boolean {
  return Array.isArray(items) && items.length === 0;
}

export function copyBandwidthInfo(
  bandwidthInfo: Iterable<BaseSDPBandwidthInfo>,
  frozen: boolean,
): BaseSDPBandwidthInfo[] {
  if (frozen && isEmpty(bandwidthInfo)) return noBandwidthInfo;
  return frozen
    ? new FrozenList([...bandwidthInfo].map(freezeBandwidthInfo))
    : [...bandwidthInfo].map((info) => SDPBandwidthInfo.from(info));
}

function freezeBandwidthInfo(info: BaseSDPBandwidthInfo): FrozenSDPBandwidthInfo {
  return info instanceof FrozenSDPBandwidthInfo ? info : FrozenSDPBandwidthInfo.from(info);
}

function copyFormats(formats: Iterable<string>, frozen: boolean): string[] {
  // A string is an iterable of strings too, and surely a mistake here.
  if (typeof formats === "string") throw new TypeError("formats must be a list of strings");
  const copy = [...formats].map(checkFormat);
  return frozen ? new FrozenList(copy) : copy;
}

function checkFormat(format: string): string {
  return checkWord(format, "formats");
}

function checkStreamPort(value: unknown): number {
  return checkInteger(value, "port", 0, 65535);
}

function checkPortCount(value: unknown): number {
  return checkInteger(value, "portCount", 1, 65535);
}

function isDirection(name: string): name is MediaDirection {
  return ["sendrecv", "sendonly", "recvonly", "inactive"].includes(name);
}

function positional(
  first: string | SDPMediaStreamInit,
  port: number | undefined,
  transport: string | undefined,
  options: SDPMediaStreamOptions | undefined,
): SDPMediaStreamInit {
  if (typeof first !== "string") return first;
  return {
    ...options,
    media: first,
    port: checkStreamPort(port),
    transport: checkWord(transport, "transport"),
  };
}

const PORTS = /^([0-9]+)(?:\/([0-9]+))?$/;

/** The media section in these lines, of which the first must be its "m="; its parts are frozen. */
export function mediaStreamInit(lines: readonly SDPLine[]): SDPMediaStreamInit {
  const first = lines[0];
  const rest = lines.slice(1);
  const words = first?.type === "m" ? wordsOf(first.value) : [];
  const ports = PORTS.exec(words[1] ?? "");
  if (ports === null || words.length < 3) throw new SyntaxError("no media, port and transport");
  if (rest.some((line) => line.type === "m")) throw new SyntaxError('more than one "m="');
  const connection = firstValue(rest, "c");
  return {
    media: words[0]!,
    port: Number(ports[1]),
    transport: words[2]!,
    portCount: Number(ports[2] ?? 1),
    formats: words.slice(3),
    info: firstValue(rest, "i") ?? null,
    connection: connection === undefined ? null : frozenConnection(connection),
    attributes: allValues(rest, "a").map(frozenAttribute),
    bandwidthInfo: allValues(rest, "b").map((value) => FrozenSDPBandwidthInfo.parse(value)),
  };
}
