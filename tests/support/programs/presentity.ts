// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Grants every subscription to "presence", and tells each COUNT times of something else, one after the other: a document
 * with its number in it. Says its port, and goes on until it is killed.
 */
import process from "node:process";
import { type IncomingSubscription, NotificationCenter } from "../../../mod.ts";
import { startEngine } from "../engine_fixture.ts";
import { pidf, pidfType } from "../subscriptions.ts";

const count = Number(process.argv[2] ?? "1");
const told = new Map<IncomingSubscription, number>();
const center = new NotificationCenter();
const engine = await startEngine(
  { tcpPort: null, incomingEvents: ["presence"], logLevel: 0 },
  { t1: 500, t2: 4000, t4: 1000, td: 32_000 },
);

center.addObserver(({ sender }) => {
  told.set(sender, 1);
  sender.accept({ contentType: pidfType, content: pidf("open", "sip:1@example.net") });
}, { name: "SIPIncomingSubscriptionGotSubscribe" });
center.addObserver(({ sender }) => {
  const next = (told.get(sender) ?? count) + 1;
  if (next > count) return;
  told.set(sender, next);
  sender.pushContent(pidfType, pidf("open", `sip:${next}@example.net`));
}, { name: "SIPIncomingSubscriptionNotifyDidSucceed" });
center.addObserver(({ sender }) => void told.delete(sender), { name: "SIPIncomingSubscriptionDidEnd" });
console.log(`port ${engine.udpPort}`);
