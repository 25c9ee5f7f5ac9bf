// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run pjsua`: pjproject's own system tests, all of them, those included that take long, under each runtime. Those
 * that sipcore is known not to pass are named with the reason; with `--all` they are run as well.
 */
import { parseArgs } from "node:util";
import { runScript, startAll } from "../tests/support/pjsua/run_script.ts";
import { type Kind, reasons, scriptsOf, skipWithoutScripts } from "../tests/support/pjsua/scripts.ts";
import type { RuntimeName } from "./demo/runtimes.ts";
import { runMain } from "./run-main.ts";

const usage = `npm run pjsua -- [options]

  --filter WORD    only those with this in their name, such as "sendto/" or "timer"
  --runtime NAME   deno or bun instead of both
  --all            those as well that are known to fail; the reasons are in tests/support/pjsua/scripts.ts
  --help           this text`;

const kinds: readonly Kind[] = ["recvfrom", "sendto", "sipp"];

/** True when all has gone as expected. */
async function runAll(runtime: RuntimeName, filter: string, all: boolean): Promise<boolean> {
  const chosen = kinds.flatMap((kind) =>
    scriptsOf(kind).map((name) => ({ kind, name, why: reasons[kind][name] ?? null }))
  ).filter(({ kind, name }) => `${kind}/${name}`.includes(filter));
  const run = all ? chosen : chosen.filter(({ why }) => why === null);
  const outcomes = startAll(run.map(({ kind, name }) => () => runScript(kind, name, runtime)));
  let [passed, unexpected] = [0, 0];
  for (const [index, { kind, name, why }] of run.entries()) {
    const error = await outcomes[index]!.then(() => null, (error: Error) => error);
    if (error === null) passed++;
    if ((error === null) !== (why === null)) unexpected++;
    if (error === null && why !== null) console.log(`passes, against "${why}": ${kind}/${name}`);
    if (error !== null && why === null) console.log(`FAILED: ${error.message}`);
  }
  for (const { kind, name, why } of chosen) {
    if (why !== null) console.log(`not green: ${kind}/${name}: ${why}`);
  }
  console.log(`${runtime}: ${passed} of ${chosen.length} pass`);
  return unexpected === 0;
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({ options: { filter: text, runtime: text, all: flag, help: flag } });
  if (values.help) return console.log(usage), 0;
  if (skipWithoutScripts) throw new Error(skipWithoutScripts);
  const named = (["Deno", "Bun"] as const).filter((name) =>
    values.runtime === undefined || name.toLowerCase() === values.runtime.toLowerCase()
  );
  if (named.length === 0) throw new Error(`--runtime knows deno and bun, not "${values.runtime}"`);
  let isGood = true;
  for (const runtime of named) {
    isGood = await runAll(runtime, values.filter ?? "", values.all ?? false) && isGood;
  }
  return isGood ? 0 : 1;
}

await runMain(main, "pjsua: ");
