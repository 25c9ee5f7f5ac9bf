// SPDX-License-Identifier: GPL-2.0-or-later
/** What Subscription and Referral have in common: the records of shim/subscriber.c, and what NOTIFYs tell. */
import type { Reader } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import { emptyHeaderMap, type HeaderMap } from "./header_map.ts";
import {
  type FrozenContentTypeHeader,
  FrozenEventHeader,
  type FrozenFromHeader,
  FrozenSubscriptionStateHeader,
  type FrozenToHeader,
} from "./headers.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import type { SIPMessage } from "./sip_message.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** The states of a Subscription and of a Referral; another text is one of the notifier's Subscription-State. */
export type SubscriptionState =
  | "NULL"
  | "SENT"
  | "ACCEPTED"
  | "PENDING"
  | "ACTIVE"
  | "TERMINATED"
  | (string & Record<never, never>);

/** A change of state. */
export interface SubscriptionStateChange {
  /** The state before. */
  prevState: SubscriptionState;
  /** The state now. */
  state: SubscriptionState;
}

/** A NOTIFY that came. */
export interface ReceivedNotify {
  /** null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  /** The From header. */
  fromHeader: FrozenFromHeader | null;
  /** The To header. */
  toHeader: FrozenToHeader | null;
  /** null when there is none, or it is malformed. */
  contentType: FrozenContentTypeHeader | null;
  /** The event package. */
  event: string;
  /** All headers of the message; empty where there was none. */
  headers: HeaderMap;
  /** The body; null when there is none. */
  body: Body | null;
}

/** Why a notifier has ended a subscription (RFC 6665, section 4.1.3); null where it says nothing of the kind. */
export interface SubscriptionEnd {
  /** "deactivated", "probation", "rejected", "timeout", "giveup", "noresource", "invariant" or another word. */
  reason: string | null;
  /** Seconds after which to try again. */
  retryAfter: number | null;
}

const causes = ["local", "response", "notify"] as const;

/** A record of a change of state. */
export interface NativeSubscriptionChange {
  readonly state: SubscriptionState;
  readonly code: number;
  readonly reason: string;
  readonly peer: PeerMessage;
  readonly cause: (typeof causes)[number];
}

export function readSubscriptionChange(reader: Reader): NativeSubscriptionChange {
  const [state, code, reason] = [reader.text(), reader.u32(), reader.text()];
  const peer = readPeerMessage(reader);
  return { state, code, reason, peer, cause: causes[reader.u8()] ?? "local" };
}

/** The data of a GotNotify. */
export function notifyData({ message }: PeerMessage): ReceivedNotify {
  const event = message?.headers.get("Event");
  return {
    get requestUri() {
      return message?.requestUri ?? null;
    },
    get fromHeader() {
      return message?.from ?? null;
    },
    get toHeader() {
      return message?.to ?? null;
    },
    get contentType() {
      return message?.contentType ?? null;
    },
    event: event instanceof FrozenEventHeader ? event.event : "",
    headers: message?.headers ?? emptyHeaderMap,
    get body() {
      return message?.body ?? null;
    },
  };
}

/** What the Subscription-State of a NOTIFY says of the end. */
export function subscriptionEnd(message: SIPMessage | null): SubscriptionEnd {
  const state = message?.headers.get("Subscription-State");
  if (!(state instanceof FrozenSubscriptionStateHeader)) return { reason: null, retryAfter: null };
  return { reason: state.reason, retryAfter: state.retryAfter };
}

/** What has no type, or one of these, whatever the parameters. */
export function isAcceptable(message: SIPMessage | null, acceptTypes: readonly string[]): boolean {
  const type = message?.headers.text("Content-Type");
  if (type === null || type === undefined || message!.bodyBytes.length === 0) return true;
  const plain = (text: string) => text.split(";")[0]!.trim().toLowerCase();
  return acceptTypes.some((one) => plain(one) === plain(type));
}

/** A timeout in seconds as the border has it: in milliseconds, 0 for none. */
export function milliseconds(timeout: number | null): number {
  return timeout === null ? 0 : Math.max(1, Math.round(timeout * 1000));
}
