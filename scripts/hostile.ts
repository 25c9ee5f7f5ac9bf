// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run hostile`: an engine in a process of its own, under each runtime, gets what no honest peer sends: all that
 * the corpora hold, then messages of theirs and of our own changed at random, by UDP, TCP and TLS. It must answer an
 * OPTIONS after every few of them, keep its memory, and talk in the end. Then streams of it get RTP, RTCP, STUN and DTLS
 * that is nearly right, from strangers and from peers, while sound goes on.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { corpusSeeds, ownSeeds, protosSeeds, type Seed } from "../tests/hostile/seeds.ts";
import { attackDialogs } from "../tests/hostile/dialog_attack.ts";
import { attackByStream } from "../tests/hostile/stream_attack.ts";
import { type QuietFigures, Target } from "../tests/hostile/target.ts";
import { attackByUdp, type AttackReport } from "../tests/hostile/udp_attack.ts";
import { RtpAttack } from "../tests/hostile/rtp_attack.ts";
import { Certificates, skipWithoutOpenssl } from "../tests/support/certificates.ts";
import type { RuntimeName } from "./demo/runtimes.ts";
import { sanitizedBuild, sanitizerEnvironment } from "./test/sanitizer.ts";
import { runMain } from "./run-main.ts";

const usage = `npm run hostile -- [options]

  --count N         messages per runtime and transport (default 200000)
  --transport NAME  udp, tcp, tls, calls (by UDP) or rtp (datagrams to ports of media) instead of all five
  --seed N          what the changes depend on (default 1)
  --runtime NAME    deno or bun instead of both
  --asan            with the address sanitizer
  --help            this text`;

const transports = ["udp", "tcp", "tls", "calls", "rtp"] as const;
type Transport = (typeof transports)[number];
type SIPTransport = Exclude<Transport, "rtp">;

/** The attack goes on in so many rounds; after each the memory is looked at when all is quiet. */
const rounds = 4;

/** What may stay of a message after the first two rounds, in which the runtimes compile and the pools grow. */
const mostPerMessage = 100;
const mostNoise = 8 * 2 ** 20;

/** The slowest answer to a probe, in ms. */
const mostMs = 250;
const mostMsSanitized = 1000;

/** The least likeness of the sound that goes on between streams under attack. */
const leastLikeness = 0.7;

/** Our own messages are few and get further: they come so often. */
const ownWeight = 20;

interface Limits {
  readonly mostMs: number;
  readonly isMeasured: boolean;
}

