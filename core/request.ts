// SPDX-License-Identifier: GPL-2.0-or-later
import { randomUUID } from "node:crypto";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader, type Writer } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import { checkInstance, checkInteger, checkToken, checkWord } from "./check_argument.ts";
import { connectionName } from "./connection_losses.ts";
import { checkContent, type Content } from "./content.ts";
import { BaseCredentials, FrozenCredentials, writeCredentials } from "./credentials.ts";
import { endSender, post } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { Engine } from "./engine.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { Expiry } from "./expiry.ts";
import { checkExtraHeaders, checkUriHeaders, writeHeaders } from "./extra_headers.ts";
import { FrozenList } from "./frozen.ts";
import { grantedSeconds } from "./granted_seconds.ts";
import { emptyHeaderMap, frozenHeader } from "./header_map.ts";
import {
  BaseContactHeader,
  BaseFromHeader,
  type BaseHeader,
  BaseRouteHeader,
  BaseToHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  FrozenToHeader,
} from "./headers.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { readPeerMessage } from "./peer_message.ts";
import { hold, release } from "./registry.ts";
import type { RequestNotifications, RequestResponse } from "./request_notifications.ts";
import type { RequestOptions, SendOptions } from "./request_options.ts";
import { type CheckedRoute, checkRoute } from "./route.ts";
import { endCount, running, runningOrNull, statusText } from "./running.ts";
import type { SIPMessage } from "./sip_message.ts";
import { tagged } from "./tagged.ts";
import { checkTimeout } from "./timeout.ts";
import { BaseSIPURI, FrozenSIPURI, SIPURI } from "./uri.ts";

/** The states of a Request. */
export type RequestState = "INIT" | "IN_PROGRESS" | "EXPIRING" | "TERMINATED";

/** What came of a request, for its owner. */
export interface RequestOutcome {
  /** What was posted: decoded when it is read. */
  readonly response: RequestResponse;
  /** 0 for a failure. */
  readonly expires: number;
  readonly time: Date;
  /** The name of the connection that the response came over; null: there is none. */
  readonly connection: string | null;
}

/** Who sends a request on behalf of something else; told right after the notification. */
export interface RequestOwner {
  succeeded(outcome: RequestOutcome): void;
  failed(outcome: RequestOutcome): void;
  willExpire(expires: number): void;
  ended(): void;
}

const forbiddenMethods: ReadonlySet<string> = new Set(["INVITE", "ACK", "CANCEL"]);
/** Without a Contact they are malformed. */
const withContact: ReadonlySet<string> = new Set(["SUBSCRIBE", "REFER", "NOTIFY", "UPDATE"]);

/** A status code. */
const unavailable = 503;

let adopt: (request: Request, owner: RequestOwner) => void;

/** Not for programs: what becomes of the request is told to this owner too. */
export function ownRequest(request: Request, owner: RequestOwner): void {
  adopt(request, owner);
}

/**
 * A request outside dialogs, and what is answered to it (RFC 3261, section 17.1), from INIT over IN_PROGRESS and, when
 * the answer holds for a time only, EXPIRING to TERMINATED.
 *
 * The first 401 or 407 is answered by itself when there are `credentials` for its realm, with the strongest hash that
 * it offers; a second one is a failure, whatever it says.
 *
 * @example
 * ```ts
 * import { Engine, FromHeader, Request, RouteHeader, SIPURI, ToHeader } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * const uri = SIPURI.parse(`sip:127.0.0.1:${engine.udpPort}`);
 * const request = new Request({
 *   method: "OPTIONS",
 *   requestUri: uri,
 *   fromHeader: new FromHeader(SIPURI.parse("sip:alice@127.0.0.1")),
 *   toHeader: new ToHeader(uri),
 *   routeHeader: RouteHeader.to({ address: uri.host, port: uri.port }),
 * });
 * const notifications = request.notifications("SIPRequestDidFail");
 * request.send({ timeout: 5 });
 * for await (const { data } of notifications) console.log(data.code, data.reason);
 * ```
 */
