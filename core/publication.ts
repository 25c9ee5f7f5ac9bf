// SPDX-License-Identifier: GPL-2.0-or-later
import type { Body } from "./body.ts";
import { checkInstance, checkInteger, checkToken } from "./check_argument.ts";
import { checkContent, checkContentType } from "./content.ts";
import { BaseCredentials, FrozenCredentials } from "./credentials.ts";
import { endSender, post } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { PublicationError, PublicationETagError, SIPCoreInvalidStateError } from "./errors.ts";
import { checkExtraHeaders } from "./extra_headers.ts";
import { FrozenList } from "./frozen.ts";
import { frozenHeader } from "./header_map.ts";
import {
  BaseFromHeader,
  type BaseHeader,
  BaseRouteHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  Header,
  ToHeader,
} from "./headers.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { MOST_SECONDS } from "./parameters.ts";
import type { PublicationNotifications } from "./publication_notifications.ts";
import { setWaiting } from "./registry.ts";
import { Request, type RequestOutcome } from "./request.ts";
import type { SendOptions } from "./request_options.ts";
import { endCount, running, runningOrNull } from "./running.ts";
import { SoftState } from "./soft_state.ts";
import { checkTimeout } from "./timeout.ts";

/** What a Publication takes beside address, event and content type. */
export interface PublicationOptions {
  /** What answers the server's challenge. */
  credentials?: BaseCredentials | null;
  /** For how many seconds to publish. Default 300. */
  duration?: number;
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
}

/** What one PUBLISH is about. */
interface Attempt {
  readonly routeHeader: FrozenRouteHeader;
}

/** "Conditional Request Failed" (RFC 3903, section 11.2.1): the entity tag is none that the server knows. */
const unknownTag = 412;

/** What it writes itself beside what every request does. */
const ownHeaders = ["event", "expires", "sip-if-match"];

/**
 * The state of an address, published for a time (RFC 3903) by one PUBLISH after the other. It does nothing by itself:
 * SIPPublicationWillExpire says when to publish again.
 *
 * @example
 * ```ts
 * import { Engine, FromHeader, Publication, RouteHeader, SIPURI } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * const from = new FromHeader(SIPURI.parse("sip:alice@example.net"));
 * using publication = new Publication(from, "presence", "application/pidf+xml");
 * const route = RouteHeader.to({ address: "127.0.0.1", port: 5060 });
 * publication.publish("<presence/>", route, { timeout: 1 });
 * for await (const { name, data } of publication.notifications()) {
 *   console.log(name, "code" in data ? data.code : "");
 *   break;
 * }
 * ```
 */
export class Publication {
  /** @internal */
  readonly isLeaving = false;
  /** The event package, such as "presence". */
  readonly event: string;
  readonly #madeAt: number = endCount();
  readonly #state: SoftState<Attempt>;
  #fromHeader: FrozenFromHeader;
  #contentType: string;
  #credentials: FrozenCredentials | null = null;
  #duration = 300;
  #extraHeaders: FrozenList<BaseHeader> = new FrozenList();
  /** The server's name for what is published; null when it has none, or has forgotten it. */
  #tag: string | null = null;
  /** What `end()` was given while the first PUBLISH was on its way, whose tag it has to wait for. */
  #endLater: { readonly timeout: number | null } | null = null;
  #isDisposed = false;

