// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Sends a message to a SIP address at an IP address; without a message it waits for some and says them:
 * `deno run -A examples/message.ts sip:bob@127.0.0.1:5070 "Hello!"`, `bun examples/message.ts`.
 */
import process from "node:process";
import { Engine, FromHeader, Message, NotificationCenter, RouteHeader, SIPURI, ToHeader } from "../mod.ts";

const [address, body] = process.argv.slice(2);
const engine = new Engine();

if (address && body) {
  await engine.start();
  const to = SIPURI.parse(address);
  const message = new Message({
    fromHeader: new FromHeader(new SIPURI({ user: "alice", host: "127.0.0.1" })),
    toHeader: new ToHeader(to),
    routeHeader: RouteHeader.to({ address: to.host, port: to.port }),
    contentType: "text/plain;charset=utf-8",
    body,
  });
  const notes = message.notifications();
  message.send({ timeout: 10 });
  for await (const { data } of notes) console.log(data.code, data.reason);
  await engine.stop();
} else {
  await engine.start({ udpPort: 5070, incomingRequests: ["MESSAGE"] });
  process.once("SIGINT", () => engine.stop());
  for await (
    const { sender, data } of new NotificationCenter().stream({ name: "SIPIncomingRequestGotRequest" })
  ) {
    sender.answer(200);
    console.log(`${data.headers.text("From")}: ${data.body}`);
  }
}
