// SPDX-License-Identifier: GPL-2.0-or-later
import { errors, records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader } from "../ffi/wire.ts";
import { checkInstance, checkInteger, checkOptionalText } from "./check_argument.ts";
import { BaseCredentials, FrozenCredentials, writeCredentials } from "./credentials.ts";
import { DialogID } from "./dialog_id.ts";
import { addressOf } from "./dialog_target.ts";
import { endSender, post } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { SIPCoreError, SIPCoreInvalidStateError } from "./errors.ts";
import { checkExtraHeaders, checkUriHeaders, writeHeaders } from "./extra_headers.ts";
import { emptyHeaderMap } from "./header_map.ts";
import {
  BaseContactHeader,
  BaseFromHeader,
  type BaseHeader,
  BaseRouteHeader,
  BaseToHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  FrozenToHeader,
} from "./headers.ts";
import type { AddressOptions } from "./headers/address_header.ts";
import type {
  InvitationNotifications,
  InvitationOriginator,
  InvitationState,
  InvitationStateChange,
  InvitationSubState,
} from "./invitation_notifications.ts";
import type { EndOptions, InvitationSDP, InviteOptions, ResponseOptions } from "./invitation_options.ts";
import { lazy } from "./lazy.ts";
import type { NativeObject } from "./native_object.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { ownContact } from "./own_contact.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import { hold, onBirth, release } from "./registry.ts";
import { checkRoute } from "./route.ts";
import { check, create, running, runningOrNull, statusText } from "./running.ts";
import { BaseSDPSession, FrozenSDPSession } from "./sdp_session.ts";
import type { SIPMessage } from "./sip_message.ts";
import { sipStatusMessages } from "./sip_status_messages.ts";
import { tagged } from "./tagged.ts";
import { checkTimeout } from "./timeout.ts";
import { BaseSIPURI, FrozenSIPURI, type TransportName } from "./uri.ts";

/** pjsip_inv_state */
const inv = { CALLING: 1, EARLY: 3, CONNECTING: 4, CONFIRMED: 5, DISCONNECTED: 6 } as const;

const originators: readonly InvitationOriginator[] = [null, "local", "remote"];

/** A change as its cause tells it; the rest stands in the object. */
interface Cause
  extends Pick<InvitationStateChange, "originator" | "method" | "code" | "reason" | "disconnectReason"> {
  /** Its URI, headers and body; its start line too, where `method`, `code` and `reason` are null. */
  readonly message: SIPMessage | null;
}

const noCause: Cause = {
  originator: null,
  method: null,
  code: null,
  reason: null,
  disconnectReason: null,
  message: null,
};

const nothing = (): null => null;

/** A record of a change of the session in C. */
interface NativeChange {
  readonly state: number;
  readonly code: number;
  readonly reason: string;
  readonly cause: Cause;
}

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
export class Invitation implements NativeObject {
  #serial: Serial<"invitation"> | null = null;
  #state: InvitationState = null;
  #subState: InvitationSubState = null;
  #direction: "incoming" | "outgoing" | null = null;
  #credentials: FrozenCredentials | null = null;
  // What stands in messages is parsed when somebody asks: these are functions.
  #requestUri: () => FrozenSIPURI | null = nothing;
  #fromHeader: () => FrozenFromHeader | null = nothing;
  #toHeader: () => FrozenToHeader | null = nothing;
  #routeHeader: FrozenRouteHeader | null = null;
  #localContactHeader: () => FrozenContactHeader | null = nothing;
  #remoteContactHeader: () => FrozenContactHeader | null = nothing;
  #callId: string | null = null;
  #localTag: string | null = null;
  #remoteTag: () => string | null = nothing;
  #transport: TransportName | null = null;
  #remoteUserAgent: string | null = null;
  #peerAddress: EndpointAddress | null = null;
  #proposedLocal: FrozenSDPSession | null = null;
  #proposedRemote: () => FrozenSDPSession | null = nothing;
  #activeLocal: () => FrozenSDPSession | null = nothing;
  #activeRemote: FrozenSDPSession | null = null;
  /** A description of ours went out with a provisional response: it was the answer. */
  #hasAnswered = false;
  /** The final response was handed over, whatever has been told of it. */
  #finalSent = false;
  /** `end()` was called, whatever has been told of it. */
  #ending = false;
  /** A CANCEL of ours went out, or will after the first response. */
  #hasCancelled = false;
  /** The peer's CANCEL. */
  #cancel: SIPMessage | null = null;
  #cancelled = false;
  #timedOut = false;
  #engineStopping = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unlisten: () => void = () => {};

