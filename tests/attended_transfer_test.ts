// SPDX-License-Identifier: GPL-2.0-or-later
/** Three processes: this one calls two others, and lets one take its place in the call with the other. */
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import { type DialogID, type Invitation, SIPURI } from "../mod.ts";
import type { Child } from "../scripts/bench/child.ts";
import { callPort } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ownName, startProgram } from "./support/program.ts";
import { Story } from "./support/story.ts";

/** The one that is transferred runs on the other runtime, the target on this one. */
const otherName = ownName === "Deno" ? "Bun" : "Deno";

const patient = { timeout: 60_000 };

const transferNames = [
  "SIPInvitationTransferDidStart",
  "SIPInvitationTransferGotNotify",
  "SIPInvitationTransferDidEnd",
  "SIPInvitationTransferDidFail",
] as const;

describe("Invitation.transfer() between three processes", () => {
  let phones: { b: Child; c: Child };
  let ports: { b: number; c: number };

  before(() => startEngine({ tcpPort: null }));
  after(stopEngine);

  beforeEach(async () => {
    phones = {
      b: startProgram("phone", [], { runtime: otherName }),
      c: startProgram("phone", [], { runtime: ownName }),
    };
    const port = async (phone: Child) => Number((await phone.line(/^port (\d+)$/, 20_000)).match[1]);
    const [b, c] = await Promise.all([port(phones.b), port(phones.c)]);
    ports = { b, c };
  });
  afterEach(async () => {
    for (const phone of Object.values(phones)) await phone.stop();
  });

  async function connected(port: number): Promise<{ call: Invitation; story: Story }> {
    const call = callPort(port);
    const story = new Story(call);
    await story.until("connected");
    return { call, story };
  }

  /** Transfers, and reads what is told of it up to the end. */
  async function transfer(
    call: Invitation,
    target: SIPURI,
    replacedDialogId: DialogID | null,
  ): Promise<string[]> {
    const told: string[] = [];
    const read = async () => {
      for await (const { name, data } of call.notifications(transferNames)) {
        const word = name.replace("SIPInvitationTransfer", "");
        if (name === "SIPInvitationTransferGotNotify") told.push(String(data.body).trim());
        else told.push(name === "SIPInvitationTransferDidFail" ? `${word} ${data.code}` : word);
        if (/^Did(End|Fail)/.test(word)) return told;
      }
      throw new Error(`The call has ended after ${told}`);
    };
    const outcome = deadline(read(), 10_000);
    call.transfer(target, { replacedDialogId });
    return await outcome;
  }

  /** Ends a phone, which says that it has left nothing. All that it has said of its calls. */
  async function hangUp(name: "b" | "c"): Promise<string[]> {
    const phone = phones[name];
    phone.write("\n");
    await phone.line(/^left 0$/, 20_000);
    assertEquals(await phone.end(10_000), 0);
    return phone.output.filter((line) => /^\d /.test(line));
  }

  it(
    `Invitation.transfer() gives a call with ${ownName} to ${otherName}, which replaces ours`,
    patient,
    async () => {
      const [toB, toC] = [await connected(ports.b), await connected(ports.c)];
      const { dialogId, remoteContactHeader } = toC.call;
      assertEquals(await transfer(toB.call, SIPURI.from(remoteContactHeader!.uri!), dialogId), [
        "DidStart",
        "SIP/2.0 100 Trying",
        "SIP/2.0 180 Ringing",
        "SIP/2.0 200 OK",
        "DidEnd",
      ]);
      // The target has ended the call that was replaced; the other one goes on until somebody ends it.
      const ended = await toC.story.end();
      assertEquals(ended.at(-1), { ...ended.at(-1)!, originator: "remote", method: "BYE" });
      assertEquals([toB.call.state, toB.call.transferState], ["connected", "TERMINATED"]);
      toB.call.end();
      await toB.story.end();

      const b = await hangUp("b");
      const c = await hangUp("c");
      assertEquals(b.filter((line) => line.startsWith("1")), [
        "1 incoming",
        "1 connected",
        "1 is to call peer",
        "1 transfer has ended",
        "1 has ended",
      ]);
      assertEquals(b.filter((line) => line.startsWith("2")), ["2 connected", "2 hangs up", "2 has ended"]);
      assertEquals(c.filter((line) => line.startsWith("1")), [
        "1 incoming",
        "1 connected",
        "1 hangs up",
        "1 has ended",
      ]);
      assertEquals(c.filter((line) => line.startsWith("2")).slice(1), [
        "2 connected",
        "2 has ended",
      ]);
      assertMatch(c.find((line) => line.startsWith("2"))!, /^2 replaces 1 for <sip:sipcore@127\.0\.0\.1>$/);
      assert(
        c.indexOf("2 connected") < c.indexOf("1 hangs up"),
        "replaced before it was taken over",
      );
    },
  );

  it(
    "Invitation.transfer() tells that the call to be replaced is gone, and the call goes on",
    patient,
    async () => {
      const [toB, toC] = [await connected(ports.b), await connected(ports.c)];
      const { dialogId, remoteContactHeader } = toC.call;
      toC.call.end();
      await toC.story.end();
      assertEquals(await transfer(toB.call, SIPURI.from(remoteContactHeader!.uri!), dialogId), [
        "DidStart",
        "SIP/2.0 100 Trying",
        // As RFC 3891 asks for where that call has ended.
        "SIP/2.0 603 Decline",
        "DidFail 603",
      ]);
      assertEquals(toB.call.state, "connected");
      assertEquals(await hangUp("b"), [
        "1 incoming",
        "1 connected",
        "1 is to call peer",
        "2 has ended with 603",
        "1 transfer has failed: 603",
        "1 hangs up",
        "1 has ended",
      ]);
      assertEquals(await hangUp("c"), ["1 incoming", "1 connected", "1 has ended"]);
      await toB.story.end();
    },
  );
});
