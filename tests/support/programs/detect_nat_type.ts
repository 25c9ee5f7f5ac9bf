// SPDX-License-Identifier: GPL-2.0-or-later
/** Asks 127.0.0.1 and localhost for the type of the NAT and prints each answer as a line of JSON. */
import { Engine, NotificationCenter } from "../../../mod.ts";

await using engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1" });
const center = new NotificationCenter();
for (const host of ["127.0.0.1", "localhost"]) {
  const answer = center.once("SIPEngineDetectedNATType");
  engine.detectNatType(host, { stunServerPort: 9 });
  console.log(JSON.stringify((await answer).data));
}
