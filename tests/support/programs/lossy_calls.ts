// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Calls, REGISTERs and MESSAGEs of an engine to itself over a network that loses 10 % each way, repeats 5 % and delays
 * 20 %. Arguments: how many calls (a tenth as many of each of the others), T1 in ms, the seed. Prints a line of JSON.
 */
import process from "node:process";
import { openedLibrary } from "../../../ffi/library.ts";
import {
  ContactHeader,
  FromHeader,
  Header,
  type Invitation,
  Invitation as Call,
  type InvitationState,
  Message,
  NotificationCenter,
  Registration,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";
import { silentSdp } from "../calls.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";
import { LossyPath } from "../lossy_path.ts";
import { until } from "../until.ts";

const [count = 0, t1 = 0, seed = 0] = process.argv.slice(2).map(Number);
/** Calls, and others, that are under way at the same time. */
const crowd = 50;

const engine = await startEngine(
  { tcpPort: null, incomingRequests: ["REGISTER"] },
  { t1, t2: 8 * t1, t4: 10 * t1, td: 64 * t1 },
);
const port = engine.udpPort!;
await using path = await LossyPath.open({
  ends: [port, port],
  loss: 10,
  duplicates: 5,
  late: 20,
  lateness: 200,
  seed,
});
const [there, back] = path.ports;
const at = (user: string, port: number) => new SIPURI({ user, host: "127.0.0.1", port });
const route = RouteHeader.to({ address: "127.0.0.1", port: there });
const center = new NotificationCenter();

/** What each call has told: a state that is told twice is told twice here. */
const stories = new Map<Invitation, InvitationState[]>();
const finished = { calls: 0, messages: 0, registers: 0 };
const failed: string[] = [];
/** By Call-ID: how often a MESSAGE was told. */
const heard = new Map<string, number>();

center.addObserver(({ sender, data: { state, code } }) => {
  const story = stories.get(sender) ?? [];
  stories.set(sender, story);
  story.push(state);
  if (state === "incoming") {
    sender.sendResponse(180);
    sender.sendResponse(200, { sdp: silentSdp, contactHeader: new ContactHeader(at("callee", there)) });
  } else if (state === "connected") {
    // Either side hangs up, when it thinks that the call is there.
    const isOurs = Number(sender.requestUri?.user) % 2 === (sender.direction === "outgoing" ? 0 : 1);
    if (isOurs) setTimeout(() => sender.state === "connected" && sender.end(), 4 * t1);
  } else if (state === "disconnected") {
    if (sender.direction === "outgoing") finished.calls++;
    if (code && code >= 300) failed.push(`${sender.direction} call: ${code} after ${story}`);
  }
}, { name: "SIPInvitationChangedState" });
center.addObserver(({ sender }) => sender.answer(200, { extraHeaders: [new Header("Expires", "300")] }), {
  name: "SIPIncomingRequestGotRequest",
});
center.addObserver(({ data }) => {
  const number = String(data.body);
  heard.set(number, (heard.get(number) ?? 0) + 1);
}, { name: "SIPEngineGotMessage" });
center.addObserver(({ name, data }) => {
  finished[name.startsWith("SIPMessage") ? "messages" : "registers"]++;
  if ("reason" in data && !name.endsWith("Succeed")) failed.push(`${name}: ${data.code} ${data.reason}`);
}, {
  name: ["SIPMessageDidSucceed", "SIPMessageDidFail", "SIPRegistrationDidSucceed", "SIPRegistrationDidFail"],
});
center.addObserver(({ data }) => void failed.push(`exception: ${data.value}`), {
  name: "SIPEngineGotException",
});

function call(number: number): void {
  const uri = at(String(number), there);
  new Call().sendInvite({
    requestUri: uri,
    fromHeader: new FromHeader(at("caller", back)),
    toHeader: new ToHeader(uri),
    routeHeader: route,
    contactHeader: new ContactHeader(at("caller", back)),
    sdp: silentSdp,
  });
}

function message(number: number): void {
  const uri = at("callee", there);
  new Message({
    fromHeader: new FromHeader(at("caller", back)),
    toHeader: new ToHeader(uri),
    routeHeader: route,
    contentType: "text/plain",
    body: String(number),
  }).send();
}

function register(number: number): void {
  new Registration(new FromHeader(at(`caller${number}`, there))).register(
    new ContactHeader(at("caller", back)),
    route,
  );
}

/** Keeps so many under way until there are no more to begin. */
async function keepUp(
  kind: keyof typeof finished,
  most: number,
  begin: (number: number) => void,
): Promise<void> {
  for (let begun = 0; begun < most; begun++) {
    await until(() => begun - finished[kind] < crowd, `room for ${kind}`, 70 * t1 * 2);
    begin(begun);
  }
  await until(() => finished[kind] === most, `the end of ${kind}: ${finished[kind]} of ${most}`, 70 * t1 * 2);
}

const most = Math.ceil(count / 10);
await Promise.all([
  keepUp("calls", count, call),
  keepUp("messages", most, message),
  keepUp("registers", most, register),
]);
const begun = performance.now();
const native = openedLibrary()!;
// Its callers have ended, their callees wait for repeated BYEs and ACKs at most.
let left = 0;
try {
  await until(() => native.sc_live_objects() === 0, "no object", 40_000);
} catch {
  left = native.sc_live_objects();
}
const good = (story: InvitationState[], states: InvitationState[]) =>
  states.every((state) => story.filter((one) => one === state).length === 1);
let goodCalls = 0;
let twice = 0;
for (const [{ direction }, story] of stories) {
  if (direction === "outgoing" && good(story, ["outgoing", "connected", "disconnected"])) goodCalls++;
  if (new Set(story).size !== story.length) twice++;
}
console.log(JSON.stringify({
  calls: count,
  good: goodCalls,
  incoming: [...stories.keys()].filter(({ direction }) => direction === "incoming").length,
  others: 2 * most,
  failedOthers: failed.filter((text) => !/call/.test(text)).length,
  unheard: most - heard.size,
  twice: twice + [...heard.values()].filter((times) => times > 1).length,
  left,
  secondsToLeave: (performance.now() - begun) / 1000,
  failed: failed.slice(0, 10),
  network: path.counts,
}));
await stopEngine();
