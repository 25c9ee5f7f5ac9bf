// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { delay } from "@std/async";
import { residentBytes } from "../support/process_figures.ts";
import { Answers } from "./answers.ts";
import { mutate } from "./mutator.ts";
import { Probe, type ProbeReport } from "./probe.ts";
import { Random } from "./random.ts";
import { fill, type Seed, withRport } from "./seeds.ts";
import type { Target } from "./target.ts";

/** What came of an attack. */
export interface AttackReport extends ProbeReport {
  readonly messages: number;
  readonly seconds: number;
  readonly answers: Answers;
  /** Of the process under attack, while it goes on. */
  readonly residentBytes: readonly number[];
}

export interface AttackOptions {
  readonly seeds: readonly Seed[];
  readonly count: number;
  readonly seed: number;
  /** Default: each message is changed in some places, but for one in twenty. */
  readonly isMutated?: boolean;
  /** Other messages that follow each, made from it as it was sent. */
  readonly followUps?: (text: string) => readonly string[];
  /** Called now and then. */
  readonly onProgress?: (sent: number) => void;
}

/** Messages between two probes. */
const batch = 10;

/** What is longer is the last before a probe: the kernel's buffer must not be what loses it. */
const longMessage = 8000;

/** Messages between two looks at the memory. */
const sampling = 1000;

const unmutated = 0.05;

/** Sends messages over UDP, ten at a time, and asks after each ten whether the engine is alive. */
export async function attackByUdp(target: Target, options: AttackOptions): Promise<AttackReport> {
  const { seeds, count, seed, isMutated = true, followUps = () => [], onProgress = () => {} } = options;
  const port = target.ports.udp;
  const random = new Random(seed);
  const answers = new Answers();
  const memory: number[] = [];
  await using probe = await Probe.open(port);
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const ownPort = socket.address().port;
  const send = (text: string) => socket.send(Buffer.from(text, "latin1"), port, "127.0.0.1");
  socket.on("message", (data) => {
    const reply = answers.take(data.toString("latin1"));
    if (reply !== null) send(reply);
  });
  const message = (index: number, from: Seed) =>
    fill(from, { port, ownPort, transport: "UDP", unique: `u${seed}x${index}` });
  const begun = performance.now();
  let waiting = 0;
  for (let index = 0; index < count; index++) {
    let text = message(index, isMutated ? random.pick(seeds) : seeds[index % seeds.length]!);
    if (!isMutated) text = withRport(text);
    else if (!random.chance(unmutated)) {
      text = mutate(text, random, () => message(index, random.pick(seeds)));
    }
    for (const one of [text, ...followUps(text)]) {
      send(one);
      waiting += one.length > longMessage ? batch : 1;
    }
    if (waiting >= batch) {
      waiting = 0;
      await probe.ask();
    }
    if (index % sampling === 0) {
      memory.push(residentBytes(target.pid));
      onProgress(index);
    }
  }
  await probe.ask();
  const seconds = (performance.now() - begun) / 1000;
  // The last calls come to their end.
  await delay(300);
  const closed = once(socket, "close");
  socket.close();
  await closed;
  return { ...probe.report, messages: count, seconds, answers, residentBytes: memory };
}
