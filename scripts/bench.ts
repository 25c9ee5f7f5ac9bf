// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run bench`: sipcore on Deno and on Bun side by side with pjproject's own C server and with the npm package
 * `sip`, under the same load in the same run.
 *
 * How to read it. pjsip-perf sends the next request when one was answered, so its rate tells how soon a server answers,
 * wake-up included; SIPp sends at a given rate, so there the CPU time per request tells what a server costs. Machines
 * are shared and differ: the ratios to C, taken within a round, are the result, and CPU is steadier than rate. Each
 * measurement has a server process of its own, which has seen thousands of requests before. Memory is what the process holds
 * when the last answer is out: transactions live on for 32 seconds, so it counts the requests of the run.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { killAll } from "./bench/child.ts";
import { type BenchOptions, parseOptions, usage } from "./bench/options.ts";
import { isMeasured, measure, type Part, planParts } from "./bench/parts.ts";
import { formatTable, type Series, summarise, type Summary } from "./bench/report.ts";
import { findPjsipPerf, findServers } from "./bench/servers.ts";
import { findSipp } from "./bench/sipp.ts";
import { layoutOf } from "./build/layout.ts";

interface PartResult extends Part {
  servers: (Series & { summary: Summary })[];
}

/** Runs everything; true when sipcore and C answered all requests. */
async function bench(options: BenchOptions): Promise<boolean> {
  const parts = planParts(options);
  const clients = {
    pjsipPerf: await findPjsipPerf(),
    sipp: await findSipp(),
    media: layoutOf(false).media,
  };
  const recipes = await findServers(options.servers, clients.pjsipPerf);
  const series = new Map<Part, Series[]>(
    parts.map((part) => [part, recipes.map(({ name, label }) => ({ server: name, label, rounds: [] }))]),
  );
  for (let round = 0; round < options.rounds; round++) {
    for (const part of parts) {
      // Each round begins with another server, so that none always runs on a machine left warm by the same one.
      for (let turn = 0; turn < recipes.length; turn++) {
        const i = (turn + round) % recipes.length;
        const [recipe, line] = [recipes[i], series.get(part)?.[i]];
        if (!recipe || !line || !isMeasured(part, recipe)) continue;
        progress(`round ${round + 1} of ${options.rounds}, ${part.name}, ${recipe.label}`);
        line.rounds.push(await measure(part, recipe, clients));
      }
    }
  }
  progress("");
  const results: PartResult[] = parts.map((part) => {
    const all = (series.get(part) ?? []).filter(({ rounds }) => rounds.length > 0);
    const summaries = summarise(all);
    console.log(`\n${formatTable(part.title, summaries)}`);
    return {
      ...part,
      servers: all.flatMap((one, i) => summaries[i] ? [{ ...one, summary: summaries[i] }] : []),
    };
  });
  const file = options.json ?? join(layoutOf(false).folder, "bench.json");
  await mkdir(dirname(file), { recursive: true });
  await writeFile(
    file,
    `${JSON.stringify({ date: new Date(), machine: machine(), options, parts: results }, null, 2)}\n`,
  );
  console.log(`\nMedians of ${options.rounds} interleaved rounds; a ratio is taken within its round.`);
  if (options.quick) console.log("--quick shows that the bench works; its numbers mean little.");
  console.log(`All rounds: ${file}`);
  const short = results.flatMap((part) =>
    part.servers.filter(({ server, summary }) =>
      server !== "sip" && summary.lost > toleratedLoss(part, summary)
    )
      .map(({ label, summary }) => `${label} lost ${summary.lost} of ${summary.requests} (${part.title})`)
  );
  for (const line of short) console.error(line);
  return short.length === 0;
}

/** No answer may be missing; of 10,000 frames one may be late. */
function toleratedLoss({ name }: Part, { requests }: Summary): number {
  return name === "media" ? requests / 10_000 : 0;
}

function machine(): Record<string, string | number> {
  return {
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
  };
}

/** One line that is overwritten on a terminal, and nothing elsewhere but the lines themselves. */
function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
  else if (text) console.log(text);
}

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.on(signal, () => {
    killAll();
    process.exit(status);
  });
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(usage);
  else if (!await bench(options)) process.exitCode = 1;
} catch (error) {
  console.error(`\nbench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  killAll();
}
