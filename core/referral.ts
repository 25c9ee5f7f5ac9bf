// SPDX-License-Identifier: GPL-2.0-or-later
import { argumentBlock } from "../ffi/wire.ts";
import { checkInstance } from "./check_argument.ts";
import type { DialogTargetOptions } from "./dialog_target.ts";
import { post, postLazily } from "./dispatch.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { checkExtraHeaders, writeHeaders } from "./extra_headers.ts";
import {
  BaseContactHeader,
  type BaseHeader,
  BaseReferToHeader,
  FrozenContactHeader,
  FrozenHeader,
  FrozenReferredByHeader,
  FrozenReferToHeader,
  FrozenSubscriptionStateHeader,
} from "./headers.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import type { PeerMessage } from "./peer_message.ts";
import type { ReferralNotifications } from "./referral_notifications.ts";
import { check, running } from "./running.ts";
import type { SIPMessage } from "./sip_message.ts";
import { parseSipfrag, type ReferralStatus } from "./sipfrag.ts";
import { Subscriber, type SubscriberKind } from "./subscriber.ts";
import {
  milliseconds,
  type NativeSubscriptionChange,
  notifyData,
  subscriptionEnd,
} from "./subscriber_messages.ts";
import { checkTimeout } from "./timeout.ts";

/** What a Referral is made from. */
export interface ReferralOptions extends DialogTargetOptions {
  /** What the peer shall refer to. */
  referToHeader: BaseReferToHeader;
}

/** What `sendRefer()` takes. */
export interface SendReferOptions {
  /** Whether to hear what becomes of it; default true. A peer may tell all the same. */
  createSubscription?: boolean;
  /** Of the REFER, and of the SUBSCRIBEs that go on with its subscription. */
  extraHeaders?: Iterable<BaseHeader>;
  /** Seconds to wait for the response to each request; then it fails with 408. PJSIP's own 32 s hold as well. */
  timeout?: number | null;
  /** Its abort does what `end()` does. */
  signal?: AbortSignal;
}

/** What `refresh()` takes; what is left out stays as it is. */
export interface RefreshReferralOptions {
  /** Our Contact from now on. */
  contactHeader?: BaseContactHeader | null;
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
  /** Seconds to wait for the response to each request from now on; none when left out. */
  timeout?: number | null;
}

const eventPackage = "refer";

/** What the stack writes into a REFER, or a SUBSCRIBE. */
const ownHeaders = ["refer-to", "r", "refer-sub", "event", "o", "expires"];

/**
 * A REFER outside of calls (RFC 3515): asks the peer for a request to the URI in `referToHeader`, and hears what becomes
 * of it. `Invitation.transfer()` is the one within a call.
 *
 * @example
 * ```ts
 * import { Engine, FromHeader, Referral, ReferToHeader, RouteHeader, SIPURI, ToHeader } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * const uri = SIPURI.parse("sip:bob@127.0.0.1:5060");
 * const referral = new Referral({
 *   requestUri: uri,
 *   fromHeader: new FromHeader(SIPURI.parse("sip:alice@127.0.0.1")),
 *   toHeader: new ToHeader(uri),
 *   referToHeader: new ReferToHeader("sip:room@127.0.0.1"),
 *   routeHeader: RouteHeader.to({ address: "127.0.0.1" }),
 * });
 * const notes = referral.notifications();
 * referral.sendRefer({ timeout: 1 });
 * for await (const { name, data } of notes) {
 *   if (name === "SIPReferralDidFail") console.log(`bob could not: ${data.code} ${data.reason}`);
 * }
 * ```
 */
export class Referral extends Subscriber<"referral"> {
  readonly #referToHeader: FrozenReferToHeader;
  #localContactHeader: FrozenContactHeader | null;
  #remoteContactHeader: FrozenContactHeader | null = null;
  #refreshInterval: number | null = null;
  /** What the peer has told last. */
  #status: ReferralStatus | null = null;

