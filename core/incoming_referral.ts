// SPDX-License-Identifier: GPL-2.0-or-later
import { records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader } from "../ffi/wire.ts";
import { checkInteger, checkOptionalText } from "./check_argument.ts";
import { post, postLazily } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { FrozenContactHeader, FrozenReferToHeader } from "./headers.ts";
import type { IncomingReferralNotifications, ReceivedRefer } from "./incoming_referral_notifications.ts";
import { lazy } from "./lazy.ts";
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
import { sipfrag } from "./sipfrag.ts";

const names = {
  ChangedState: "SIPIncomingReferralChangedState",
  GotRefreshingSubscribe: "SIPIncomingReferralGotRefreshingSubscribe",
  GotUnsubscribe: "SIPIncomingReferralGotUnsubscribe",
  Answered: "SIPIncomingReferralAnsweredRefer",
  SentNotify: "SIPIncomingReferralSentNotify",
  NotifyDidSucceed: "SIPIncomingReferralNotifyDidSucceed",
  NotifyDidFail: "SIPIncomingReferralNotifyDidFail",
  DidTimeout: "SIPIncomingReferralDidTimeout",
  DidEnd: "SIPIncomingReferralDidEnd",
} as const satisfies Record<keyof NotifierEvents, keyof IncomingReferralNotifications>;

/** Only the announcement of a REFER makes one. */
const key = Symbol("IncomingReferral");

/**
 * A REFER outside of calls (RFC 3515): somebody asks for a request to the URI in `referTo`. Nothing is done about it but
 * what the program does. Whoever hears of it accepts or rejects it, and tells what becomes of it; unheard it gets a
 * 480, unanswered for 32 seconds a 500.
 *
 * @example
 * ```ts
 * import { Engine, NotificationCenter } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * new NotificationCenter().addObserver(({ sender, data }) => {
 *   sender.accept();
 *   console.log(`asked to call ${data.referTo?.uri}`);
 *   sender.end({ code: 200 });
 * }, { name: "SIPIncomingReferralGotRefer" });
 * ```
 */
export class IncomingReferral {
  /** @internal */
  readonly isLeaving = false;
  readonly #serial: Serial<"incoming_referral">;
  readonly #notifier: Notifier;
  readonly #callId: string | null;
  readonly #localContactHeader: () => FrozenContactHeader | null;
  readonly #remoteContactHeader: () => FrozenContactHeader | null;
  readonly #wantsNotify: boolean;

