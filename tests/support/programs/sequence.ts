// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Calls in sequence: "incoming", "outgoing", or "talking", which is with sound; or "requests", which the engine sends to
 * itself and answers. Then how many there are in each round. Prints a line of JSON after each: what they have left
 * behind.
 */
import process from "node:process";
import {
  AudioMixer,
  FromHeader,
  NotificationCenter,
  Request,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";
import { callPort, Calls } from "../calls.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";
import { memoryFigures } from "../memory_figures.ts";
import { SelfCall } from "../self_call.ts";
import { Sipp } from "../sipp.ts";

const [kind = "", ...rounds] = process.argv.slice(2);

/** How long a transaction lives after its end, at most 64 * t1, in milliseconds. */
const timers = { t1: 20, t2: 200, t4: 200, td: 500 };

const engine = await startEngine(
  { tcpPort: null, rtpPortRange: [45000, 45999], incomingRequests: ["MESSAGE"] },
  timers,
);

async function placeCalls(count: number): Promise<void> {
  await using sipp = await Sipp.start({ scenario: "callee", count, timeout: 60 });
  for (let placed = 0; placed < count; placed++) {
    const call = callPort(sipp.port);
    for await (const { data } of call.notifications("SIPInvitationChangedState")) {
      if (data.state === "connected") call.end();
    }
  }
  await sipp.finish();
}

async function takeCalls(count: number): Promise<void> {
  using calls = new Calls(engine);
  const target = { port: engine.udpPort! };
  await using sipp = await Sipp.start({ scenario: "caller", count, rate: 400, target, timeout: 60 });
  await sipp.finish();
  await calls.until(() => calls.disconnected.size === count);
}

async function talk(count: number): Promise<void> {
  using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
  for (let talked = 0; talked < count; talked++) {
    const call = await SelfCall.start(engine, mixer);
    await call.end();
  }
}

/** A hundred at a time. */
async function exchange(count: number): Promise<void> {
  const center = new NotificationCenter();
  const address = { address: "127.0.0.1", port: engine.udpPort! };
  const requestUri = new SIPURI({ user: "sipcore", host: address.address, port: address.port });
  const options = {
    method: "MESSAGE",
    requestUri,
    fromHeader: new FromHeader(requestUri),
    toHeader: new ToHeader(requestUri),
    routeHeader: RouteHeader.to(address),
    contentType: "text/plain",
    body: "How much of me stays?",
  };
  let toSend = count;
  let answered = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const send = () => {
    if (toSend-- > 0) new Request(options).send();
  };
  using _incoming = center.addObserver(({ sender, data }) => sender.answer(data.body ? 200 : 400), {
    name: "SIPIncomingRequestGotRequest",
  });
  using _succeeded = center.addObserver(() => {
    if (++answered === count) resolve();
    send();
  }, { name: "SIPRequestDidSucceed" });
  using _failed = center.addObserver(({ data }) => reject(new Error(`${data.code} ${data.reason}`)), {
    name: "SIPRequestDidFail",
  });
  for (let open = 0; open < 100; open++) send();
  await promise;
}

const kinds: Readonly<Record<string, (count: number) => Promise<void>>> = {
  incoming: takeCalls,
  outgoing: placeCalls,
  talking: talk,
  requests: exchange,
};

for (const count of rounds) {
  await kinds[kind]!(Number(count));
  console.log(JSON.stringify(await memoryFigures(64 * timers.t1 + 200)));
}
await stopEngine();
