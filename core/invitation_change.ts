// SPDX-License-Identifier: GPL-2.0-or-later
import { post } from "./dispatch.ts";
import { emptyHeaderMap } from "./header_map.ts";
import type { Invitation } from "./invitation.ts";
import type { Cause } from "./invitation_cause.ts";
import type { InvitationStateChange } from "./invitation_notifications.ts";
import type { FrozenSDPSession } from "./sdp_session.ts";

type Change = Pick<InvitationStateChange, "prevState" | "prevSubState" | "state" | "subState">;

/** Tells a change; `unheard` is called when nobody listens. */
export function postChange(
  invitation: Invitation,
  { prevState, prevSubState, state, subState }: Change,
  cause: Cause,
  time: Date,
  unheard: (() => void) | null,
): void {
  const { originator, message, disconnectReason } = cause;
  post("SIPInvitationChangedState", invitation, {
    prevState,
    prevSubState,
    state,
    subState,
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

/** Tells what was agreed on. */
export function postAgreement(
  invitation: Invitation,
  local: () => FrozenSDPSession,
  remoteSdp: FrozenSDPSession,
  time: Date,
): void {
  post("SIPInvitationGotSDPUpdate", invitation, {
    succeeded: true,
    get localSdp() {
      return local();
    },
    remoteSdp,
    error: null,
  }, { timestamp: time });
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
