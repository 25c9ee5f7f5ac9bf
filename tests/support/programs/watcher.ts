// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Subscribes SUBSCRIPTIONS times to "presence" at PORT of 127.0.0.1, waits until each was told COUNT times, and ends them
 * all at once. Prints a line of JSON: what was told, and what it took.
 */
import process from "node:process";
import { delay } from "@std/async";
import { openedLibrary } from "../../../ffi/library.ts";
import { NotificationCenter, Subscription } from "../../../mod.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";
import { residentBytes } from "../process_figures.ts";
import { collectGarbage } from "../program.ts";
import { subscriptionOptions } from "../subscriptions.ts";
import { until } from "../until.ts";

const [port = 0, subscriptions = 1, count = 1] = process.argv.slice(2).map(Number);

await startEngine({ tcpPort: null }, { t1: 500, t2: 4000, t4: 1000, td: 1500 });
const native = openedLibrary()!;
const center = new NotificationCenter();
const last = new Map<Subscription, number>();
const outOfOrder: string[] = [];
let [active, complete, ended, failed] = [0, 0, 0, 0];

center.addObserver(({ sender, data }) => {
  if (data.body === null) return;
  const number = Number(/entity="sip:(\d+)@/.exec(String(data.body))![1]);
  const before = last.get(sender) ?? 0;
  // Our Unsubscribe is answered by one more, without a document; a refresh repeats the last.
  if (number !== before + 1) outOfOrder.push(`${before} -> ${number}`);
  last.set(sender, number);
  if (number === count) complete++;
}, { name: "SIPSubscriptionGotNotify" });
center.addObserver(({ data }) => {
  if (data.state === "ACTIVE") active++;
  if (data.state === "TERMINATED") ended++;
}, { name: "SIPSubscriptionChangedState" });
center.addObserver(() => void failed++, { name: "SIPSubscriptionDidFail" });

async function memory(): Promise<{ resident: number; pools: number }> {
  for (let times = 0; times < 3; times++) {
    collectGarbage();
    await delay(20);
  }
  native.sc_trim();
  return { resident: residentBytes(), pools: native.sc_pool_bytes() };
}

const before = await memory();
const began = performance.now();
const all: Subscription[] = [];
for (let index = 0; index < subscriptions; index++) {
  const subscription = new Subscription(subscriptionOptions(port, { refresh: 3600 }));
  all.push(subscription);
  subscription.subscribe();
  // As fast as they are granted, more or less: the sockets hold some hundred.
  if (index % 50 === 49) await until(() => active > index - 200 || failed > 0, "grants", 30_000);
}
await until(() => complete === subscriptions || failed > 0, "all that was to be told", 60_000);
const told = performance.now();
// Transactions live on for td, and none of theirs is of interest here.
await delay(3000);
const during = await memory();
const ending = performance.now();
for (const subscription of all) subscription.end();
await until(() => ended === subscriptions, "the end of all", 60_000);
const over = performance.now();
console.log(JSON.stringify({
  complete,
  failed,
  outOfOrder: outOfOrder.slice(0, 5),
  seconds: (told - began) / 1000,
  endSeconds: (over - ending) / 1000,
  residentPerSubscription: Math.round((during.resident - before.resident) / subscriptions),
  poolsPerSubscription: Math.round((during.pools - before.pools) / subscriptions),
}));
await stopEngine();
process.exit(0);
