// SPDX-License-Identifier: GPL-2.0-or-later
/** The call over loopback: one party calls the other, both play and record, both recordings are judged. */
import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeSound } from "../make-sounds.ts";
import { duration, readWav, writeWav } from "../wav.ts";
import type { Party } from "./child.ts";
import { type Company, dismiss, engineOf, STARTING } from "./company.ts";
import type { DemoOptions } from "./options.ts";
import { within } from "./patience.ts";
import { Picture } from "./picture.ts";
import type { PartyOptions, Side } from "./protocol.ts";
import { Stage } from "./stage.ts";
import { callLines, type Reports, resultLine, verdictLines } from "./summary.ts";
import { judge, passes } from "./verdict.ts";

const ADDRESS = "127.0.0.1";
/** What is still in the jitter buffer when the file is at its end, in milliseconds. */
const TAIL = 400;
/** How much longer than the sounds a call may take, in milliseconds. */
const SLACK = 20_000;

interface Files {
  readonly play: string;
  readonly record: string;
}

/** Runs the call and gives the exit status: 0 if both recordings match. */
export async function runLoopback(options: DemoOptions, company: Company): Promise<number> {
  const { screen, signal } = company;
  const caller = filesOf("caller", company.folder);
  const callee = filesOf("callee", company.folder);
  const seconds = await prepare(options, caller, callee);
  const parties = [company.startParty("caller"), company.startParty("callee")] as const;
  const picture = options.plot ? new Picture() : null;
  const stage = new Stage({ screen, parties, onLevel: (side, level) => picture?.take(side, level) });
  let problem: string | null = null;
  try {
    parties[0].send({ type: "start", options: partyOptions("caller", options.codec, caller) });
    parties[1].send({ type: "start", options: partyOptions("callee", options.codec, callee) });
    await converse(stage, parties[0], seconds, signal);
  } catch (error) {
    if (!signal.aborted) problem = error instanceof Error ? error.message : String(error);
  }
  await dismiss(stage, parties);
  stage.close();
  problem ??= stage.failure;
  const reports = reportsOf(stage);
  if (problem !== null && reports.caller === undefined && reports.callee === undefined) {
    screen.line(screen.paint("red", `  ${problem}`));
    return 1;
  }
  screen.line();
  for (const line of callLines(reports, screen.paint)) screen.line(line);
  if (stage.lostMessages > 0) screen.line(`  SIP messages that did not arrive: ${stage.lostMessages}`);
  screen.line();
  if (signal.aborted) {
    screen.line("  Interrupted: the recordings were not judged.");
    return 130;
  }
  const verdicts = [
    await judge("callee", caller.play, callee.record),
    await judge("caller", callee.play, caller.record),
  ];
  for (const line of verdictLines(verdicts, screen.paint, company.show)) screen.line(line);
  const drawn = join(company.folder, "call.svg");
  if (await picture?.save(drawn, reports.caller ?? reports.callee)) {
    screen.line(`  ${screen.paint("bold", "Picture")}   ${company.show(drawn)}`);
  }
  screen.line();
  if (problem !== null) screen.line(screen.paint("red", `  ${problem}`));
  screen.line(resultLine(verdicts, screen.paint));
  return problem === null && verdicts.every(passes) ? 0 : 1;
}

function filesOf(side: Side, folder: string): Files {
  return { play: join(folder, `${side}.wav`), record: join(folder, `${side}-heard.wav`) };
}

/** Makes the sounds and removes old recordings, which would match too; gives the longer sound's seconds. */
async function prepare(options: DemoOptions, caller: Files, callee: Files): Promise<number> {
  const seconds = options.seconds ?? 4;
  for (const file of [caller.record, callee.record]) await rm(file, { force: true });
  await writeWav(callee.play, makeSound("callee", { seconds }));
  if (options.file === null) {
    await writeWav(caller.play, makeSound("caller", { seconds }));
    return seconds;
  }
  const length = duration(await readWav(options.file));
  await copyFile(options.file, caller.play);
  return Math.max(seconds, length);
}

function partyOptions(side: Side, codec: string | null, files: Files): PartyOptions {
  return {
    side,
    codec,
    ...files,
    address: ADDRESS,
    port: 0,
    loop: false,
    echo: false,
    stay: false,
    hangUpAfter: null,
  };
}

/** From the start of both parties to the moment at which the caller can hang up. */
async function converse(stage: Stage, caller: Party, seconds: number, signal: AbortSignal): Promise<void> {
  const ready = Promise.all([stage.first("caller", "ready"), stage.first("callee", "ready")]);
  const [left, right] = await within(ready, STARTING, "The parties do not start", signal);
  stage.open({
    caller: ["Caller", engineOf(left), `${left.address}:${left.port}`],
    callee: ["Callee", engineOf(right), `${right.address}:${right.port}`],
  });
  const uri = `sip:callee@${right.address}:${right.port}`;
  caller.send({ type: "call", uri, username: null, password: null });
  const played = Promise.all([stage.first("caller", "played"), stage.first("callee", "played")]);
  await within(played, seconds * 1000 + SLACK, "The sounds do not come to their end", signal);
  await delay(TAIL);
}

function reportsOf(stage: Stage): Reports {
  const [caller] = stage.reports("caller");
  const [callee] = stage.reports("callee");
  return { ...(caller && { caller }), ...(callee && { callee }) };
}
