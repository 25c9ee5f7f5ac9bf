// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { delay } from "@std/async";
import { residentBytes } from "../support/process_figures.ts";
import { Answers, headerOf } from "./answers.ts";
import { mutate } from "./mutator.ts";
import { Probe } from "./probe.ts";
import { Random } from "./random.ts";
import { fill, ownSeeds } from "./seeds.ts";
import type { Target } from "./target.ts";
import type { AttackReport } from "./udp_attack.ts";

export interface DialogAttackOptions {
  readonly count: number;
  readonly seed: number;
}

/** Calls that are under way at the same time. */
const crowd = 10;

const within = [
  "INVITE",
  "UPDATE",
  "INFO",
  "BYE",
  "PRACK",
  "REFER",
  "NOTIFY",
  "MESSAGE",
  "OPTIONS",
  "ACK",
  "CANCEL",
];
const codes = [100, 180, 183, 183, 200, 200, 200, 202, 302, 401, 407, 422, 486, 488, 491, 503, 603];

const sdp = /v=0[^]*/.exec(ownSeeds.find(({ name }) => name === "invite")!.text)![0];

function linesOf(text: string, name: string): string[] {
  return text.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
}

function bodied(head: readonly string[], random: Random): string {
  const body = random.chance(0.7) ? sdp : "";
  const type = body ? ["Content-Type: application/sdp"] : [];
  return [...head, ...type, `Content-Length: ${body.length}`, "", body].join("\r\n");
}

/** A request in the dialog of a 200 to an INVITE. */
function requestIn(ok: string, method: string, cseq: number, ownPort: number, random: Random): string {
  const target = /<([^>]*)>/.exec(headerOf(ok, "Contact") ?? "")?.[1] ?? "sip:x";
  return bodied([
    `${method} ${target} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${ownPort};rport;branch=z9hG4bK${random.below(2 ** 32)}`,
    `From: ${headerOf(ok, "From")}`,
    `To: ${headerOf(ok, "To")}`,
    `Call-ID: ${headerOf(ok, "Call-ID")}`,
    `CSeq: ${cseq} ${method}`,
    "Max-Forwards: 70",
    `Contact: <sip:stay@127.0.0.1:${ownPort}>`,
    `RAck: ${random.below(5)} 1 INVITE`,
  ], random);
}

/** A response to a request that came. */
function responseTo(request: string, ownPort: number, random: Random): string {
  const code = random.pick(codes);
  const to = headerOf(request, "To") ?? "";
  return bodied([
    `SIP/2.0 ${code} Reason`,
    ...linesOf(request, "Via"),
    `From: ${headerOf(request, "From")}`,
    `To: ${to}${to.includes("tag=") || code === 100 ? "" : `;tag=${random.below(3)}`}`,
    `Call-ID: ${headerOf(request, "Call-ID")}`,
    `CSeq: ${headerOf(request, "CSeq")}`,
    `Contact: <sip:stay@127.0.0.1:${ownPort}>`,
    ...(random.chance(0.2) ? ["Require: 100rel", `RSeq: ${random.below(3)}`] : []),
    ...(random.chance(0.2) ? ["Session-Expires: 90;refresher=uac", "Min-SE: 90"] : []),
    ...(code === 401 ? ['WWW-Authenticate: Digest realm="a", nonce="b", qop="auth"'] : []),
  ], random);
}

async function open(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** Changed requests within calls to the engine, and changed answers to calls of the engine's. */
export async function attackDialogs(
  target: Target,
  { count, seed }: DialogAttackOptions,
): Promise<AttackReport> {
  const random = new Random(seed);
  const answers = new Answers();
  const memory: number[] = [];
  const invite = ownSeeds.find(({ name }) => name === "invite")!;
  await using probe = await Probe.open(target.ports.udp);
  const socket = await open();
  const ownPort = socket.address().port;
  const changed = (text: string) => random.chance(0.6) ? mutate(text, random, () => text) : text;
  let messages = 0;
  const send = (text: string) => {
    messages++;
    socket.send(Buffer.from(text, "latin1"), target.ports.udp, "127.0.0.1");
  };
  socket.on("message", (data) => {
    const text = data.toString("latin1");
    if (!text.startsWith("SIP/2.0 ")) {
      if (text.startsWith("ACK")) return;
      for (let left = 1 + random.below(3); left > 0; left--) send(changed(responseTo(text, ownPort, random)));
      return;
    }
    const reply = answers.take(text);
    if (reply === null) return;
    send(random.chance(0.3) ? changed(reply) : reply);
    if (!/^SIP\/2\.0 2/.test(text)) return;
    for (let left = random.below(6), cseq = 2; left > 0; left--, cseq += random.below(3)) {
      send(changed(requestIn(text, random.pick(within), cseq, ownPort, random)));
    }
    if (random.chance(0.7)) send(requestIn(text, "BYE", 100, ownPort, random));
  });
  const begun = performance.now();
  for (let index = 0; messages < count; index++) {
    const filling = {
      port: target.ports.udp,
      ownPort,
      transport: "UDP",
      unique: `d${seed}x${index}`,
    } as const;
    send(fill(invite, filling).replaceAll("caller@", "stay@"));
    if (index % crowd === 0) {
      await target.dial(ownPort, crowd);
      await probe.ask();
    }
    if (memory.length < messages / 1000) memory.push(residentBytes(target.pid));
  }
  // The engine's own calls come to their end.
  await delay(1000);
  await probe.ask();
  const seconds = (performance.now() - begun) / 1000;
  await delay(3000);
  const closed = once(socket, "close");
  socket.close();
  await closed;
  return { ...probe.report, messages, seconds, answers, residentBytes: memory };
}
