// SPDX-License-Identifier: GPL-2.0-or-later
import { errors, records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader, type Writer } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import { checkInteger } from "./check_argument.ts";
import { checkContent, type Content } from "./content.ts";
import type { FrozenCredentials } from "./credentials.ts";
import {
  checkDialogTarget,
  type DialogTarget,
  type DialogTargetOptions,
  writeDialogTarget,
} from "./dialog_target.ts";
import { endSender, post, postLazily } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { Engine } from "./engine.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { checkEventName, checkKnownEvent } from "./event_packages.ts";
import { checkExtraHeaders, writeHeaders } from "./extra_headers.ts";
import { FrozenList } from "./frozen.ts";
import { parseSeconds } from "./granted_seconds.ts";
import { frozenHeader } from "./header_map.ts";
import type {
  BaseHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  FrozenToHeader,
} from "./headers.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { ownContact } from "./own_contact.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import { hold, release } from "./registry.ts";
import { check, create, running, runningOrNull } from "./running.ts";
import type { SIPMessage } from "./sip_message.ts";
import {
  isAcceptable,
  milliseconds,
  type NativeSubscriptionChange,
  notifyData,
  readSubscriptionChange,
  type SubscriptionEnd,
  subscriptionEnd,
  type SubscriptionState,
} from "./subscriber.ts";
import type { SubscriptionNotifications } from "./subscription_notifications.ts";
import { checkTimeout } from "./timeout.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** What a Subscription is made from. */
export interface SubscriptionOptions extends DialogTargetOptions {
  /** The event package, one of `engine.events`. */
  event: string;
  /** How long to subscribe for at a time, in seconds; default 300. */
  refresh?: number;
}

/** What `subscribe()` takes; headers and body go with every later SUBSCRIBE too. */
export interface SubscribeOptions {
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
  /** "type/subtype", parameters may follow; only beside `body`. */
  contentType?: string | null;
  /** The body; null when there is none. */
  body?: Body | null;
  /** Seconds to wait for the response to each SUBSCRIBE; then it fails with 408. PJSIP's own 32 s hold as well. */
  timeout?: number | null;
  /** Its abort does what `end()` does. */
  signal?: AbortSignal;
}

/** What the stack writes into a SUBSCRIBE. */
const ownHeaders = ["event", "o", "expires"];

/**
 * A subscription to the events of one package at one address (RFC 6665). Once accepted it refreshes itself, until it is
 * ended by either side, or a refresh fails.
 *
 * @example
 * ```ts
 * import { Engine, FromHeader, RouteHeader, SIPURI, Subscription, ToHeader } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * const uri = SIPURI.parse("sip:bob@127.0.0.1:5060");
 * const subscription = new Subscription({
 *   requestUri: uri,
 *   fromHeader: new FromHeader(SIPURI.parse("sip:alice@127.0.0.1")),
 *   toHeader: new ToHeader(uri),
 *   routeHeader: RouteHeader.to({ address: "127.0.0.1" }),
 *   event: "presence",
 * });
 * const notes = subscription.notifications();
 * subscription.subscribe({ timeout: 1 });
 * for await (const { name, data } of notes) {
 *   if (name === "SIPSubscriptionGotNotify") console.log(data.body);
 * }
 * ```
 */
export class Subscription {
  /** @internal */
  readonly isLeaving = false;
  readonly #target: DialogTarget;
  readonly #event: string;
  readonly #refresh: number;
  #serial: Serial<"subscription"> | null = null;
  #state: SubscriptionState = "NULL";
  #contactHeader: FrozenContactHeader | null;
  #extraHeaders: FrozenList<BaseHeader> = new FrozenList();
  #contentType: string | null = null;
  #body: Body | null = null;
  #callId: string | null = null;
  #peerAddress: EndpointAddress | null = null;
  /** The first SUBSCRIBE was accepted. */
  #started = false;
  /** The end is wanted, by the program or because the peer grants no time. */
  #ending = false;
  #unlisten: () => void = () => {};

