// SPDX-License-Identifier: GPL-2.0-or-later
import type { Serial } from "../ffi/types.ts";
import { argumentBlock } from "../ffi/wire.ts";
import { checkInstance, checkInteger, checkOptionalText } from "./check_argument.ts";
import { DialogID } from "./dialog_id.ts";
import { post } from "./dispatch.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { checkExtraHeaders, writeHeaders } from "./extra_headers.ts";
import {
  type BaseHeader,
  EventHeader,
  Header,
  ReferredByHeader,
  ReferToHeader,
  SubscriptionStateHeader,
} from "./headers.ts";
import type { Invitation } from "./invitation.ts";
import type {
  InvitationTransferNotifications,
  InvitationTransferState,
} from "./invitation_transfer_notifications.ts";
import { runningOrNull } from "./running.ts";
import type { SIPMessage } from "./sip_message.ts";
import { sipStatusMessages } from "./sip_status_messages.ts";
import { BaseSIPURI, SIPURI } from "./uri.ts";

/** How long a REFER's subscription lives, in seconds. */
const lifetime = 90;

const sipfrag = "message/sipfrag;version=2.0";

/** What `transfer()` takes beside the target. */
export interface TransferOptions {
  /** The call of ours that the peer shall take the place of in the target's eyes: an attended transfer. */
  replacedDialogId?: DialogID | null;
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
}

/** What `notifyTransferProgress()` takes beside the code. */
export interface TransferProgressOptions {
  /** The reason phrase; the code's own when left out. */
  reason?: string | null;
}

type Name = keyof InvitationTransferNotifications;

/** Sends a request within the call. Throws when there is none. */
export type SendRequest = (
  method: string,
  headers: readonly BaseHeader[],
  contentType: string,
  body: Uint8Array,
) => void;

const encoder = new TextEncoder();
const noBody = new Uint8Array();

/** Answers a request that waits; quiet when that is too late. */
function answer(request: number, code: number, headers: readonly BaseHeader[]): void {
  const args = writeHeaders(argumentBlock().text(""), headers).text("").text("");
  runningOrNull()?.sc_incoming_request_answer(
    request as Serial<"incoming_request">,
    code,
    args.block,
    args.size,
  );
}

/**
 * One call's transfers, one after the other (RFC 3515, RFC 3891, RFC 4488): the side that sends REFER and hears of the
 * outcome, and the side that was asked and tells it.
 */
export class InvitationTransfer {
  readonly #invitation: Invitation;
  readonly #send: SendRequest;
  #state: InvitationTransferState = null;
  #isOurs = false;
  /** `start()` was called, and the REFER was not told yet. */
  #pending = false;
  /** SIPInvitationTransferDidStart was told. */
  #hasBegun = false;
  /** The outcome was told to the peer, and not yet to the program. */
  #concluding = false;
  /** The other side of an incoming transfer wants no NOTIFY. */
  #isSilent = false;
  /** Parameters of its Event header. */
  #event: EventHeader = new EventHeader("refer");
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endsAt = 0;
  /** What the last NOTIFY said, as the result when no other comes. */
  #progress: { code: number; reason: string } = { code: 0, reason: "" };

  constructor(invitation: Invitation, send: SendRequest) {
    this.#invitation = invitation;
    this.#send = send;
  }

  get state(): InvitationTransferState {
    return this.#state;
  }

