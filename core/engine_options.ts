// SPDX-License-Identifier: GPL-2.0-or-later
import { checkBoolean, checkInteger, checkOptionalText, checkText } from "./check_argument.ts";
import {
  type CheckedEventPackages,
  checkEvents,
  checkIncomingEvents,
  defaultEvents,
  type EventPackages,
} from "./event_packages.ts";
import { type CheckedSessionTimer, checkSessionTimer, type SessionTimer } from "./session_timer.ts";
import { checkTLSOptions, defaultTLSOptions, type TLSOptions } from "./tls_options.ts";
import { isIPLiteral } from "./uri_parser.ts";
import { version } from "./version.ts";

/** The codec names that some build of pjproject knows, as they are written in SDP. */
const knownCodecs = ["opus", "G722", "speex", "PCMU", "PCMA", "iLBC", "GSM", "L16", "G729", "AMR", "AMR-WB"];

/** What `Engine.start()` takes. */
export interface EngineOptions extends TLSOptions {
  /** The shared library; null: found by environment, platform package and build folder, in this order. */
  libraryPath: string | null;
  /** The local address to bind, IPv4 or IPv6; null, as "0.0.0.0": all of IPv4; "::": all of IPv6. */
  ipAddress: string | null;
  /** 0: any free port; null: off, nothing comes and goes by UDP. */
  udpPort: number | null;
  /** 0: any free port; null: off, nothing comes and goes by TCP. */
  tcpPort: number | null;
  /** The User-Agent and Server header of what is sent. */
  userAgent: string;
  /** 0 to 6: the most talkative level of PJSIP's log that becomes SIPEngineLog. Free while nobody listens. */
  logLevel: number;
  /** Whether SIP messages become SIPEngineSIPTrace. Free while nobody listens. */
  traceSip: boolean;
  /**
   * Whether a request that a proxy has sent back to us, or that has come already by another way, gets 482 (RFC 3261,
   * sections 8.2.2.2 and 16.3). With it an engine cannot call itself through a proxy.
   */
  detectSipLoops: boolean;
  /** How many requests may wait for the program; beyond, and beyond 64 MiB, a 503 with Retry-After is sent. */
  maxPendingRequests: number;
  /** First and last UDP port for RTP and RTCP. */
  rtpPortRange: readonly [number, number];
  /** Audio codecs in order of preference; what this build lacks is skipped. */
  codecs: readonly string[];
  /** The event packages that are known, with their content types; given, they replace the default ones. */
  events: EventPackages;
  /** The event packages of which subscriptions may come in; other SUBSCRIBEs get 489. */
  incomingEvents: Iterable<string>;
  /**
   * The methods of requests that become an IncomingRequest, outside dialogs and within calls. MESSAGE and INFO within a
   * call are always its Invitation's.
   */
  incomingRequests: Iterable<string>;
  /** The session timer of calls that name none; null: one is kept when the peer asks for it. */
  sessionTimer: SessionTimer | null;
}

/** The options as they are kept: copied and checked. */
export interface CheckedOptions extends EngineOptions {
  events: CheckedEventPackages;
  incomingEvents: ReadonlySet<string>;
  incomingRequests: ReadonlySet<string>;
  sessionTimer: CheckedSessionTimer | null;
}

export const defaultStartOptions: Readonly<CheckedOptions> = Object.freeze({
  libraryPath: null,
  ipAddress: null,
  udpPort: 0,
  tcpPort: 0,
  ...defaultTLSOptions,
  userAgent: `sipcore-${version}-pjsip-2.17`,
  logLevel: 5,
  traceSip: false,
  detectSipLoops: true,
  maxPendingRequests: 10_000,
  rtpPortRange: Object.freeze([40000, 40100] as const),
  codecs: Object.freeze(["opus", "G722", "speex", "PCMU", "PCMA", "iLBC", "GSM"]),
  events: defaultEvents,
  incomingEvents: new Set<string>(),
  incomingRequests: new Set<string>(),
  sessionTimer: null,
});

/** Methods with objects, or automatic handling, of their own. */
const reservedMethods: ReadonlySet<string> = new Set([
  "INVITE",
  "SUBSCRIBE",
  "REFER",
  "ACK",
  "BYE",
  "CANCEL",
]);

export function checkListeningPort(value: unknown, argument: string): number | null {
  return value === null ? null : checkInteger(value, argument, 0, 65535);
}

