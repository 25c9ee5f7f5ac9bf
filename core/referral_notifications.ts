// SPDX-License-Identifier: GPL-2.0-or-later
import type { Note } from "./notification.ts";
import type { Referral } from "./referral.ts";
import type { ReferralStatus } from "./sipfrag.ts";
import type { ReceivedNotify, SubscriptionStateChange } from "./subscriber_messages.ts";

/** How a referral has ended. */
export interface ReferralOutcome {
  /** The status that the peer told last; null where it told none. */
  code: number | null;
  /** Why it ended or failed; null when that was not said. */
  reason: string | null;
}

/** The notifications of Referral. */
export interface ReferralNotifications {
  /** The state changed; the change to "TERMINATED" is the last notification. */
  SIPReferralChangedState: Note<Referral, SubscriptionStateChange>;
  /** The REFER was sent. */
  SIPReferralWillStart: Note<Referral>;
  /** The REFER was accepted. */
  SIPReferralDidStart: Note<Referral>;
  /** A NOTIFY came: its body tells how far the peer is. */
  SIPReferralGotNotify: Note<Referral, ReceivedNotify>;
  /** `end()` was called, or there is no subscription to wait for. */
  SIPReferralWillEnd: Note<Referral>;
  /**
   * The REFER or a SUBSCRIBE failed, or what was asked for did. `code`: of the response, of what the peer told, or
   * PJSIP's own (408, 503); 0 for what failed before anything was sent, and for a peer that gave up without a status.
   */
  SIPReferralDidFail: Note<Referral, ReferralStatus>;
  /** What was asked for has succeeded; or it was ended, and nobody listens any more. */
  SIPReferralDidEnd: Note<Referral, ReferralOutcome>;
}
