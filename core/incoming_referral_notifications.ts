// SPDX-License-Identifier: GPL-2.0-or-later
import type { FrozenReferToHeader } from "./headers.ts";
import type { IncomingReferral } from "./incoming_referral.ts";
import type { Note } from "./notification.ts";
import type {
  IncomingSubscriptionStateChange,
  SubscriptionRequest,
  SubscriptionResponse,
} from "./notifier.ts";

/** A REFER that came. */
export interface ReceivedRefer extends SubscriptionRequest {
  /** What to refer to; null when it is malformed. */
  referTo: FrozenReferToHeader | null;
}

/** The notifications of IncomingReferral. */
export interface IncomingReferralNotifications {
  /** A REFER came in; its sender is a new object. */
  SIPIncomingReferralGotRefer: Note<IncomingReferral, ReceivedRefer>;
  /** The peer goes on listening. */
  SIPIncomingReferralGotRefreshingSubscribe: Note<IncomingReferral, SubscriptionRequest>;
  /** The peer listens no more. */
  SIPIncomingReferralGotUnsubscribe: Note<IncomingReferral, SubscriptionRequest>;
  /** The REFER, or a SUBSCRIBE of its subscription, was answered. */
  SIPIncomingReferralAnsweredRefer: Note<IncomingReferral, SubscriptionResponse>;
  /** A NOTIFY was sent. */
  SIPIncomingReferralSentNotify: Note<IncomingReferral, SubscriptionRequest>;
  /** The peer took a NOTIFY. */
  SIPIncomingReferralNotifyDidSucceed: Note<IncomingReferral, SubscriptionResponse>;
  /** The peer did not take a NOTIFY, or nobody did: a 408, 481 or silence ends the subscription. */
  SIPIncomingReferralNotifyDidFail: Note<IncomingReferral, SubscriptionResponse>;
  /** The state changed. */
  SIPIncomingReferralChangedState: Note<IncomingReferral, IncomingSubscriptionStateChange>;
  /** The term was over before the end was told. */
  SIPIncomingReferralDidTimeout: Note<IncomingReferral>;
  /** It is over; only the answer to an un-SUBSCRIBE may follow. */
  SIPIncomingReferralDidEnd: Note<IncomingReferral>;
}
