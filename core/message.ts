// SPDX-License-Identifier: GPL-2.0-or-later
import type { Body } from "./body.ts";
import type { BaseCredentials, FrozenCredentials } from "./credentials.ts";
import { endSender, post } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { checkInstance } from "./check_argument.ts";
import type { FrozenList } from "./frozen.ts";
import {
  type BaseFromHeader,
  type BaseHeader,
  type BaseRouteHeader,
  BaseToHeader,
  type FrozenFromHeader,
  type FrozenRouteHeader,
  FrozenToHeader,
} from "./headers.ts";
import { type Note, notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { ownRequest, Request, type RequestOutcome } from "./request.ts";
import type { RequestResponse } from "./request_notifications.ts";
import type { SendOptions } from "./request_options.ts";

/** What a Message is made from. */
export interface MessageOptions {
  /** Who sends it. */
  fromHeader: BaseFromHeader;
  /** Its URI is the request URI. */
  toHeader: BaseToHeader;
  /** Where the message goes: an IP address, its port and transport. */
  routeHeader: BaseRouteHeader;
  /** "type/subtype", parameters may follow. */
  contentType: string;
  /** The message itself. */
  body: Body;
  /** What answers the first challenge. */
  credentials?: BaseCredentials | null;
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
}

/** The notifications of Message; either is the last. */
export interface MessageNotifications {
  /** The peer has it, or someone who passes it on. */
  SIPMessageDidSucceed: Note<Message, RequestResponse>;
  /** It was refused, or not answered; code 0: it could not be sent. */
  SIPMessageDidFail: Note<Message, RequestResponse>;
}

/**
 * One instant message (RFC 3428), sent once.
 *
 * @example
 * ```ts
 * import { Engine, FromHeader, Message, RouteHeader, SIPURI, ToHeader } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * const message = new Message({
 *   fromHeader: new FromHeader(SIPURI.parse("sip:alice@127.0.0.1")),
 *   toHeader: new ToHeader(SIPURI.parse("sip:bob@127.0.0.1")),
 *   routeHeader: RouteHeader.to({ address: "127.0.0.1", port: engine.udpPort }),
 *   contentType: "text/plain",
 *   body: "Hello!",
 * });
 * const notifications = message.notifications();
 * message.send({ timeout: 5 });
 * for await (const { name, data } of notifications) console.log(name, data.code, data.reason);
 * ```
 */
export class Message {
  /** As it was given. */
  readonly toHeader: FrozenToHeader;
  readonly #request: Request;

  /** @throws TypeError for bad arguments. */
  /** With what it will be sent; the arguments are copied and checked. */
  constructor(options: MessageOptions) {
    this.toHeader = FrozenToHeader.from(checkInstance(options.toHeader, BaseToHeader, "toHeader"));
    const { fromHeader, routeHeader, credentials, extraHeaders, contentType, body } = options;
    if ((contentType ?? null) === null) throw new TypeError("contentType and body must be given together");
    this.#request = new Request({
      method: "MESSAGE",
      requestUri: this.toHeader.uri,
      fromHeader,
      toHeader: this.toHeader,
      routeHeader,
      // RFC 3428, section 4: a MESSAGE has none.
      contactHeader: null,
      credentials: credentials ?? null,
      ...(extraHeaders ? { extraHeaders } : {}),
      contentType,
      body,
    });
    ownRequest(this.#request, {
      succeeded: (outcome) => this.#ended("SIPMessageDidSucceed", outcome),
      failed: (outcome) => this.#ended("SIPMessageDidFail", outcome),
      willExpire() {},
      ended() {},
    });
  }

  /** With its tag. */
  get fromHeader(): FrozenFromHeader {
    return this.#request.fromHeader;
  }

  /** The route over which it went. */
  get routeHeader(): FrozenRouteHeader {
    return this.#request.routeHeader;
  }

  /** What challenges are answered with; null: nothing. */
  get credentials(): FrozenCredentials | null {
    return this.#request.credentials;
  }

  /** Headers beside those that the library writes by itself. */
  get extraHeaders(): FrozenList<BaseHeader> {
    return this.#request.extraHeaders;
  }

  /** The type of the body. */
  get contentType(): string {
    return this.#request.contentType!;
  }

  /** The body; of bytes a copy. */
  get body(): Body {
    return this.#request.body!;
  }

  /** Whether `send()` was called. */
  get isSent(): boolean {
    return this.#request.state !== "INIT";
  }

  /** Whether the answer is still to come. */
  get inProgress(): boolean {
    return this.#request.state === "IN_PROGRESS";
  }

  /** Where the last response came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#request.peerAddress;
  }

  /**
   * Sends it. Returns at once; a failure to send comes as SIPMessageDidFail with code 0.
   *
   * @throws SIPCoreInvalidStateError when it was sent before, or the engine does not run, or was stopped since; TypeError
   * and RangeError for bad options; the signal's reason when it has aborted.
   */
  send(options: SendOptions = {}): void {
    this.#request.send(options);
  }

  /** Waits for the answer no longer: SIPMessageDidFail with 408. Before and after that nothing happens. */
  end(): void {
    this.#request.end();
  }

  /** The stream of this message's notifications, all or those of the names given. */
  notifications<const N extends keyof MessageNotifications = keyof MessageNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** `end()`. */
  [Symbol.dispose](): void {
    this.end();
  }

  #ended(name: keyof MessageNotifications, { response, time }: RequestOutcome): void {
    post(name, this, response, { timestamp: time });
    endSender(this);
    // That a message were good for a time only is nothing that anybody waits for.
    this.#request.end();
  }
}
