// SPDX-License-Identifier: GPL-2.0-or-later
/** What the ladder says of a notification. */
import type { SIPNotification } from "../../mod.ts";

/** The notifications that the ladder shows. The trace is drawn as arrows; the log is left out. */
export const shownNotifications = [
  "SIPEngineDidStart",
  "SIPEngineDidEnd",
  "SIPEngineDidFail",
  "SIPEngineGotException",
  "SIPEngineGotWarning",
  "SIPInvitationChangedState",
  "SIPInvitationGotSDPUpdate",
  "RTPTransportDidInitialize",
  "RTPTransportDidFail",
  "RTPAudioTransportGotDTMF",
  "RTPAudioTransportDidNotGetRTP",
  "WaveFileDidFinishPlaying",
] as const;

export type ShownNotification = SIPNotification<typeof shownNotifications[number]>;

/** What the notification says, in a few words; empty when its name says it all. */
export function noteOf(notification: ShownNotification): string {
  switch (notification.name) {
    case "SIPInvitationChangedState": {
      const { prevState, state, code, reason, disconnectReason } = notification.data;
      const change = prevState === null ? state : `${prevState} → ${state}`;
      // The end of a call that was answered has a reason; that of one that was not also has a status.
      const status = code === null || (state === "disconnected" && code < 300)
        ? null
        : `${code} ${reason ?? ""}`.trimEnd();
      const why = disconnectReason === reason ? null : disconnectReason;
      return [change, status, why].filter((part) => part !== null).join(", ");
    }
    case "SIPInvitationGotSDPUpdate":
      return notification.data.succeeded ? "agreed" : `failed: ${notification.data.error}`;
    case "RTPTransportDidInitialize":
      return `port ${notification.sender.localRtpPort}`;
    case "RTPTransportDidFail":
      return notification.data.reason;
    case "RTPAudioTransportGotDTMF":
      return `${notification.data.digit}, ${notification.data.duration} ms`;
    case "RTPAudioTransportDidNotGetRTP":
      return notification.data.gotAny ? "no more sound arrives" : "no sound has arrived";
    case "WaveFileDidFinishPlaying":
      return notification.data.reason;
    case "SIPEngineGotException":
      return `${notification.data.type}: ${String(notification.data.value)}`;
    case "SIPEngineGotWarning":
      return notification.data.message;
    case "SIPEngineDidStart":
    case "SIPEngineDidEnd":
    case "SIPEngineDidFail":
      return "";
  }
}
