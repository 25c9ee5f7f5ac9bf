// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls with somebody who is not part of the demo: to an address, or from whoever calls. */
import { join } from "node:path";
import { makeSound } from "../make-sounds.ts";
import { readWav, writeWav } from "../wav.ts";
import type { Party } from "./child.ts";
import { type Company, dismiss, engineOf, STARTING } from "./company.ts";
import type { DemoOptions } from "./options.ts";
import { within } from "./patience.ts";
import { Picture } from "./picture.ts";
import type { CallReport, Side } from "./protocol.ts";
import { Stage } from "./stage.ts";
import { callLines } from "./summary.ts";

/** Seconds of sound that the demo makes, and seconds of a call to an address. */
const SOUND = 8;
const TALK = 10;

/** Calls the address and gives the exit status: 0 if it was answered. */
export async function runCall(uri: string, options: DemoOptions, company: Company): Promise<number> {
  const party = company.startParty("caller");
  const picture = options.plot ? new Picture() : null;
  const stage = new Stage({
    screen: company.screen,
    parties: [party],
    onLevel: (side, level) => picture?.take(side, level),
  });
  const failed = await perform(stage, party, company, async () => {
    party.send({
      type: "start",
      options: {
        ...await basics("caller", options, company.folder),
        port: 0,
        loop: true,
        echo: false,
        stay: false,
        hangUpAfter: options.seconds ?? TALK,
      },
    });
    const ready = await within(
      stage.first("caller", "ready"),
      STARTING,
      "The caller does not start",
      company.signal,
    );
    stage.open({ caller: ["Caller", engineOf(ready), `port ${ready.port}`], callee: ["Callee", uri] });
    const { username, password } = options;
    party.send({ type: "call", uri, username, password });
  });
  const [report] = stage.reports("caller");
  if (!failed || report !== undefined) {
    finish("caller", stage, company);
    await draw(picture, report, company);
  }
  return !failed && report !== undefined && report.setUp !== null ? 0 : 1;
}

/** Answers calls until the user ends it, and gives the exit status: 0 unless something failed. */
export async function runListen(port: number, options: DemoOptions, company: Company): Promise<number> {
  const { screen } = company;
  const party = company.startParty("callee");
  const picture = options.plot ? new Picture() : null;
  let drawn: Promise<void> = Promise.resolve();
  const stage = new Stage({
    screen,
    parties: [party],
    onLevel: (side, level) => picture?.take(side, level),
    onEnded: (side, report) => {
      finish(side, stage, company);
      drawn = drawn.then(() => draw(picture, report, company));
    },
  });
  const failed = await perform(stage, party, company, async () => {
    party.send({
      type: "start",
      options: {
        ...await basics("callee", options, company.folder),
        port,
        loop: false,
        echo: true,
        stay: true,
        hangUpAfter: options.seconds,
      },
    });
    const ready = await within(
      stage.first("callee", "ready"),
      STARTING,
      "The callee does not start",
      company.signal,
    );
    stage.open({
      caller: ["Whoever calls", "Ctrl-C ends"],
      callee: ["Callee", engineOf(ready), `port ${ready.port}`],
    });
  });
  await drawn;
  if (!failed) screen.line(`  Calls answered: ${stage.reports("callee").length}`);
  return failed ? 1 : 0;
}

/** What both kinds of party need: the file to play is made if none is given. */
async function basics(
  side: Side,
  { codec, file }: DemoOptions,
  folder: string,
): Promise<{ side: Side; codec: string | null; address: null; play: string; record: string }> {
  const play = file ?? join(folder, `${side}.wav`);
  if (file === null) await writeWav(play, makeSound(side, { seconds: SOUND }));
  else await readWav(file);
  return { side, codec, address: null, play, record: join(folder, `${side}-heard.wav`) };
}

/** Opens, waits until the party leaves or the user ends it, and sees the party off; true: it failed. */
async function perform(
  stage: Stage,
  party: Party,
  { signal, screen }: Company,
  opening: () => Promise<void>,
): Promise<boolean> {
  let problem: string | null = null;
  try {
    await opening();
    await within(stage.left(party.side), null, "", signal);
  } catch (error) {
    if (!signal.aborted) problem = error instanceof Error ? error.message : String(error);
  }
  await dismiss(stage, [party]);
  stage.close();
  problem ??= stage.failure;
  if (problem !== null) screen.line(screen.paint("red", `  ${problem}`));
  return problem !== null;
}

/** The picture of a call, beside its recording. */
async function draw(
  picture: Picture | null,
  report: CallReport | undefined,
  { screen, show }: Company,
): Promise<void> {
  if (!report?.recording) return;
  const path = report.recording.replace(/(-heard(-[0-9]+)?)?\.wav$/, "$2.svg");
  if (await picture?.save(path, report)) {
    screen.line(`  ${screen.paint("bold", "Picture".padEnd(18))}${show(path)}\n`);
  }
}

/** The summary of the latest call. */
function finish(side: Side, stage: Stage, { screen, show }: Company): void {
  const report = stage.reports(side).at(-1);
  screen.line();
  for (const line of callLines(report === undefined ? {} : { [side]: report }, screen.paint)) {
    screen.line(line);
  }
  if (report?.recording) {
    screen.line(`\n  ${screen.paint("bold", "Recording".padEnd(18))}${show(report.recording)}`);
  }
  screen.line();
}
