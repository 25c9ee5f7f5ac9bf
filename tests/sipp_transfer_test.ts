// SPDX-License-Identifier: GPL-2.0-or-later
/** Transfers with SIPp, on either side of the REFER. */
import { after, before, describe, it } from "node:test";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import {
  type Engine,
  FromHeader,
  Invitation,
  NotificationCenter,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../mod.ts";
import { answer, callPort, Calls, silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Sipp, skipWithoutSipp } from "./support/sipp.ts";

const carol = new SIPURI({ user: "carol", host: "192.0.2.9" });
const patient = { timeout: 60_000 };

/** Outcomes of the call that was asked for. */
const outcomes = [["200 OK", "DidEnd"], ["486 Busy Here", "DidFail 486"]] as const;

const names = [
  "SIPInvitationTransferDidStart",
  "SIPInvitationTransferGotNotify",
  "SIPInvitationTransferDidEnd",
  "SIPInvitationTransferDidFail",
] as const;

/** What is told of a transfer, up to its end. */
async function outcomeOf(call: Invitation): Promise<string[]> {
  const told: string[] = [];
  const read = async () => {
    for await (const { name, data } of call.notifications(names)) {
      const word = name.replace("SIPInvitationTransfer", "");
      if (name === "SIPInvitationTransferGotNotify") told.push(String(data.body).trim());
      else told.push(name === "SIPInvitationTransferDidFail" ? `${word} ${data.code}` : word);
      if (/^Did(End|Fail)/.test(word)) return told;
    }
    throw new Error(`The call has ended after ${told}`);
  };
  return await deadline(read(), 10_000);
}

describe("Invitation, transfer with SIPp", { skip: skipWithoutSipp }, () => {
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ tcpPort: null });
  });
  after(stopEngine);

  for (const [outcome, last] of outcomes) {
    it(`Invitation.transfer() hears from SIPp of 100, 180 and ${outcome}`, patient, async () => {
      await using sipp = await Sipp.start({ scenario: "referee", count: 1, keys: { outcome } });
      using calls = new Calls(engine);
      const call = callPort(sipp.port);
      await calls.until(() => calls.connected.has(call));
      const told = outcomeOf(call);
      call.transfer(carol);
      assertEquals(await told, [
        "DidStart",
        "SIP/2.0 100 Trying",
        "SIP/2.0 180 Ringing",
        `SIP/2.0 ${outcome}`,
        last,
      ]);
      call.end();
      await calls.until(() => calls.disconnected.has(call));
      assertEquals((await sipp.finish()).successful, 1);
    });
  }

  /** Calls whom the peer of each call wants to be called, as a program would, and tells how that goes. */
  function transferor(): Disposable & { readonly placed: Map<Invitation, Invitation> } {
    const center = new NotificationCenter();
    const placed = new Map<Invitation, Invitation>();
    const observers = [
      center.addObserver(({ sender, data }) => {
        const target = data.headers.get("Refer-To");
        const uri = SIPURI.parse(target && "uri" in target ? `${target.uri}` : "");
        const next = new Invitation();
        placed.set(next, sender);
        next.sendInvite({
          requestUri: uri,
          fromHeader: new FromHeader(new SIPURI({ user: "sipcore", host: "127.0.0.1" })),
          toHeader: new ToHeader(uri),
          routeHeader: RouteHeader.to({ address: "127.0.0.1", port: uri.port! }),
          sdp: silentSdp,
        });
      }, { name: "SIPInvitationTransferNewIncoming" }),
      center.addObserver(({ sender, data: { state, code } }) => {
        const asking = placed.get(sender);
        if (!asking) return;
        if (state === "early") asking.notifyTransferProgress(180);
        else if (state === "connected") {
          asking.notifyTransferProgress(200);
          sender.end();
        } else if (state === "disconnected" && code === 486) asking.notifyTransferProgress(code);
      }, { name: "SIPInvitationChangedState" }),
    ];
    return {
      placed,
      [Symbol.dispose]: () => {
        for (const observer of observers) observer[Symbol.dispose]();
      },
    };
  }

  for (const [outcome, last] of outcomes) {
    it(`Invitation.notifyTransferProgress() tells SIPp of 100, 180 and ${outcome}`, patient, async () => {
      let told: Promise<string[]> | null = null;
      using calls = new Calls(engine, (call) => {
        if (call.requestUri?.user === "sipcore") {
          told = outcomeOf(call);
          return answer(call);
        }
        call.sendResponse(180);
        if (outcome === "200 OK") answer(call);
        else call.sendResponse(486);
      });
      using transfers = transferor();
      const target = { port: engine.udpPort! };
      const keys = { target: target.port, outcome };
      await using sipp = await Sipp.start({ scenario: "referrer", count: 1, target, keys });
      await calls.until(() => calls.incoming.size === 2);
      assertEquals(await told, ["DidStart", last]);
      assertEquals((await sipp.finish()).successful, 1);
      await calls.until(() => calls.disconnected.size === 3);
      const [asking, carols] = calls.incoming;
      assertEquals([...transfers.placed.values()], [asking]);
      assertEquals(carols!.requestUri?.user, "carol");
    });
  }

  it("SIPp fails where it is told of another outcome", patient, async () => {
    using calls = new Calls(engine, (call) => {
      if (call.requestUri?.user === "sipcore") answer(call);
      else {
        call.sendResponse(180);
        call.sendResponse(486);
      }
    });
    using _transfers = transferor();
    const target = { port: engine.udpPort! };
    const keys = { target: target.port, outcome: "200 OK" };
    await using sipp = await Sipp.start({ scenario: "referrer", count: 1, target, keys });
    const error = await assertRejects(() => sipp.finish(), Error);
    assertMatch(error.message, /ANOTHER_OUTCOME|status 1/);
    for (const call of calls.incoming) call[Symbol.dispose]();
    await calls.until(() => calls.disconnected.size === 3);
  });
});
