// SPDX-License-Identifier: GPL-2.0-or-later
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Writer } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import { checkInteger } from "./check_argument.ts";
import { checkContent, type Content } from "./content.ts";
import type { DialogTargetOptions } from "./dialog_target.ts";
import { post, postLazily } from "./dispatch.ts";
import { Engine } from "./engine.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { checkEventName, checkKnownEvent } from "./event_packages.ts";
import { checkExtraHeaders, writeHeaders } from "./extra_headers.ts";
import { parseSeconds } from "./granted_seconds.ts";
import type { BaseHeader, FrozenContactHeader } from "./headers.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import type { PeerMessage } from "./peer_message.ts";
import { check, running, runningOrNull } from "./running.ts";
import type { SIPMessage } from "./sip_message.ts";
import { Subscriber, type SubscriberKind } from "./subscriber.ts";
import {
  isAcceptable,
  milliseconds,
  type NativeSubscriptionChange,
  notifyData,
  type SubscriptionEnd,
  subscriptionEnd,
} from "./subscriber_messages.ts";
import type { SubscriptionNotifications } from "./subscription_notifications.ts";
import { checkTimeout } from "./timeout.ts";

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
export class Subscription extends Subscriber<"subscription"> {
  readonly #event: string;
  readonly #refresh: number;
  #contactHeader: FrozenContactHeader | null;
  #contentType: string | null = null;
  #body: Body | null = null;

  /**
   * Sends nothing.
   *
   * @throws TypeError and RangeError for bad options; RangeError for an event package that the running engine does not
   * know.
   */
  constructor(options: SubscriptionOptions) {
    super(options, kind);
    this.#contactHeader = this.target.contactHeader;
    this.#event = checkEventName(options.event, "event");
    if (runningOrNull()) checkKnownEvent(this.#event, new Engine().events, "event");
    this.#refresh = checkInteger(options.refresh ?? 300, "refresh", 1, 0x7fffffff);
  }

  /** The Contact that we give; null before `subscribe()` when none was given. */
  get contactHeader(): FrozenContactHeader | null {
    return this.#contactHeader;
  }

  /** The event package. */
  get event(): string {
    return this.#event;
  }

  /** For how many seconds each SUBSCRIBE asks. */
  get refresh(): number {
    return this.#refresh;
  }

  /** That of the last `subscribe()`. */
  get contentType(): string | null {
    return this.#contentType;
  }

  /** That of the last `subscribe()`. */
  get body(): Body | null {
    return this.#body;
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
    if (this.state === "TERMINATED" || this.isEnding) {
      throw new SIPCoreInvalidStateError("Could not subscribe: the subscription has ended", this.state);
    }
    if (this.serial === null) {
      const start = { what: "Could not subscribe", event: this.#event, interval: this.#refresh, timeout };
      this.#contactHeader = this.start(start, this.#contactHeader, (writer) => {
        writeRequest(writer, extraHeaders, content);
      });
    } else {
      this.#again(this.serial, extraHeaders, content, timeout);
    }
    this.keepHeaders(extraHeaders);
    this.#contentType = options.contentType ?? null;
    this.#body = options.body ?? null;
    this.obey(signal);
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

  /** The stream of this subscription's notifications, all or those of the names given. */
  notifications<const N extends keyof SubscriptionNotifications = keyof SubscriptionNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** @internal */
  protected override notified(peer: PeerMessage, time: Date): void {
    const message = this.heard(peer);
    if (!isAcceptable(message, new Engine().events.get(this.#event) ?? [])) return;
    postLazily("SIPSubscriptionGotNotify", this, time, () => notifyData(peer));
  }

  /** @internal */
  protected override terminated(
    { cause, code, reason }: NativeSubscriptionChange,
    message: SIPMessage | null,
    time: Date,
  ): void {
    if (this.isEnding || cause === "notify") this.#ended(subscriptionEnd(message), time);
    else this.#failed(message?.code ?? code, message?.reason || reason, message, time);
  }

  /** @internal */
  protected override abandoned(reason: string): void {
    if (this.hasStarted || this.isEnding) this.#ended({ reason, retryAfter: null }, new Date());
    else this.#failed(503, reason, null, new Date());
  }

  #failed(code: number, reason: string, message: SIPMessage | null, timestamp: Date): void {
    const minExpires = parseSeconds(message?.headers.text("Min-Expires") ?? null);
    this.finish(
      timestamp,
      () => post("SIPSubscriptionDidFail", this, { code, reason, minExpires }, { timestamp }),
    );
  }

  #ended(end: SubscriptionEnd, timestamp: Date): void {
    this.finish(timestamp, () => post("SIPSubscriptionDidEnd", this, end, { timestamp }));
  }
}

const kind: SubscriberKind<"subscription", Subscription> = {
  noun: "subscription",
  create: (native, { block, size }, status) => native.sc_subscription_create(block, size, status),
  end: (native, serial, timeout) => native.sc_subscription_end(serial, timeout),
  changedState: (sender, change, timestamp) =>
    post("SIPSubscriptionChangedState", sender, change, { timestamp }),
  willStart: (sender, timestamp) => post("SIPSubscriptionWillStart", sender, {}, { timestamp }),
  didStart: (sender, timestamp) => post("SIPSubscriptionDidStart", sender, {}, { timestamp }),
  willEnd: (sender, timestamp) => post("SIPSubscriptionWillEnd", sender, {}, { timestamp }),
};

function writeRequest(writer: Writer, extraHeaders: readonly BaseHeader[], content: Content): Writer {
  return writeHeaders(writer, extraHeaders).text(content.type).bytes(content.bytes);
}
