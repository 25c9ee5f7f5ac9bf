// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Watches somebody's presence at an IP address, and prints what it hears until Ctrl+C:
 * `deno run -A examples/subscribe.ts sip:bob@127.0.0.1:5060` or `bun examples/subscribe.ts sip:bob@127.0.0.1:5060`.
 */
import process from "node:process";
import { Engine, FromHeader, RouteHeader, SIPURI, Subscription, ToHeader } from "../mod.ts";

const uri = SIPURI.parse(process.argv[2] ?? "sip:bob@127.0.0.1:5060");

await using engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1" });
const subscription = new Subscription({
  requestUri: uri,
  fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "127.0.0.1" })),
  toHeader: new ToHeader(uri),
  routeHeader: RouteHeader.to({ address: uri.host, port: uri.port }),
  event: "presence",
});
process.once("SIGINT", () => subscription.end({ timeout: 2 }));

// From here on nothing is missed; the stream ends with the subscription.
const notes = subscription.notifications();
subscription.subscribe({ timeout: 5 });
for await (const { name, data } of notes) {
  if (name === "SIPSubscriptionGotNotify") console.log(data.body ?? "(nothing is known)");
  else if (name === "SIPSubscriptionDidFail") console.log(`failed: ${data.code} ${data.reason}`);
  else if (name === "SIPSubscriptionDidEnd") console.log(`ended: ${data.reason ?? "as we wanted"}`);
}
