// SPDX-License-Identifier: GPL-2.0-or-later
import {
  checkConcrete,
  checkInstance,
  checkInteger,
  checkOptionalText,
  checkText,
  checkWord,
} from "./check_argument.ts";
import { equalItems, FrozenList } from "./frozen.ts";
import { orNull, parsing } from "./parsing.ts";
import {
  type BaseSDPAttribute,
  frozenAttribute,
  type FrozenSDPAttributeList,
  type SDPAttributeList,
} from "./sdp_attribute.ts";
import {
  type BaseSDPBandwidthInfo,
  FrozenSDPBandwidthInfo,
  type SDPBandwidthInfo,
} from "./sdp_bandwidth_info.ts";
import {
  addressTypeOf,
  type BaseSDPConnection,
  frozenConnection,
  type FrozenSDPConnection,
  type SDPConnection,
} from "./sdp_connection.ts";
import { allValues, firstValue, parseLines, type SDPLine, wordsOf } from "./sdp_lines.ts";
import {
  type BaseSDPMediaStream,
  copyAttributes,
  copyBandwidthInfo,
  copyConnection,
  FrozenSDPMediaStream,
  mediaStreamInit,
  SDPMediaStream,
} from "./sdp_media_stream.ts";

/** What may be left out of {@linkcode SDPSession}. */
export interface SDPSessionOptions {
  /** The session's number, 0 to 2^64 - 1; null or left out: the current time in NTP seconds. */
  id?: number | bigint | null;
  /** The number of this version of it; null or left out: the current time in NTP seconds. */
  version?: number | bigint | null;
  /** Default "-". */
  user?: string;
  /** Default "IN". */
  netType?: string;
  /** Default "IP6" when the address has a colon, else "IP4". */
  addressType?: string;
  /** The "s=" line. Default " ". */
  name?: string;
  /** The "i=" line; null or "": none. */
  info?: string | null;
  /** The "c=" line; null: none. */
  connection?: BaseSDPConnection | null;
  /** When the session begins, in NTP seconds. Default 0: at any time. */
  startTime?: number;
  /** When it ends, in NTP seconds. Default 0: never. */
  stopTime?: number;
  /** The session's "a=" lines. */
  attributes?: Iterable<BaseSDPAttribute>;
  /** The session's "b=" lines. */
  bandwidthInfo?: Iterable<BaseSDPBandwidthInfo>;
  /** The media sections. */
  media?: Iterable<BaseSDPMediaStream>;
}

/** What {@linkcode SDPSession} is made from. */
export interface SDPSessionInit extends SDPSessionOptions {
  /** The address in the "o=" line. */
  address: string;
}

interface Fields {
  address: string;
  id: bigint;
  version: bigint;
  user: string;
  netType: string;
  addressType: string;
  name: string;
  info: string | null;
  connection: BaseSDPConnection | null;
  startTime: number;
  stopTime: number;
  attributes: SDPAttributeList | FrozenSDPAttributeList;
  bandwidthInfo: readonly BaseSDPBandwidthInfo[];
  media: readonly BaseSDPMediaStream[];
}

/** What belongs to ICE (RFC 8839, section 5). */
const ICE_ATTRIBUTES = [
  "candidate",
  "remote-candidates",
  "ice-lite",
  "ice-mismatch",
  "ice-ufrag",
  "ice-pwd",
  "ice-pacing",
  "ice-options",
];

const MOST_ID = 2n ** 64n - 1n;
/** From 1900, where NTP begins, to 1970. */
const NTP_OFFSET = 2_208_988_800;

let write: (session: BaseSDPSession, fields: Partial<Fields>) => void;

/** What {@linkcode SDPSession} and {@linkcode FrozenSDPSession} share. */
export abstract class BaseSDPSession {
  /** A copy, of the class on which it is called, with copies of all that it holds. */
  static from<T extends BaseSDPSession>(this: new (init: SDPSessionInit) => T, other: BaseSDPSession): T {
    return new this(checkInstance(other, BaseSDPSession, "other"));
  }

