// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Registers USER at the registrar on PORT of 127.0.0.1 and says each message it gets. What stands on its standard input
 * it sends to OTHER, a line a message. An empty line ends it.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import {
  ContactHeader,
  Credentials,
  Engine,
  FromHeader,
  Message,
  NotificationCenter,
  Registration,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";

const [port, user, password, other] = process.argv.slice(2) as [string, string, string, string];
const host = "test.local";
const route = RouteHeader.to({ address: "127.0.0.1", port: Number(port) });
const from = new FromHeader(new SIPURI({ user, host }));
const credentials = new Credentials(user, password, { realm: host });

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", incomingRequests: ["MESSAGE"] });
const center = new NotificationCenter();
center.addObserver(({ sender, data }) => {
  sender.answer(200);
  console.log(`got ${data.body} from ${data.headers.get("From")?.uri.user}`);
}, { name: "SIPIncomingRequestGotRequest" });
center.addObserver(({ name, data }) => console.log(`${name} ${"code" in data ? data.code : ""}`), {
  name: [
    "SIPMessageDidSucceed",
    "SIPMessageDidFail",
    "SIPRegistrationDidSucceed",
    "SIPRegistrationDidFail",
    "SIPRegistrationDidEnd",
  ],
});

const registration = new Registration(from, { credentials });
registration.register(new ContactHeader(engine.contactUri(route, { user })), route);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "") break;
  new Message({
    fromHeader: from,
    toHeader: new ToHeader(new SIPURI({ user: other, host })),
    routeHeader: route,
    contentType: "text/plain;charset=utf-8",
    body: line,
    credentials,
  }).send({ timeout: 5 });
}
const gone = center.once("SIPRegistrationDidEnd");
registration.end({ timeout: 5 });
await gone;
await engine.stop();
process.exit(0);
