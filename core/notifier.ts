// SPDX-License-Identifier: GPL-2.0-or-later
/** What IncomingSubscription and IncomingReferral have in common: the records of shim/notifier.c. */
import type { Reader } from "../ffi/wire.ts";
import type { Body } from "./body.ts";
import { emptyHeaderMap, type HeaderMap } from "./header_map.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** The states of an IncomingSubscription and of an IncomingReferral. */
export type IncomingSubscriptionState = "incoming" | "pending" | "active" | "terminated";

const states: readonly IncomingSubscriptionState[] = ["incoming", "pending", "active", "terminated"];

/** A change of state. */
export interface IncomingSubscriptionStateChange {
  prevState: IncomingSubscriptionState;
  state: IncomingSubscriptionState;
}

/** A request that came, or a NOTIFY that was sent. */
export interface SubscriptionRequest {
  method: string;
  /** null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  headers: HeaderMap;
  body: Body | null;
}

/** A response that was sent, or came. */
export interface SubscriptionResponse {
  code: number;
  reason: string;
  /** Empty when there was no response. */
  headers: HeaderMap;
  body: Body | null;
}

export function readState(reader: Reader): IncomingSubscriptionState {
  return states[reader.u8()] ?? "terminated";
}

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

/** The response of a record, and where it came from. */
export function readResponse(
  reader: Reader,
): { code: number; peer: PeerMessage; data: () => SubscriptionResponse } {
  const [code, reason] = [reader.u32(), reader.text()];
  const peer = readPeerMessage(reader);
  const data = () => {
    const { message } = peer;
    return {
      code,
      reason: message?.reason ?? reason,
      headers: message?.headers ?? emptyHeaderMap,
      get body() {
        return message?.body ?? null;
      },
    };
  };
  return { code, peer, data };
}
