// SPDX-License-Identifier: GPL-2.0-or-later
/** What the program subscribes to: its own mailbox, and whether its buddy is there. */
import { FromHeader, NotificationCenter, RouteHeader, SIPURI, Subscription, ToHeader } from "../../../mod.ts";
import type { PjsuaOptions } from "./options.ts";

/** Subscribes, and says what becomes of it. */
export function watch(
  options: PjsuaOptions,
  event: "presence" | "message-summary",
  target: string,
  say: (line: string) => void,
): void {
  const uri = SIPURI.parse(target);
  const subscription = new Subscription({
    requestUri: uri,
    fromHeader: new FromHeader(SIPURI.parse(options.id!)),
    toHeader: new ToHeader(uri),
    event,
    routeHeader: RouteHeader.to({ address: "127.0.0.1", port: uri.port ?? 5060 }),
  });
  const center = new NotificationCenter();
  center.addObserver(({ data }) => say(`${target} subscription state is ${data.state}`), {
    name: "SIPSubscriptionChangedState",
    sender: subscription,
  });
  center.addObserver(({ data }) => {
    if (/<basic>\s*open/.test(String(data.body ?? ""))) say(`${target} status is Online`);
  }, { name: "SIPSubscriptionGotNotify", sender: subscription });
  subscription.subscribe();
}