function say(text: string): void {
  console.log(text);
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The CANCEL and the ACK that belong to an INVITE. */
function cancelAndAck(invite: string): string[] {
  const [head = ""] = invite.split("\r\n\r\n");
  return ["CANCEL", "ACK"].map((method) =>
    `${
      head.replace(/^\S+/, method).replace(/^(CSeq:\s*\d+\s+)\S+/im, `$1${method}`).replace(
        /^Content-(Type|Length):.*\r\n?/gim,
        "",
      )
    }\r\n\r\n`
  );
}

/** Shows what came of it; whether that is good. */
function judge(what: string, report: AttackReport, figures: QuietFigures, limits: Limits): boolean {
  const codes = [...report.answers.codes].sort(([a], [b]) => a - b).map(([code, count]) =>
    `${code}: ${count}`
  );
  say(
    `  ${what}: ${report.messages} messages, ${Math.round(report.messages / report.seconds)} a second; ` +
      `${report.sent} probes, ${report.lost} lost, the slowest ${report.slowestMs.toFixed(1)} ms; ` +
      `${mebibytes(figures.residentBytes)} afterwards`,
  );
  say(`    final answers: ${codes.join(", ")}`);
  const bad = [
    ...(report.lost > 0 ? [`${report.lost} probes were lost`] : []),
    ...(report.slowestMs > limits.mostMs ? [`a probe took ${Math.round(report.slowestMs)} ms`] : []),
    ...report.answers.doubles.slice(0, 5).map((double) => `two final answers: ${double}`),
    ...(figures.exceptions > 0 ? figures.exceptionTexts : []),
    ...(figures.liveObjects > 0 ? [`${figures.liveObjects} objects are left: ${figures.left}`] : []),
  ];
  for (const text of bad) say(`    BAD: ${text}`);
  return bad.length === 0;
}

/** The corpora as they are, PROTOS with what follows an INVITE. */
async function tryCorpora(target: Target, seed: number, limits: Limits): Promise<boolean> {
  let isGood = true;
  const protos = protosSeeds();
  for (
    const [what, seeds, followUps] of [
      ["PROTOS with CANCEL and ACK", protos, cancelAndAck],
      ["the other corpora", corpusSeeds(), () => []],
    ] as const
  ) {
    if (seeds.length === 0) {
      say(`  ${what}: not beside the project`);
      continue;
    }
    const report = await attackByUdp(target, {
      seeds,
      count: seeds.length,
      seed,
      isMutated: false,
      followUps,
    });
    isGood = judge(what, report, await target.figures(), limits) && isGood;
  }
  return isGood;
}

async function tryChanged(
  target: Target,
  transport: SIPTransport,
  counts: { readonly count: number; readonly seed: number },
  limits: Limits,
): Promise<boolean> {
  const own: Seed[] = Array.from({ length: ownWeight }, () => ownSeeds).flat();
  const seeds = [...own, ...corpusSeeds(), ...protosSeeds().filter((_, index) => index % 10 === 0)];
  const count = Math.ceil(counts.count / rounds);
  const memory: number[] = [];
  let isGood = true;
  for (let round = 0; round < rounds; round++) {
    const options = { seeds, count, seed: counts.seed * rounds + round };
    const report = transport === "udp"
      ? await attackByUdp(target, options)
      : transport === "calls"
      ? await attackDialogs(target, options)
      : await attackByStream(target, transport, options);
    const figures = await target.figures();
    memory.push(figures.residentBytes);
    isGood = judge(`${transport}, round ${round + 1} of ${rounds}`, report, figures, limits) && isGood;
  }
  const growth = memory.at(-1)! - Math.max(...memory.slice(0, 2));
  const isFlat = !limits.isMeasured || growth <= mostNoise + mostPerMessage * count * (rounds - 2);
  say(
    `  ${transport}: ${mebibytes(growth)} more after the last round than after the first two${
      isFlat ? "" : ": BAD"
    }`,
  );
  return isGood && isFlat;
}

/** Datagrams to ports of media. */
async function tryMedia(
  runtime: RuntimeName,
  { count, seed, asan }: { readonly count: number; readonly seed: number; readonly asan: boolean },
): Promise<boolean> {
  await using attack = await RtpAttack.start({ runtime, env: asan ? sanitizerEnvironment() : {} });
  const memory: number[] = [];
  let isGood = true;
  for (let round = 0; round < rounds; round++) {
    const report = await attack.run(Math.ceil(count / rounds), seed * rounds + round);
    memory.push(report.residentBytes);
    const likeness = Math.min(...report.likeness.flat());
    say(
      `  rtp, round ${round + 1} of ${rounds}: ${report.datagrams} datagrams, ${
        Math.round(report.datagrams / report.seconds)
      } a second; likeness of the sound ${likeness.toFixed(3)} at least; ${
        mebibytes(report.residentBytes)
      } afterwards`,
    );
    const bad = [
      ...(likeness < leastLikeness ? ["the sound does not go on"] : []),
      ...(report.sources.includes(false) ? ["a stream has left its peer"] : []),
      ...report.exceptions,
    ];
    for (const text of bad) say(`    BAD: ${text}`);
    isGood &&= bad.length === 0;
  }
  await attack.stop();
  const growth = memory.at(-1)! - Math.max(...memory.slice(0, 2));
  const isFlat = asan || growth <= mostNoise;
  say(
    `  rtp: ${mebibytes(growth)} more after the last round than after the first two${isFlat ? "" : ": BAD"}`,
  );
  return isGood && isFlat;
}

async function attack(
  runtime: RuntimeName,
  options: { count: number; seed: number; chosen: readonly Transport[]; asan: boolean },
): Promise<boolean> {
  say(`${runtime}${options.asan ? " with the address sanitizer" : ""}`);
  const isMediaGood = !options.chosen.includes("rtp") || await tryMedia(runtime, options);
  const messages = options.chosen.filter((transport): transport is SIPTransport => transport !== "rtp");
  if (messages.length === 0) return isMediaGood;
  using certificates = options.chosen.includes("tls") ? new Certificates() : null;
  const limits = { mostMs: options.asan ? mostMsSanitized : mostMs, isMeasured: !options.asan };
  await using target = await Target.start({
    runtime,
    env: options.asan ? sanitizerEnvironment() : {},
    ...(certificates ? { certificate: certificates.get("good") } : {}),
  });
  const run = async (): Promise<boolean> => {
    let isGood = await tryCorpora(target, options.seed, limits);
    for (const transport of messages) {
      isGood = await tryChanged(target, transport, options, limits) && isGood;
    }
    await target.call();
    say("  a call with sound both ways");
    await target.stop();
    return isGood && isMediaGood;
  };
  // Who is dead answers no more: its last words say more than the silence.
  return await Promise.race([run(), target.crash]);
}

function number(name: string, value: string): number {
  const found = Number(value);
  if (!(Number.isSafeInteger(found) && found > 0)) {
    throw new Error(`--${name} wants a whole number, not "${value}"`);
  }
  return found;
}

function choose<T extends string>(name: string, value: string | undefined, all: readonly T[]): readonly T[] {
  const chosen = all.filter((one) => value === undefined || one.toLowerCase() === value);
  if (chosen.length === 0) throw new Error(`--${name} knows ${all.join(", ").toLowerCase()}, not "${value}"`);
  return chosen;
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      count: { ...text, default: "200000" },
      transport: text,
      seed: { ...text, default: "1" },
      runtime: text,
      asan: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    say(usage);
    return 0;
  }
  const options = {
    count: number("count", values.count),
    seed: number("seed", values.seed),
    chosen: choose<Transport>("transport", values.transport, transports),
    asan: values.asan,
  };
  if (options.chosen.includes("tls") && skipWithoutOpenssl) throw new Error(skipWithoutOpenssl);
  if (options.asan) {
    const [command = "", ...args] = sanitizedBuild.args;
    if (spawnSync(command, args, { stdio: "inherit" }).status !== 0) throw new Error("The build has failed");
  }
  let isGood = true;
  for (const runtime of choose<RuntimeName>("runtime", values.runtime, ["Deno", "Bun"])) {
    isGood = await attack(runtime, options) && isGood;
  }
  return isGood ? 0 : 1;
}

await runMain(main);
