// SPDX-License-Identifier: GPL-2.0-or-later
/** What the methods of an Invitation hand down to the library: their argument blocks, and what its status says. */
import { errors } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock } from "../ffi/wire.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { writeHeaders } from "./extra_headers.ts";
import type { BaseHeader, FrozenContactHeader } from "./headers.ts";
import { type CheckedInvite, type CheckedSDP, writeInvite } from "./invitation_arguments.ts";
import { checkSize } from "./message_size.ts";
import { check, create, running } from "./running.ts";
import { type CheckedSessionTimer, writeSessionTimer } from "./session_timer.ts";

type InvitationSerial = Serial<"invitation">;

/** What a re-INVITE carries; twin of `enum offer` in shim/invitation_reinvite.c. */
export const offer = { CURRENT: 0, GIVEN: 1, NONE: 2 } as const;

export function nativeInvite(invite: CheckedInvite, contactHeader: FrozenContactHeader): InvitationSerial {
  const native = running();
  const args = writeInvite(argumentBlock(), invite, contactHeader);
  checkSize(args);
  return create(
    "Could not send INVITE",
    (status) => native.sc_invitation_create(args.block, args.size, status),
  );
}

/** What an answer carries beside its code. */
export interface CheckedResponse {
  readonly reason: string | null;
  readonly contactHeader: FrozenContactHeader | null;
  readonly sdp: CheckedSDP | null;
  readonly extraHeaders: readonly BaseHeader[];
  readonly sessionTimer: CheckedSessionTimer | null;
}

export function nativeAnswer(serial: InvitationSerial, code: number, response: CheckedResponse): void {
  const { reason, contactHeader, sdp, extraHeaders, sessionTimer } = response;
  const args = argumentBlock().text(reason ?? "").text(contactHeader?.body ?? "").text(sdp?.text ?? "");
  writeSessionTimer(writeHeaders(args, extraHeaders), sessionTimer);
  checkSize(args);
  check(running().sc_invitation_answer(serial, code, args.block, args.size), "Could not answer the INVITE");
}

/** What a re-INVITE carries. */
export interface CheckedReinvite {
  readonly kind: typeof offer[keyof typeof offer];
  readonly contactHeader: FrozenContactHeader | null;
  readonly sdp: CheckedSDP | null;
  readonly extraHeaders: readonly BaseHeader[];
}

export function nativeReinvite(
  serial: InvitationSerial,
  reinvite: CheckedReinvite,
  state: string | null,
): void {
  const { kind, contactHeader, sdp, extraHeaders } = reinvite;
  const args = argumentBlock().u8(kind).text(contactHeader?.body ?? "").text(sdp?.text ?? "");
  writeHeaders(args, extraHeaders);
  checkSize(args);
  const status = running().sc_invitation_reinvite(serial, args.block, args.size);
  if (status === errors.SC_EBUSY) {
    throw new SIPCoreInvalidStateError(
      "Could not send re-INVITE: an INVITE of the peer's is on its way",
      state,
    );
  }
  check(status, "Could not send re-INVITE");
}

export function nativeCancelReinvite(serial: InvitationSerial): void {
  const status = running().sc_invitation_cancel_reinvite(serial);
  // Its end, which was faster, is about to be told.
  if (status !== errors.SC_EGONE) check(status, "Could not cancel the re-INVITE");
}

/** Null: refuses the offer, or repeats what is agreed on; that this may fail is the library's to deal with. */
export function nativeAck(serial: InvitationSerial, answer: CheckedSDP | null): void {
  const args = argumentBlock().text(answer?.text ?? "");
  checkSize(args);
  const status = running().sc_invitation_ack(serial, args.block, args.size);
  if (answer) check(status, "Could not send ACK");
}

export function nativeRequest(
  serial: InvitationSerial,
  method: string,
  headers: readonly BaseHeader[],
  contentType: string,
  body: Uint8Array,
): void {
  const args = writeHeaders(argumentBlock().text(method), headers).text(contentType).bytes(body);
  checkSize(args);
  check(running().sc_invitation_send_request(serial, args.block, args.size), `Could not send ${method}`);
}

/** False when the peer has ended it meanwhile: the change that tells so is on its way. */
export function nativeEnd(
  serial: InvitationSerial,
  code: number,
  extraHeaders: readonly BaseHeader[],
): boolean {
  const args = writeHeaders(argumentBlock(), extraHeaders);
  checkSize(args);
  const status = running().sc_invitation_end(serial, code, args.block, args.size);
  if (status === errors.SC_EGONE) return false;
  check(status, "Could not end the invitation");
  return true;
}
