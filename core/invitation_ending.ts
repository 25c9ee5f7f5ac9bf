// SPDX-License-Identifier: GPL-2.0-or-later
import { type Cause, type NativeChange, noCause, reasonText } from "./invitation_cause.ts";
import type { InvitationState } from "./invitation_notifications.ts";
import type { SIPMessage } from "./sip_message.ts";
import { sipStatusMessages } from "./sip_status_messages.ts";

/** What is known of a call whose session in C has ended. */
export interface Ending {
  readonly change: NativeChange;
  readonly state: InvitationState;
  readonly isIncoming: boolean;
  /** The peer's CANCEL. */
  readonly cancel: { readonly message: SIPMessage | null } | null;
  /** A time that the program has set is over. */
  readonly timedOut: boolean;
  readonly engineStopping: boolean;
  /** It was not the program that wanted the end. */
  readonly isEndedByStack: boolean;
}

/** A change that is told. */
export interface EndingStep {
  readonly state: InvitationState;
  readonly cause: Cause;
}

/** How the end of a call is told: in one change, or with what was on the way to it. */
export function endingOf(ending: Ending): EndingStep[] {
  const { change, state, isIncoming, cancel, timedOut, engineStopping } = ending;
  const { cause } = change;
  const steps: EndingStep[] = [];
  const done = (last: Cause): EndingStep[] => [...steps, { state: "disconnected", cause: last }];
  if (state === null) {
    // The connection failed before the INVITE was on it: every call that was made has gone out, all the same.
    steps.push({ state: "outgoing", cause: { ...noCause, originator: "local", method: "INVITE" } });
  }
  if (cancel && isIncoming && state !== "disconnecting") {
    return done({
      ...noCause,
      message: cancel.message,
      originator: "remote",
      code: 487,
      reason: sipStatusMessages[487]!,
      disconnectReason: reasonText(cancel.message) ?? "user request",
    });
  }
  const code = timedOut ? 408 : change.code >= 300 ? change.code : cause.message?.code ?? change.code;
  // PJSIP's own text ("Normal call clearing") says more than the phrase of the answer to a BYE.
  const phrase = code < 300 || cause.message?.code !== code ? null : cause.message.reason;
  const reason = timedOut ? sipStatusMessages[408]! : phrase ?? change.reason;
  if (isIncoming && cause.originator === "local" && code >= 300) {
    if (state !== "disconnecting") {
      steps.push({ state: "disconnecting", cause: { ...noCause, originator: "local", code, reason } });
    }
    const disconnectReason = engineStopping && code === 480 ? "engine stopped" : reason;
    return done({ ...cause, code, reason, disconnectReason });
  }
  if (isIncoming && state === "connecting" && change.code === 408) {
    // No ACK has come; what became of the BYE that the stack sent then matters to nobody.
    return done({ ...noCause, code: 408, reason: sipStatusMessages[408]!, disconnectReason: "missing ACK" });
  }
  return done({
    ...(timedOut ? noCause : cause),
    code,
    reason,
    disconnectReason: whyEnded(ending, code, reason),
  });
}

function whyEnded(
  { change, timedOut, engineStopping, isEndedByStack }: Ending,
  code: number,
  reason: string,
): string {
  const { originator, message } = change.cause;
  // The peer may have hung up before we could.
  if (engineStopping && message?.method !== "BYE") return "engine stopped";
  if (timedOut) return "timeout";
  if (isEndedByStack && !message?.isRequest) {
    return code === 408 ? "timeout" : code >= 300 ? reason : "internal error";
  }
  if (originator === "remote") return (message?.isRequest && reasonText(message)) || "user request";
  if (originator === "local") return "user request";
  return code === 408 ? "timeout" : reason;
}
