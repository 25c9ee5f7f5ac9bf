// SPDX-License-Identifier: GPL-2.0-or-later
import { records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import { checkInteger, checkToken } from "./check_argument.ts";
import { checkContent, type Content } from "./content.ts";
import { post, postLazily } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { FrozenEventHeader } from "./headers.ts";
import type { IncomingSubscriptionNotifications } from "./incoming_subscription_notifications.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import {
  type IncomingSubscriptionState,
  Notifier,
  type NotifierEvents,
  requestData,
  writeContent,
} from "./notifier.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import { onBirth } from "./registry.ts";
import { check, running } from "./running.ts";

/** The longest word that Subscription-State takes as a reason. */
const longestReason = 64;

const names = {
  ChangedState: "SIPIncomingSubscriptionChangedState",
  GotRefreshingSubscribe: "SIPIncomingSubscriptionGotRefreshingSubscribe",
  GotUnsubscribe: "SIPIncomingSubscriptionGotUnsubscribe",
  Answered: "SIPIncomingSubscriptionAnsweredSubscribe",
  SentNotify: "SIPIncomingSubscriptionSentNotify",
  NotifyDidSucceed: "SIPIncomingSubscriptionNotifyDidSucceed",
  NotifyDidFail: "SIPIncomingSubscriptionNotifyDidFail",
  DidTimeout: "SIPIncomingSubscriptionDidTimeout",
  DidEnd: "SIPIncomingSubscriptionDidEnd",
} as const satisfies Record<keyof NotifierEvents, keyof IncomingSubscriptionNotifications>;

/** Only the announcement of a SUBSCRIBE makes one. */
const key = Symbol("IncomingSubscription");

/**
 * Somebody's subscription to one of the event packages that `engine.incomingEvents` names (RFC 6665). Whoever hears of
 * it accepts or rejects it; unheard it gets a 480, unanswered for 32 seconds a 500. Refreshes are answered, and what
 * was pushed last is sent again, by itself.
 *
 * @example
 * ```ts
 * import { Engine, NotificationCenter } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1", incomingEvents: ["message-summary"] });
 * new NotificationCenter().addObserver(({ sender }) => {
 *   sender.accept({ contentType: "application/simple-message-summary", content: "Messages-Waiting: no\r\n" });
 * }, { name: "SIPIncomingSubscriptionGotSubscribe" });
 * ```
 */
export class IncomingSubscription {
  /** @internal */
  readonly isLeaving = false;
  readonly #serial: Serial<"incoming_subscription">;
  readonly #notifier: Notifier;
  readonly #callId: string | null;
  readonly #event: string;
  #contentType: string | null = null;
  #content: Body | null = null;