  get #isConnected(): boolean {
    return this.#invitation.state === "connected";
  }

  get #isBusy(): boolean {
    return this.#pending || this.#isRunning;
  }

  get #isRunning(): boolean {
    return this.#state !== null && this.#state !== "TERMINATED";
  }

  /** Throws as `Invitation.transfer()` does. */
  start(target: BaseSIPURI, options: TransferOptions): void {
    const uri = SIPURI.from(checkInstance(target, BaseSIPURI, "targetUri"));
    const replaced = options.replacedDialogId ?? null;
    if (replaced) {
      const { callId, localTag, remoteTag } = checkInstance(replaced, DialogID, "replacedDialogId");
      if (remoteTag === null) throw new TypeError("replacedDialogId must have a remoteTag");
      // As the target sees it.
      uri.headers.set("Replaces", `${callId};to-tag=${remoteTag};from-tag=${localTag}`);
    }
    const extraHeaders = checkExtraHeaders(options.extraHeaders);
    if (this.#isBusy || !this.#isConnected) {
      throw new SIPCoreInvalidStateError(
        `Could not transfer: ${this.#isBusy ? "a transfer is under way" : "the call is not connected"}`,
        this.#state,
      );
    }
    const localUri = this.#invitation.localIdentity?.uri ?? null;
    const isReferred = extraHeaders.some(({ name }) => /^(referred-by|b)$/i.test(name));
    this.#send(
      "REFER",
      [
        new ReferToHeader(uri),
        ...(localUri && !isReferred ? [new ReferredByHeader(localUri)] : []),
        ...extraHeaders,
      ],
      "",
      noBody,
    );
    this.#isOurs = true;
    this.#isSilent = false;
    this.#progress = { code: 0, reason: "" };
    this.#hasBegun = false;
    this.#pending = true;
  }

  /** Throws as `Invitation.notifyTransferProgress()` does. */
  progress(code: number, options: TransferProgressOptions): void {
    checkInteger(code, "code", 100, 699);
    const reason = checkOptionalText(options.reason ?? null, "reason") ?? sipStatusMessages[code] ?? "";
    if (this.#isOurs || this.#concluding || this.#state !== "ACTIVE") {
      throw new SIPCoreInvalidStateError(
        "Could not tell progress: no transfer of the peer's is under way",
        this.#state,
      );
    }
    const isFinal = code >= 200;
    this.#notify(code, reason, isFinal ? "noresource" : null);
    this.#progress = { code, reason };
    if (!isFinal) return;
    // What the method causes is told when it has returned.
    queueMicrotask(() => this.#end(code, reason, new Date()));
    this.#concluding = true;
  }

  #notify(code: number, reason: string, ended: string | null): void {
    if (this.#isSilent) return;
    const left = Math.max(0, Math.round((this.#endsAt - Date.now()) / 1000));
    const state = ended === null
      ? new SubscriptionStateHeader("active", { parameters: { expires: `${left}` } })
      : new SubscriptionStateHeader("terminated", { parameters: { reason: ended } });
    this.#send("NOTIFY", [this.#event, state], sipfrag, encoder.encode(`SIP/2.0 ${code} ${reason}\r\n`));
  }

  #became(state: InvitationTransferState, time: Date): void {
    const prevState = this.#state;
    if (state === prevState) return;
    this.#state = state;
    post("SIPInvitationTransferChangedState", this.#invitation, { prevState, state }, { timestamp: time });
  }

  #end(code: number, reason: string, time: Date): void {
    if (!this.#isRunning) return;
    clearTimeout(this.#timer);
    this.#concluding = false;
    this.#became("TERMINATED", time);
    if (code >= 200 && code < 300) {
      post("SIPInvitationTransferDidEnd", this.#invitation, {}, { timestamp: time });
    } else post("SIPInvitationTransferDidFail", this.#invitation, { code, reason }, { timestamp: time });
  }

  /** When nothing is heard any more the subscription is over. */
  #expireIn(seconds: number): void {
    clearTimeout(this.#timer);
    this.#endsAt = Date.now() + seconds * 1000;
    this.#timer = setTimeout(() => this.#expired(), Math.min(seconds * 1000, 2 ** 31 - 1));
  }

  #expired(): void {
    try {
      if (this.#isOurs) this.#send("SUBSCRIBE", [this.#event, new Header("Expires", "0")], "", noBody);
      else this.#notify(this.#progress.code || 100, this.#progress.reason || "Trying", "timeout");
    } catch {
      // The call is over, and with it the transfer.
    }
    this.#end(408, sipStatusMessages[408]!, new Date());
  }

  /** The REFER has gone out. */
  sent(message: SIPMessage | null, time: Date): void {
    this.#pending = false;
    this.#post("SIPInvitationTransferNewOutgoing", message, time);
    this.#became("SENT", time);
  }

  #post(
    name: "SIPInvitationTransferNewOutgoing" | "SIPInvitationTransferNewIncoming",
    message: SIPMessage | null,
    time: Date,
    unheard?: () => void,
  ): void {
    if (message === null) return;
    post(name, this.#invitation, {
      method: "REFER",
      get requestUri() {
        return message.requestUri;
      },
      get headers() {
        return message.headers;
      },
      get body() {
        return message.body;
      },
    }, { timestamp: time, ...(unheard ? { unheard } : {}) });
  }

  /** The response to the REFER. */
  answered(code: number, reason: string, message: SIPMessage | null, time: Date): void {
    this.#pending = false;
    if (!this.#isOurs || !this.#isRunning) return;
    if (code >= 300) {
      this.#end(code, reason, time);
      return;
    }
    // A NOTIFY may have been faster.
    if (this.#state === "SENT") this.#became("ACCEPTED", time);
    if (!this.#hasBegun) this.#begin(time);
    // RFC 4488: nobody will tell.
    if (message?.headers.text("Refer-Sub")?.trim().toLowerCase() === "false") this.#end(code, reason, time);
  }

  #begin(time: Date): void {
    this.#hasBegun = true;
    this.#expireIn(lifetime);
    post("SIPInvitationTransferDidStart", this.#invitation, {}, { timestamp: time });
  }

  /** A NOTIFY of ours was refused. */
  refused(time: Date): void {
    if (!this.#isOurs && this.#isRunning && !this.#concluding) {
      this.#end(0, "the peer does not listen any more", time);
    }
  }

  /** A REFER, SUBSCRIBE or NOTIFY of the peer's; `request` waits for an answer unless it is 0. */
  came(request: number, message: SIPMessage | null, time: Date): void {
    switch (message?.method) {
      case "REFER":
        this.#referred(request, message, time);
        break;
      case "SUBSCRIBE":
        this.#subscribed(request, message, time);
        break;
      case "NOTIFY":
        this.#notified(message, time);
        break;
    }
  }

  #referred(request: number, message: SIPMessage, time: Date): void {
    const { headers } = message;
    const target = headers.get("Refer-To");
    if (headers.getAll("Refer-To").length !== 1 || !target || !("uri" in target)) {
      answer(request, 400, []);
      return;
    }
    if (this.#isBusy || !this.#isConnected) {
      answer(request, 480, []);
      return;
    }
    this.#isOurs = false;
    this.#hasBegun = false;
    this.#isSilent = headers.text("Refer-Sub")?.trim().toLowerCase() === "false";
    this.#event = new EventHeader("refer");
    this.#progress = { code: 100, reason: "Trying" };
    this.#became("INCOMING", time);
    let isHeard = true;
    this.#post("SIPInvitationTransferNewIncoming", message, time, () => isHeard = false);
    if (!isHeard) {
      answer(request, 480, []);
      this.#end(480, sipStatusMessages[480]!, time);
      return;
    }
    answer(
      request,
      202,
      this.#isSilent ? [new Header("Refer-Sub", "false")] : [
        new Header("Expires", `${lifetime}`),
      ],
    );
    this.#became("ACTIVE", time);
    this.#begin(time);
    try {
      this.#notify(100, "Trying", null);
    } catch {
      // The call is ending: so does the transfer.
    }
  }

  #subscribed(request: number, message: SIPMessage, time: Date): void {
    if (this.#isOurs || this.#state !== "ACTIVE" || this.#isSilent) {
      answer(request, 481, []);
      return;
    }
    const wanted = Number(message.headers.text("Expires") ?? lifetime);
    const expires = Number.isInteger(wanted) && wanted >= 0 ? Math.min(wanted, 600) : lifetime;
    answer(request, 200, [new Header("Expires", `${expires}`)]);
    const { code, reason } = this.#progress;
    if (expires > 0) this.#expireIn(expires);
    try {
      this.#notify(code, reason, expires > 0 ? null : "timeout");
    } catch {
      // As above.
    }
    if (expires === 0) this.#end(0, "the peer does not listen any more", time);
  }

  #notified(message: SIPMessage, time: Date): void {
    if (!this.#isOurs || !this.#isRunning) return;
    const { headers, contentType } = message;
    if (!this.#hasBegun) {
      this.#became("ACCEPTED", time);
      this.#begin(time);
    }
    post("SIPInvitationTransferGotNotify", this.#invitation, {
      requestUri: message.requestUri,
      fromHeader: message.from,
      toHeader: message.to,
      headers,
      body: message.body,
      contentType,
      event: headers.text("Event"),
    }, { timestamp: time });
    const event = headers.get("Event");
    // The id that the peer has given its subscription goes back in ours.
    if (event && "event" in event) this.#event = EventHeader.from(event);
    const text = typeof message.body === "string"
      ? message.body
      : new TextDecoder().decode(message.bodyBytes);
    const [, code, reason] = /^\s*SIP\/2\.0\s+([1-6]\d\d)[ \t]*([^\r\n]*)/i.exec(text) ?? [];
    if (code !== undefined) this.#progress = { code: Number(code), reason: reason ?? "" };
    const state = headers.get("Subscription-State");
    const word = state && "state" in state ? state.state.toLowerCase() : "active";
    if (word === "terminated" || this.#progress.code >= 200) {
      this.#became(word === "terminated" ? "TERMINATED" : "ACTIVE", time);
      this.#conclude(time);
      return;
    }
    const expires = state && "expires" in state ? state.expires : null;
    if (expires !== null) this.#expireIn(Math.max(1, expires));
    this.#became(word === "pending" ? "PENDING" : "ACTIVE", time);
  }

  /** The final NOTIFY of a transfer of ours. */
  #conclude(time: Date): void {
    const { code, reason } = this.#progress;
    clearTimeout(this.#timer);
    this.#hasBegun = false;
    this.#became("TERMINATED", time);
    if (code >= 200 && code < 300) {
      post("SIPInvitationTransferDidEnd", this.#invitation, {}, { timestamp: time });
    } else {post("SIPInvitationTransferDidFail", this.#invitation, { code: code >= 300 ? code : 0, reason }, {
        timestamp: time,
      });}
  }

  /** The call is over. */
  callEnded(time: Date): void {
    this.#pending = false;
    this.#end(0, "the call has ended", time);
  }
}