  /** The state; null before anything was sent. */
  get state(): InvitationState {
    return this.#state;
  }

  /** "normal" while connected. */
  get subState(): InvitationSubState {
    return this.#subState;
  }

  /** Who sent the INVITE; null before there is one. */
  get direction(): "incoming" | "outgoing" | null {
    return this.#direction;
  }

  /** What an outgoing call authenticates with. */
  get credentials(): FrozenCredentials | null {
    return this.#credentials;
  }

  /** The request URI of the INVITE. */
  get requestUri(): FrozenSIPURI | null {
    return this.#requestUri();
  }

  /** The From header of the INVITE, with its tag. */
  get fromHeader(): FrozenFromHeader | null {
    return this.#fromHeader();
  }

  /** The To header of the INVITE; with the tag once the call is answered. */
  get toHeader(): FrozenToHeader | null {
    return this.#toHeader();
  }

  /** From or To, whichever is ours. */
  get localIdentity(): FrozenFromHeader | FrozenToHeader | null {
    return this.#direction === "incoming" ? this.toHeader : this.fromHeader;
  }

  /** From or To, whichever is the peer's. */
  get remoteIdentity(): FrozenFromHeader | FrozenToHeader | null {
    return this.#direction === "incoming" ? this.fromHeader : this.toHeader;
  }

  /** The route of an outgoing call. */
  get routeHeader(): FrozenRouteHeader | null {
    return this.#routeHeader;
  }

  /** The Contact that we gave. */
  get localContactHeader(): FrozenContactHeader | null {
    return this.#localContactHeader();
  }

  /** The Contact that the peer gave last. */
  get remoteContactHeader(): FrozenContactHeader | null {
    return this.#remoteContactHeader();
  }

  /** The Call-ID, readable after the end too. */
  get callId(): string | null {
    return this.#callId;
  }

