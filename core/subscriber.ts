// SPDX-License-Identifier: GPL-2.0-or-later
import { errors, records } from "../ffi/bindings/records.ts";
import type { NativeLibrary } from "../ffi/library.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader, type Writer } from "../ffi/wire.ts";
import type { FrozenCredentials } from "./credentials.ts";
import {
  checkDialogTarget,
  type DialogTarget,
  type DialogTargetOptions,
  writeDialogTarget,
} from "./dialog_target.ts";
import { endSender } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { Engine } from "./engine.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { checkKnownEvent } from "./event_packages.ts";
import { FrozenList } from "./frozen.ts";
import { frozenHeader } from "./header_map.ts";
import type {
  BaseHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  FrozenToHeader,
} from "./headers.ts";
import { ownContact } from "./own_contact.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import { hold, release } from "./registry.ts";
import { check, create, running, runningOrNull } from "./running.ts";
import type { SIPMessage } from "./sip_message.ts";
import {
  milliseconds,
  type NativeSubscriptionChange,
  readSubscriptionChange,
  type SubscriptionState,
  type SubscriptionStateChange,
} from "./subscriber_messages.ts";
import { checkTimeout } from "./timeout.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** What one of the two kinds has for itself: its rows of the table, and the names of what it posts. */
export interface SubscriberKind<Noun extends "subscription" | "referral", Sender> {
  readonly noun: Noun;
  create(native: NativeLibrary, args: Writer, status: Int32Array<ArrayBuffer>): Serial<Noun>;
  end(native: NativeLibrary, serial: Serial<Noun>, timeout: number): number;
  changedState(sender: Sender, change: SubscriptionStateChange, timestamp: Date): void;
  willStart(sender: Sender, timestamp: Date): void;
  didStart(sender: Sender, timestamp: Date): void;
  willEnd(sender: Sender, timestamp: Date): void;
}

/** How a subscriber begins. */
interface SubscriberStart {
  /** "Could not subscribe". */
  readonly what: string;
  readonly event: string;
  /** For how long to subscribe at a time, in seconds, where that is the program's choice. */
  readonly interval?: number;
  /** In seconds. */
  readonly timeout: number | null;
}

/** The watching end of a dialog that a SUBSCRIBE or a REFER begins: what Subscription and Referral share (RFC 6665). */
export abstract class Subscriber<Noun extends "subscription" | "referral"> {
  /** @internal */
  readonly isLeaving = false;
  /** @internal */
  protected readonly target: DialogTarget;
  readonly #kind: SubscriberKind<Noun, Subscriber<Noun>>;
  #serial: Serial<Noun> | null = null;
  #state: SubscriptionState = "NULL";
  #extraHeaders: FrozenList<BaseHeader> = new FrozenList();
  #callId: string | null = null;
  #peerAddress: EndpointAddress | null = null;
  #started = false;
  #ending = false;
  #unlisten: () => void = () => {};

  /** @internal */
  constructor(options: DialogTargetOptions, kind: SubscriberKind<Noun, Subscriber<Noun>>) {
    this.target = checkDialogTarget(options);
    this.#kind = kind;
  }

  /** The state: "NULL", "SENT", "ACCEPTED", "PENDING", "ACTIVE", "TERMINATED", or what the peer calls it. */
  get state(): SubscriptionState {
    return this.#state;
  }

  /** The request URI of the first request. */
  get requestUri(): FrozenSIPURI {
    return this.target.requestUri;
  }

  /** The From header. */
  get fromHeader(): FrozenFromHeader {
    return this.target.fromHeader;
  }

  /** The To header. */
  get toHeader(): FrozenToHeader {
    return this.target.toHeader;
  }

  /** The route of the first request. */
  get routeHeader(): FrozenRouteHeader {
    return this.target.routeHeader;
  }

  /** What answers challenges. */
  get credentials(): FrozenCredentials | null {
    return this.target.credentials;
  }

