// SPDX-License-Identifier: GPL-2.0-or-later
/** What IncomingSubscription and IncomingReferral have in common: the other half of shim/notifier.c. */
import { records } from "../ffi/bindings/records.ts";
import { argumentBlock, type Reader, type Writer } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import type { Content } from "./content.ts";
import { endSender } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { emptyHeaderMap, type HeaderMap } from "./header_map.ts";
import type { NativeObject } from "./native_object.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import { hold, release } from "./registry.ts";
import { runningOrNull } from "./running.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** The states of an IncomingSubscription and of an IncomingReferral. */
export type IncomingSubscriptionState = "incoming" | "pending" | "active" | "terminated";

const states: readonly IncomingSubscriptionState[] = ["incoming", "pending", "active", "terminated"];

/** A change of state. */
export interface IncomingSubscriptionStateChange {
  /** The state before. */
  prevState: IncomingSubscriptionState;
  /** The state now. */
  state: IncomingSubscriptionState;
}

/** A request that came, or a NOTIFY that was sent. */
export interface SubscriptionRequest {
  /** The method of the request. */
  method: string;
  /** null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  /** Empty for what waits for its connection. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
}

/** A response that was sent, or came. */
export interface SubscriptionResponse {
  /** The code of the response. */
  code: number;
  /** The reason phrase of the response. */
  reason: string;
  /** Empty when there was no response. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
}

/** What a Notifier tells; its owner has the names. */
export interface NotifierEvents {
  ChangedState: IncomingSubscriptionStateChange;
  GotRefreshingSubscribe: SubscriptionRequest;
  GotUnsubscribe: SubscriptionRequest;
  Answered: SubscriptionResponse;
  SentNotify: SubscriptionRequest;
  NotifyDidSucceed: SubscriptionResponse;
  NotifyDidFail: SubscriptionResponse;
  DidTimeout: Record<never, never>;
  DidEnd: Record<never, never>;
}

/** Posts an event of the owner's. */
export type Tell = <K extends keyof NotifierEvents>(
  event: K,
  time: Date,
  make: () => NotifierEvents[K],
) => void;

/** `method`: of what could not be put on the wire at once. */
export function requestData({ message }: PeerMessage, method: string): SubscriptionRequest {
  return {
    method: message?.method ?? method,
    get requestUri() {
      return message?.requestUri ?? null;
    },
    headers: message?.headers ?? emptyHeaderMap,
    get body() {
      return message?.body ?? null;
    },
  };
}

/** The state of one, and its records. */
export class Notifier {
  readonly #owner: NativeObject;
  readonly #serial: number;
  readonly #noun: string;
  readonly #tell: Tell;
  #state: IncomingSubscriptionState = "incoming";
  #peerAddress: EndpointAddress | null;
  #ended = false;
  /** What the program has made of it, whatever has been told. */
  wanted: IncomingSubscriptionState = "incoming";

  constructor(owner: NativeObject, serial: number, noun: string, peer: PeerMessage, tell: Tell) {
    this.#owner = owner;
    this.#serial = serial;
    this.#noun = noun;
    this.#peerAddress = peer.peerAddress;
    this.#tell = tell;
    hold(serial, owner);
  }

  get state(): IncomingSubscriptionState {
    return this.#state;
  }

  /** A new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#peerAddress && { ...this.#peerAddress };
  }

  /** Throws SIPCoreInvalidStateError in other states than these. */
  require(what: string, ...states: IncomingSubscriptionState[]): void {
    if (this.#state === "terminated" || !states.includes(this.wanted)) {
      throw new SIPCoreInvalidStateError(
        `Could not ${what}: the ${this.#noun} is ${this.wanted}`,
        this.#state,
      );
    }
  }

  /** Refuses what was not answered and ends the rest, quietly. */
  leave(owner: { reject(code: number): void; end(): void }): void {
    if (this.#state === "terminated" || this.wanted === "terminated" || !runningOrNull()) return;
    try {
      if (this.wanted === "incoming") owner.reject(480);
      else owner.end();
    } catch (error) {
      // It ended between the question and the call; anything else is the caller's to know.
      if (!(error instanceof SIPCoreInvalidStateError)) reportError(error);
    }
  }

  receive(kind: number, time: Date, reader: Reader): void {
    switch (kind) {
      case records.SC_RECORD_NOTIFIER_STATE:
        this.#became(states[reader.u8()] ?? "terminated", time);
        break;
      case records.SC_RECORD_NOTIFIER_SUBSCRIBE: {
        const leaves = reader.u8() !== 0;
        const peer = this.#heard(readPeerMessage(reader));
        const event = leaves ? "GotUnsubscribe" : "GotRefreshingSubscribe";
        this.#tell(event, time, () => requestData(peer, "SUBSCRIBE"));
        break;
      }
      case records.SC_RECORD_NOTIFIER_ANSWERED:
        this.#response(reader, () => "Answered", time);
        if (this.#ended) this.#forget();
        break;
      case records.SC_RECORD_NOTIFIER_SENT: {
        const notify = readPeerMessage(reader);
        this.#tell("SentNotify", time, () => requestData(notify, "NOTIFY"));
        break;
      }
      case records.SC_RECORD_NOTIFIER_RESPONSE:
        this.#response(
          reader,
          (code) => code >= 200 && code < 300 ? "NotifyDidSucceed" : "NotifyDidFail",
          time,
        );
        break;
      case records.SC_RECORD_NOTIFIER_TIMEOUT:
        this.#tell("DidTimeout", time, () => ({}));
        break;
      case records.SC_RECORD_NOTIFIER_END:
        this.#end(time);
        // Else the answer to the un-SUBSCRIBE is still to be told.
        if (reader.u8() === 0) this.#forget();
        break;
    }
  }

  #heard(peer: PeerMessage): PeerMessage {
    this.#peerAddress = peer.peerAddress ?? this.#peerAddress;
    return peer;
  }

  #response(
    reader: Reader,
    event: (code: number) => "Answered" | "NotifyDidSucceed" | "NotifyDidFail",
    time: Date,
  ): void {
    const [code, reason] = [reader.u32(), reader.text()];
    const peer = this.#heard(readPeerMessage(reader));
    this.#tell(event(code), time, () => {
      const { message } = peer;
      return {
        code,
        reason: message?.reason ?? reason,
        headers: message?.headers ?? emptyHeaderMap,
        get body() {
          return message?.body ?? null;
        },
      };
    });
  }

  #became(state: IncomingSubscriptionState, time: Date): void {
    const prevState = this.#state;
    if (state === prevState) return;
    this.#state = state;
    this.#tell("ChangedState", time, () => ({ prevState, state }));
  }

  #end(time: Date): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#became("terminated", time);
    this.#tell("DidEnd", time, () => ({}));
  }

  #forget(): void {
    release(this.#serial, this.#owner);
    endSender(this.#owner);
  }

  engineStopped(): void {
    this.#end(new Date());
    this.#forget();
  }
}

/** Content as the border has it. */
export function writeContent({ type, bytes }: Content, writer: Writer = argumentBlock()): Writer {
  return writer.text(type).bytes(bytes);
}
