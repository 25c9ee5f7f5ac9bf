// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * sipcore as the client that is measured, on the runtime that runs this file: sends REGISTERs, so many at a time, until
 * all are answered. Nothing but the public API. The arguments: the server's UDP port, the window. A line on stdin is a
 * count; when so many have been answered with 200 or otherwise, that is printed.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { Engine, FromHeader, NotificationCenter, Request, RouteHeader, SIPURI, ToHeader } from "../../mod.ts";

const address = "127.0.0.1";
const [port, window] = process.argv.slice(2).map(Number) as [number, number];

const engine = new Engine();
const center = new NotificationCenter();
const routeHeader = RouteHeader.to({ address, port });
const requestUri = new SIPURI({ user: "1", host: address, port });
const fromHeader = new FromHeader(new SIPURI({ user: "bench", host: address }));
const toHeader = new ToHeader(requestUri);

let toSend = 0;
let open = 0;
let good = 0;
let bad = 0;

function fill(): void {
  for (; toSend > 0 && open < window; toSend--) {
    open++;
    new Request({ method: "REGISTER", requestUri, fromHeader, toHeader, routeHeader }).send();
  }
  if (open === 0) console.log(`completed ${good} ${bad}`);
}

function settled(isGood: boolean): void {
  open--;
  if (isGood) good++;
  else bad++;
  fill();
}

center.addObserver(() => settled(true), { name: "SIPRequestDidSucceed" });
center.addObserver(() => settled(false), { name: "SIPRequestDidFail" });

await engine.start({ ipAddress: address, tcpPort: null, tlsPort: null, logLevel: 0 });
createInterface(process.stdin).on("line", (line) => {
  good = bad = 0;
  toSend = Number(line);
  fill();
}).on("close", async () => {
  await engine.stop();
  process.exit(0);
});
console.log("ready");