  /** Illegal: subscriptions come from the network. */
  constructor(secret: typeof key, serial: number, peer: PeerMessage) {
    if (secret !== key) throw new TypeError("Illegal constructor");
    this.#serial = serial as Serial<"incoming_subscription">;
    this.#notifier = new Notifier(
      this,
      serial,
      "subscription",
      peer,
      (event, time, make) => postLazily(names[event], this, time, make as () => never),
    );
    this.#callId = peer.message?.headers.text("Call-ID") ?? null;
    const event = peer.message?.headers.get("Event");
    this.#event = event instanceof FrozenEventHeader ? event.event : "";
  }

  /** The state: "incoming", "pending", "active" or "terminated". */
  get state(): IncomingSubscriptionState {
    return this.#notifier.state;
  }

  /** The event package. */
  get event(): string {
    return this.#event;
  }

  /** The Call-ID of the dialog. */
  get callId(): string | null {
    return this.#callId;
  }

  /** The content type that was set last. */
  get contentType(): string | null {
    return this.#contentType;
  }

  /** The content that was set last. */
  get content(): Body | null {
    return this.#content;
  }

  /** Where the subscriber's last message came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#notifier.peerAddress;
  }

  /**
   * Answers the SUBSCRIBE with a refusal.
   *
   * @param code 300 to 699.
   * @throws RangeError for another code; SIPCoreInvalidStateError when it was answered before, or the engine does not
   * run.
   */
  reject(code: number): void {
    checkInteger(code, "code", 300, 699);
    this.#notifier.require("reject", "incoming");
    check(running().sc_incoming_subscription_reject(this.#serial, code), "Could not reject the subscription");
    this.#notifier.wanted = "terminated";
  }

  /**
   * Answers 202 and notifies "pending": whether it is granted will be decided later.
   *
   * @throws SIPCoreInvalidStateError when it was answered before, or the engine does not run.
   */
  acceptPending(): void {
    this.#notifier.require("accept", "incoming");
    check(
      running().sc_incoming_subscription_accept_pending(this.#serial),
      "Could not accept the subscription",
    );
    this.#notifier.wanted = "pending";
  }

  /**
   * Grants it: answers 200, unless it is pending, and notifies "active", with the content if there is one. To whom asked
   * for the state of now only (Expires 0) this is all, and "terminated".
   *
   * @throws TypeError for a content without contentType, and for the reverse; SIPCoreInvalidStateError when it is
   * neither incoming nor pending, or the engine does not run.
   */
  accept(options: { contentType?: string | null; content?: Body | null } = {}): void {
    const content = checkPair(options.contentType ?? null, options.content ?? null);
    this.#notifier.require("accept", "incoming", "pending");
    const args = writeContent(content);
    check(
      running().sc_incoming_subscription_accept(this.#serial, args.block, args.size),
      "Could not accept the subscription",
    );
    this.#notifier.wanted = "active";
    this.#contentType = options.contentType ?? null;
    this.#content = options.content ?? null;
  }

  /**
   * Notifies of this content, now and after every refresh.
   *
   * @throws TypeError for a bad argument; SIPCoreInvalidStateError when it is not active, or the engine does not run.
   */
  pushContent(contentType: string, content: Body): void {
    if (contentType === null || content === null) {
      throw new TypeError("contentType and content must be given");
    }
    const checked = checkPair(contentType, content);
    this.#notifier.require("push content", "active");
    const args = writeContent(checked);
    check(
      running().sc_incoming_subscription_push(this.#serial, args.block, args.size),
      "Could not push content",
    );
    this.#contentType = contentType;
    this.#content = content;
  }

  /**
   * Notifies "terminated".
   *
   * @param options `reason`: "deactivated", "probation", "rejected", "giveup", "noresource", "invariant" (RFC 6665,
   * section 4.1.3) or another token; left out: none is told.
   * @throws TypeError and RangeError for a bad reason; SIPCoreInvalidStateError when it is neither pending nor active, or
   * the engine does not run.
   */
  end(options: { reason?: string | null } = {}): void {
    const reason = options.reason ?? null;
    if (reason !== null && checkToken(reason, "reason").length > longestReason) {
      throw new RangeError(`reason must not be longer than ${longestReason} characters`);
    }
    this.#notifier.require("end", "pending", "active");
    const args = argumentBlock().text(reason ?? "");
    check(
      running().sc_incoming_subscription_end(this.#serial, args.block, args.size),
      "Could not end the subscription",
    );
    this.#notifier.wanted = "terminated";
  }

  /** The stream of this subscription's notifications, all or those of the names given. */
  notifications<
    const N extends keyof IncomingSubscriptionNotifications = keyof IncomingSubscriptionNotifications,
  >(name?: N | readonly N[]): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** `reject(480)` or `end()`, quiet when there is nothing to end. */
  [Symbol.dispose](): void {
    this.#notifier.leave(this);
  }

  /** @internal */
  receive(kind: number, time: Date, reader: Reader): void {
    this.#notifier.receive(kind, time, reader);
  }

  /**
   * To whom waits for an answer nobody will give one; the others will see that nothing comes any more.
   * @internal
   */
  engineStopping(): void {
    if (this.#notifier.wanted === "incoming") this[Symbol.dispose]();
  }

  /** @internal */
  engineStopped(): void {
    this.#notifier.engineStopped();
  }
}

onBirth(records.SC_RECORD_INCOMING_SUBSCRIPTION, (serial, timestamp, reader) => {
  reader.skip(1);
  const peer = readPeerMessage(reader);
  const subscription = new IncomingSubscription(key, serial, peer);
  post("SIPIncomingSubscriptionGotSubscribe", subscription, requestData(peer, "SUBSCRIBE"), {
    timestamp,
    unheard: () => subscription[Symbol.dispose](),
  });
});

function checkPair(contentType: string | null, content: Body | null): Content {
  if ((contentType === null) !== (content === null)) {
    throw new TypeError("contentType and content must be given together");
  }
  return checkContent(contentType, content);
}
