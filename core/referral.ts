// SPDX-License-Identifier: GPL-2.0-or-later
import { errors, records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader } from "../ffi/wire.ts";
import { checkInstance } from "./check_argument.ts";
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
import { checkKnownEvent } from "./event_packages.ts";
import { checkExtraHeaders, writeHeaders } from "./extra_headers.ts";
import { FrozenList } from "./frozen.ts";
import { frozenHeader } from "./header_map.ts";
import {
  BaseContactHeader,
  type BaseHeader,
  BaseReferToHeader,
  FrozenContactHeader,
  type FrozenFromHeader,
  FrozenHeader,
  FrozenReferredByHeader,
  FrozenReferToHeader,
  type FrozenRouteHeader,
  FrozenSubscriptionStateHeader,
  type FrozenToHeader,
} from "./headers.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { ownContact } from "./own_contact.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import type { ReferralNotifications } from "./referral_notifications.ts";
import { hold, release } from "./registry.ts";
import { check, create, running, runningOrNull } from "./running.ts";
import type { SIPMessage } from "./sip_message.ts";
import { parseSipfrag, type ReferralStatus } from "./sipfrag.ts";
import {
  milliseconds,
  type NativeSubscriptionChange,
  notifyData,
  readSubscriptionChange,
  subscriptionEnd,
  type SubscriptionState,
} from "./subscriber.ts";
import { checkTimeout } from "./timeout.ts";
import type { FrozenSIPURI } from "./uri.ts";

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
export class Referral {
  /** @internal */
  readonly isLeaving = false;
  readonly #target: DialogTarget;
  readonly #referToHeader: FrozenReferToHeader;
  #serial: Serial<"referral"> | null = null;
  #state: SubscriptionState = "NULL";
  #localContactHeader: FrozenContactHeader | null;
  #remoteContactHeader: FrozenContactHeader | null = null;
  #extraHeaders: FrozenList<BaseHeader> = new FrozenList();
  #refreshInterval: number | null = null;
  #callId: string | null = null;
  #peerAddress: EndpointAddress | null = null;
  /** What the peer has told last. */
  #status: ReferralStatus | null = null;
  /** The REFER was accepted. */
  #started = false;
  /** The end is wanted, by the program or because there is no subscription. */
  #ending = false;
  #unlisten: () => void = () => {};

