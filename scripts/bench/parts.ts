// SPDX-License-Identifier: GPL-2.0-or-later
/** What is measured: each part one kind of load, driven against a fresh server process. */
import { driveMedia } from "./media.ts";
import type { Measurement } from "./measurement.ts";
import type { BenchOptions, PartName } from "./options.ts";
import { drivePjsipPerf } from "./pjsip-perf.ts";
import { driveRegister } from "./register.ts";
import type { ServerRecipe } from "./servers.ts";
import { findServers, startServer } from "./servers.ts";
import { driveSipp, warmUp } from "./sipp.ts";

export interface Part {
  readonly name: PartName;
  readonly title: string;
  readonly method: "OPTIONS" | "INVITE" | "MESSAGE" | "REGISTER" | "CALLS";
  /** Requests or calls of a run. */
  readonly count: number;
  /** Per second, for the open loop; null: lock-step. Of calls that are held, how many seconds. */
  readonly rate: number | null;
}

export interface Clients {
  readonly pjsipPerf: string;
  readonly sipp: string;
  /** The program of media.c. */
  readonly media: string;
}

/** Seconds of an open-loop run. */
const openLoopSeconds = 3;

/**
 * What a server sees before it is measured: as much as makes a just-in-time compiler finish. With a short warm-up its
 * threads are a fifth of what is measured, and that is a cost of the first seconds of a process, not of a request.
 */
const warmUpLoads = {
  OPTIONS: { count: 12_000, rate: 4_000 },
  INVITE: { count: 9_000, rate: 1_500 },
  MESSAGE: { count: 6_000, rate: 2_000 },
} as const;

/** The parts that the options ask for, with their loads. */
export function planParts({ parts, quick }: BenchOptions): Part[] {
  const scale = quick ? 0.1 : 1;
  const number = (value: number): string => value.toLocaleString("en");
  const all: Part[] = [];
  const options = 10_000 * scale;
  // In a second, as long as 5,000 take, the client's start and the compiler's threads are a tenth of what is measured.
  const calls = 20_000 * scale;
  all.push({
    name: "options",
    title: `OPTIONS in lock-step: ${number(options)} stateful requests from pjsip-perf, window 100`,
    method: "OPTIONS",
    count: options,
    rate: null,
  });
  all.push({
    name: "invite",
    title: `INVITE in lock-step: ${
      number(calls)
    } calls with SDP from pjsip-perf, window 100 (INVITE, ACK, BYE)`,
    method: "INVITE",
    count: calls,
    rate: null,
  });
  for (const rate of [1_000, 4_000]) {
    const count = rate * (quick ? 1 : openLoopSeconds);
    all.push({
      name: "open-loop",
      title: `OPTIONS open loop: ${number(count)} requests from SIPp at ${number(rate)} a second`,
      method: "OPTIONS",
      count,
      rate,
    });
  }
  const messages = 2_000 * (quick ? 1 : openLoopSeconds);
  all.push({
    name: "message",
    title: `MESSAGE of 1 kB open loop: ${number(messages)} requests from SIPp at 2,000 a second`,
    method: "MESSAGE",
    count: messages,
    rate: 2_000,
  });
  all.push({
    name: "register",
    title: `REGISTER in lock-step: ${
      number(options)
    } requests to pjsip-perf, window 100; the client is measured`,
    method: "REGISTER",
    count: options,
    rate: null,
  });
  const [held, seconds] = quick ? [20, 2] : [200, 60];
  all.push({
    name: "media",
    title:
      `${held} G.711 calls that play and record for ${seconds} s; each: 20 ms of one call, lost: a tick late`,
    method: "CALLS",
    count: held,
    rate: seconds,
  });
  return all.filter(({ name }) => parts.includes(name));
}

/** Whether it makes sense of this server: not everything that answers is measured as a client. */
export function isMeasured(part: Part, recipe: ServerRecipe): boolean {
  if (part.method === "CALLS") return recipe.caller !== null;
  return part.method !== "REGISTER" || recipe.client !== null;
}

/** Starts the server, warms it up, drives the load, ends the server. */
export async function measure(part: Part, recipe: ServerRecipe, clients: Clients): Promise<Measurement> {
  const { method } = part;
  if (method === "REGISTER") {
    const server = await findServers(["c"], clients.pjsipPerf);
    return await driveRegister(recipe.client!, server[0]!, part.count);
  }
  if (method === "CALLS") {
    return await driveMedia(recipe.caller!, clients.media, { calls: part.count, seconds: part.rate ?? 1 });
  }
  const { child, port } = await startServer(recipe);
  try {
    const user = recipe.users[method];
    await warmUp({ program: clients.sipp, user, port, ...warmUpLoads[method] }, method);
    if (part.rate !== null && method !== "INVITE") {
      return await driveSipp({
        method,
        program: clients.sipp,
        user,
        port,
        count: part.count,
        rate: part.rate,
        serverPid: child.pid,
      });
    }
    return await drivePjsipPerf({
      program: clients.pjsipPerf,
      uri: `sip:${user}@127.0.0.1:${port}`,
      method,
      count: part.count,
      serverPid: child.pid,
    });
  } catch (error) {
    const said = child.output.slice(-6).join("\n  ");
    if (said && error instanceof Error) {
      error.message += `\nThe server "${recipe.label}" said last:\n  ${said}`;
    }
    throw error;
  } finally {
    await child.stop();
  }
}
