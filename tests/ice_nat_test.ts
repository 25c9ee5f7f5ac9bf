// SPDX-License-Identifier: GPL-2.0-or-later
/** ICE between two processes on the two runtimes: on the machine's own address, and each behind a NAT. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { assertEquals, assertGreater } from "@std/assert";
import type { ICEResult, RTPTransportOptions } from "../mod.ts";
import { Child } from "../scripts/bench/child.ts";
import { correlate } from "../scripts/correlation.ts";
import { runtimeCommand, type RuntimeName } from "../scripts/demo/runtimes.ts";
import { makeSound, type Voice } from "../scripts/make-sounds.ts";
import { readWav, type Sound, writeWav } from "../scripts/wav.ts";
import { skipWithoutCoturn } from "./support/coturn.ts";
import { NatNetwork, natServer, skipWithoutNat } from "./support/nat_network.ts";
import { ownAddress } from "./support/own_address.ts";
import { Together } from "./support/together.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const script = join(root, "tests", "support", "programs", "ice_party.ts");
const turnPort = 3478;

/** What "negotiated" answers. */
interface Outcome {
  readonly name: string;
  readonly data: ICEResult & { readonly reason?: string };
}

/** A process with one side of the call. Ends by `await using`. */
class Party implements AsyncDisposable {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(
    runtime: RuntimeName,
    where: readonly string[],
    [address, plays, records]: readonly [string, string, string],
    options: RTPTransportOptions,
  ): Promise<Party> {
    const args = [...runtimeCommand(runtime, root), script, address, plays, records, JSON.stringify(options)];
    const [program = "", ...rest] = [...where, ...args];
    const child = new Child(`ice_party on ${runtime}`, program, rest);
    await child.line(/^ready$/, 60_000);
    return new Party(child);
  }

  async ask<T>(command: string, text = ""): Promise<T> {
    const answer = this.#child.line(/^\{"answer":.*\}$/, 60_000);
    this.#child.write(`${JSON.stringify([command, text])}\n`);
    return (JSON.parse((await answer).match[0]) as { answer: T }).answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.endInput();
    try {
      await this.#child.end(10_000);
    } catch {
      this.#child.kill();
    }
  }
}

describe("ICE between processes", () => {
  let folder = "";
  const sounds = new Map<Voice, Sound>();
  const file = (name: string) => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-nat-"));
    for (const voice of ["caller", "callee"] as const) {
      const sound = makeSound(voice, { seconds: 2 });
      sounds.set(voice, sound);
      await writeWav(file(`${voice}.wav`), sound);
    }
  });
  after(() => rm(folder, { recursive: true }));

  const together = new Together();

  /** Calls and looks what came of it: the outcome on both sides, and how like the sound is that each has heard. */
  async function call(
    caller: Party,
    callee: Party,
  ): Promise<{ outcomes: [Outcome, Outcome]; likeness: [number, number] }> {
    assertEquals(
      await Promise.all([caller.ask("init"), callee.ask("init")]),
      ["RTPTransportDidInitialize", "RTPTransportDidInitialize"],
    );
    const answer = await callee.ask<string>("answer", await caller.ask<string>("offer"));
    await caller.ask("start", answer);
    const outcomes = await Promise.all([
      caller.ask<Outcome>("negotiated"),
      callee.ask<Outcome>("negotiated"),
    ]);
    // A busy machine may be late with some of it.
    const likeness: [number, number] = [0, 0];
    for (let tries = 0; tries < 3 && Math.min(...likeness) <= 0.9; tries++) {
      await Promise.all([caller.ask("play"), callee.ask("play")]);
      const files = await Promise.all([caller.ask<string>("heard"), callee.ask<string>("heard")]);
      for (const [index, voice] of (["callee", "caller"] as const).entries()) {
        const { median } = correlate(sounds.get(voice)!, await readWav(files[index]!), { maxLag: 0.4 });
        likeness[index] = Math.max(likeness[index]!, median);
      }
    }
    return { outcomes, likeness };
  }

  together.it("ICE carries sound both ways between Deno and Bun on the machine's own address", async () => {
    const address = ownAddress("IPv4") ?? "127.0.0.1";
    const options = { useIce: true };
    await using caller = await Party.start(
      "Deno",
      [],
      [address, file("caller.wav"), file("heard1")],
      options,
    );
    await using callee = await Party.start(
      "Bun",
      [],
      [address, file("callee.wav"), file("heard2")],
      options,
    );
    const { outcomes, likeness } = await call(caller, callee);
    for (const { name, data } of outcomes) {
      assertEquals(name, "RTPTransportICENegotiationDidSucceed", data.reason);
      assertEquals(data.chosenLocalCandidates.rtp?.address, address);
    }
    for (const each of likeness) assertGreater(each, 0.9);
  });

  const skip = skipWithoutCoturn || skipWithoutNat();
  for (const [kind, found] of [["cone", ["srflx", "prflx"]], ["symmetric", ["relay"]]] as const) {
    together.it(`ICE gets through two ${kind} NATs`, async () => {
      using network = new NatNetwork(kind);
      const turn = new Child("coturn", "ip", [
        ...network.command("server").slice(1),
        ...["turnserver", "-n", "-L", natServer, "-E", natServer, "-p", String(turnPort), "-f", "-a"],
        ...["-u", "alice:alicepw", "-r", "test.local", "--no-tls", "--no-dtls", "--no-cli"],
        ...[
          "--log-file",
          "stdout",
          "--simple-log",
          "-v",
          "--pidfile",
          file("turn.pid"),
          "-b",
          file("turn.db"),
        ],
      ]);
      try {
        await turn.line(/UDP listener opened|Total auth threads/i, 20_000);
        const options: RTPTransportOptions = {
          useIce: true,
          iceStunAddress: natServer,
          iceStunPort: turnPort,
          iceTurn: { address: natServer, port: turnPort, username: "alice", password: "alicepw" },
        };
        const open = (host: "a" | "b", runtime: RuntimeName, plays: string) =>
          Party.start(
            runtime,
            network.command(host),
            [network.addresses(host).inside, file(plays), file(`heard-${kind}-${host}`)],
            options,
          );
        await using caller = await open("a", "Deno", "caller.wav");
        await using callee = await open("b", "Bun", "callee.wav");
        const { outcomes, likeness } = await call(caller, callee);
        for (const { name, data } of outcomes) {
          assertEquals(name, "RTPTransportICENegotiationDidSucceed", data.reason);
          assertEquals(new Set(data.localCandidates.map(({ type }) => type)).has("srflx"), true);
        }
        const [ours, theirs] = outcomes.map(({ data }) => data.chosenRemoteCandidates.rtp!);
        const types = [ours!.type, theirs!.type];
        assertEquals(types.some((type) => (found as readonly string[]).includes(type)), true, types.join());
        for (const each of likeness) assertGreater(each, 0.9);
      } finally {
        turn.kill();
        await turn.ended.catch(() => {});
      }
    }, { skip });
  }
});
