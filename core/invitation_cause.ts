// SPDX-License-Identifier: GPL-2.0-or-later
import type { Reader } from "../ffi/wire.ts";
import { decodeUtf8 } from "./body.ts";
import type { InvitationOriginator, InvitationStateChange } from "./invitation_notifications.ts";
import { type PeerMessage, readPeerMessage } from "./peer_message.ts";
import { FrozenSDPSession } from "./sdp_session.ts";
import type { SIPMessage } from "./sip_message.ts";

/** A change as its cause tells it; the rest stands in the object. */
export interface Cause
  extends Pick<InvitationStateChange, "originator" | "method" | "code" | "reason" | "disconnectReason"> {
  /** Its URI, headers and body; its start line too, where `method`, `code` and `reason` are null. */
  readonly message: SIPMessage | null;
}

export const noCause: Cause = {
  originator: null,
  method: null,
  code: null,
  reason: null,
  disconnectReason: null,
  message: null,
};

/** pjsip_inv_state */
export const inv = { CALLING: 1, EARLY: 3, CONNECTING: 4, CONFIRMED: 5, DISCONNECTED: 6 } as const;

/** The steps of a re-INVITE; twin of `enum step` in shim/invitation_reinvite.c. */
export const step = { SENT: 0, OFFER: 1, REQUEST: 2, FINAL: 3 } as const;

const originators: readonly InvitationOriginator[] = [null, "local", "remote"];

/** SC_RECORD_INVITATION_STATE */
export interface NativeChange {
  readonly state: number;
  readonly code: number;
  /** "" before the end. */
  readonly reason: string;
  /** "" where it was not asked for. */
  readonly localTag: string;
  readonly remoteTag: string;
  readonly peer: PeerMessage;
  /** The response has brought an offer, and its PRACK waits for the answer. */
  readonly awaitsPrack: boolean;
  readonly cause: Cause;
}

/** `knowsTags`: those of the dialog are known already, and need not be decoded. */
export function readChange(reader: Reader, knowsTags: boolean): NativeChange {
  const state = reader.u8();
  const code = reader.u32();
  let [reason, localTag, remoteTag] = ["", "", ""];
  if (state === inv.DISCONNECTED) reason = reader.text();
  else reader.skip(1);
  if (knowsTags) {
    reader.skip(2);
  } else {
    localTag = reader.text();
    remoteTag = reader.text();
  }
  const peer = readPeerMessage(reader);
  const originator = originators[reader.u8()] ?? null;
  const awaitsPrack = reader.u8() === 1;
  return {
    state,
    code,
    reason,
    localTag,
    remoteTag,
    peer,
    awaitsPrack,
    cause: { ...noCause, originator, message: peer.message },
  };
}

/** SC_RECORD_INVITATION_REINVITE */
export interface NativeProposal {
  readonly step: number;
  /** The final response has brought an offer, and its ACK waits for the answer. */
  readonly awaitsAck: boolean;
  readonly peer: PeerMessage;
  readonly cause: Cause;
}

export function readProposal(reader: Reader): NativeProposal {
  const step = reader.u8();
  const code = reader.u32();
  const reason = reader.text();
  const awaitsAck = reader.u8() === 1;
  const peer = readPeerMessage(reader);
  const originator = originators[reader.u8()] ?? null;
  const { message } = peer;
  const isFinal = code !== 0;
  return {
    step,
    awaitsAck,
    peer,
    cause: {
      ...noCause,
      originator,
      message,
      // What the stack itself has concluded stands in no message.
      ...(isFinal && message === null ? { code, reason } : {}),
    },
  };
}

/** The text of a Reason header (RFC 3326), null when there is none. */
export function reasonText(message: SIPMessage | null): string | null {
  const reason = message?.headers.get("Reason");
  return reason && "text" in reason && typeof reason.text === "string" && reason.text ? reason.text : null;
}

/** The session description at a place in a message. */
export function sdpAt(message: SIPMessage, offset: number, size: number): FrozenSDPSession | null {
  const { body } = message;
  // What the program gets for the body is mostly that, decoded already.
  if (typeof body === "string" && body.length === size && offset + size === message.bytes.length) {
    return FrozenSDPSession.tryParse(body);
  }
  const text = decodeUtf8(message.bytes.subarray(offset, offset + size));
  return text === null ? null : FrozenSDPSession.tryParse(text);
}

/** The session description in a message, null when its body is something else. */
export function sdpOf(message: SIPMessage): FrozenSDPSession | null {
  if (message.contentType?.contentType.toLowerCase() !== "application/sdp") return null;
  return typeof message.body === "string" ? FrozenSDPSession.tryParse(message.body) : null;
}
