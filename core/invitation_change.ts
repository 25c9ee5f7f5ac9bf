// SPDX-License-Identifier: GPL-2.0-or-later
import { post, postLazily } from "./dispatch.ts";
import { emptyHeaderMap } from "./header_map.ts";
import type { Invitation } from "./invitation.ts";
import type { Cause } from "./invitation_cause.ts";
import type { InvitationStateChange } from "./invitation_notifications.ts";
import type { Agreement } from "./invitation_offers.ts";

type Change = Pick<InvitationStateChange, "prevState" | "prevSubState" | "state" | "subState">;

/** Tells a change; `unheard` is called when nobody listens. */
export function postChange(
  invitation: Invitation,
  { prevState, prevSubState, state, subState }: Change,
  cause: Cause,
  time: Date,
  unheard?: () => void,
): void {
  const { originator, message, disconnectReason } = cause;
  postLazily("SIPInvitationChangedState", invitation, time, () => ({
    prevState,
    prevSubState,
    state,
    subState,
    originator,
    method: cause.method ?? message?.method ?? null,
    requestUri: message?.requestUri ?? null,
    code: cause.code ?? message?.code ?? null,
    reason: cause.reason ?? message?.reason ?? null,
    headers: message?.headers ?? emptyHeaderMap,
    body: message?.body ?? null,
    disconnectReason,
  }), unheard);
}

/** Tells what was agreed on. */
export function postAgreement(
  invitation: Invitation,
  { local, remote }: Agreement,
  time: Date,
): void {
  postLazily("SIPInvitationGotSDPUpdate", invitation, time, () => ({
    succeeded: true,
    localSdp: local(),
    remoteSdp: remote(),
    error: null,
  }));
}

/** Tells that nothing was. */
export function postDisagreement(invitation: Invitation, error: string, time: Date): void {
  post("SIPInvitationGotSDPUpdate", invitation, {
    succeeded: false,
    localSdp: null,
    remoteSdp: null,
    error,
  }, { timestamp: time });
}