  /**
   * Sends nothing.
   *
   * @throws TypeError for bad options.
   */
  constructor(options: ReferralOptions) {
    super(options, kind);
    this.#localContactHeader = this.target.contactHeader;
    this.#referToHeader = FrozenReferToHeader.from(
      checkInstance(options.referToHeader, BaseReferToHeader, "referToHeader"),
    );
  }

  /** What the peer shall refer to. */
  get referToHeader(): FrozenReferToHeader {
    return this.#referToHeader;
  }

  /** The Contact that we give; null before `sendRefer()` when none was given. */
  get localContactHeader(): FrozenContactHeader | null {
    return this.#localContactHeader;
  }

  /** The Contact that the peer gave last. */
  get remoteContactHeader(): FrozenContactHeader | null {
    return this.#remoteContactHeader;
  }

  /** For how many seconds the peer goes on, as its last NOTIFY told; null before. */
  get refreshInterval(): number | null {
    return this.#refreshInterval;
  }

  /**
   * Sends the REFER, with Referred-By from the From header unless `extraHeaders` has one. Returns at once; what becomes
   * of it comes as notifications.
   *
   * @throws SIPCoreInvalidStateError when it was called before, or the engine does not run; TypeError and RangeError for
   * bad arguments; the signal's reason when it has aborted.
   */
  sendRefer(options: SendReferOptions = {}): void {
    const { signal, createSubscription = true } = options;
    const extraHeaders = checkExtraHeaders(options.extraHeaders, ownHeaders);
    const timeout = checkTimeout(options.timeout ?? null);
    signal?.throwIfAborted();
    if (this.state !== "NULL" || this.serial !== null) {
      throw new SIPCoreInvalidStateError("Could not send REFER: the referral was used before", this.state);
    }
    const once: BaseHeader[] = [this.#referToHeader];
    if (!extraHeaders.some(({ name }) => /^(?:referred-by|b)$/i.test(name))) {
      once.push(new FrozenReferredByHeader(this.fromHeader.uri));
    }
    if (!createSubscription) once.push(new FrozenHeader("Refer-Sub", "false"));
    const start = { what: "Could not send REFER", event: eventPackage, timeout };
    this.#localContactHeader = this.start(start, this.#localContactHeader, (writer) => {
      writeHeaders(writeHeaders(writer, once), extraHeaders).text("").text("");
    });
    this.keepHeaders(extraHeaders);
    this.obey(signal);
  }

  /**
   * Asks the peer to go on telling, by a SUBSCRIBE; it happens by itself as well, before the time of the last NOTIFY is
   * over.
   *
   * @throws SIPCoreInvalidStateError when the REFER was not accepted yet, it has ended or is ending, or the engine does
   * not run; TypeError and RangeError for bad arguments.
   */
  refresh(options: RefreshReferralOptions = {}): void {
    const contactHeader = options.contactHeader
      ? FrozenContactHeader.from(checkInstance(options.contactHeader, BaseContactHeader, "contactHeader"))
      : null;
    const extraHeaders = options.extraHeaders === undefined
      ? this.extraHeaders
      : checkExtraHeaders(options.extraHeaders, ownHeaders);
    const timeout = checkTimeout(options.timeout ?? null);
    if (this.serial === null || !this.hasStarted || this.isEnding) {
      throw new SIPCoreInvalidStateError("Could not refresh: there is no subscription", this.state);
    }
    const args = argumentBlock().text(contactHeader?.body ?? "").u32(milliseconds(timeout));
    writeHeaders(args, extraHeaders).text("").text("");
    check(
      running().sc_referral_refresh(this.serial, args.block, args.size),
      "Could not refresh the referral",
    );
    if (contactHeader) this.#localContactHeader = contactHeader;
    this.keepHeaders(extraHeaders);
  }

  /** The stream of this referral's notifications, all or those of the names given. */
  notifications<const N extends keyof ReferralNotifications = keyof ReferralNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** @internal */
  protected override heard(peer: PeerMessage): SIPMessage | null {
    const message = super.heard(peer);
    this.#remoteContactHeader = message?.contact ?? this.#remoteContactHeader;
    return message;
  }

  /** @internal */
  protected override notified(peer: PeerMessage, time: Date): void {
    const message = this.heard(peer);
    const state = message?.headers.get("Subscription-State");
    if (state instanceof FrozenSubscriptionStateHeader && state.expires !== null) {
      this.#refreshInterval = state.expires;
    }
    this.#status = parseSipfrag(message?.body ?? null) ?? this.#status;
    postLazily("SIPReferralGotNotify", this, time, () => notifyData(peer));
  }

  /** @internal */
  protected override terminated(
    { cause, code, reason }: NativeSubscriptionChange,
    message: SIPMessage | null,
    time: Date,
  ): void {
    if (this.isEnding) this.#ended(time);
    else if (cause === "notify") this.#told(subscriptionEnd(message).reason, time);
    else this.#failed(message?.code ?? code, message?.reason || reason, time);
  }

  /** @internal */
  protected override abandoned(reason: string): void {
    if (this.isEnding) this.#ended(new Date());
    else this.#failed(503, reason, new Date());
  }

  /** The peer has told its last. */
  #told(reason: string | null, time: Date): void {
    const { code, reason: phrase } = this.#status ?? { code: 0, reason: "" };
    if (code >= 300) this.#failed(code, phrase, time);
    else if (code >= 200 || reason === null || reason === "noresource") this.#ended(time);
    else this.#failed(0, reason, time);
  }

  #failed(code: number, reason: string, timestamp: Date): void {
    this.finish(timestamp, () => post("SIPReferralDidFail", this, { code, reason }, { timestamp }));
  }

  #ended(timestamp: Date): void {
    const { code, reason } = this.#status ?? { code: null, reason: null };
    this.finish(timestamp, () => post("SIPReferralDidEnd", this, { code, reason }, { timestamp }));
  }
}

const kind: SubscriberKind<"referral", Referral> = {
  noun: "referral",
  create: (native, { block, size }, status) => native.sc_referral_create(block, size, status),
  end: (native, serial, timeout) => native.sc_referral_end(serial, timeout),
  changedState: (sender, change, timestamp) => post("SIPReferralChangedState", sender, change, { timestamp }),
  willStart: (sender, timestamp) => post("SIPReferralWillStart", sender, {}, { timestamp }),
  didStart: (sender, timestamp) => post("SIPReferralDidStart", sender, {}, { timestamp }),
  willEnd: (sender, timestamp) => post("SIPReferralWillEnd", sender, {}, { timestamp }),
};