export function checkUserAgent(value: unknown): string {
  return checkText(value, "userAgent");
}

export function checkLogLevel(value: unknown): number {
  return checkInteger(value, "logLevel", 0, 6);
}

export function checkMaxPendingRequests(value: unknown): number {
  return checkInteger(value, "maxPendingRequests", 1, 1_000_000);
}

export function checkTraceSip(value: unknown): boolean {
  return checkBoolean(value, "traceSip");
}

export function checkRtpPortRange(value: unknown): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) {
    throw new TypeError("rtpPortRange must be an array of two ports");
  }
  const first = checkInteger(value[0], "rtpPortRange[0]", 1, 65535);
  const last = checkInteger(value[1], "rtpPortRange[1]", 1, 65535);
  if (last - (first + first % 2) < 1) {
    throw new RangeError(`rtpPortRange must hold an even port and the next one, got [${first}, ${last}]`);
  }
  return Object.freeze([first, last] as const);
}

/** Known names in the spelling of SDP. */
export function checkCodecs(value: unknown, argument: string = "codecs"): readonly string[] {
  if (value === null || typeof value !== "object" || !(Symbol.iterator in value)) {
    throw new TypeError(`${argument} must be a list of names`);
  }
  const names: string[] = [];
  for (const item of value as Iterable<unknown>) {
    const given = checkText(item, `${argument}[${names.length}]`);
    const name = knownCodecs.find((known) => known.toLowerCase() === given.toLowerCase());
    if (name === undefined) throw new RangeError(`${argument} holds the unknown codec "${given}"`);
    if (names.includes(name)) throw new RangeError(`${argument} holds "${given}" twice`);
    names.push(name);
  }
  return Object.freeze(names);
}

export function checkIncomingMethod(value: unknown): string {
  const method = checkText(value, "method");
  if (!/^[A-Za-z0-9.!%*_+`'~-]{1,31}$/.test(method)) {
    throw new RangeError(`method must be a token of 31 characters at most, got "${method}"`);
  }
  if (reservedMethods.has(method)) {
    throw new RangeError(`${method} cannot become an IncomingRequest`);
  }
  return method;
}

function checkIncomingMethods(value: unknown): ReadonlySet<string> {
  if (value === null || typeof value !== "object" || !(Symbol.iterator in value)) {
    throw new TypeError("incomingRequests must be a list of methods");
  }
  return new Set([...value as Iterable<unknown>].map(checkIncomingMethod));
}

/** Throws TypeError or RangeError that names the option. */
export function checkOptions(options: Partial<EngineOptions>): CheckedOptions {
  const entries = Object.entries(options);
  for (const [name] of entries) {
    if (!Object.hasOwn(defaultStartOptions, name) && name !== "signal") {
      throw new TypeError(`There is no option "${name}"`);
    }
  }
  const set = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  const given: EngineOptions = { ...defaultStartOptions, ...set };
  if (given.ipAddress !== null && !isIPLiteral(checkText(given.ipAddress, "ipAddress"))) {
    throw new RangeError(`ipAddress must be an IP address, got "${given.ipAddress}"`);
  }
  if (given.ipAddress?.startsWith("[")) given.ipAddress = given.ipAddress.slice(1, -1);
  const events = checkEvents(given.events);
  return {
    libraryPath: checkOptionalText(given.libraryPath, "libraryPath"),
    ipAddress: given.ipAddress,
    udpPort: checkListeningPort(given.udpPort, "udpPort"),
    tcpPort: checkListeningPort(given.tcpPort, "tcpPort"),
    ...checkTLSOptions(given),
    userAgent: checkUserAgent(given.userAgent),
    logLevel: checkLogLevel(given.logLevel),
    traceSip: checkTraceSip(given.traceSip),
    detectSipLoops: checkBoolean(given.detectSipLoops, "detectSipLoops"),
    maxPendingRequests: checkMaxPendingRequests(given.maxPendingRequests),
    rtpPortRange: checkRtpPortRange(given.rtpPortRange),
    codecs: checkCodecs(given.codecs),
    events,
    incomingEvents: checkIncomingEvents(given.incomingEvents, events),
    incomingRequests: checkIncomingMethods(given.incomingRequests),
    sessionTimer: checkSessionTimer(given.sessionTimer),
  };
}
