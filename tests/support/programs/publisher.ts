// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Publishes the presence of USER at the server on PORT of 127.0.0.1: "open" or "closed", as each line of its standard
 * input says. Says how that went. The end of the input takes it back, and ends the program.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import {
  Credentials,
  Engine,
  FromHeader,
  NotificationCenter,
  Publication,
  RouteHeader,
  SIPURI,
} from "../../../mod.ts";
import { pidf, pidfType } from "../subscriptions.ts";

const [port, user, password] = process.argv.slice(2) as [string, string, string];
const uri = new SIPURI({ user, host: "test.local" });
const route = RouteHeader.to({ address: "127.0.0.1", port: Number(port) });

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", tcpPort: null });
const center = new NotificationCenter();
center.addObserver(({ name, data }) => console.log(`${name} ${"code" in data ? data.code : ""}`), {
  name: [
    "SIPPublicationDidSucceed",
    "SIPPublicationDidFail",
    "SIPPublicationDidNotEnd",
    "SIPPublicationDidEnd",
  ],
});

const publication = new Publication(new FromHeader(uri), "presence", pidfType, {
  credentials: new Credentials(user, password, { realm: uri.host }),
  duration: 60,
});
for await (const line of createInterface({ input: process.stdin })) {
  publication.publish(pidf(line, `${uri}`), route, { timeout: 5 });
}
const gone = center.once(["SIPPublicationDidEnd", "SIPPublicationDidNotEnd"]);
publication.end({ timeout: 5 });
await gone;
await engine.stop();
