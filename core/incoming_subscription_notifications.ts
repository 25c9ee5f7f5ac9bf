// SPDX-License-Identifier: GPL-2.0-or-later
import type { IncomingSubscription } from "./incoming_subscription.ts";
import type { Note } from "./notification.ts";
import type {
  IncomingSubscriptionStateChange,
  SubscriptionRequest,
  SubscriptionResponse,
} from "./notifier.ts";

/** The notifications of IncomingSubscription. */
export interface IncomingSubscriptionNotifications {
  /** A SUBSCRIBE came in; its sender is a new object. */
  SIPIncomingSubscriptionGotSubscribe: Note<IncomingSubscription, SubscriptionRequest>;
  /** The subscriber goes on. */
  SIPIncomingSubscriptionGotRefreshingSubscribe: Note<IncomingSubscription, SubscriptionRequest>;
  /** The subscriber has had enough. */
  SIPIncomingSubscriptionGotUnsubscribe: Note<IncomingSubscription, SubscriptionRequest>;
  /** A SUBSCRIBE was answered. */
  SIPIncomingSubscriptionAnsweredSubscribe: Note<IncomingSubscription, SubscriptionResponse>;
  /** A NOTIFY was sent. */
  SIPIncomingSubscriptionSentNotify: Note<IncomingSubscription, SubscriptionRequest>;
  /** The subscriber took a NOTIFY. */
  SIPIncomingSubscriptionNotifyDidSucceed: Note<IncomingSubscription, SubscriptionResponse>;
  /** The subscriber did not take a NOTIFY, or nobody did: a 408, 481 or silence ends the subscription. */
  SIPIncomingSubscriptionNotifyDidFail: Note<IncomingSubscription, SubscriptionResponse>;
  /** The state changed. */
  SIPIncomingSubscriptionChangedState: Note<IncomingSubscription, IncomingSubscriptionStateChange>;
  /** No refresh came in time. */
  SIPIncomingSubscriptionDidTimeout: Note<IncomingSubscription>;
  /** It is over; only the answer to an un-SUBSCRIBE may follow. */
  SIPIncomingSubscriptionDidEnd: Note<IncomingSubscription>;
}