  /**
   * Sends nothing.
   *
   * @throws TypeError for bad options.
   */
  constructor(options: ReferralOptions) {
    this.#target = checkDialogTarget(options);
    this.#localContactHeader = this.#target.contactHeader;
    this.#referToHeader = FrozenReferToHeader.from(
      checkInstance(options.referToHeader, BaseReferToHeader, "referToHeader"),
    );
  }

  /** The state: "NULL", "SENT", "ACCEPTED", "PENDING", "ACTIVE", "TERMINATED", or what the peer calls it. */
  get state(): SubscriptionState {
    return this.#state;
  }

  /** The request URI of the REFER. */
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

  /** The route of the REFER. */
  get routeHeader(): FrozenRouteHeader {
    return this.#target.routeHeader;
  }

  /** What answers challenges. */
  get credentials(): FrozenCredentials | null {
    return this.#target.credentials;
  }

  /** For how many seconds the peer goes on, as its last NOTIFY told; null before. */
  get refreshInterval(): number | null {
    return this.#refreshInterval;
  }

  /** Those of `sendRefer()`, or of the last `refresh()` that had some. */
  get extraHeaders(): FrozenList<BaseHeader> {
    return this.#extraHeaders;
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
    if (this.#state !== "NULL" || this.#serial !== null) {
      throw new SIPCoreInvalidStateError("Could not send REFER: the referral was used before", this.#state);
    }
    const native = running();
    checkKnownEvent(eventPackage, new Engine().events, "event");
    const { requestUri, fromHeader, routeHeader } = this.#target;
    const contactHeader = this.#localContactHeader ?? ownContact(requestUri, fromHeader, routeHeader);
    const once: BaseHeader[] = [this.#referToHeader];
    if (!extraHeaders.some(({ name }) => /^(?:referred-by|b)$/i.test(name))) {
      once.push(new FrozenReferredByHeader(fromHeader.uri));
    }
    if (!createSubscription) once.push(new FrozenHeader("Refer-Sub", "false"));
    const args = writeDialogTarget(argumentBlock(), this.#target, contactHeader)
      .text(eventPackage).u32(milliseconds(timeout));
    writeHeaders(writeHeaders(args, once), extraHeaders).text("").text("");
    this.#serial = create(
      "Could not send REFER",
      (status) => native.sc_referral_create(args.block, args.size, status),
    );
    this.#localContactHeader = contactHeader;
    this.#extraHeaders = new FrozenList(extraHeaders.map(frozenHeader));
    hold(this.#serial, this);
    if (signal) {
      const abort = () => this[Symbol.dispose]();
      signal.addEventListener("abort", abort, { once: true });
      this.#unlisten = () => signal.removeEventListener("abort", abort);
    }
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
      ? this.#extraHeaders
      : checkExtraHeaders(options.extraHeaders, ownHeaders);
    const timeout = checkTimeout(options.timeout ?? null);
    if (this.#serial === null || !this.#started || this.#ending) {
      throw new SIPCoreInvalidStateError("Could not refresh: there is no subscription", this.#state);
    }
    const args = argumentBlock().text(contactHeader?.body ?? "").u32(milliseconds(timeout));
    writeHeaders(args, extraHeaders).text("").text("");
    check(
      running().sc_referral_refresh(this.#serial, args.block, args.size),
      "Could not refresh the referral",
    );
    if (contactHeader) this.#localContactHeader = contactHeader;
    this.#extraHeaders = new FrozenList(extraHeaders.map(frozenHeader));
  }

  /**
   * Ends the subscription: an un-SUBSCRIBE, as soon as the request under way has its response. What was asked for goes
   * on. "TERMINATED", or ending already: nothing happens.
   *
   * @param options `timeout`: seconds to wait for the response; then it has ended all the same.
   * @throws SIPCoreInvalidStateError before `sendRefer()`; RangeError for a bad timeout.
   */
  end(options: { timeout?: number | null } = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    if (this.#state === "TERMINATED" || this.#ending) return;
    if (this.#serial === null) {
      throw new SIPCoreInvalidStateError("Could not end: the referral has not begun", this.#state);
    }
    const status = running().sc_referral_end(this.#serial, milliseconds(timeout));
    // It has ended meanwhile: what tells so is on its way.
    if (status === errors.SC_EGONE) return;
    check(status, "Could not end the referral");
    this.#ending = true;
  }

  /** The stream of this referral's notifications, all or those of the names given. */
  notifications<const N extends keyof ReferralNotifications = keyof ReferralNotifications>(
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
        post("SIPReferralWillEnd", this, {}, { timestamp: time });
        break;
    }
  }

  /** Keeps what every message of the peer's tells. */
  #heard(peer: PeerMessage): SIPMessage | null {
    const { message } = peer;
    if (peer.peerAddress) this.#peerAddress = peer.peerAddress;
    this.#callId ??= message?.headers.text("Call-ID") ?? null;
    this.#remoteContactHeader = message?.contact ?? this.#remoteContactHeader;
    return message;
  }

  #accepted(first: boolean, peer: PeerMessage, time: Date): void {
    this.#heard(peer);
    if (!first) return;
    this.#started = true;
    post("SIPReferralDidStart", this, {}, { timestamp: time });
  }

  #notified(peer: PeerMessage, time: Date): void {
    const message = this.#heard(peer);
    const state = message?.headers.get("Subscription-State");
    if (state instanceof FrozenSubscriptionStateHeader && state.expires !== null) {
      this.#refreshInterval = state.expires;
    }
    this.#status = parseSipfrag(message?.body ?? null) ?? this.#status;
    postLazily("SIPReferralGotNotify", this, time, () => notifyData(peer));
  }

  #changed(change: NativeSubscriptionChange, time: Date): void {
    const message = this.#heard(change.peer);
    if (change.state !== "TERMINATED") {
      this.#became(change.state, time);
    } else if (this.#ending) {
      this.#ended(time);
    } else if (change.cause === "notify") {
      this.#told(subscriptionEnd(message).reason, time);
    } else {
      const { code, reason } = change;
      this.#failed(message?.code ?? code, message?.reason || reason, time);
    }
  }

  /** The peer has told its last. */
  #told(reason: string | null, time: Date): void {
    const { code, reason: phrase } = this.#status ?? { code: 0, reason: "" };
    if (code >= 300) this.#failed(code, phrase, time);
    else if (code >= 200 || reason === null || reason === "noresource") this.#ended(time);
    else this.#failed(0, reason, time);
  }

  #failed(code: number, reason: string, timestamp: Date): void {
    this.#begin(timestamp);
    post("SIPReferralDidFail", this, { code, reason }, { timestamp });
    this.#finish(timestamp);
  }

  #ended(timestamp: Date): void {
    const { code, reason } = this.#status ?? { code: null, reason: null };
    this.#begin(timestamp);
    post("SIPReferralDidEnd", this, { code, reason }, { timestamp });
    this.#finish(timestamp);
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
    post("SIPReferralChangedState", this, { prevState, state }, { timestamp });
    if (prevState === "NULL") post("SIPReferralWillStart", this, {}, { timestamp });
  }

  /**
   * Nothing is sent: the peer will see that nobody answers.
   * @internal
   */
  engineStopping(): void {}

  /** @internal */
  engineStopped(): void {
    if (this.#serial === null) return;
    if (this.#ending) this.#ended(new Date());
    else this.#failed(503, "engine stopped", new Date());
  }
}
