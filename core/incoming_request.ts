// SPDX-License-Identifier: GPL-2.0-or-later
import { errors, records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, type Reader } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import { checkInteger, checkOptionalText } from "./check_argument.ts";
import { checkContent } from "./content.ts";
import { endSender, postLazily } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { checkExtraHeaders, contacts, writeHeaders } from "./extra_headers.ts";
import { emptyHeaderMap, type HeaderMap, headerMapFrom } from "./header_map.ts";
import type { BaseHeader } from "./headers.ts";
import { checkSize } from "./message_size.ts";
import { type Note, notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import { hold, onBirth, release } from "./registry.ts";
import { check, running, runningOrNull } from "./running.ts";
import { sipStatusMessages } from "./sip_status_messages.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** The states of an IncomingRequest. */
export type IncomingRequestState = "incoming" | "answered";

/** What came. */
export interface IncomingRequestReceived {
  /** The method, in the letters of the wire. */
  method: string;
  /** null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  /** All headers of the message; empty where there was none. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
}

/** What was answered. */
export interface IncomingRequestAnswer {
  /** The code of the response. */
  code: number;
  /** The reason phrase of the response. */
  reason: string;
  /** The extra headers of the answer. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
}

/** The notifications of IncomingRequest. */
export interface IncomingRequestNotifications {
  /** A request came in; its sender is a new object. */
  SIPIncomingRequestGotRequest: Note<IncomingRequest, IncomingRequestReceived>;
  /** The answer was handed to PJSIP; the last notification of the object. */
  SIPIncomingRequestSentResponse: Note<IncomingRequest, IncomingRequestAnswer>;
}

/** What `answer()` takes beside the code. */
export interface AnswerOptions {
  /** The reason phrase; the code's own when left out. */
  reason?: string | null;
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
  /** Together with body. */
  contentType?: string | null;
  /** Together with contentType. */
  body?: Body | null;
}

/** Only the announcement of a request makes one. */
const key = Symbol("IncomingRequest");

/**
 * A request outside dialogs of a method that `engine.incomingRequests` names. Whoever hears of it answers it;
 * unanswered for 32 seconds it gets a 500.
 *
 * @example
 * ```ts
 * import { Engine, NotificationCenter } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1", incomingRequests: ["OPTIONS"] });
 * new NotificationCenter().addObserver((n) => n.sender.answer(200), { name: "SIPIncomingRequestGotRequest" });
 * ```
 */
export class IncomingRequest {
  /** @internal */
  readonly isLeaving = false;
  readonly #peer: PeerMessage;
  readonly #serial: Serial<"incoming_request">;
  #state: IncomingRequestState = "incoming";

  /** Illegal: requests come from the network. */
  constructor(secret: typeof key, serial: number, peer: PeerMessage) {
    if (secret !== key) throw new TypeError("Illegal constructor");
    this.#serial = serial as Serial<"incoming_request">;
    this.#peer = peer;
  }

  /** What it came from. */
  get peerAddress(): EndpointAddress | null {
    const address = this.#peer.peerAddress;
    return address && { ...address };
  }

  /** "incoming" until it is answered. */
  get state(): IncomingRequestState {
    return this.#state;
  }

  /**
   * Answers the request.
   *
   * @param code 200 to 699.
   * @throws RangeError for another code, and for more than fits into a message; TypeError for a body without contentType, or the reverse, and for headers
   * that the stack writes; SIPCoreInvalidStateError when it was answered already.
   */
  answer(code: number, options: AnswerOptions = {}): void {
    checkInteger(code, "code", 200, 699);
    const reason = checkOptionalText(options.reason ?? null, "reason");
    // No dialog begins here: they are bindings, or where to go (RFC 3261, sections 10.3 and 8.1.3.4).
    const extraHeaders = checkExtraHeaders(options.extraHeaders, [], contacts);
    const content = checkContent(options.contentType, options.body);
    if (this.#state !== "incoming") {
      throw new SIPCoreInvalidStateError(`Could not answer: the request is ${this.#state}`, this.#state);
    }
    const args = writeHeaders(argumentBlock().text(reason ?? ""), extraHeaders)
      .text(content.type).bytes(content.bytes);
    checkSize(args);
    const status = running().sc_incoming_request_answer(this.#serial, code, args.block, args.size);
    // Unless the stack was faster, and is about to tell: from here on it is answered, or nobody is left to answer to.
    if (status !== errors.SC_EGONE) this.#end(code, reason, extraHeaders, options.body ?? null);
    check(status, "Could not answer the request");
  }

  #end(code: number, reason: string | null, headers: readonly BaseHeader[], body: Body | null): void {
    this.#state = "answered";
    release(this.#serial, this);
    const timestamp = new Date();
    queueMicrotask(() => {
      postLazily("SIPIncomingRequestSentResponse", this, timestamp, () => ({
        code,
        reason: reason ?? sipStatusMessages[code] ?? "",
        headers: headers.length
          ? headerMapFrom(encoder.encode(headers.join("\r\n") + "\r\n"))
          : emptyHeaderMap,
        body,
      }));
      endSender(this);
    });
  }

  /** The stream of this object's notifications. */
  notifications<
    const N extends keyof IncomingRequestNotifications = keyof IncomingRequestNotifications,
  >(name?: N | readonly N[]): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** @internal */
  receive(kind: number): void {
    // The stack has answered, as nobody else did.
    if (kind === records.SC_RECORD_INCOMING_REQUEST_EXPIRED) this.#end(500, null, [], null);
  }

  /** @internal */
  engineStopping(): void {
    if (this.#state === "incoming") this.answer(503);
  }

  /** @internal */
  engineStopped(): void {
    if (this.#state === "incoming") this.#end(503, null, [], null);
  }

  /** Answers 500 if it is unanswered. */
  [Symbol.dispose](): void {
    if (this.#state === "incoming" && runningOrNull()) this.answer(500);
  }
}

const encoder = new TextEncoder();

onBirth(records.SC_RECORD_INCOMING_REQUEST, (serial: number, timestamp: Date, reader: Reader) => {
  const peer = readPeerMessage(reader);
  const request = new IncomingRequest(key, serial, peer);
  hold(serial, request);
  postLazily("SIPIncomingRequestGotRequest", request, timestamp, () => {
    const { message } = peer;
    return {
      method: message?.method ?? "",
      requestUri: message?.requestUri ?? null,
      headers: message?.headers ?? emptyHeaderMap,
      body: message?.body ?? null,
    };
  });
});
