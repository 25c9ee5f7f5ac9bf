// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * A telephone that is called, and that does what a REFER within a call asks for. Takes every call; one that replaces
 * another ends that. Says its port, and then what becomes of its calls, by their numbers. A line on stdin makes it hang
 * up what is left, say what it has left behind, and end.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { openedLibrary } from "../../../ffi/library.ts";
import {
  DialogID,
  FromHeader,
  Header,
  Invitation,
  NotificationCenter,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";
import { silentSdp } from "../calls.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";

const calls: Invitation[] = [];
/** Which call's peer has asked for a call. */
const askedBy = new Map<Invitation, Invitation>();
/** Which call one takes the place of. */
const replaced = new Map<Invitation, Invitation>();
const center = new NotificationCenter();
const engine = await startEngine({ tcpPort: null, logLevel: 0 });

function say(call: Invitation, text: string): void {
  if (!calls.includes(call)) calls.push(call);
  console.log(`${calls.indexOf(call) + 1} ${text}`);
}

/** Calls whom the peer of `call` wants us to call. */
function transfer(call: Invitation, target: SIPURI, referredBy: string | null): void {
  const { user, host, port } = target;
  const next = new Invitation();
  askedBy.set(next, call);
  next.sendInvite({
    requestUri: target,
    fromHeader: new FromHeader(new SIPURI({ user: "phone", host: "127.0.0.1" })),
    toHeader: new ToHeader(new SIPURI({ user, host })),
    routeHeader: RouteHeader.to({ address: host, port }),
    sdp: silentSdp,
    extraHeaders: referredBy ? [new Header("Referred-By", referredBy)] : [],
  });
}

center.addObserver(({ sender, data }) => {
  const { state, code, headers } = data;
  const asking = askedBy.get(sender);
  if (state === "incoming") {
    const replaces = headers.get("Replaces");
    if (replaces && "callId" in replaces) {
      // As the other side of the one to be replaced sees it (RFC 3891, section 3).
      const id = new DialogID(replaces.callId, replaces.toTag, replaces.fromTag);
      const old = calls.find(({ dialogId }) => dialogId?.equals(id));
      if (old) replaced.set(sender, old);
      say(sender, `replaces ${old ? calls.indexOf(old) + 1 : "nobody"} for ${headers.text("Referred-By")}`);
    } else say(sender, "incoming");
    sender.sendResponse(180);
    sender.sendResponse(200, { sdp: silentSdp });
  } else if (state === "connected") {
    say(sender, "connected");
    asking?.notifyTransferProgress(200);
    askedBy.delete(sender);
    replaced.get(sender)?.end();
  } else if (state === "early") {
    if (sender.direction === "outgoing") asking?.notifyTransferProgress(180);
  } else if (state === "disconnecting") {
    say(sender, "hangs up");
  } else if (state === "disconnected") {
    say(sender, code && code >= 300 ? `has ended with ${code}` : "has ended");
    if (code && code >= 300) asking?.notifyTransferProgress(code);
  }
}, { name: "SIPInvitationChangedState" });

center.addObserver(({ sender, data }) => {
  const target = data.headers.get("Refer-To");
  const uri = SIPURI.parse(target && "uri" in target ? `${target.uri}` : "");
  say(sender, `is to call ${uri.user}`);
  transfer(sender, uri, data.headers.text("Referred-By"));
}, { name: "SIPInvitationTransferNewIncoming" });

center.addObserver(({ sender }) => say(sender, "transfer has ended"), {
  name: "SIPInvitationTransferDidEnd",
});
center.addObserver(({ sender, data }) => say(sender, `transfer has failed: ${data.code}`), {
  name: "SIPInvitationTransferDidFail",
});

console.log(`port ${engine.udpPort}`);
for await (const _ of createInterface({ input: process.stdin })) break;
const left = calls.filter(({ state }) => state !== "disconnected");
const ended = left.map((call) =>
  center.once("SIPInvitationChangedState", {
    sender: call,
    where: ({ data }) => data.state === "disconnected",
  })
);
for (const call of left) call.end();
await Promise.all(ended);
await stopEngine();
console.log(`left ${openedLibrary()!.sc_live_objects()}`);
process.exit();
