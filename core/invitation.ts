// SPDX-License-Identifier: GPL-2.0-or-later
import { records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import type { Reader } from "../ffi/wire.ts";
import { type Body, encodeBody } from "./body.ts";
import { checkInteger, checkOptionalText } from "./check_argument.ts";
import { Deadlines } from "./deadlines.ts";
import { endSender } from "./dispatch.ts";
import { SIPCoreError, SIPCoreInvalidStateError } from "./errors.ts";
import { checkExtraHeaders } from "./extra_headers.ts";
import { type BaseHeader, FrozenContactHeader } from "./headers.ts";
import {
  checkContact,
  checkContentType,
  checkInvite,
  checkSdp,
  defaultContact,
  sessionTimerOf,
} from "./invitation_arguments.ts";
import {
  type Cause,
  inv,
  type NativeChange,
  noCause,
  readChange,
  readProposal,
  sdpAt,
  sdpOf,
  step,
} from "./invitation_cause.ts";
import { InvitationAttributes, type InvitationParts, partsOf } from "./invitation_attributes.ts";
import { postAgreement, postChange, postDisagreement } from "./invitation_change.ts";
import { InvitationDialog, nothing } from "./invitation_dialog.ts";
import { endingOf } from "./invitation_ending.ts";
import {
  nativeAck,
  nativeAnswer,
  nativeCancelReinvite,
  nativeEnd,
  nativeInvite,
  nativeReinvite,
  nativeRequest,
  offer,
} from "./invitation_native.ts";
import type {
  InvitationNotifications,
  InvitationState,
  InvitationSubState,
} from "./invitation_notifications.ts";
import type { InvitationOffers } from "./invitation_offers.ts";
import type {
  EndOptions,
  InvitationRequestOptions,
  InviteOptions,
  ReinviteOptions,
  ResponseOptions,
} from "./invitation_options.ts";
import { postRequest } from "./invitation_request.ts";
import {
  InvitationTransfer,
  type TransferOptions,
  type TransferProgressOptions,
} from "./invitation_transfer.ts";
import type { InvitationTransferState } from "./invitation_transfer_notifications.ts";
import { lazy } from "./lazy.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { readPeerMessage } from "./peer_message.ts";
import { hold, onBirth, release } from "./registry.ts";
import { running, runningOrNull, statusText } from "./running.ts";
import type { BaseSDPSession } from "./sdp_session.ts";
import type { SIPMessage } from "./sip_message.ts";
import { sipTimers } from "./sip_timers.ts";
import { checkTimeout } from "./timeout.ts";
import type { BaseSIPURI } from "./uri.ts";

/** How long the peer's offer in a 2xx waits for `sendAck()`, in ms. */
const ackTime = 5000;

/**
 * A call: an INVITE, its dialog and how it ends (RFC 3261, sections 12 to 15), from either side.
 *
 * @example
 * ```ts
 * import { Engine, NotificationCenter } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * new NotificationCenter().addObserver(({ sender, data }) => {
 *   if (data.state === "incoming") sender.sendResponse(486);
 * }, { name: "SIPInvitationChangedState" });
 * ```
 */
export class Invitation extends InvitationAttributes {
  #serial: Serial<"invitation"> | null = null;
  #state: InvitationState = null;
  #subState: InvitationSubState = null;
  readonly #parts: InvitationParts = partsOf(this);
  readonly #offers: InvitationOffers = this.#parts.offers;
  /** A description of ours went out with a provisional response: it was the answer. */
  #hasAnswered = false;
  /** The final response was handed over, whatever has been told of it. */
  #finalSent = false;
  /** `sendReinvite()` was called, and its end was not told yet. */
  #proposing = false;
  /** `cancelReinvite()` was called for it. */
  #cancellingProposal = false;
  /** The final response to the peer's re-INVITE was handed over, whatever has been told of it. */
  #proposalAnswered = false;
  /** Our 2xx to a re-INVITE that asked for an offer: it is over with the answer. */
  #acceptance: Cause | null = null;
  /** Of a 2xx that has brought an offer. */
  #ack: "none" | "owed" | "sent" = "none";
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  /** `end()` was called, whatever has been told of it. */
  #ending = false;
  /** It was not the program that wanted the end. */
  #isEndedByStack = false;
  /** A CANCEL of ours went out, or will after the first response. */
  #hasCancelled = false;
  /** The peer's CANCEL. */
  #cancel: { readonly message: SIPMessage | null } | null = null;
  #timedOut = false;
  /** Made when somebody transfers. */
  #transfer: InvitationTransfer | null = null;
  #engineStopping = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unlisten: () => void = () => {};

  /** Calls of the peers' whose 2xx waits for its ACK. */
  static readonly #missingAcks: Deadlines<Invitation> = new Deadlines((call) => call.#forget());

  /** The state; null before anything was sent. */
  get state(): InvitationState {
    return this.#state;
  }

  /** What a "connected" call is at: "normal" while nothing is being changed. */
  get subState(): InvitationSubState {
    return this.#subState;
  }

  /**
   * Whether the engine's stop waits for it.
   * @internal
   */
  get isLeaving(): boolean {
    return this.#serial !== null;
  }

  /**
   * Calls. Returns at once; what becomes of it comes as SIPInvitationChangedState.
   *
   * @throws SIPCoreInvalidStateError when it was called before, or the engine does not run; TypeError and RangeError
   * for bad arguments; PJSIPError when PJSIP refuses them; the signal's reason when it has aborted.
   */
  sendInvite(options: InviteOptions): void {
    const { signal } = options;
    const invite = checkInvite(options);
    const { timeout } = invite;
    signal?.throwIfAborted();
    if (this.#state !== null || this.#serial !== null) {
      throw new SIPCoreInvalidStateError(
        "Could not send INVITE: the invitation was used before",
        this.#state,
      );
    }
    running();
    const contactHeader = invite.contactHeader ?? defaultContact(invite);
    const serial = nativeInvite(invite, contactHeader);
    const dialog = this.#begin(serial, "outgoing");
    this.#parts.credentials = invite.credentials;
    this.#parts.routeHeader = invite.routeHeader;
    dialog.requestUri = () => invite.requestUri;
    dialog.fromHeader = () => invite.fromHeader;
    dialog.toHeader = () => invite.toHeader;
    dialog.localContact = () => contactHeader;
    dialog.transport = invite.route.transport;
    this.#offers.proposedLocal = invite.sdp?.value ?? nothing;
    if (timeout !== null) this.#timer = setTimeout(() => this.#giveUp(), timeout * 1000);
    if (signal) {
      const abort = () => this[Symbol.dispose]();
      signal.addEventListener("abort", abort, { once: true });
      this.#unlisten = () => signal.removeEventListener("abort", abort);
    }
  }

  #begin(serial: Serial<"invitation">, direction: "incoming" | "outgoing"): InvitationDialog {
    this.#serial = serial;
    hold(serial, this);
    return this.#parts.dialog = new InvitationDialog(direction);
  }

  /** No final response came in time. */
  #giveUp(): void {
    if (this.#serial === null || !runningOrNull()) return;
    this.#timedOut = true;
    // Where nobody has said anything no CANCEL may be sent (RFC 3261, section 9.1).
    if (running().sc_invitation_is_heard(this.#serial)) this.#sendEnd(0, []);
    else running().sc_invitation_terminate(this.#serial, 408);
  }

  /**
   * Answers the INVITE, or a re-INVITE of the peer's.
   *
   * @param code 100 to 699. A 2xx takes the call, or the change, and needs `sdp`: the answer to the offer, or the offer
   * where the INVITE had none. It may be left out when an earlier 18x carried it, and where a re-INVITE asks for an
   * offer: what is agreed on is offered then.
   * @throws SIPCoreInvalidStateError when there is no INVITE to answer; RangeError for another code; TypeError for a
   * bad argument; PJSIPError when the answer does not fit the offer: the INVITE is still to be answered then.
   */
  sendResponse(code: number, options: ResponseOptions = {}): void {
    checkInteger(code, "code", 100, 699);
    const reason = checkOptionalText(options.reason ?? null, "reason");
    const contactHeader = checkContact(options.contactHeader);
    const sdp = options.sdp ? checkSdp(options.sdp, "sdp") : null;
    const extraHeaders = checkExtraHeaders(options.extraHeaders);
    const sessionTimer = sessionTimerOf(options);
    const proposal = this.#waitingProposal;
    if ((!proposal && !this.#isUnanswered) || this.#serial === null) {
      throw new SIPCoreInvalidStateError("Could not answer: there is no INVITE to answer", this.#state);
    }
    if (code >= 300 && sdp) throw new TypeError("sdp must not stand beside a code of 300 and more");
    if (proposal && code < 200 && sdp) {
      throw new TypeError("sdp must stand beside the 2xx where a re-INVITE is answered");
    }
    const mayLackSdp = proposal ? this.#subState === "received_proposal_request" : this.#hasAnswered;
    if (code >= 200 && code < 300 && !sdp && !mayLackSdp) {
      throw new SIPCoreError("A 2xx needs sdp: the answer to the offer", "INVALID_STATE");
    }
    const proposed = this.#offers.proposedLocal;
    if (sdp && !this.#hasAnswered) this.#offers.proposedLocal = sdp.value;
    try {
      nativeAnswer(this.#serial, code, { reason, contactHeader, sdp, extraHeaders, sessionTimer });
    } catch (error) {
      this.#offers.proposedLocal = proposed;
      throw error;
    }
    if (contactHeader) this.#parts.dialog!.localContact = () => contactHeader;
    if (proposal) {
      if (code >= 200) this.#proposalAnswered = true;
      return;
    }
    if (sdp) this.#hasAnswered = true;
    if (code >= 200) this.#finalSent = true;
  }

  /** The peer's INVITE has no final response. */
  get #isUnanswered(): boolean {
    return this.direction === "incoming" && !this.#finalSent &&
      (this.#state === "incoming" || this.#state === "early");
  }

  /** A re-INVITE of the peer's has no final response. */
  get #waitingProposal(): boolean {
    return !this.#proposalAnswered && this.#ack === "none" && !this.#ending &&
      (this.#subState === "received_proposal" || this.#subState === "received_proposal_request");
  }

  /**
   * Proposes a change: other streams, another codec, hold, another Contact. The sub-state becomes "sent_proposal", and
   * "normal" with the peer's answer, whatever it is; SIPInvitationGotSDPUpdate comes ahead of it when the answer is a
   * yes. When both sides propose at once, both get 491. Where the peer has not acknowledged our 2xx to its own re-INVITE
   * yet, this one goes out when it has (RFC 3261, section 14.1).
   *
   * @throws SIPCoreInvalidStateError unless the call is connected and nothing else is being proposed; TypeError for a
   * bad argument; PJSIPError for a description that PJSIP refuses.
   */
  sendReinvite(options: ReinviteOptions = {}): void {
    const contactHeader = checkContact(options.contactHeader);
    const sdp = options.sdp ? checkSdp(options.sdp, "sdp") : null;
    const extraHeaders = checkExtraHeaders(options.extraHeaders);
    if (this.#serial === null || this.#subState !== "normal" || this.#ending || this.#proposing) {
      throw new SIPCoreInvalidStateError(
        `Could not send re-INVITE: ${
          this.#proposing ? "another one is under way" : "the call is not ready for it"
        }`,
        this.#state,
      );
    }
    const kind = sdp ? offer.GIVEN : options.sdp === null ? offer.NONE : offer.CURRENT;
    nativeReinvite(this.#serial, { kind, contactHeader, sdp, extraHeaders }, this.#state);
    this.#proposing = true;
    this.#cancellingProposal = false;
    if (contactHeader) this.#parts.dialog!.localContact = () => contactHeader;
    this.#offers.proposedLocal = kind === offer.CURRENT ? this.#offers.activeLocal : sdp?.value ?? nothing;
  }

  /**
   * Takes a re-INVITE of ours back: CANCEL, as soon as the peer has said anything. The end comes as with any answer:
   * 487, or a 200 that was faster.
   *
   * @throws SIPCoreInvalidStateError when there is none, or it was called before.
   */
  cancelReinvite(): void {
    if (this.#serial === null || !this.#proposing || this.#cancellingProposal || this.#ending) {
      throw new SIPCoreInvalidStateError("Could not cancel: there is no re-INVITE of ours", this.#state);
    }
    nativeCancelReinvite(this.#serial);
    this.#cancellingProposal = true;
  }

  /**
   * Answers the offer that the response to an INVITE without `sdp` has brought: `sdp.proposedRemote` when the state
   * becomes "connecting", where the answer goes with the ACK, or "early", where it goes with the PRACK of a reliable
   * provisional response (RFC 3262, section 5). When it has not come within 5 seconds, the ACK refuses all streams and
   * the call ends, or is cancelled; in answer to a re-INVITE of ours it repeats what was agreed on before.
   *
   * @throws SIPCoreInvalidStateError when no ACK waits for an answer; TypeError for a bad argument; PJSIPError when the
   * answer does not fit the offer: it can be called again then.
   */
  sendAck(sdp: BaseSDPSession): void {
    const answer = checkSdp(sdp, "sdp");
    if (this.#serial === null || this.#ack !== "owed" || this.#ending) {
      throw new SIPCoreInvalidStateError("Could not send ACK: none waits for an answer", this.#state);
    }
    const proposed = this.#offers.proposedLocal;
    this.#offers.proposedLocal = answer.value;
    try {
      nativeAck(this.#serial, answer);
    } catch (error) {
      this.#offers.proposedLocal = proposed;
      throw error;
    }
    this.#ackSent();
  }

  #ackSent(): void {
    clearTimeout(this.#ackTimer);
    this.#ack = "sent";
  }

  /** A 2xx, or a reliable provisional response, has brought an offer. */
  #oweAck(message: SIPMessage | null): void {
    clearTimeout(this.#ackTimer);
    this.#ack = "owed";
    this.#offers.proposedRemote = lazy(() => message && sdpOf(message));
    this.#ackTimer = setTimeout(() => {
      if (this.#serial === null || this.#ack !== "owed" || this.#ending || !runningOrNull()) return;
      if (this.#state === "early") {
        this.#isEndedByStack = true;
        this.#sendEnd(0, []);
        return;
      }
      nativeAck(this.#serial, null);
      this.#ackSent();
    }, ackTime);
  }

  /**
   * Sends a MESSAGE within the call (RFC 3428). What the peer answers is not told.
   *
   * @throws SIPCoreInvalidStateError unless the call is early, connecting or connected, and while an early offer waits
   * for `sendAck()`; TypeError for a bad argument.
   */
  sendMessage(contentType: string, content: Body, options: InvitationRequestOptions = {}): void {
    this.#sendRequest("MESSAGE", contentType, content, options);
  }

  /**
   * Sends an INFO within the call (RFC 6086): `sendInfo("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")`.
   * What the peer answers is not told.
   *
   * @throws SIPCoreInvalidStateError unless the call is early, connecting or connected, and while an early offer waits
   * for `sendAck()`; TypeError for a bad argument.
   */
  sendInfo(contentType: string, body: Body, options: InvitationRequestOptions = {}): void {
    this.#sendRequest("INFO", contentType, body, options);
  }

  #sendRequest(method: string, contentType: string, body: Body, options: InvitationRequestOptions): void {
    const type = checkContentType(contentType);
    const bytes = encodeBody(body);
    const extraHeaders = checkExtraHeaders(options.extraHeaders);
    const state = this.#state;
    if (state !== "early" && state !== "connecting" && state !== "connected") {
      throw new SIPCoreInvalidStateError(`Could not send ${method}: there is no call`, state);
    }
    this.#request(method, extraHeaders, type, bytes);
  }

  #request(method: string, headers: readonly BaseHeader[], contentType: string, body: Uint8Array): void {
    if (this.#serial === null || this.#ending) {
      throw new SIPCoreInvalidStateError(`Could not send ${method}: the call is over`, this.#state);
    }
    nativeRequest(this.#serial, method, headers, contentType, body);
  }

  /** Where the last transfer of this call stands, in either direction; null: there was none. */
  get transferState(): InvitationTransferState {
    return this.#transfer?.state ?? null;
  }

  /**
   * Asks the peer to call somebody else in our place (REFER, RFC 3515). What becomes of it comes as
   * SIPInvitationTransfer…; this call goes on until somebody ends it.
   *
   * @param options `replacedDialogId`: the `dialogId` of our call with the target, which the peer's call shall replace
   * (an attended transfer, RFC 3891).
   * @throws SIPCoreInvalidStateError unless the call is connected and no other transfer is under way; TypeError for a
   * bad argument.
   */
  transfer(targetUri: BaseSIPURI, options: TransferOptions = {}): void {
    const transfer = this.#transfer ??= this.#makeTransfer();
    transfer.start(targetUri, options);
  }

  /**
   * Tells the peer, who has asked for a transfer, how the call goes that it has asked for: 1xx while it rings; any
   * other code is its outcome and ends the transfer.
   *
   * @throws SIPCoreInvalidStateError when the peer has asked for none; RangeError for a code beyond 100 to 699;
   * TypeError for a bad reason.
   */
  notifyTransferProgress(code: number, options: TransferProgressOptions = {}): void {
    const transfer = this.#transfer ??= this.#makeTransfer();
    transfer.progress(code, options);
  }

  #makeTransfer(): InvitationTransfer {
    return new InvitationTransfer(this, (...request) => this.#request(...request));
  }

  /** A REFER, SUBSCRIBE or NOTIFY of the peer's. */
  #transferCame(reader: Reader, time: Date): void {
    const request = reader.f64();
    const transfer = this.#transfer ??= this.#makeTransfer();
    transfer.came(request, this.#heard(reader), time);
  }

  /** What became of a REFER or a NOTIFY of ours. */
  #transferAnswered(reader: Reader, time: Date): void {
    const isFinal = reader.u8() === 1;
    const method = reader.text();
    const code = reader.u32();
    const reason = reader.text();
    const message = this.#heard(reader);
    if (method === "NOTIFY") this.#transfer?.refused(time);
    else if (isFinal) this.#transfer?.answered(code, reason, message, time);
    else this.#transfer?.sent(message, time);
  }

  /**
   * Ends the call: CANCEL, BYE, or 603 to an unanswered INVITE. Null and "disconnected": nothing happens.
   *
   * @throws SIPCoreInvalidStateError when it is ending already, or the engine does not run; RangeError for a bad
   * timeout.
   */
  end(options: EndOptions = {}): void {
    const extraHeaders = checkExtraHeaders(options.extraHeaders);
    const timeout = checkTimeout(options.timeout ?? 32) ?? 32;
    if (this.#serial === null) return;
    if (this.#ending) {
      throw new SIPCoreInvalidStateError("Could not end: the invitation is ending already", this.#state);
    }
    const unanswered = this.direction === "incoming" && !this.#finalSent;
    this.#sendEnd(unanswered ? 603 : 0, extraHeaders);
    clearTimeout(this.#timer);
    Invitation.#missingAcks.delete(this);
    const serial = this.#serial;
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      runningOrNull()?.sc_invitation_terminate(serial, 408);
    }, timeout * 1000);
  }

  #sendEnd(code: number, extraHeaders: readonly BaseHeader[]): void {
    if (!nativeEnd(this.#serial!, code, extraHeaders)) return;
    this.#ending = true;
    clearTimeout(this.#ackTimer);
    if (code) this.#finalSent = true;
  }

  /** The stream of this call's notifications, all or those of the names given. */
  notifications<const N extends keyof InvitationNotifications = keyof InvitationNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** `end()`, quiet when there is nothing to end. */
  [Symbol.dispose](): void {
    if (this.#serial === null || this.#ending || !runningOrNull()) return;
    try {
      this.end();
    } catch (error) {
      // It ended between the question and the call; anything else is the caller's to know.
      if (!(error instanceof SIPCoreInvalidStateError)) reportError(error);
    }
  }

  /** @internal */
  receive(kind: number, time: Date, reader: Reader): void {
    switch (kind) {
      case records.SC_RECORD_INVITATION_STATE:
        this.#changed(reader, time);
        break;
      case records.SC_RECORD_INVITATION_SDP:
        this.#negotiated(reader, time);
        break;
      case records.SC_RECORD_INVITATION_REINVITE:
        this.#proposed(reader, time);
        break;
      case records.SC_RECORD_INVITATION_ACKED:
        this.#heard(reader);
        this.#accepted(time);
        break;
      case records.SC_RECORD_INVITATION_OFFER: {
        const message = this.#heard(reader);
        if (message) this.#learn(message);
        this.#offers.proposedRemote = lazy(() => message && sdpOf(message));
        break;
      }
      case records.SC_RECORD_INVITATION_REQUEST:
        postRequest(this, this.#heard(reader), time);
        break;
      case records.SC_RECORD_INVITATION_TRANSFER:
        this.#transferCame(reader, time);
        break;
      case records.SC_RECORD_INVITATION_RESPONSE:
        this.#transferAnswered(reader, time);
        break;
      case records.SC_RECORD_INVITATION_ENDING:
        this.#leaving(reader.text(), time);
        break;
      case records.SC_RECORD_INVITATION_CANCELLED: {
        const message = this.#heard(reader);
        // That of a re-INVITE is told by its end, and one that comes too late ends nothing (RFC 3261, section 9.2).
        if (this.#state === "incoming" || this.#state === "early") this.#cancel = { message };
        break;
      }
    }
  }

  /** A message of the peer's that stands alone in its record. */
  #heard(reader: Reader): SIPMessage | null {
    return this.#parts.dialog!.heard(readPeerMessage(reader));
  }

  #learn(message: SIPMessage): void {
    this.#parts.dialog!.learn(message);
  }

  #changed(reader: Reader, time: Date): void {
    const dialog = this.#parts.dialog!;
    const change = readChange(reader, dialog.direction === "incoming");
    const { message, originator } = change.cause;
    dialog.heard(change.peer);
    dialog.localTag = change.localTag || dialog.localTag;
    if (change.remoteTag) dialog.remoteTag = () => change.remoteTag;
    // A request within the dialog, ACK or BYE, says nothing new of the peer (RFC 3261, section 12.2).
    if (message && dialog.direction === "outgoing" && originator === "remote" && !message.isRequest) {
      dialog.learn(message);
    }
    switch (change.state) {
      case inv.CALLING:
        // A second one is the answer to a challenge: nothing that the program could see has changed.
        dialog.name();
        if (this.#state === null) this.#became("outgoing", change.cause, time);
        break;
      case inv.EARLY:
        // A late provisional response changes nothing while we are leaving.
        if (this.#ending) break;
        if (change.awaitsPrack) this.#oweAck(message);
        this.#became("early", change.cause, time);
        break;
      case inv.CONNECTING:
        if (!this.#ending) {
          clearTimeout(this.#timer);
          dialog.name();
          if (dialog.direction === "incoming") Invitation.#missingAcks.add(this, missingAckTime());
          if (
            dialog.direction === "outgoing" && !this.#offers.hasAgreed &&
            this.#offers.proposedLocal === nothing
          ) {
            this.#oweAck(message);
          }
          this.#became("connecting", change.cause, time);
        }
        break;
      case inv.CONFIRMED:
        this.#confirmed(change, time);
        break;
      case inv.DISCONNECTED:
        this.#disconnected(change, time);
        break;
    }
  }

  /** A connection that breaks in the very moment of the answer can take PJSIP's own wait for the ACK with it. */
  #forget(): void {
    if (this.#serial === null || this.#state !== "connecting") return;
    runningOrNull()?.sc_invitation_terminate(this.#serial, 408);
  }

  #confirmed(change: NativeChange, time: Date): void {
    // Without an answer there is no media, and no call (RFC 3261, section 13.2.2.4); nor is there one that somebody
    // wants when the 200 has crossed our CANCEL.
    if (this.#hasCancelled || (!this.#ending && !this.#offers.hasAgreed)) {
      // While the engine stops there is nothing left to send with.
      if (!runningOrNull()) return;
      if (!this.#hasCancelled) this.#isEndedByStack = true;
      this.#sendEnd(0, []);
      return;
    }
    if (this.#ending) return;
    clearTimeout(this.#timer);
    Invitation.#missingAcks.delete(this);
    const acknowledged = this.direction === "incoming" ? change.cause : noCause;
    this.#became("connected", acknowledged, time);
  }

  /** A step of a re-INVITE. */
  #proposed(reader: Reader, time: Date): void {
    const proposal = readProposal(reader);
    const { cause } = proposal;
    const message = this.#parts.dialog!.heard(proposal.peer);
    if (message && cause.originator === "remote") this.#learn(message);
    if (proposal.step === step.FINAL && this.#subState === "sent_proposal") this.#proposing = false;
    if (this.#ending || this.#state !== "connected") return;
    switch (proposal.step) {
      case step.SENT:
        // Where it could not be sent there is no message that says so.
        this.#became("connected", { ...cause, originator: "local", method: "INVITE" }, time, "sent_proposal");
        break;
      case step.OFFER:
        this.#proposalAnswered = false;
        this.#offers.proposedRemote = lazy(() => message && sdpOf(message));
        this.#became("connected", cause, time, "received_proposal");
        break;
      case step.REQUEST:
        this.#proposalAnswered = false;
        this.#offers.proposedLocal = this.#offers.activeLocal;
        this.#became("connected", cause, time, "received_proposal_request");
        break;
      case step.FINAL:
        this.#settled(cause, proposal.awaitsAck, time);
        break;
    }
  }

  /** The final response to a re-INVITE. */
  #settled(cause: Cause, awaitsAck: boolean, time: Date): void {
    if (awaitsAck) {
      this.#proposalAnswered = false;
      this.#oweAck(cause.message);
      this.#became("connected", cause, time, "received_proposal");
      return;
    }
    const code = cause.code ?? cause.message?.code ?? 0;
    if (this.#subState === "received_proposal_request" && code < 300) {
      this.#acceptance = cause;
      return;
    }
    this.#offers.withdraw();
    this.#became("connected", cause, time);
  }

  /** Offer and answer of a re-INVITE have come to their end after its final response. */
  #accepted(time: Date): void {
    const acceptance = this.#acceptance;
    this.#acceptance = null;
    if (acceptance === null || this.#ending || this.#state !== "connected") return;
    this.#offers.withdraw();
    this.#became("connected", acceptance, time);
  }

  /** What `end()`, or the stack itself, has sent. */
  #leaving(method: string, time: Date): void {
    if (!this.#ending) this.#isEndedByStack = true;
    this.#ending = true;
    clearTimeout(this.#ackTimer);
    if (method === "CANCEL") this.#hasCancelled = true;
    if (method === "") return; // a final response: its change to "disconnected" tells everything
    this.#became("disconnecting", { ...noCause, originator: "local", method }, time);
  }

  #disconnected(change: NativeChange, time: Date): void {
    const steps = endingOf({
      change,
      state: this.#state,
      isIncoming: this.direction === "incoming",
      cancel: this.#cancel,
      timedOut: this.#timedOut,
      engineStopping: this.#engineStopping,
      isEndedByStack: this.#isEndedByStack,
    });
    for (const { state, cause } of steps) {
      if (state === "disconnected") this.#ended(cause, time);
      else this.#became(state, cause, time);
    }
  }

  #negotiated(reader: Reader, time: Date): void {
    const status = reader.i32();
    if (this.#ending || this.#state === "disconnected") return;
    const agreed = status === 0 ? this.#offers.agree(reader.bytes(), reader.bytes()) : null;
    if (agreed) {
      postAgreement(this, agreed, time);
    } else {
      if (this.direction === "outgoing" && this.#ack !== "owed") this.#offers.proposedLocal = nothing;
      const error = status === 0 ? "The peer's session description cannot be read" : statusText(status);
      postDisagreement(this, error, time);
    }
    if (this.#acceptance) this.#accepted(time);
    if (this.#ack !== "sent") return;
    this.#ack = "none";
    // Our ACK has carried the answer to the 2xx of a re-INVITE.
    if (this.#subState === "received_proposal") {
      this.#became("connected", { ...noCause, originator: "local", method: "ACK" }, time);
    }
  }

  /** The one place where the state changes and is told. */
  #became(
    state: InvitationState,
    cause: Cause,
    time: Date,
    subState: InvitationSubState = state === "connected" ? "normal" : null,
  ): void {
    const [prevState, prevSubState] = [this.#state, this.#subState];
    if (state === prevState && subState === prevSubState && state !== "early") return;
    this.#state = state;
    this.#subState = subState;
    const isRequest = state === "incoming" || this.#waitingProposal;
    const unheard = isRequest ? () => this.#nobodyListens() : undefined;
    postChange(this, { prevState, prevSubState, state, subState }, cause, time, unheard);
  }

  #nobodyListens(): void {
    if (!runningOrNull()) return;
    try {
      if (this.#waitingProposal) this.sendResponse(488);
      else if (this.#isUnanswered) this.sendResponse(480);
    } catch (error) {
      // The peer has taken it back meanwhile.
      if (!(error instanceof SIPCoreInvalidStateError)) throw error;
    }
  }

  #ended(cause: Cause, time: Date): void {
    clearTimeout(this.#timer);
    Invitation.#missingAcks.delete(this);
    clearTimeout(this.#ackTimer);
    this.#unlisten();
    if (this.#serial !== null) release(this.#serial, this);
    this.#serial = null;
    this.#offers.withdraw();
    this.#transfer?.callEnded(time);
    this.#became("disconnected", cause, time);
    endSender(this);
  }

  /** @internal */
  engineStopping(): void {
    this.#engineStopping = true;
    if (this.#serial === null || this.#ending) return;
    const unanswered = this.direction === "incoming" && !this.#finalSent;
    this.#sendEnd(unanswered ? 480 : 0, []);
    clearTimeout(this.#timer);
    Invitation.#missingAcks.delete(this);
  }

  /** @internal */
  engineStopped(): void {
    if (this.#serial === null) return;
    this.#ended({ ...noCause, disconnectReason: "engine stopped" }, new Date());
  }

  /** A call has come in. Not for programs. */
  static {
    onBirth(records.SC_RECORD_INVITATION_INCOMING, (serial, time, reader) => {
      const invitation = new Invitation();
      const dialog = invitation.#begin(serial as Serial<"invitation">, "incoming");
      dialog.localTag = reader.text();
      const contact = reader.text();
      dialog.localContact = lazy(() => FrozenContactHeader.tryParse(contact));
      const message = invitation.#heard(reader);
      if (message) {
        dialog.begin(message);
        const [offset, size] = [reader.u32(), reader.u32()];
        invitation.#offers.proposedRemote = lazy(() => size ? sdpAt(message, offset, size) : sdpOf(message));
      }
      invitation.#became("incoming", { ...noCause, originator: "remote", message }, time);
    });
  }
}

/** In ms: PJSIP waits 64 * T1 for an ACK, then as long for the answer to its BYE. */
function missingAckTime(): number {
  return 132 * (sipTimers.t1 || 500);
}