  /**
   * Sends nothing.
   *
   * @throws TypeError and RangeError for bad options; RangeError for an event package that the running engine does not
   * know.
   */
  constructor(options: SubscriptionOptions) {
    this.#target = checkDialogTarget(options);
    this.#contactHeader = this.#target.contactHeader;
    this.#event = checkEventName(options.event, "event");
    if (runningOrNull()) checkKnownEvent(this.#event, new Engine().events, "event");
    this.#refresh = checkInteger(options.refresh ?? 300, "refresh", 1, 0x7fffffff);
  }

  /** The state: "NULL", "SENT", "ACCEPTED", "PENDING", "ACTIVE", "TERMINATED", or what the notifier calls it. */
  get state(): SubscriptionState {
    return this.#state;
  }

  /** The request URI of the first SUBSCRIBE. */
  get requestUri(): FrozenSIPURI {
    return this.#target.requestUri;
  }

  /** The From header. */
  get fromHeader(): FrozenFromHeader {
    return this.#target.fromHeader;
  }

  /** The To header. */
  get toHeader(): FrozenToHeader {
    return this.#target.toHeader;
  }

  /** The Contact that we give; null before `subscribe()` when none was given. */
  get contactHeader(): FrozenContactHeader | null {
    return this.#contactHeader;
  }

  /** The route of the first SUBSCRIBE. */
  get routeHeader(): FrozenRouteHeader {
    return this.#target.routeHeader;
  }

  /** What answers challenges. */
  get credentials(): FrozenCredentials | null {
    return this.#target.credentials;
  }

  /** The event package. */
  get event(): string {
    return this.#event;
  }

  /** For how many seconds each SUBSCRIBE asks. */
  get refresh(): number {
    return this.#refresh;
  }

  /** Those of the last `subscribe()`. */
  get extraHeaders(): FrozenList<BaseHeader> {
    return this.#extraHeaders;
  }

  /** That of the last `subscribe()`. */
  get contentType(): string | null {
    return this.#contentType;
  }

  /** That of the last `subscribe()`. */
  get body(): Body | null {
    return this.#body;
  }

  /** The Call-ID of the dialog; null before the peer has said anything. */
  get callId(): string | null {
    return this.#callId;
  }

  /** Where the peer's last message came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#peerAddress && { ...this.#peerAddress };
  }

  /**
   * Subscribes; later: refreshes the subscription now, with other headers and body. Returns at once; what becomes of it
   * comes as notifications.
   *
   * @throws SIPCoreInvalidStateError when it has ended or is ending, or the engine does not run; TypeError and
   * RangeError for bad arguments; the signal's reason when it has aborted.
   */
  subscribe(options: SubscribeOptions = {}): void {
    const { signal } = options;
    const extraHeaders = checkExtraHeaders(options.extraHeaders, ownHeaders);
    const content = checkContent(options.contentType, options.body);
    const timeout = checkTimeout(options.timeout ?? null);
    signal?.throwIfAborted();
    if (this.#state === "TERMINATED" || this.#ending) {
      throw new SIPCoreInvalidStateError("Could not subscribe: the subscription has ended", this.#state);
    }
    if (this.#serial === null) this.#create(extraHeaders, content, timeout);
    else this.#again(this.#serial, extraHeaders, content, timeout);
    this.#extraHeaders = new FrozenList(extraHeaders.map(frozenHeader));
    this.#contentType = options.contentType ?? null;
    this.#body = options.body ?? null;
    this.#unlisten();
    if (signal) {
      const abort = () => this[Symbol.dispose]();
      signal.addEventListener("abort", abort, { once: true });
      this.#unlisten = () => signal.removeEventListener("abort", abort);
    }
  }

  #create(extraHeaders: readonly BaseHeader[], content: Content, timeout: number | null): void {
    const native = running();
    checkKnownEvent(this.#event, new Engine().events, "event");
    const { requestUri, fromHeader, routeHeader } = this.#target;
    const contactHeader = this.#contactHeader ?? ownContact(requestUri, fromHeader, routeHeader);
    const args = writeDialogTarget(argumentBlock(), this.#target, contactHeader)
      .text(this.#event).u32(this.#refresh).u32(milliseconds(timeout));
    writeRequest(args, extraHeaders, content);
    this.#serial = create(
      "Could not subscribe",
      (status) => native.sc_subscription_create(args.block, args.size, status),
    );
    this.#contactHeader = contactHeader;
    hold(this.#serial, this);
  }

  #again(
    serial: Serial<"subscription">,
    extraHeaders: readonly BaseHeader[],
    content: Content,
    timeout: number | null,
  ): void {
    const args = writeRequest(argumentBlock().text("").u32(milliseconds(timeout)), extraHeaders, content);
    check(running().sc_subscription_refresh(serial, args.block, args.size), "Could not subscribe again");
  }

  /**
   * Ends the subscription: an un-SUBSCRIBE, as soon as the SUBSCRIBE under way has its response. "TERMINATED", or
   * ending already: nothing happens.
   *
   * @param options `timeout`: seconds to wait for the response; then it has ended all the same.
   * @throws SIPCoreInvalidStateError before `subscribe()`; RangeError for a bad timeout.
   */
  end(options: { timeout?: number | null } = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    if (this.#state === "TERMINATED" || this.#ending) return;
    if (this.#serial === null) {
      throw new SIPCoreInvalidStateError("Could not end: the subscription has not begun", this.#state);
    }
    const status = running().sc_subscription_end(this.#serial, milliseconds(timeout));
    // It has ended meanwhile: what tells so is on its way.
    if (status === errors.SC_EGONE) return;
    check(status, "Could not end the subscription");
    this.#ending = true;
  }

  /** The stream of this subscription's notifications, all or those of the names given. */
  notifications<const N extends keyof SubscriptionNotifications = keyof SubscriptionNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** `end()`, quiet when there is nothing to end. */
  [Symbol.dispose](): void {
    if (this.#serial !== null && runningOrNull()) this.end();
  }

  /** @internal */
  receive(kind: number, time: Date, reader: Reader): void {
    switch (kind) {
      case records.SC_RECORD_SUBSCRIPTION_STATE:
        this.#changed(readSubscriptionChange(reader), time);
        break;
      case records.SC_RECORD_SUBSCRIPTION_ACCEPTED:
        this.#accepted(reader.u8() !== 0, readPeerMessage(reader), time);
        break;
      case records.SC_RECORD_SUBSCRIPTION_NOTIFY:
        this.#notified(readPeerMessage(reader), time);
        break;
      case records.SC_RECORD_SUBSCRIPTION_ENDING:
        this.#ending = true;
        post("SIPSubscriptionWillEnd", this, {}, { timestamp: time });
        break;
    }
  }

  /** Keeps what every message of the peer's tells. */
  #heard(peer: PeerMessage): SIPMessage | null {
    const { message } = peer;
    if (peer.peerAddress) this.#peerAddress = peer.peerAddress;
    this.#callId ??= message?.headers.text("Call-ID") ?? null;
    return message;
  }

  #accepted(first: boolean, peer: PeerMessage, time: Date): void {
    this.#heard(peer);
    if (!first) return;
    this.#started = true;
    post("SIPSubscriptionDidStart", this, {}, { timestamp: time });
  }

  #notified(peer: PeerMessage, time: Date): void {
    const message = this.#heard(peer);
    if (!isAcceptable(message, new Engine().events.get(this.#event) ?? [])) return;
    postLazily("SIPSubscriptionGotNotify", this, time, () => notifyData(peer));
  }

  #changed(change: NativeSubscriptionChange, time: Date): void {
    const message = this.#heard(change.peer);
    if (change.state !== "TERMINATED") {
      this.#became(change.state, time);
      return;
    }
    if (this.#ending || change.cause === "notify") {
      this.#ended(subscriptionEnd(message), time);
      return;
    }
    const { code, reason } = change;
    this.#failed(message?.code ?? code, message?.reason || reason, message, time);
  }

  #failed(code: number, reason: string, message: SIPMessage | null, time: Date): void {
    this.#begin(time);
    const minExpires = parseSeconds(message?.headers.text("Min-Expires") ?? null);
    post("SIPSubscriptionDidFail", this, { code, reason, minExpires }, { timestamp: time });
    this.#finish(time);
  }

  #ended(end: SubscriptionEnd, time: Date): void {
    this.#begin(time);
    post("SIPSubscriptionDidEnd", this, end, { timestamp: time });
    this.#finish(time);
  }

  /** What could not even be sent has begun, all the same. */
  #begin(time: Date): void {
    if (this.#state === "NULL") this.#became("SENT", time);
  }

  #finish(time: Date): void {
    this.#unlisten();
    if (this.#serial !== null) release(this.#serial, this);
    this.#serial = null;
    this.#became("TERMINATED", time);
    endSender(this);
  }

  /** The one place where the state changes and is told. */
  #became(state: SubscriptionState, timestamp: Date): void {
    const prevState = this.#state;
    if (state === prevState) return;
    this.#state = state;
    post("SIPSubscriptionChangedState", this, { prevState, state }, { timestamp });
    if (prevState === "NULL") post("SIPSubscriptionWillStart", this, {}, { timestamp });
  }

  /**
   * Nothing is sent: the notifier will see that no refresh comes.
   * @internal
   */
  engineStopping(): void {}

  /** @internal */
  engineStopped(): void {
    if (this.#serial === null) return;
    const reason = "engine stopped";
    if (this.#started || this.#ending) this.#ended({ reason, retryAfter: null }, new Date());
    else this.#failed(503, reason, null, new Date());
  }
}

function writeRequest(writer: Writer, extraHeaders: readonly BaseHeader[], content: Content): Writer {
  return writeHeaders(writer, extraHeaders).text(content.type).bytes(content.bytes);
}
