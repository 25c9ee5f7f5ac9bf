// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run soak`: what only shows in long runs, under each runtime, all with the programs that the tests run for seconds.
 */
import { parseArgs } from "node:util";
import type { RuntimeName } from "./demo/runtimes.ts";
import { soakExits } from "./soak/exits.ts";
import { soakKilled, soakLossy, soakStops } from "./soak/hardship.ts";
import { callKinds, soakCalls, soakCycles, soakHeld } from "./soak/memory.ts";
import { type Place, say } from "./soak/programs.ts";
import { sanitizerEnvironment } from "./test/sanitizer.ts";
import { runMain } from "./run-main.ts";

const usage = `npm run soak -- [options]

  --only KINDS     some of these, with commas between: KINDS
  --minutes N      how long the calls go on, per runtime and kind of call, about (default 5)
  --exits N        how many processes leave in each way (default 50)
  --cycles N       how many times the engine starts and stops (default 500)
  --held N         how many calls are held at once, for a minute (default 2000)
  --lossy N        how many calls go over a bad network (default 1000)
  --killed N       how many peers are killed in mid-call (default 100)
  --stops N        how many times the engine stops with 500 calls (default 100)
  --asan           with the library of npm run build -- --asan: a fifth of it all, memory is not judged
  --runtime NAME   deno or bun instead of both
  --help           this text`;

interface Counts {
  readonly minutes: number;
  readonly exits: number;
  readonly cycles: number;
  readonly held: number;
  readonly lossy: number;
  readonly killed: number;
  readonly stops: number;
}

/** What is said of a kind, and what it does: each step true when it went well. */
interface Soak {
  readonly title: string;
  readonly run: (place: Place, counts: Counts) => Promise<boolean>;
}

const soaks: Readonly<Record<string, readonly Soak[]>> = {
  exits: [{
    title: "processes that end while the engine runs",
    run: (place, { exits }) => soakExits(place, exits),
  }],
  cycles: [{ title: "starts and stops", run: (place, { cycles }) => soakCycles(place, cycles) }],
  stops: [{
    title: "stops in the middle of calls and requests",
    run: (place, { stops }) => soakStops(place, stops, 500, 200),
  }],
  killed: [{ title: "peers killed in mid-call", run: (place, { killed }) => soakKilled(place, killed) }],
  lossy: [{ title: "calls over a bad network", run: (place, { lossy }) => soakLossy(place, lossy) }],
  held: (["incoming", "outgoing"] as const).map((kind) => ({
    title: `calls held, ${kind}`,
    run: (place, { held }) => soakHeld(place, kind, held),
  })),
  ...Object.fromEntries(callKinds.map((kind) => [kind, [{
    title: kind === "requests" ? kind : `calls, ${kind}`,
    run: (place: Place, { minutes }: Counts) => soakCalls(place, kind, minutes),
  }]])),
};

function count(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new Error(`--${name} wants a number above 0, not "${value}"`);
  return number;
}

function kindsOf(only: string | undefined): readonly string[] {
  const names = only === undefined ? Object.keys(soaks) : only.split(",");
  const unknown = names.find((name) => !(name in soaks));
  if (unknown !== undefined) {
    throw new Error(`--only knows ${Object.keys(soaks).join(", ")}, not "${unknown}"`);
  }
  return names;
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    options: {
      only: text,
      minutes: { ...text, default: "5" },
      exits: { ...text, default: "50" },
      cycles: { ...text, default: "500" },
      held: { ...text, default: "2000" },
      lossy: { ...text, default: "1000" },
      killed: { ...text, default: "100" },
      stops: { ...text, default: "100" },
      asan: flag,
      runtime: text,
      help: flag,
    },
  });
  if (values.help) {
    say(usage.replace("KINDS\n", `${Object.keys(soaks).join(", ")}\n`));
    return 0;
  }
  const all: RuntimeName[] = ["Deno", "Bun"];
  const runtimes = all.filter((name) =>
    values.runtime === undefined || name.toLowerCase() === values.runtime
  );
  if (runtimes.length === 0) throw new Error(`--runtime knows deno and bun, not "${values.runtime}"`);
  const isSanitized = values.asan;
  const wanted = (name: Exclude<keyof Counts, "minutes">) =>
    Math.ceil(count(name, values[name]) / (isSanitized ? 5 : 1));
  const counts = {
    minutes: count("minutes", values.minutes),
    exits: wanted("exits"),
    cycles: wanted("cycles"),
    held: wanted("held"),
    lossy: wanted("lossy"),
    killed: wanted("killed"),
    stops: wanted("stops"),
  };
  const env = isSanitized ? sanitizerEnvironment() : {};
  let isGood = true;
  for (const runtime of runtimes) {
    for (const kind of kindsOf(values.only)) {
      for (const { title, run } of soaks[kind]!) {
        say(`${runtime}: ${title}`);
        isGood = await run({ runtime, isSanitized, env }, counts) && isGood;
      }
    }
  }
  return isGood ? 0 : 1;
}

await runMain(main);
