// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Stops the engine while calls and requests go on, so many times: arguments are how often, how many calls of all kinds
 * (half of them connected, half of them ringing; half of each from SIPp, half to it) and how many requests a second.
 * Prints a line of JSON after each.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import process from "node:process";
import { delay } from "@std/async";
import { openedLibrary } from "../../../ffi/library.ts";
import {
  Engine,
  FromHeader,
  type Invitation,
  NotificationCenter,
  Request,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";
import { answer, callPort, Calls } from "../calls.ts";
import { sipTimers } from "../../../core/sip_timers.ts";
import { Sipp } from "../sipp.ts";

const [rounds = 0, count = 0, rate = 0] = process.argv.slice(2).map(Number);
const quarter = count / 4;
const engine = new Engine();
// A stop waits for answers for half a second at most, whatever these are.
Object.assign(sipTimers, { t1: 100, t2: 400, t4: 500, td: 2000 });

/** Half of the requests come from outside, the other half are ours to ourselves. Ends by `using`. */
async function requests(port: number): Promise<Disposable> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const uri = new SIPURI({ user: "sipcore", host: "127.0.0.1", port });
  const options = {
    method: "MESSAGE",
    requestUri: uri,
    fromHeader: new FromHeader(uri),
    toHeader: new ToHeader(uri),
    routeHeader: RouteHeader.to({ address: "127.0.0.1", port }),
    contentType: "text/plain",
    body: "Still there?",
  };
  let sent = 0;
  const timer = setInterval(() => {
    for (let left = rate / 40; left > 0; left--) {
      sent++;
      socket.send(
        `MESSAGE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bK${sent}\r\n` +
          `From: <sip:a@127.0.0.1>;tag=${sent}\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: ${sent}\r\nCSeq: 1 MESSAGE\r\n` +
          "Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nHi",
        port,
        "127.0.0.1",
      );
      if (engine.isRunning) new Request(options).send();
    }
  }, 50);
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      socket.close();
    },
  };
}

async function stopOnce(): Promise<Record<string, number>> {
  await using callee = await Sipp.start({ scenario: "callee", count: quarter });
  await using ringing = await Sipp.start({ scenario: "callee_ringing", count: quarter });
  await engine.start({ ipAddress: "127.0.0.1", tcpPort: null });
  using calls = new Calls(engine, (invitation) => {
    if (invitation.requestUri?.user === "ring") invitation.sendResponse(180);
    else answer(invitation);
  });
  const call = (scenario: string, user: string) =>
    Sipp.start({ scenario, count: quarter, rate: 400, target: { port: engine.udpPort!, user } });
  await using caller = await call("caller_left", "answer");
  await using waiting = await call("caller_refused", "ring");
  const placed: Invitation[] = [];
  while (placed.length < count / 2) {
    placed.push(callPort((placed.length % 2 === 0 ? callee : ringing).port));
    if (placed.length % 50 === 0) await delay(20);
  }
  const all = () => [...placed, ...calls.incoming];
  const are = (state: Invitation["state"]) => all().filter((one) => one.state === state).length;
  using _requests = await requests(engine.udpPort!);
  await calls.until(() => are("connected") === count / 2 && are("early") === count / 2);
  let messages = 0;
  const names: string[] = [];
  using _messages = new NotificationCenter().addObserver(({ name }) => {
    names.push(name);
    if (name === "SIPEngineGotMessage") messages++;
  });
  await delay(200);
  const begun = performance.now();
  await engine.stop();
  const ms = performance.now() - begun;
  await delay(100);
  // A peer that is busy for longer than the engine waits hears no more of it.
  let successful = 0;
  for (const sipp of [callee, ringing, caller, waiting]) {
    successful += (await sipp.finish({ mayFail: true })).successful;
  }
  return {
    ms,
    messages,
    calls: all().length,
    disconnected: are("disconnected"),
    successful,
    ends: names.filter((name) => name === "SIPEngineDidEnd").length,
    toldAfter: names.length - 1 - names.indexOf("SIPEngineDidEnd"),
    exceptions: names.filter((name) => name === "SIPEngineGotException").length,
    liveObjects: openedLibrary()!.sc_live_objects(),
  };
}

for (let round = 0; round < rounds; round++) console.log(JSON.stringify(await stopOnce()));