  /** Those that go with the requests, as they were given last. */
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
   * Ends the subscription: an un-SUBSCRIBE, as soon as the request under way has its response. What a REFER has asked
   * for goes on. "TERMINATED", or ending already: nothing happens.
   *
   * @param options `timeout`: seconds to wait for the response; then it has ended all the same.
   * @throws SIPCoreInvalidStateError before the first request; RangeError for a bad timeout.
   */
  end(options: { timeout?: number | null } = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    if (this.#state === "TERMINATED" || this.#ending) return;
    const { noun } = this.#kind;
    if (this.#serial === null) {
      throw new SIPCoreInvalidStateError(`Could not end: the ${noun} has not begun`, this.#state);
    }
    const status = this.#kind.end(running(), this.#serial, milliseconds(timeout));
    // It has ended meanwhile: what tells so is on its way.
    if (status === errors.SC_EGONE) return;
    check(status, `Could not end the ${noun}`);
    this.#ending = true;
  }

  /** `end()`, quiet when there is nothing to end. */
  [Symbol.dispose](): void {
    if (this.#serial !== null && runningOrNull()) this.end();
  }

  /**
   * null before the first request, and in the end.
   *
   * @internal
   */
  protected get serial(): Serial<Noun> | null {
    return this.#serial;
  }

  /**
   * The first request was accepted.
   *
   * @internal
   */
  protected get hasStarted(): boolean {
    return this.#started;
  }

  /**
   * The end is wanted, by the program or because the peer grants no time.
   *
   * @internal
   */
  protected get isEnding(): boolean {
    return this.#ending;
  }

  /**
   * Sends the first request: `write` adds what this kind has of its own. Returns the Contact that it gives.
   *
   * @internal
   */
  protected start(
    { what, event, interval, timeout }: SubscriberStart,
    contactHeader: FrozenContactHeader | null,
    write: (writer: Writer) => void,
  ): FrozenContactHeader {
    const native = running();
    checkKnownEvent(event, new Engine().events, "event");
    const { requestUri, fromHeader, routeHeader } = this.target;
    const contact = contactHeader ?? ownContact(requestUri, fromHeader, routeHeader);
    const args = writeDialogTarget(argumentBlock(), this.target, contact).text(event);
    if (interval !== undefined) args.u32(interval);
    write(args.u32(milliseconds(timeout)));
    this.#serial = create(what, (status) => this.#kind.create(native, args, status));
    hold(this.#serial, this);
    return contact;
  }

  /** @internal */
  protected keepHeaders(extraHeaders: readonly BaseHeader[]): void {
    this.#extraHeaders = new FrozenList(extraHeaders.map(frozenHeader));
  }

  /**
   * From now on the abort of this signal, and of no other, ends it.
   *
   * @internal
   */
  protected obey(signal: AbortSignal | undefined): void {
    this.#unlisten();
    this.#unlisten = () => {};
    if (!signal) return;
    const abort = () => this[Symbol.dispose]();
    signal.addEventListener("abort", abort, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", abort);
  }

  /**
   * Keeps what every message of the peer's tells.
   *
   * @internal
   */
  protected heard({ message, peerAddress }: PeerMessage): SIPMessage | null {
    if (peerAddress) this.#peerAddress = peerAddress;
    this.#callId ??= message?.headers.text("Call-ID") ?? null;
    return message;
  }

  /**
   * A NOTIFY came.
   *
   * @internal
   */
  protected abstract notified(peer: PeerMessage, time: Date): void;

  /**
   * It is over: tells how, by `finish()`.
   *
   * @internal
   */
  protected abstract terminated(
    change: NativeSubscriptionChange,
    message: SIPMessage | null,
    time: Date,
  ): void;

  /**
   * The engine has stopped before it was over.
   *
   * @internal
   */
  protected abstract abandoned(reason: string): void;

  /**
   * The last things that are told: `tell` posts how it has ended.
   *
   * @internal
   */
  protected finish(time: Date, tell: () => void): void {
    // What could not even be sent has begun, all the same.
    if (this.#state === "NULL") this.#became("SENT", time);
    tell();
    this.#unlisten();
    if (this.#serial !== null) release(this.#serial, this);
    this.#serial = null;
    this.#became("TERMINATED", time);
    endSender(this);
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
        this.notified(readPeerMessage(reader), time);
        break;
      case records.SC_RECORD_SUBSCRIPTION_ENDING:
        this.#ending = true;
        this.#kind.willEnd(this, time);
        break;
    }
  }

  #accepted(first: boolean, peer: PeerMessage, time: Date): void {
    this.heard(peer);
    if (!first) return;
    this.#started = true;
    this.#kind.didStart(this, time);
  }

  #changed(change: NativeSubscriptionChange, time: Date): void {
    const message = this.heard(change.peer);
    if (change.state === "TERMINATED") this.terminated(change, message, time);
    else this.#became(change.state, time);
  }

  /** The one place where the state changes and is told. */
  #became(state: SubscriptionState, timestamp: Date): void {
    const prevState = this.#state;
    if (state === prevState) return;
    this.#state = state;
    this.#kind.changedState(this, { prevState, state }, timestamp);
    if (prevState === "NULL") this.#kind.willStart(this, timestamp);
  }

  /**
   * Nothing is sent: the peer will see that nobody refreshes, or answers.
   * @internal
   */
  engineStopping(): void {}

  /** @internal */
  engineStopped(): void {
    if (this.#serial !== null) this.abandoned("engine stopped");
  }
}
