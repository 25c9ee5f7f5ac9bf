// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * How long sound takes between a program and the wire, by stamps in the samples themselves: 20 ms of a level that
 * nothing else has, and the moment at which somebody sees it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { AudioMixer, PCMPort } from "../../mod.ts";
import { decodeUlaw, RTPParty } from "./rtp_party.ts";

export interface LatencyOptions {
  /** The port's, in Hz. */
  readonly sampleRate: number;
  readonly count: number;
}

/** In ms, sorted. */
export interface Latencies {
  readonly writeToWire: number[];
  readonly wireToRead: number[];
  /** From `flush()` to the last sound on the wire. */
  readonly flushToSilence: number[];
}

/** µ-law bytes far from each other, and from silence. */
const stamps: readonly number[] = [0x8f, 0x9b, 0xa3, 0xaf, 0x0f, 0x1b, 0x23, 0x2f];
const silence = 0xff;
const frame = 20;
const patience = 2000;

/** The stamp whose level this is, in the middle of what it is looked for; -1: none. */
function stampOf(sample: number): number {
  return stamps.findIndex((byte) => {
    const level = decodeUlaw(byte);
    return Math.abs(sample - level) < Math.abs(level) / 20;
  });
}

/** Resolves with the moment at which `see` gets this stamp. */
class Watch {
  #wanted = -1;
  #seen: (time: number) => void = () => {};
  last = 0;

  for(stamp: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => reject(new Error(`Stamp ${stamp} was not seen`)), patience);
    this.#wanted = stamp;
    this.#seen = (time) => {
      clearTimeout(timer);
      resolve(time);
    };
    return promise;
  }

  see(samples: Iterable<number>): void {
    const now = performance.now();
    for (const sample of samples) {
      if (Math.abs(sample) > 500) this.last = now;
      if (stampOf(sample) !== this.#wanted || this.#wanted < 0) continue;
      this.#wanted = -1;
      this.#seen(now);
    }
  }
}

/** Sends silence every 20 ms, or what was asked for in its place; the moment at which that left. */
class Talker {
  readonly #party: RTPParty;
  readonly #timer: ReturnType<typeof setTimeout>;
  #next: { byte: number; sent: (time: number) => void } | null = null;

  constructor(party: RTPParty) {
    this.#party = party;
    this.#timer = setInterval(() => this.#send(), frame);
  }

  #send(): void {
    const next = this.#next;
    this.#next = null;
    this.#party.send(next?.byte ?? silence);
    next?.sent(performance.now());
  }

  say(byte: number): Promise<number> {
    return new Promise((sent) => this.#next = { byte, sent });
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** A moment that has nothing to do with the ticks of any clock. */
function pause(): Promise<void> {
  return delay(60 + Math.random() * 40);
}

export async function measureLatency(mixer: AudioMixer, options: LatencyOptions): Promise<Latencies> {
  const { sampleRate, count } = options;
  await using party = await RTPParty.start(mixer);
  using port = party.audio.pcm({ sampleRate });
  const [wire, program] = [new Watch(), new Watch()];
  party.onPacket((payload) => wire.see(payload.values().map(decodeUlaw)));
  const talker = new Talker(party);
  const heard = readAll(port, program);
  try {
    await delay(500);
    const result: Latencies = { writeToWire: [], wireToRead: [], flushToSilence: [] };
    const writer = port.writable.getWriter();
    for (let i = 0; i < count; i++) {
      const stamp = i % stamps.length;
      const level = decodeUlaw(stamps[stamp]!);
      await pause();
      const onWire = wire.for(stamp);
      const written = performance.now();
      writer.write(new Int16Array(sampleRate * frame / 1000).fill(level));
      result.writeToWire.push(await onWire - written);
      const inProgram = program.for(stamp);
      const sent = await talker.say(stamps[stamp]!);
      result.wireToRead.push(await inProgram - sent);
      if (i % 4 === 0) result.flushToSilence.push(await flush(port, writer, wire));
    }
    for (const times of Object.values(result)) times.sort((a: number, b: number) => a - b);
    return result;
  } finally {
    talker.stop();
    port.stop();
    await heard;
  }
}

async function flush(port: PCMPort, writer: WritableStreamDefaultWriter<Int16Array>, wire: Watch) {
  const level = decodeUlaw(stamps[0]!);
  const begun = wire.for(0);
  writer.write(new Int16Array(port.sampleRate * 2).fill(level));
  await begun;
  await pause();
  const flushed = performance.now();
  port.flush();
  await delay(200);
  return Math.max(0, wire.last - flushed);
}

async function readAll(port: PCMPort, watch: Watch): Promise<void> {
  for await (const chunk of port.readable) watch.see(chunk);
}

/** The value below which that part of the sorted values lies. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}