  /** Illegal: referrals come from the network. */
  constructor(secret: typeof key, serial: number, contact: string, peer: PeerMessage) {
    if (secret !== key) throw new TypeError("Illegal constructor");
    this.#serial = serial as Serial<"incoming_referral">;
    this.#notifier = new Notifier(
      this,
      serial,
      "referral",
      peer,
      (event, time, make) => postLazily(names[event], this, time, make as () => never),
    );
    const { message } = peer;
    this.#callId = message?.headers.text("Call-ID") ?? null;
    this.#localContactHeader = lazy(() => FrozenContactHeader.tryParse(contact));
    this.#remoteContactHeader = () => message?.contact ?? null;
    this.#wantsNotify = !/^false\b/i.test(message?.headers.text("Refer-Sub") ?? "");
  }

  /** The state: "incoming", "active" or "terminated". */
  get state(): IncomingSubscriptionState {
    return this.#notifier.state;
  }

  /** The Call-ID of the dialog. */
  get callId(): string | null {
    return this.#callId;
  }

  /** The Contact that we give. */
  get localContactHeader(): FrozenContactHeader | null {
    return this.#localContactHeader();
  }

  /** The Contact of the REFER. */
  get remoteContactHeader(): FrozenContactHeader | null {
    return this.#remoteContactHeader();
  }

  /** Where the peer's last message came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#notifier.peerAddress;
  }

  /**
   * Answers the REFER with a refusal.
   *
   * @param code 300 to 699.
   * @throws RangeError for another code; SIPCoreInvalidStateError when it was answered before, or the engine does not
   * run.
   */
  reject(code: number): void {
    checkInteger(code, "code", 300, 699);
    this.#notifier.require("reject", "incoming");
    check(running().sc_incoming_referral_reject(this.#serial, code), "Could not reject the referral");
    this.#notifier.wanted = "terminated";
  }

  /**
   * Answers the REFER with a 2xx, and notifies that it is being tried. A peer that wants to hear nothing of it
   * (Refer-Sub: false, RFC 4488) gets the answer only, and it has ended.
   *
   * @param options `code`: 200 to 299, default 202; `duration`: how long to notify for unless the peer refreshes it, in
   * seconds, default 180.
   * @throws RangeError for a bad option; SIPCoreInvalidStateError when it was answered before, or the engine does not
   * run.
   */
  accept(options: { code?: number; duration?: number } = {}): void {
    const code = checkInteger(options.code ?? 202, "code", 200, 299);
    const duration = checkInteger(options.duration ?? 180, "duration", 1, 0x7fffffff);
    this.#notifier.require("accept", "incoming");
    const args = writeContent(sipfrag(100, null));
    check(
      running().sc_incoming_referral_accept(this.#serial, code, duration, args.block, args.size),
      "Could not accept the referral",
    );
    this.#notifier.wanted = this.#wantsNotify ? "active" : "terminated";
  }

  /**
   * Notifies of the status of what was asked for.
   *
   * @param code 100 to 699.
   * @param options `status`: the reason phrase; the code's own when left out.
   * @throws RangeError for another code; TypeError for a bad status; SIPCoreInvalidStateError when it is not active, or
   * the engine does not run.
   */
  sendNotify(code: number, options: { status?: string | null } = {}): void {
    const content = checkStatus(code, options.status);
    this.#notifier.require("notify", "active");
    const args = writeContent(content);
    check(
      running().sc_incoming_referral_push(this.#serial, args.block, args.size),
      "Could not notify of the referral",
    );
  }

  /**
   * Notifies of the last status, and that there will be no other.
   *
   * @param options `code`: 100 to 699, default 487; `status`: the reason phrase, the code's own when left out.
   * @throws RangeError for another code; TypeError for a bad status; SIPCoreInvalidStateError when it is not active, or
   * the engine does not run.
   */
  end(options: { code?: number; status?: string | null } = {}): void {
    const { code = 487, status } = options;
    const content = checkStatus(code, status);
    this.#notifier.require("end", "active");
    const args = writeContent(content, argumentBlock().text("noresource"));
    check(
      running().sc_incoming_referral_end(this.#serial, args.block, args.size),
      "Could not end the referral",
    );
    this.#notifier.wanted = "terminated";
  }

  /** The stream of this referral's notifications, all or those of the names given. */
  notifications<const N extends keyof IncomingReferralNotifications = keyof IncomingReferralNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
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

onBirth(records.SC_RECORD_INCOMING_REFERRAL, (serial, timestamp, reader) => {
  const contact = reader.text();
  const peer = readPeerMessage(reader);
  const referral = new IncomingReferral(key, serial, contact, peer);
  post("SIPIncomingReferralGotRefer", referral, referData(peer), {
    timestamp,
    unheard: () => referral[Symbol.dispose](),
  });
});

function referData(peer: PeerMessage): ReceivedRefer {
  const referTo = peer.message?.headers.get("Refer-To");
  return Object.defineProperties(
    { referTo: referTo instanceof FrozenReferToHeader ? referTo : null },
    Object.getOwnPropertyDescriptors(requestData(peer, "REFER")),
  ) as ReceivedRefer;
}

function checkStatus(code: unknown, status: unknown): ReturnType<typeof sipfrag> {
  return sipfrag(checkInteger(code, "code", 100, 699), checkOptionalText(status, "status"));
}