  /** @throws TypeError and RangeError for bad arguments. */
  /** A state that is not published yet. */
  constructor(
    fromHeader: BaseFromHeader,
    event: string,
    contentType: string,
    options: PublicationOptions = {},
  ) {
    this.#fromHeader = FrozenFromHeader.from(checkInstance(fromHeader, BaseFromHeader, "fromHeader"));
    this.event = checkToken(event, "event");
    checkContentType(contentType);
    this.#contentType = contentType;
    this.credentials = options.credentials ?? null;
    this.duration = options.duration ?? 300;
    this.extraHeaders = options.extraHeaders ?? [];
    this.#state = new SoftState({
      succeeded: (outcome, attempt) => this.#succeeded(outcome, attempt),
      failed: (outcome, attempt) => this.#failed(outcome, attempt),
      willExpire: (expires) => post("SIPPublicationWillExpire", this, { expires }),
      didEnd: (expired) => this.#didEnd(expired),
      didNotEnd: (outcome) => this.#didNotEnd(outcome),
    });
  }

  /** The address whose state it is; of the next PUBLISH. */
  get fromHeader(): FrozenFromHeader {
    return this.#fromHeader;
  }
  set fromHeader(value: BaseFromHeader) {
    this.#fromHeader = FrozenFromHeader.from(checkInstance(value, BaseFromHeader, "fromHeader"));
  }

  /** Of the body of the next PUBLISH: "type/subtype", parameters may follow. */
  get contentType(): string {
    return this.#contentType;
  }
  set contentType(value: string) {
    checkContentType(value);
    this.#contentType = value;
  }

  /** What answers the server's challenge; of the next PUBLISH. */
  get credentials(): FrozenCredentials | null {
    return this.#credentials;
  }
  set credentials(value: BaseCredentials | null) {
    this.#credentials = value && FrozenCredentials.from(checkInstance(value, BaseCredentials, "credentials"));
  }

  /** For how many seconds to publish, 1 to 4294967295; of the next PUBLISH. */
  get duration(): number {
    return this.#duration;
  }
  set duration(value: number) {
    this.#duration = checkInteger(value, "duration", 1, MOST_SECONDS);
  }

  /** More headers; of the next PUBLISH. */
  get extraHeaders(): FrozenList<BaseHeader> {
    return this.#extraHeaders;
  }
  set extraHeaders(value: Iterable<BaseHeader>) {
    this.#extraHeaders = new FrozenList(checkExtraHeaders(value, ownHeaders).map(frozenHeader));
  }

  /** Whether the server has taken something that has not expired. */
  get isPublished(): boolean {
    return this.#state.kept !== null;
  }

  /** Whole seconds until it expires; 0 when nothing is published. */
  get expiresIn(): number {
    return this.#state.expiresIn;
  }

  /** Where the last response came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#state.last?.peerAddress ?? null;
  }

  /**
   * Publishes a body, in place of what was published before, or with null makes that hold longer. A PUBLISH that is on
   * its way is given up for this one, and nothing more is told of it. A failure to send comes as
   * SIPPublicationDidFail with code 0.
   *
   * @param routeHeader the server: an IP address, its port and transport.
   * @throws PublicationError for null when nothing is published; PublicationETagError for null when the server has
   * forgotten what was; SIPCoreInvalidStateError when the engine does not run, or was stopped since this was made, or
   * this was disposed of; TypeError and RangeError for bad arguments; the signal's reason when it has aborted.
   */
  publish(body: Body | null, routeHeader: BaseRouteHeader, options: SendOptions = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    const route = FrozenRouteHeader.from(checkInstance(routeHeader, BaseRouteHeader, "routeHeader"));
    if (body !== null) checkContent(this.#contentType, body);
    const signal = options.signal ?? null;
    signal?.throwIfAborted();
    running();
    if (this.#isDisposed || this.#madeAt !== endCount()) {
      throw new SIPCoreInvalidStateError("Could not publish: this publication has ended", null);
    }
    if (body === null && !this.isPublished) {
      throw new PublicationError("Could not publish: there is nothing that could hold longer");
    }
    if (body === null && this.#tag === null) {
      throw new PublicationETagError("Could not publish: the server has forgotten what was published");
    }
    const request = this.#requestOf(route, body, this.#duration);
    this.#endLater = null;
    const abort = () => this.#quietEnd();
    this.#state.send(request, { routeHeader: route }, { timeout, signal, abort });
    this.#waits();
  }

  #requestOf(routeHeader: FrozenRouteHeader, body: Body | null, seconds: number): Request {
    const { uri, displayName } = this.#fromHeader;
    const own = [new Header("Event", this.event), new Header("Expires", String(seconds))];
    if (this.#tag !== null) own.push(new Header("SIP-If-Match", this.#tag));
    return new Request({
      method: "PUBLISH",
      requestUri: uri,
      fromHeader: this.#fromHeader,
      toHeader: new ToHeader(uri, { displayName }),
      routeHeader,
      credentials: this.#credentials,
      extraHeaders: [...own, ...this.#extraHeaders],
      ...(body === null ? {} : { contentType: this.#contentType, body }),
    });
  }

  /**
   * Takes back what is published: SIPPublicationWillEnd, and then SIPPublicationDidEnd or SIPPublicationDidNotEnd. A
   * PUBLISH that is on its way is given up for it; only of the first one the answer is waited for.
   *
   * @throws PublicationError when nothing is published or on its way; TypeError and RangeError for a bad timeout.
   */
  end(options: { timeout?: number | null } = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    const { kept, current, isEnding } = this.#state;
    if (kept === null && current === null) {
      throw new PublicationError("Could not end: nothing is published");
    }
    if (isEnding || !runningOrNull()) return;
    if (kept === null) {
      this.#endLater = { timeout };
      return;
    }
    // Ahead of what a failure to send tells.
    queueMicrotask(() => post("SIPPublicationWillEnd", this, {}));
    const request = this.#requestOf(kept.routeHeader, null, 0);
    this.#state.send(request, kept, { timeout, signal: null, abort() {} }, true);
    this.#waits();
  }

  #quietEnd(): void {
    if (this.#state.kept !== null || this.#state.current !== null) this.end();
  }

  /** The stream of this publication's notifications, all or those of the names given. */
  notifications<const N extends keyof PublicationNotifications = keyof PublicationNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** `end()`, quiet when there is nothing to end; its last notification is what tells so. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#quietEnd();
    if (!this.#state.isEnding && this.#endLater === null) this.#leave();
  }

  /** Nothing more is told. */
  #leave(): void {
    this.#state.forget();
    this.#waits();
    endSender(this);
  }

  /** The engine has to know of whoever waits for something. */
  #waits(): void {
    setWaiting(this, this.isPublished || this.#state.current !== null);
  }

  #succeeded({ response, expires, time }: RequestOutcome, { routeHeader }: Attempt): void {
    this.#tag = tagIn(response.headers.text("SIP-ETag"));
    const endLater = this.#endLater;
    this.#endLater = null;
    const { code } = response;
    post("SIPPublicationDidSucceed", this, {
      code,
      get reason() {
        return response.reason;
      },
      expiresIn: expires,
      routeHeader,
    }, { timestamp: time });
    this.#waits();
    if (endLater) this.end(endLater);
  }

  #failed({ response, time }: RequestOutcome, { routeHeader }: Attempt): void {
    const { code, reason } = response;
    if (code === unknownTag) this.#tag = null;
    const isOver = this.#isDisposed && this.#endLater !== null;
    this.#endLater = null;
    this.#waits();
    post("SIPPublicationDidFail", this, { code, reason, routeHeader }, { timestamp: time });
    if (isOver) this.#leave();
  }

  #didEnd(expired: boolean): void {
    this.#tag = null;
    this.#waits();
    post("SIPPublicationDidEnd", this, { expired });
    if (this.#isDisposed) this.#leave();
  }

  #didNotEnd({ response, time }: RequestOutcome): void {
    const { code, reason } = response;
    if (code === unknownTag) this.#tag = null;
    this.#waits();
    post("SIPPublicationDidNotEnd", this, { code, reason }, { timestamp: time });
    if (this.#isDisposed) this.#leave();
  }

  /** @internal */
  engineStopping(): void {}

  /** @internal */
  engineStopped(): void {
    endSender(this);
  }
}

/** An entity tag is a token; what is none cannot be sent back. */
function tagIn(text: string | null): string | null {
  return text !== null && /^[\x21-\x7e]+$/.test(text) ? text : null;
}
