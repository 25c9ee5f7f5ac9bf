// SPDX-License-Identifier: GPL-2.0-or-later
import type { Note } from "./notification.ts";
import type { ReceivedNotify, SubscriptionEnd, SubscriptionStateChange } from "./subscriber_messages.ts";
import type { Subscription } from "./subscription.ts";

/** Why a subscription has failed. */
export interface SubscriptionFailure {
  /**
   * Of the response, or PJSIP's own (408, 503); 0 for what failed before anything was sent, 1400 for a 2xx without a
   * Contact.
   */
  code: number;
  /** The reason phrase, or what went wrong here. */
  reason: string;
  /** Of Min-Expires in a 423, in seconds. */
  minExpires: number | null;
}

/** The notifications of Subscription. */
export interface SubscriptionNotifications {
  /** The state changed; the change to "TERMINATED" is the last notification. */
  SIPSubscriptionChangedState: Note<Subscription, SubscriptionStateChange>;
  /** The first SUBSCRIBE was sent. */
  SIPSubscriptionWillStart: Note<Subscription>;
  /** The first SUBSCRIBE was accepted. */
  SIPSubscriptionDidStart: Note<Subscription>;
  /** A NOTIFY came, with a body of a type that `engine.events` names for the package, or without one. */
  SIPSubscriptionGotNotify: Note<Subscription, ReceivedNotify>;
  /** `end()` was called, or the peer granted no time: the un-SUBSCRIBE is on its way. */
  SIPSubscriptionWillEnd: Note<Subscription>;
  /** A SUBSCRIBE failed. */
  SIPSubscriptionDidFail: Note<Subscription, SubscriptionFailure>;
  /** It ended as one of the two sides wanted. */
  SIPSubscriptionDidEnd: Note<Subscription, SubscriptionEnd>;
}