export class Request {
  static #expireWarningTime = 30;

  /** How many seconds before the end SIPRequestWillExpire comes; half of the time when that is less. Default 30. */
  static get expireWarningTime(): number {
    return Request.#expireWarningTime;
  }
  static set expireWarningTime(seconds: number) {
    if (typeof seconds !== "number") throw new TypeError("expireWarningTime must be a number");
    if (!(seconds >= 0)) throw new RangeError(`expireWarningTime must be 0 or more, got ${seconds}`);
    Request.#expireWarningTime = seconds;
  }

  /** The method, as it was given. */
  readonly method: string;
  /** The Request-URI. */
  readonly requestUri: FrozenSIPURI;
  /** With its tag. */
  readonly fromHeader: FrozenFromHeader;
  /** The route over which it went. */
  readonly routeHeader: FrozenRouteHeader;
  /** What challenges are answered with; null: nothing. */
  readonly credentials: FrozenCredentials | null;
  /** The Contact header; null when there is none. */
  readonly contactHeader: FrozenContactHeader | null;
  /** The Call-ID, which was made if none was given. */
  readonly callId: string;
  /** Headers beside those that the library writes by itself. */
  readonly extraHeaders: FrozenList<BaseHeader>;
  /** The type of the body; null when there is none. */
  readonly contentType: string | null;
  /** @internal */
  readonly isLeaving = false;
  readonly #route: CheckedRoute;
  readonly #uriHeaders: readonly BaseHeader[];
  readonly #content: Content;
  readonly #body: Body | null;
  readonly #madeAt: number = endCount();
  #toHeader: () => FrozenToHeader;
  #cseq: number;
  #state: RequestState = "INIT";
  #serial: Serial<"request"> | null = null;
  #peerAddress: EndpointAddress | null = null;
  #expiry: Expiry | null = null;
  #owner: RequestOwner | null = null;
  #hasEnded = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unlisten: () => void = () => {};

  /**
   * With what it will be sent; the arguments are copied and checked.
   *
   * @throws TypeError and RangeError for bad arguments; SIPCoreInvalidStateError when a Contact has to be made and the
   * engine does not run.
   */
  constructor(options: RequestOptions) {
    this.method = checkToken(options.method, "method");
    if (forbiddenMethods.has(this.method)) throw new RangeError(`method must not be ${this.method}`);
    this.requestUri = FrozenSIPURI.from(checkInstance(options.requestUri, BaseSIPURI, "requestUri"));
    this.#uriHeaders = checkUriHeaders(this.requestUri);
    const from = FrozenFromHeader.from(checkInstance(options.fromHeader, BaseFromHeader, "fromHeader"));
    this.fromHeader = from.tag === null ? tagged(FrozenFromHeader, from, randomTag()) : from;
    const to = FrozenToHeader.from(checkInstance(options.toHeader, BaseToHeader, "toHeader"));
    this.#toHeader = () => to;
    this.routeHeader = FrozenRouteHeader.from(
      checkInstance(options.routeHeader, BaseRouteHeader, "routeHeader"),
    );
    this.#route = checkRoute(this.routeHeader);
    this.credentials = options.credentials
      ? FrozenCredentials.from(checkInstance(options.credentials, BaseCredentials, "credentials"))
      : null;
    this.callId = checkWord(options.callId ?? randomUUID(), "callId");
    // The answer to a challenge has one more (RFC 3261, section 8.1.1.5: less than 2^31).
    this.#cseq = checkInteger(options.cseq ?? 1, "cseq", 0, 2 ** 31 - 2);
    this.extraHeaders = new FrozenList(checkExtraHeaders(options.extraHeaders).map(frozenHeader));
    this.contentType = options.contentType ?? null;
    this.#content = checkContent(options.contentType, options.body);
    this.#body = typeof options.body === "string" ? options.body : null;
    if (this.#body === null && this.contentType !== null) {
      this.#content = { ...this.#content, bytes: this.#content.bytes.slice() };
    }
    this.contactHeader = this.#contactOf(options.contactHeader);
  }