  /** The dialog; null before there is one. */
  get dialogId(): DialogID | null {
    if (this.#callId === null || this.#localTag === null) return null;
    return new DialogID(this.#callId, this.#localTag, this.#remoteTag());
  }

  /** What carries the call. */
  get transport(): TransportName | null {
    return this.#transport;
  }

  /** What User-Agent or Server of the peer said. */
  get remoteUserAgent(): string | null {
    return this.#remoteUserAgent;
  }

  /** Where the peer's last message came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#peerAddress && { ...this.#peerAddress };
  }

  /** Offer and answer as they stand now. */
  get sdp(): InvitationSDP {
    const [proposedRemote, activeLocal] = [this.#proposedRemote, this.#activeLocal];
    return {
      proposedLocal: this.#proposedLocal,
      get proposedRemote() {
        return proposedRemote();
      },
      get activeLocal() {
        return activeLocal();
      },
      activeRemote: this.#activeRemote,
    };
  }

  /** Whether the engine's stop waits for it. */
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
    const requestUri = FrozenSIPURI.from(checkInstance(options.requestUri, BaseSIPURI, "requestUri"));
    const fromHeader = FrozenFromHeader.from(checkInstance(options.fromHeader, BaseFromHeader, "fromHeader"));
    const toHeader = FrozenToHeader.from(checkInstance(options.toHeader, BaseToHeader, "toHeader"));
    const routeHeader = FrozenRouteHeader.from(
      checkInstance(options.routeHeader, BaseRouteHeader, "routeHeader"),
    );
    const route = checkRoute(routeHeader);
    const sdp = FrozenSDPSession.from(checkInstance(options.sdp, BaseSDPSession, "sdp"));
    const credentials = options.credentials
      ? FrozenCredentials.from(checkInstance(options.credentials, BaseCredentials, "credentials"))
      : null;
    const extraHeaders = checkExtraHeaders(options.extraHeaders);
    checkUriHeaders(requestUri);
    const timeout = checkTimeout(options.timeout ?? null);
    signal?.throwIfAborted();
    if (this.#state !== null || this.#serial !== null) {
      throw new SIPCoreInvalidStateError(
        "Could not send INVITE: the invitation was used before",
        this.#state,
      );
    }
    const native = running();
    const contactHeader = options.contactHeader
      ? FrozenContactHeader.from(checkInstance(options.contactHeader, BaseContactHeader, "contactHeader"))
      : ownContact(requestUri, fromHeader, routeHeader);
    const args = argumentBlock().text(requestUri.toString())
      .text(addressOf(fromHeader)).text(fromHeader.body).text(addressOf(toHeader)).text(toHeader.body)
      .text(contactHeader.body).text(route.body).text(route.tlsName).text(sdp.toString());
    writeCredentials(args, credentials);
    writeHeaders(args, extraHeaders);
    const serial = create(
      "Could not send INVITE",
      (status) => native.sc_invitation_create(args.block, args.size, status),
    );
    this.#begin(serial, "outgoing");
    this.#credentials = credentials;
    this.#requestUri = () => requestUri;
    this.#fromHeader = () => fromHeader;
    this.#toHeader = () => toHeader;
    this.#routeHeader = routeHeader;
    this.#localContactHeader = () => contactHeader;
    this.#transport = route.transport;
    this.#proposedLocal = sdp;
    if (timeout !== null) this.#timer = setTimeout(() => this.#giveUp(), timeout * 1000);
    if (signal) {
      const abort = () => this[Symbol.dispose]();
      signal.addEventListener("abort", abort, { once: true });
      this.#unlisten = () => signal.removeEventListener("abort", abort);
    }
  }

  #begin(serial: Serial<"invitation">, direction: "incoming" | "outgoing"): void {
    this.#serial = serial;
    this.#direction = direction;
    hold(serial, this);
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
   * Answers the INVITE.
   *
   * @param code 100 to 699. A 2xx takes the call and needs `sdp`, unless an earlier 18x carried it.
   * @throws SIPCoreInvalidStateError when there is no INVITE to answer; RangeError for another code; TypeError for a
   * bad argument; PJSIPError when the answer does not fit the offer: the INVITE is still to be answered then.
   */
  sendResponse(code: number, options: ResponseOptions = {}): void {
    checkInteger(code, "code", 100, 699);
    const reason = checkOptionalText(options.reason ?? null, "reason");
    const contactHeader = options.contactHeader
      ? FrozenContactHeader.from(checkInstance(options.contactHeader, BaseContactHeader, "contactHeader"))
      : null;
    const sdp = options.sdp ? FrozenSDPSession.from(checkInstance(options.sdp, BaseSDPSession, "sdp")) : null;
    const extraHeaders = checkExtraHeaders(options.extraHeaders);
    const mayAnswer = this.#direction === "incoming" &&
      (this.#state === "incoming" || this.#state === "early");
    if (!mayAnswer || this.#finalSent || this.#serial === null) {
      throw new SIPCoreInvalidStateError(`Could not answer: there is no INVITE to answer`, this.#state);
    }
    if (code >= 300 && sdp) throw new TypeError("sdp must not stand beside a code of 300 and more");
    if (code >= 200 && code < 300 && !sdp && !this.#hasAnswered) {
      throw new SIPCoreError("A 2xx needs sdp: the answer to the offer", "INVALID_STATE");
    }
    const args = argumentBlock().text(reason ?? "").text(contactHeader?.body ?? "").text(
      sdp?.toString() ?? "",
    );
    writeHeaders(args, extraHeaders);
    const proposed = this.#proposedLocal;
    if (sdp && !this.#hasAnswered) this.#proposedLocal = sdp;
    try {
      check(
        running().sc_invitation_answer(this.#serial, code, args.block, args.size),
        "Could not answer the INVITE",
      );
    } catch (error) {
      this.#proposedLocal = proposed;
      throw error;
    }
    if (contactHeader) this.#localContactHeader = () => contactHeader;
    if (sdp) this.#hasAnswered = true;
    if (code >= 200) this.#finalSent = true;
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
    const unanswered = this.#direction === "incoming" && !this.#finalSent;
    this.#sendEnd(unanswered ? 603 : 0, extraHeaders);
    clearTimeout(this.#timer);
    const serial = this.#serial;
    this.#timer = setTimeout(() => {
      this.#timedOut = true;
      runningOrNull()?.sc_invitation_terminate(serial, 408);
    }, timeout * 1000);
  }

  #sendEnd(code: number, extraHeaders: readonly BaseHeader[]): void {
    const args = writeHeaders(argumentBlock(), extraHeaders);
    const status = running().sc_invitation_end(this.#serial!, code, args.block, args.size);
    // The peer has ended it meanwhile: the change that tells so is on its way.
    if (status === errors.SC_EGONE) return;
    check(status, "Could not end the invitation");
    this.#ending = true;
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

  receive(kind: number, time: Date, reader: Reader): void {
    switch (kind) {
      case records.SC_RECORD_INVITATION_STATE:
        this.#changed(reader, time);
        break;
      case records.SC_RECORD_INVITATION_SDP:
        this.#negotiated(reader, time);
        break;
      case records.SC_RECORD_INVITATION_ENDING:
        this.#leaving(reader.text(), time);
        break;
      case records.SC_RECORD_INVITATION_CANCELLED:
        this.#cancelled = true;
        this.#cancel = this.#heard(readPeerMessage(reader));
        break;
    }
  }

  /** Keeps what every message of the peer's tells. */
  #heard(peer: PeerMessage): SIPMessage | null {
    const { message } = peer;
    if (peer.peerAddress) this.#peerAddress = peer.peerAddress;
    if (peer.transport) this.#transport = peer.transport;
    return message;
  }

  #readChange(reader: Reader): NativeChange {
    const state = reader.u8();
    const code = reader.u32();
    const reason = reader.text();
    this.#localTag = reader.text() || this.#localTag;
    const remoteTag = reader.text();
    if (remoteTag) this.#remoteTag = () => remoteTag;
    const peer = readPeerMessage(reader);
    const originator = originators[reader.u8()] ?? null;
    const message = this.#heard(peer);
    this.#callId ??= message?.headers.text("Call-ID") ?? null;
    // A request within the dialog, ACK or BYE, says nothing new of the peer (RFC 3261, section 12.2).
    const isNews = this.#direction === "outgoing" && originator === "remote";
    if (message && isNews && !message.isRequest) this.#learn(message);
    return { state, code, reason, cause: { ...noCause, originator, message } };
  }

  /** What the attributes take from a message of the peer's. */
  #learn(message: SIPMessage): void {
    if (message.headers.has("Contact")) {
      const before = this.#remoteContactHeader();
      this.#remoteContactHeader = () => message.contact ?? before;
    }
    const agent = message.headers.text("User-Agent") ?? message.headers.text("Server");
    if (agent !== null) this.#remoteUserAgent = agent;
    if (this.#direction === "outgoing") {
      const before = this.#toHeader();
      this.#toHeader = () => message.to ?? before;
    }
  }

  #changed(reader: Reader, time: Date): void {
    const change = this.#readChange(reader);
    switch (change.state) {
      case inv.CALLING:
        // A second one is the answer to a challenge: nothing that the program could see has changed.
        this.#nameDialog();
        if (this.#state === null) this.#became("outgoing", change.cause, time);
        break;
      case inv.EARLY:
        // A late provisional response changes nothing while we are leaving.
        if (!this.#ending) this.#became("early", change.cause, time);
        break;
      case inv.CONNECTING:
        if (!this.#ending) {
          clearTimeout(this.#timer);
          this.#nameDialog();
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

  /** The identity of ours carries the tag of the dialog. */
  #nameDialog(): void {
    const [from, to, tag] = [this.#fromHeader, this.#toHeader, this.#localTag];
    if (this.#direction === "outgoing") this.#fromHeader = lazy(() => withTag(FrozenFromHeader, from(), tag));
    else this.#toHeader = lazy(() => withTag(FrozenToHeader, to(), tag));
  }

  #confirmed(change: NativeChange, time: Date): void {
    // Without an answer there is no media, and no call (RFC 3261, section 13.2.2.4); nor is there one that somebody
    // wants when the 200 has crossed our CANCEL.
    if (this.#hasCancelled || (!this.#ending && this.#activeRemote === null)) {
      // While the engine stops there is nothing left to send with.
      if (runningOrNull()) this.#sendEnd(0, []);
      return;
    }
    if (this.#ending) return;
    this.#subState = "normal";
    const acknowledged = this.#direction === "incoming" ? change.cause : noCause;
    this.#became("connected", acknowledged, time);
  }

  /** What `end()`, or the stack itself, has sent. */
  #leaving(method: string, time: Date): void {
    this.#ending = true;
    this.#hasCancelled = method === "CANCEL";
    if (method === "") return; // a final response: its change to "disconnected" tells everything
    this.#subState = null;
    this.#became("disconnecting", { ...noCause, originator: "local", method }, time);
  }

  #disconnected(change: NativeChange, time: Date): void {
    const { cause } = change;
    if (this.#state === null) {
      // The connection failed before the INVITE was on it: every call that was made has gone out, all the same.
      this.#became("outgoing", { ...noCause, originator: "local", method: "INVITE" }, time);
    }
    if (this.#cancelled && this.#direction === "incoming" && this.#state !== "disconnecting") {
      const cancel = this.#cancel;
      this.#ended({
        ...noCause,
        message: cancel,
        originator: "remote",
        code: 487,
        reason: sipStatusMessages[487] ?? "Request Terminated",
        disconnectReason: reasonText(cancel) ?? "user request",
      }, time);
      return;
    }
    const code = this.#timedOut ? 408 : cause.message?.code ?? change.code;
    // PJSIP's own text ("Normal call clearing") says more than the phrase of the answer to a BYE.
    const phrase = code < 300 ? null : cause.message?.reason;
    const reason = this.#timedOut ? sipStatusMessages[408]! : phrase ?? change.reason;
    if (this.#direction === "incoming" && cause.originator === "local" && code >= 300) {
      if (this.#state !== "disconnecting") {
        this.#became("disconnecting", { ...noCause, originator: "local", code, reason }, time);
      }
      const disconnectReason = this.#engineStopping && code === 480 ? "engine stopped" : reason;
      this.#ended({ ...cause, code, reason, disconnectReason }, time);
      return;
    }
    if (this.#direction === "incoming" && this.#state === "connecting" && change.code === 408) {
      // No ACK has come; what became of the BYE that the stack sent then matters to nobody.
      const reason = sipStatusMessages[408]!;
      this.#ended({ ...noCause, code: 408, reason, disconnectReason: "missing ACK" }, time);
      return;
    }
    if (this.#state === "connecting" && cause.originator === "remote" && !cause.message?.isRequest) {
      // The stack itself has hung up, and this is the answer to it.
      this.#became("disconnecting", { ...noCause, originator: "local", method: "BYE" }, time);
    }
    this.#ended({
      ...(this.#timedOut ? noCause : cause),
      code,
      reason,
      disconnectReason: this.#whyEnded(change, code, reason),
    }, time);
  }

  #whyEnded(change: NativeChange, code: number, reason: string): string {
    // The peer may have hung up before we could.
    const { originator, message } = change.cause;
    if (this.#engineStopping && message?.method !== "BYE") return "engine stopped";
    if (this.#timedOut) return "timeout";
    if (originator === "remote") return (message?.isRequest && reasonText(message)) || "user request";
    if (originator === "local") return "user request";
    return code === 408 ? "timeout" : reason;
  }

  #negotiated(reader: Reader, time: Date): void {
    const status = reader.i32();
    const localText = reader.text();
    // As the peer wrote it, where we have that: PJSIP drops what it does not know.
    const remote = this.#proposedRemote() ?? FrozenSDPSession.tryParse(reader.text());
    if (this.#ending || this.#state === "disconnected") return;
    if (status === 0 && remote) {
      const local = lazy(() => FrozenSDPSession.parse(localText));
      this.#proposedLocal = null;
      this.#proposedRemote = nothing;
      this.#activeLocal = local;
      this.#activeRemote = remote;
      post("SIPInvitationGotSDPUpdate", this, {
        succeeded: true,
        get localSdp() {
          return local();
        },
        remoteSdp: remote,
        error: null,
      }, { timestamp: time });
    } else {
      if (this.#direction === "outgoing") this.#proposedLocal = null;
      post("SIPInvitationGotSDPUpdate", this, {
        succeeded: false,
        localSdp: null,
        remoteSdp: null,
        error: statusText(status),
      }, { timestamp: time });
    }
  }

  /** The one place where the state changes and is told. */
  #became(state: InvitationState, cause: Cause, time: Date): void {
    const prevState = this.#state;
    const prevSubState: InvitationSubState = prevState === "connected" ? "normal" : null;
    if (state === prevState && state !== "early") return;
    this.#state = state;
    if (state !== "connected") this.#subState = null;
    const { originator, message, disconnectReason } = cause;
    const unheard = state === "incoming" ? () => this.#nobodyListens() : undefined;
    post("SIPInvitationChangedState", this, {
      prevState,
      prevSubState,
      state,
      subState: this.#subState,
      originator,
      get method() {
        return cause.method ?? message?.method ?? null;
      },
      get requestUri() {
        return message?.requestUri ?? null;
      },
      get code() {
        return cause.code ?? message?.code ?? null;
      },
      get reason() {
        return cause.reason ?? message?.reason ?? null;
      },
      headers: message?.headers ?? emptyHeaderMap,
      get body() {
        return message?.body ?? null;
      },
      disconnectReason,
    }, { timestamp: time, ...(unheard ? { unheard } : {}) });
  }

  #nobodyListens(): void {
    if (this.#state === "incoming" && !this.#finalSent && runningOrNull()) this.sendResponse(480);
  }

  #ended(cause: Cause, time: Date): void {
    clearTimeout(this.#timer);
    this.#unlisten();
    if (this.#serial !== null) release(this.#serial, this);
    this.#serial = null;
    this.#proposedLocal = null;
    this.#proposedRemote = nothing;
    this.#became("disconnected", cause, time);
    endSender(this);
  }

  engineStopping(): void {
    this.#engineStopping = true;
    if (this.#serial === null || this.#ending) return;
    const unanswered = this.#direction === "incoming" && !this.#finalSent;
    this.#sendEnd(unanswered ? 480 : 0, []);
    clearTimeout(this.#timer);
  }

  engineStopped(): void {
    if (this.#serial === null) return;
    this.#ended({ ...noCause, disconnectReason: "engine stopped" }, new Date());
  }

  /** A call has come in. Not for programs. */
  static {
    onBirth(records.SC_RECORD_INVITATION_INCOMING, (serial, time, reader) => {
      const invitation = new Invitation();
      invitation.#begin(serial as Serial<"invitation">, "incoming");
      invitation.#localTag = reader.text();
      const contact = reader.text();
      invitation.#localContactHeader = lazy(() => FrozenContactHeader.tryParse(contact));
      const message = invitation.#heard(readPeerMessage(reader));
      invitation.#came(message, time);
    });
  }

  #came(message: SIPMessage | null, time: Date): void {
    if (message) {
      this.#requestUri = () => message.requestUri;
      this.#fromHeader = () => message.from;
      this.#toHeader = () => message.to;
      this.#callId = message.headers.text("Call-ID");
      this.#remoteTag = () => message.from?.tag ?? null;
      this.#learn(message);
      this.#proposedRemote = lazy(() => sdpOf(message));
    }
    this.#became("incoming", { ...noCause, originator: "remote", message }, time);
  }
}

/** The text of a Reason header (RFC 3326), null when there is none. */
function reasonText(message: SIPMessage | null): string | null {
  const reason = message?.headers.get("Reason");
  return reason && "text" in reason && typeof reason.text === "string" && reason.text ? reason.text : null;
}

function sdpOf(message: SIPMessage): FrozenSDPSession | null {
  if (message.contentType?.contentType.toLowerCase() !== "application/sdp") return null;
  return typeof message.body === "string" ? FrozenSDPSession.tryParse(message.body) : null;
}

/** The header with the tag of a dialog, where there are both. */
function withTag<H extends FrozenFromHeader | FrozenToHeader>(
  type: new (uri: BaseSIPURI, options: AddressOptions) => H,
  header: H | null,
  tag: string | null,
): H | null {
  return header === null || tag === null ? header : tagged(type, header, tag);
}
