// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Keeps an address registered at a registrar at an IP address, until Ctrl-C:
 * `deno run -A examples/register.ts sip:alice@example.net secret 127.0.0.1:5060` or
 * `bun examples/register.ts sip:alice@example.net secret 127.0.0.1:5060`.
 */
import process from "node:process";
import { ContactHeader, Credentials, Engine, FromHeader, Registration, RouteHeader, SIPURI } from "../mod.ts";

const [address, password = "", registrar = "127.0.0.1:5060"] = process.argv.slice(2);
const uri = SIPURI.parse(address ?? "sip:alice@127.0.0.1");
const { host, port } = SIPURI.parse(`sip:${registrar}`);
const route = RouteHeader.to({ address: host, port, transport: "tcp" });

await using engine = new Engine();
await engine.start();
using registration = new Registration(new FromHeader(uri), {
  credentials: new Credentials(uri.user ?? "", password),
  autoRefresh: true,
});
process.once("SIGINT", () => registration[Symbol.dispose]());

const notes = registration.notifications();
registration.register(new ContactHeader(engine.contactUri(route, { user: uri.user })), route);
for await (const { name, data } of notes) {
  switch (name) {
    case "SIPRegistrationDidSucceed":
      console.log(
        `Registered for ${data.expiresIn} s:`,
        ...data.contactHeaderList.map(({ uri }) => String(uri)),
      );
      break;
    case "SIPRegistrationDidFail":
      console.log(`${data.code} ${data.reason}; again in ${data.willRetryIn} s`);
      break;
    case "SIPRegistrationDidEnd":
      console.log(data.expired ? "Expired" : "Unregistered");
      break;
  }
}
