// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * An engine under attack. It reads all that it is told, answers every request and every call, and counts. On stdin
 * "figures" makes it print them as JSON, "call" makes it call itself with sound, "dial PORT COUNT" makes it call
 * a port so many times; it stops when stdin ends.
 *
 * Arguments: certificate and key for TLS, or none.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { delay } from "@std/async";
import { liveObjects } from "../../../core/registry.ts";
import { openedLibrary } from "../../../ffi/library.ts";
import {
  AudioMixer,
  type IncomingRequest,
  Invitation,
  NotificationCenter,
  SIPCoreError,
} from "../../../mod.ts";
import { callPort, silentSdp } from "../calls.ts";
import { startEngine, stopEngine } from "../engine_fixture.ts";
import { residentBytes } from "../process_figures.ts";
import { collectGarbage } from "../program.ts";
import { SelfCall } from "../self_call.ts";

const [tlsCertFile, tlsPrivkeyFile] = process.argv.slice(2);

/** Of INVITEs; the others are busy. */
const oneInSoManyIsTaken = 8;

const methods = ["MESSAGE", "INFO", "NOTIFY", "PUBLISH", "REGISTER", "UPDATE", "PRACK", "NEWMETHOD"];

const exceptions: string[] = [];
const counts = { requests: 0, invitations: 0, exceptions: 0 };
let isCalling = false;

/** Reads everything that can be read there. */
function touch(value: unknown, depth = 5): void {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || depth === 0) return;
  if (value instanceof Map || Array.isArray(value)) {
    for (const one of value.values()) touch(one, depth - 1);
  } else if (Symbol.iterator in value) {
    for (const one of value as Iterable<unknown>) touch(one, depth - 1);
  }
  String(value);
  const getters = new Set(Object.keys(value));
  for (
    let from = Object.getPrototypeOf(value);
    from && from !== Object.prototype;
    from = Object.getPrototypeOf(from)
  ) {
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (get) getters.add(name);
    }
  }
  for (const name of getters) touch((value as Record<string, unknown>)[name], depth - 1);
}

/** What an application does that takes a call: the caller may be gone, and not every offer has a codec that is there. */
function attempt(answer: () => void): boolean {
  try {
    answer();
    return true;
  } catch (error) {
    if (error instanceof SIPCoreError) return false;
    throw error;
  }
}

/** Hangs up: at once, or, with who wants to stay, in a moment. */
function leave(invitation: Invitation): void {
  const end = () => {
    if (!["disconnecting", "disconnected"].includes(invitation.state!)) {
      attempt(() => invitation.end({ timeout: 2 }));
    }
  };
  if (invitation.direction === "incoming" && invitation.remoteIdentity?.uri.user !== "stay") end();
  else setTimeout(end, 300);
}

function take(invitation: Invitation, number: number): void {
  if (isCalling) return; // the call has an end of its own
  const isTaken = number % oneInSoManyIsTaken === 0 || invitation.remoteIdentity?.uri.user === "stay";
  const taken = isTaken && attempt(() => {
    invitation.sendResponse(180);
    invitation.sendResponse(200, { sdp: silentSdp });
  });
  if (!taken) attempt(() => invitation.sendResponse(486));
}

const engine = await startEngine({
  rtpPortRange: [47000, 47099],
  incomingRequests: methods,
  ...tlsCertFile && tlsPrivkeyFile ? { tlsCertFile, tlsPrivkeyFile } : { tlsPort: null },
}, { t1: 50, t2: 400, t4: 500, td: 3200 });
const native = openedLibrary()!;
const center = new NotificationCenter();

center.addObserver(({ data }) => {
  counts.exceptions++;
  if (exceptions.length < 10) exceptions.push(`${data.type}: ${data.value} ${data.traceback}`);
}, { name: "SIPEngineGotException" });
center.addObserver(({ sender, data }: { sender: IncomingRequest; data: object }) => {
  counts.requests++;
  touch(data);
  attempt(() => sender.answer(200));
}, { name: "SIPIncomingRequestGotRequest" });
center.addObserver(({ sender, data }) => {
  touch(data);
  touch(sender, 2);
  if (data.state === "incoming") take(sender, counts.invitations++);
  else if (data.state === "connected" && !isCalling) leave(sender);
}, { name: "SIPInvitationChangedState" });

/** Waits until calls and transactions have come to their end, and memory is what it stays at. */
async function quiet(): Promise<void> {
  let bytes = native.sc_pool_bytes();
  const end = performance.now() + 20_000;
  for (let ms = 0; ms < 1500 && performance.now() < end; ms += 50) {
    await delay(50);
    if (native.sc_pool_bytes() === bytes && native.sc_live_objects() === 0) continue;
    bytes = native.sc_pool_bytes();
    ms = 0;
  }
}

/** Calls a port of this machine's so many times, and hangs up soon. */
function dial(port: number, count: number): void {
  for (let left = count; left > 0; left--) leave(callPort(port));
}

const commands: Readonly<Record<string, () => unknown>> = {
  ports: () => ({ udp: engine.udpPort, tcp: engine.tcpPort, tls: engine.tlsPort }),
  now: () => ({ ...counts, exceptionTexts: exceptions, residentBytes: residentBytes() }),
  figures: async () => {
    await quiet();
    for (let i = 0; i < 3; i++) {
      collectGarbage();
      await delay(20);
    }
    native.sc_trim();
    return {
      ...counts,
      exceptionTexts: exceptions,
      residentBytes: residentBytes(),
      poolBytes: native.sc_pool_bytes(),
      liveObjects: native.sc_live_objects(),
      left: liveObjects().map((object) =>
        object instanceof Invitation
          ? `${object.direction} ${object.state} ${object.callId}`
          : object.constructor.name
      ),
    };
  },
  call: async () => {
    await quiet();
    isCalling = true;
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    const call = await SelfCall.start(engine, mixer);
    await call.end();
    isCalling = false;
    return { called: true };
  },
};

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [, port, count] = /^dial (\d+) (\d+)$/.exec(line) ?? [];
  if (port && count) console.log(JSON.stringify({ dialled: dial(Number(port), Number(count)) ?? count }));
  else console.log(JSON.stringify(await commands[line]!()));
}
await stopEngine();