  #contactOf(given: BaseContactHeader | null | undefined): FrozenContactHeader | null {
    if (given) return FrozenContactHeader.from(checkInstance(given, BaseContactHeader, "contactHeader"));
    if (given === null || !withContact.has(this.method)) return null;
    const { user } = this.fromHeader.uri;
    return new FrozenContactHeader(new Engine().contactUri(this.routeHeader, { user }));
  }

  static {
    adopt = (request, owner) => request.#owner = owner;
  }

  /** The state. */
  get state(): RequestState {
    return this.#state;
  }

  /** The To header; once there is a response, that of the response, with the tag. */
  get toHeader(): FrozenToHeader {
    return this.#toHeader();
  }

  /** The number in CSeq; one more once a challenge was answered. */
  get cseq(): number {
    return this.#cseq;
  }

  /** The body; of bytes a copy. */
  get body(): Body | null {
    return this.#body ?? (this.contentType === null ? null : this.#content.bytes.slice());
  }

  /** Whole seconds until it expires; 0 unless it is EXPIRING. */
  get expiresIn(): number {
    return this.#expiry?.left ?? 0;
  }

  /** Where the last response came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#peerAddress && { ...this.#peerAddress };
  }

  /**
   * Sends it. Returns at once; a failure to send comes as SIPRequestDidFail with code 0.
   *
   * @throws SIPCoreInvalidStateError when it was sent before, or the engine does not run, or was stopped since; TypeError
   * and RangeError for bad options; the signal's reason when it has aborted.
   */
  send(options: SendOptions = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#state !== "INIT") {
      throw new SIPCoreInvalidStateError("Could not send: the request was sent before", this.#state);
    }
    const native = running();
    if (this.#madeAt !== endCount()) {
      throw new SIPCoreInvalidStateError("Could not send: the engine was stopped since", this.#state);
    }
    const args = this.#write();
    const serial = native.sc_request_create(args.block, args.size, status);
    this.#state = "IN_PROGRESS";
    if (serial === 0) {
      const reason = statusText(status[0]!);
      queueMicrotask(() => this.#failed(0, reason, null, null, new Date()));
      return;
    }
    this.#serial = serial;
    hold(serial, this);
    if (timeout !== null) this.#timer = setTimeout(() => this.end(), timeout * 1000);
    if (signal) {
      const abort = () => this.end();
      signal.addEventListener("abort", abort, { once: true });
      this.#unlisten = () => signal.removeEventListener("abort", abort);
    }
  }

  #write(): Writer {
    let uri: BaseSIPURI = this.requestUri;
    const headers: BaseHeader[] = [this.fromHeader, this.#toHeader()];
    if (this.contactHeader) headers.push(this.contactHeader);
    if (this.#uriHeaders.length > 0) {
      headers.push(...this.#uriHeaders);
      uri = SIPURI.from(uri);
      (uri as SIPURI).headers = {};
    }
    headers.push(...this.extraHeaders);
    const { body, tlsName } = this.#route;
    const args = argumentBlock().text(this.method).text(uri.toString()).text(body).text(tlsName)
      .text(this.callId).u32(this.#cseq);
    writeHeaders(args, headers).text(this.#content.type).bytes(this.#content.bytes);
    return writeCredentials(args, this.credentials);
  }

  /**
   * Ends it: IN_PROGRESS it fails with 408 and nothing more is waited for, EXPIRING it comes to its end at once; in any
   * other state nothing happens.
   */
  end(): void {
    if (this.#state === "EXPIRING") queueMicrotask(() => this.#ended());
    else if (this.#serial !== null) runningOrNull()?.sc_request_end(this.#serial);
  }

  /** The stream of this request's notifications, all or those of the names given. */
  notifications<const N extends keyof RequestNotifications = keyof RequestNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** `end()`. */
  [Symbol.dispose](): void {
    this.end();
  }

  /** @internal */
  receive(_kind: number, time: Date, reader: Reader): void {
    const code = reader.u32();
    this.#cseq = reader.u32();
    const reason = reader.text();
    const local = reader.text();
    const { message, peerAddress, transport } = readPeerMessage(reader);
    if (message) this.#heard(message, peerAddress);
    // 0 is the failure to send the answer to a challenge.
    if (code >= 100 && code < 200) {
      post("SIPRequestGotProvisionalResponse", this, responseOf(code, reason, message), { timestamp: time });
      return;
    }
    const connection = local && peerAddress
      ? connectionName({
        transport: transport ?? "tcp",
        localAddress: local,
        remoteAddress: printAddress(peerAddress),
      })
      : null;
    if (code < 300 && message) this.#succeeded(code, message, connection, time);
    else this.#failed(code, reason, message, connection, time);
  }

  #heard(message: SIPMessage, peerAddress: EndpointAddress | null): void {
    this.#peerAddress = peerAddress;
    const before = this.#toHeader;
    this.#toHeader = () => message.to ?? before();
  }

  /** The final response has come, or never will. */
  #settle(): void {
    clearTimeout(this.#timer);
    this.#unlisten();
    this.#unlisten = () => {};
  }

  #succeeded(code: number, message: SIPMessage, connection: string | null, time: Date): void {
    this.#settle();
    const expires = grantedSeconds(message, this.contactHeader, this.extraHeaders);
    this.#state = expires > 0 ? "EXPIRING" : "TERMINATED";
    if (expires > 0) {
      this.#expiry = new Expiry({
        seconds: expires,
        since: time,
        warningTime: Request.#expireWarningTime,
        warn: (left) => this.#willExpire(left),
        end: () => this.#ended(),
      });
    }
    const response = responseOf(code, "", message);
    post("SIPRequestDidSucceed", this, Object.assign(responseOf(code, "", message), { expires }), {
      timestamp: time,
    });
    this.#owner?.succeeded({ response, expires, time, connection });
    if (expires === 0) this.#ended();
  }

  #failed(
    code: number,
    reason: string,
    message: SIPMessage | null,
    connection: string | null,
    time: Date,
  ): void {
    this.#settle();
    this.#state = "TERMINATED";
    const response = responseOf(code, reason, message);
    post("SIPRequestDidFail", this, responseOf(code, reason, message), { timestamp: time });
    this.#owner?.failed({ response, expires: 0, time, connection });
    this.#ended();
  }

  #willExpire(expires: number): void {
    post("SIPRequestWillExpire", this, { expires });
    this.#owner?.willExpire(expires);
  }

  #ended(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#serial !== null) release(this.#serial, this);
    this.#serial = null;
    this.#expiry?.clear();
    this.#expiry = null;
    this.#state = "TERMINATED";
    post("SIPRequestDidEnd", this, {});
    endSender(this);
    this.#owner?.ended();
  }

  /** @internal */
  engineStopping(): void {}

  /** @internal */
  engineStopped(): void {
    if (this.#state === "IN_PROGRESS") this.#failed(unavailable, "engine stopped", null, null, new Date());
    else this.#ended();
  }
}

const status = new Int32Array(1);

/** Not to be told from the tags of others: 64 bits (RFC 3261, section 19.3). */
function randomTag(): string {
  return randomUUID().replaceAll("-", "").slice(16);
}

/** "address:port" as the engine's notifications of connections have it. */
function printAddress({ ip, port }: EndpointAddress): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** The data of a notification: decoded when it is read. */
function responseOf(code: number, reason: string, message: SIPMessage | null): RequestResponse {
  return {
    code,
    get reason() {
      return message?.reason ?? reason;
    },
    get headers() {
      return message?.headers ?? emptyHeaderMap;
    },
    get body() {
      return message?.body ?? null;
    },
  };
}
