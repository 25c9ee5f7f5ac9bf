// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * `npm run demo:compile`: the command line as a single file, by each runtime that can make one here. Each is moved
 * alone into an empty folder and calls itself from there, without environment, and records what it hears.
 */
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { ROOT } from "./build/layout.ts";
import { commandLine, compile, whyDenoCannotCompile } from "./compile/executable.ts";
import { correlate } from "./correlation.ts";
import type { RuntimeName } from "./demo/runtimes.ts";
import { makeSound } from "./make-sounds.ts";
import { readWav, writeWav } from "./wav.ts";

/** Recordings that match less are of something else. */
const leastMatch = 0.8;

interface Run {
  readonly ended: Promise<number | null>;
  /** Resolves with the first line that matches. */
  line(pattern: RegExp): Promise<RegExpMatchArray>;
}

/** Starts the executable in its folder with an empty environment, and shows what it says. */
function start(executable: string, folder: string, name: string, args: readonly string[]): Run {
  const child = spawn(executable, [...args], { cwd: folder, env: {}, stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => console.log(`    ${name}: ${line}`));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return {
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        lines.on("line", (line) => {
          const match = pattern.exec(line);
          if (match) resolve(match);
        });
        ended.then(() => reject(new Error(`The executable ended before it said ${pattern}`)), reject);
      }),
  };
}

/** Lets the executable call itself; how well the recording matches what was played. */
async function callItself(executable: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "sipcore-alone-"));
  try {
    copyFileSync(executable, join(folder, "sipcore"));
    console.log(`  alone in ${folder}: ${readdirSync(folder).join(" ")}`);
    const sound = makeSound("callee", { seconds: 2 });
    await writeWav(join(folder, "greeting.wav"), sound);
    const run = (name: string, ...args: string[]) => start(join(folder, "sipcore"), folder, name, args);
    const address = ["--address", "127.0.0.1"];
    const callee = run("callee", "listen", ...address, "--port", "0", "--once", "--play", "greeting.wav");
    const [, port] = await callee.line(/UDP (\d+)/);
    const caller = run("caller", "call", `sip:127.0.0.1:${port}`, "--seconds", "3", "--record", "heard.wav");
    const statuses = await Promise.all([caller.ended, callee.ended]);
    if (statuses.some((status) => status !== 0)) throw new Error(`It ended with ${statuses.join(" and ")}`);
    return correlate(sound, await readWav(join(folder, "heard.wav"))).median;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function demonstrate(runtime: RuntimeName): Promise<boolean> {
  const why = runtime === "Deno" ? whyDenoCannotCompile() : null;
  if (why !== null) {
    console.log(`${runtime}: skipped, because ${why}`);
    return true;
  }
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const output = join(ROOT, "dist", `sipcore-${runtime.toLowerCase()}`);
  const problem = compile(runtime, commandLine, output);
  if (problem !== null) throw new Error(problem);
  const size = Math.round(statSync(output).size / 1e6);
  console.log(`${runtime}: ${relative(process.cwd(), output)}, ${size} MB`);
  const match = await callItself(output);
  console.log(`  the recording matches what was played: ${match.toFixed(3)}`);
  return match >= leastMatch;
}

let isGood = true;
for (const runtime of ["Bun", "Deno"] as const) {
  try {
    isGood = await demonstrate(runtime) && isGood;
  } catch (error) {
    console.error(`${runtime}: ${error instanceof Error ? error.message : String(error)}`);
    isGood = false;
  }
}
process.exitCode = isGood ? 0 : 1;
