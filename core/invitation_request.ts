// SPDX-License-Identifier: GPL-2.0-or-later
import { post } from "./dispatch.ts";
import type { Invitation } from "./invitation.ts";
import type { SIPMessage } from "./sip_message.ts";

/** Tells a MESSAGE or an INFO of the peer's within the call. */
export function postRequest(invitation: Invitation, message: SIPMessage | null, timestamp: Date): void {
  if (message === null) return;
  const name = message.method === "INFO" ? "SIPInvitationGotInfo" : "SIPInvitationGotMessage";
  post(name, invitation, {
    // Decoded when somebody reads them.
    get method() {
      return message.method ?? "";
    },
    get requestUri() {
      return message.requestUri;
    },
    get headers() {
      return message.headers;
    },
    get body() {
      return message.body;
    },
  }, { timestamp });
}