  /**
   * Parses a whole session description. Of s=, i=, c= and t= the first line counts, s= and t= may be
   * missing; u=, e=, p=, r=, z=, k= and lines of unknown types are passed over, as SIP gives them no meaning.
   *
   * @throws SIPCoreError for malformed text, and for text beyond 262,144 characters or 8,192 lines.
   */
  static parse<T extends BaseSDPSession>(this: new (init: SDPSessionInit) => T, text: string): T {
    return parsing("SDP", text, () => new this(sessionInit(parseLines(text))));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseSDPSession>(this: new (init: SDPSessionInit) => T, text: string): T | null {
    return orNull(() => parsing("SDP", text, () => new this(sessionInit(parseLines(text)))));
  }

  static {
    write = (session, fields) => Object.assign(session.#fields, fields);
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(given: SDPSessionInit, frozen: boolean) {
    checkConcrete(new.target, BaseSDPSession);
    // The fields of a session are exact where its getters round.
    const init: SDPSessionInit = given instanceof BaseSDPSession ? given.#fields : given;
    const address = checkWord(init.address, "address");
    this.#fields = {
      address,
      id: checkId(init.id ?? ntpSeconds(), "id"),
      version: checkId(init.version ?? ntpSeconds(), "version"),
      user: checkWord(init.user ?? "-", "user"),
      netType: checkWord(init.netType ?? "IN", "netType"),
      addressType: checkWord(init.addressType ?? addressTypeOf(address), "addressType"),
      name: checkText(init.name ?? " ", "name"),
      info: checkOptionalText(init.info, "info") || null,
      connection: copyConnection(init.connection ?? null, frozen),
      startTime: checkTime(init.startTime ?? 0, "startTime"),
      stopTime: checkTime(init.stopTime ?? 0, "stopTime"),
      attributes: copyAttributes(init.attributes ?? [], frozen),
      bandwidthInfo: copyBandwidthInfo(init.bandwidthInfo ?? [], frozen),
      media: copyMedia(init.media ?? [], frozen),
    };
  }

  /** Whether this is the twin that never changes. */
  abstract get frozen(): boolean;

  /** The address in the "o=" line. */
  get address(): string {
    return this.#fields.address;
  }

  /** The session's number. Beyond 2^53 it is rounded here; printing, copying and comparing keep all digits. */
  get id(): number {
    return Number(this.#fields.id);
  }

  /** The number of this version of the session. Beyond 2^53 as with `id`. */
  get version(): number {
    return Number(this.#fields.version);
  }

  /** The user in the "o=" line. */
  get user(): string {
    return this.#fields.user;
  }

  /** The type of the network in the "o=" line: "IN". */
  get netType(): string {
    return this.#fields.netType;
  }

  /** The type of the address in the "o=" line: "IP4" or "IP6". */
  get addressType(): string {
    return this.#fields.addressType;
  }

  /** The "s=" line. */
  get name(): string {
    return this.#fields.name;
  }

  /** The "i=" line, null when there is none. */
  get info(): string | null {
    return this.#fields.info;
  }

  /** The "c=" line, null when there is none. */
  get connection(): BaseSDPConnection | null {
    return this.#fields.connection;
  }

  /** When the session begins, in NTP seconds; 0: at any time. */
  get startTime(): number {
    return this.#fields.startTime;
  }

  /** When it ends, in NTP seconds; 0: never. */
  get stopTime(): number {
    return this.#fields.stopTime;
  }

  /** The session's "a=" lines. */
  get attributes(): SDPAttributeList | FrozenSDPAttributeList {
    return this.#fields.attributes;
  }

  /** The session's "b=" lines. */
  get bandwidthInfo(): readonly BaseSDPBandwidthInfo[] {
    return this.#fields.bandwidthInfo;
  }

  /** The media sections. */
  get media(): readonly BaseSDPMediaStream[] {
    return this.#fields.media;
  }

  /** Whether any attribute of ICE stands in the session or in a media section. */
  get hasIceProposal(): boolean {
    return [this, ...this.media].some(({ attributes }) =>
      ICE_ATTRIBUTES.some((name) => attributes.has(name))
    );
  }

  /** Whether all components are equal. */
  equals(other: unknown): boolean {
    if (!(other instanceof BaseSDPSession)) return false;
    const a = this.#fields;
    const b = other.#fields;
    return a.address === b.address &&
      a.id === b.id &&
      a.version === b.version &&
      a.user === b.user &&
      a.netType === b.netType &&
      a.addressType === b.addressType &&
      a.name === b.name &&
      a.info === b.info &&
      (a.connection?.equals(b.connection) ?? b.connection === null) &&
      a.startTime === b.startTime &&
      a.stopTime === b.stopTime &&
      equalItems(a.attributes, b.attributes) &&
      equalItems(a.bandwidthInfo, b.bandwidthInfo) &&
      equalItems(a.media, b.media);
  }

  /** The session description, each line ended by CRLF. */
  toString(): string {
    const { user, id, version, netType, addressType, address, name, info, connection } = this.#fields;
    let text = `v=0\r\no=${user} ${id} ${version} ${netType} ${addressType} ${address}\r\ns=${name}\r\n`;
    if (info !== null) text += `i=${info}\r\n`;
    if (connection !== null) text += `${connection}\r\n`;
    for (const line of this.bandwidthInfo) text += `${line}\r\n`;
    text += `t=${this.startTime} ${this.stopTime}\r\n`;
    for (const line of this.attributes) text += `${line}\r\n`;
    return text + this.media.join("");
  }
}

/**
 * A session description (SDP, RFC 8866), as offers and answers carry it (RFC 3264).
 *
 * @example
 * ```ts
 * import { SDPConnection, SDPMediaStream, SDPSession } from "@sipcore/sipcore";
 *
 * const sdp = new SDPSession("192.0.2.1", {
 *   connection: new SDPConnection("192.0.2.1"),
 *   media: [new SDPMediaStream("audio", 40000, "RTP/AVP", { formats: ["0"] })],
 * });
 * sdp.media[0]!.port = 40002;
 * SDPSession.parse(sdp.toString()).equals(sdp); // true
 * ```
 */
export class SDPSession extends BaseSDPSession {
  /** From its parts, which are copied. */
  constructor(address: string, options?: SDPSessionOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPSessionInit);
  constructor(first: string | SDPSessionInit, options?: SDPSessionOptions) {
    super(typeof first === "string" ? { ...options, address: first } : first, false);
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The address in the "o=" line. */
  override get address(): string {
    return super.address;
  }
  /** The address type stays as it is. */
  override set address(address: string) {
    write(this, { address: checkWord(address, "address") });
  }

  /** The id of the session in the "o=" line. */
  override get id(): number {
    return super.id;
  }
  override set id(id: number | bigint) {
    write(this, { id: checkId(id, "id") });
  }

  /** The version of the session, which goes up with each change. */
  override get version(): number {
    return super.version;
  }
  override set version(version: number | bigint) {
    write(this, { version: checkId(version, "version") });
  }

  /** The user in the "o=" line. */
  override get user(): string {
    return super.user;
  }
  override set user(user: string) {
    write(this, { user: checkWord(user, "user") });
  }

  /** The type of the network in the "o=" line: "IN". */
  override get netType(): string {
    return super.netType;
  }
  override set netType(netType: string) {
    write(this, { netType: checkWord(netType, "netType") });
  }

  /** The type of the address in the "o=" line: "IP4" or "IP6". */
  override get addressType(): string {
    return super.addressType;
  }
  override set addressType(addressType: string) {
    write(this, { addressType: checkWord(addressType, "addressType") });
  }

  /** The "s=" line. */
  override get name(): string {
    return super.name;
  }
  override set name(name: string) {
    write(this, { name: checkText(name, "name") });
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

  /** The start in the "t=" line; 0: none. */
  override get startTime(): number {
    return super.startTime;
  }
  override set startTime(startTime: number) {
    write(this, { startTime: checkTime(startTime, "startTime") });
  }

  /** The end in the "t=" line; 0: none. */
  override get stopTime(): number {
    return super.stopTime;
  }
  override set stopTime(stopTime: number) {
    write(this, { stopTime: checkTime(stopTime, "stopTime") });
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

  /** The streams. */
  override get media(): SDPMediaStream[] {
    return super.media as SDPMediaStream[];
  }
  override set media(media: Iterable<BaseSDPMediaStream>) {
    write(this, { media: copyMedia(media, false) });
  }
}

/** A {@linkcode SDPSession} that never changes, nor does anything in it. */
export class FrozenSDPSession extends BaseSDPSession {
  /** From its parts, which are copied. */
  constructor(address: string, options?: SDPSessionOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: SDPSessionInit);
  constructor(first: string | SDPSessionInit, options?: SDPSessionOptions) {
    super(typeof first === "string" ? { ...options, address: first } : first, true);
    Object.freeze(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
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

  /** The streams. */
  override get media(): FrozenList<FrozenSDPMediaStream> {
    return super.media as FrozenList<FrozenSDPMediaStream>;
  }
}

function copyMedia(media: Iterable<BaseSDPMediaStream>, frozen: boolean): BaseSDPMediaStream[] {
  return frozen
    ? new FrozenList([...media].map(freezeMedia))
    : [...media].map((stream) => SDPMediaStream.from(stream));
}

function freezeMedia(stream: BaseSDPMediaStream): FrozenSDPMediaStream {
  return stream instanceof FrozenSDPMediaStream ? stream : FrozenSDPMediaStream.from(stream);
}

function ntpSeconds(): number {
  return (Math.floor(Date.now() / 1000) + NTP_OFFSET) >>> 0;
}

function checkId(value: unknown, argument: string): bigint {
  if (typeof value !== "bigint") return BigInt(checkInteger(value, argument, 0, Number.MAX_SAFE_INTEGER));
  if (value < 0n || value > MOST_ID) {
    throw new RangeError(`${argument} must be from 0 to ${MOST_ID}, got ${value}`);
  }
  return value;
}

function checkTime(value: unknown, argument: string): number {
  return checkInteger(value, argument, 0, Number.MAX_SAFE_INTEGER);
}

/** Its parts are frozen: a frozen session takes them as they are. */
function sessionInit(lines: readonly SDPLine[]): SDPSessionInit {
  const starts: number[] = [];
  for (let index = 0; index < lines.length; index++) if (lines[index]!.type === "m") starts.push(index);
  const session = lines.slice(0, starts[0]);
  if (session[0]?.type !== "v" || session[0].value.trim() !== "0") {
    throw new SyntaxError('it does not begin with "v=0"');
  }
  const connection = firstValue(session, "c");
  return {
    ...parseOrigin(firstValue(session, "o")),
    name: firstValue(session, "s") ?? " ",
    info: firstValue(session, "i") ?? null,
    connection: connection === undefined ? null : frozenConnection(connection),
    ...parseTimes(firstValue(session, "t") ?? "0 0"),
    attributes: allValues(session, "a").map(frozenAttribute),
    bandwidthInfo: allValues(session, "b").map((value) => FrozenSDPBandwidthInfo.parse(value)),
    media: starts.map((start, index) => {
      return new FrozenSDPMediaStream(mediaStreamInit(lines.slice(start, starts[index + 1])));
    }),
  };
}

function parseOrigin(text: string = ""): SDPSessionInit {
  const words = wordsOf(text);
  const [user, id, version, netType, addressType, address] = words;
  if (words.length !== 6) throw new SyntaxError('no six words in "o="');
  return {
    user: user!,
    id: parseNumber(id!),
    version: parseNumber(version!),
    netType: netType!,
    addressType: addressType!,
    address: address!,
  };
}

const anyTime = { startTime: 0, stopTime: 0 };

function parseTimes(text: string): { startTime: number; stopTime: number } {
  if (text === "0 0") return anyTime;
  const [startTime, stopTime, ...rest] = wordsOf(text);
  if (stopTime === undefined || rest.length > 0) throw new SyntaxError('no two words in "t="');
  return { startTime: Number(parseNumber(startTime!)), stopTime: Number(parseNumber(stopTime)) };
}

const NUMBER = /^[0-9]{1,20}$/;

function parseNumber(text: string): bigint {
  if (!NUMBER.test(text)) throw new SyntaxError(`"${text.slice(0, 40)}" is no number of 64 bits`);
  return BigInt(text);
}
