// SPDX-License-Identifier: GPL-2.0-or-later
/** The servers that are measured against each other, each a process of its own. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { $, which } from "zx";
import { layoutOf, ROOT } from "../build/layout.ts";
import { samplesAreThere } from "../build/samples.ts";
import { Child } from "./child.ts";
import type { ServerName } from "./options.ts";
import { freePort } from "./port.ts";

const sipcoreServer = fileURLToPath(new URL("./server.ts", import.meta.url));
const sipcoreClient = fileURLToPath(new URL("./client.ts", import.meta.url));
const sipcoreCaller = fileURLToPath(new URL("./caller.ts", import.meta.url));
const sipServer = fileURLToPath(new URL("./sip-server.mjs", import.meta.url));

/** How to start the same as a client that sends REGISTERs. */
export interface ClientCommand {
  readonly command: string;
  /** Null for pjsip-perf, which has its own. */
  readonly args: ((port: number, window: number) => string[]) | null;
}

/** How to start the same as a program that holds calls with sound: that of media.c, or as it. */
export interface CallerCommand {
  readonly command: string;
  /** What stands before the arguments of media.c. */
  readonly before: readonly string[];
}

/** How to start one of the servers. */
export interface ServerRecipe {
  readonly name: ServerName;
  /** What the table calls it, with versions. */
  readonly label: string;
  /** pjsip-perf's server tells by the user part of the URI what is wanted of it; the others do not care. */
  readonly users: { readonly OPTIONS: string; readonly INVITE: string; readonly MESSAGE: string };
  readonly command: string;
  readonly args: (port: number) => string[];
  /** The line that it prints when it listens. */
  readonly ready: RegExp;
  /** Null: it is measured as a server only. */
  readonly client: ClientCommand | null;
  /** Null: it has no sound. */
  readonly caller: CallerCommand | null;
}

export interface RunningServer {
  readonly child: Child;
  readonly port: number;
}

/** Where pjsip-perf is, server and client in one; built first when it is missing. */
export async function findPjsipPerf(): Promise<string> {
  const layout = layoutOf(false);
  const program = layout.perf;
  if (!samplesAreThere(layout)) {
    console.log("Building pjsip-perf and the media program");
    const [command, ...args] = await runtimeCommand();
    const made = await $({ cwd: ROOT, nothrow: true, stdio: "inherit" })`${command} ${args} ${
      join(ROOT, "scripts", "build-pjsip.ts")
    } --samples`;
    if (made.exitCode !== 0 || !samplesAreThere(layout)) throw new Error("Could not build pjsip-perf");
  }
  return program;
}

/** Finds what the named servers need. @throws Error that names the runtime that is missing. */
export async function findServers(names: readonly ServerName[], pjsipPerf: string): Promise<ServerRecipe[]> {
  return await Promise.all(names.map((name) => recipes[name](pjsipPerf)));
}

const recipes: Record<ServerName, (pjsipPerf: string) => Promise<ServerRecipe>> = {
  c: async (pjsipPerf) => ({
    name: "c",
    label: `pjsip-perf ${await pjsipVersion(pjsipPerf)} (C)`,
    users: { OPTIONS: "1", INVITE: "2", MESSAGE: "1" },
    command: pjsipPerf,
    args: (port) => [`--local-port=${port}`, "--real-sdp"],
    ready: /^Press <ENTER> to quit/,
    client: { command: pjsipPerf, args: null },
    caller: { command: layoutOf(false).media, before: [] },
  }),
  deno: async () => await sipcore("deno", "Deno", await findDeno(), ["run", "-A"]),
  bun: async () => await sipcore("bun", "Bun", await findBun(), ["run"]),
  sip: async () => {
    // The package is written for Node; where there is none, Bun runs it as well.
    const node = await findNode();
    const command = node ?? await findBun();
    const { version } = createRequire(import.meta.url)("sip/package.json") as { version: string };
    return {
      name: "sip",
      label: `npm sip ${version}, ${node ? "Node" : "Bun"} ${await runtimeVersion(command)}`,
      users: { OPTIONS: "bench", INVITE: "bench", MESSAGE: "bench" },
      command,
      args: (port) => [sipServer, String(port)],
      ready: /^ready \d+/,
      client: null,
      caller: null,
    };
  },
};

async function sipcore(
  name: ServerName,
  runtime: string,
  command: string,
  before: readonly string[],
): Promise<ServerRecipe> {
  return {
    name,
    label: `sipcore, ${runtime} ${await runtimeVersion(command)}`,
    users: { OPTIONS: "bench", INVITE: "bench", MESSAGE: "bench" },
    command,
    args: (port) => [...before, sipcoreServer, String(port)],
    ready: /^ready \d+/,
    client: { command, args: (port, window) => [...before, sipcoreClient, String(port), String(window)] },
    caller: { command, before: [...before, sipcoreCaller] },
  };
}

/** Starts a server on a free port and waits until it listens. @throws Error with its last output if it does not. */
export async function startServer(recipe: ServerRecipe): Promise<RunningServer> {
  const port = await freePort();
  const child = new Child(`The server "${recipe.label}"`, recipe.command, recipe.args(port));
  try {
    await child.line(recipe.ready, 15_000);
    return { child, port };
  } catch (error) {
    await child.stop().catch(() => {});
    throw error;
  }
}

async function findDeno(): Promise<string> {
  return process.env.SIPCORE_DENO ?? await findRuntime("Deno", "deno");
}

async function findBun(): Promise<string> {
  return process.env.SIPCORE_BUN ?? await findRuntime("Bun", "bun");
}

/** A Node that is one: Deno and Bun put a `node` of their own into PATH where there is none. */
async function findNode(): Promise<string | null> {
  const node = await which("node", { nothrow: true });
  if (node === null) return null;
  const { stdout } = await $({
    quiet: true,
    nothrow: true,
  })`${node} -p ${"Object.keys(process.versions).join()"}`;
  const versions = stdout.trim().split(",");
  return versions.includes("node") && !versions.includes("deno") && !versions.includes("bun") ? node : null;
}

async function findRuntime(name: string, program: string): Promise<string> {
  const local = join(ROOT, "node_modules", ".bin", program);
  const found = existsSync(local) ? local : await which(program, { nothrow: true });
  if (!found) {
    throw new Error(`${name} is missing: run npm ci, or set SIPCORE_${program.toUpperCase()} to its path`);
  }
  return found;
}

/** The command that runs a TypeScript file of this project: Deno, or Bun where there is no Deno. */
async function runtimeCommand(): Promise<[string, ...string[]]> {
  try {
    return [await findDeno(), "run", "-A"];
  } catch {
    return [await findBun(), "run"];
  }
}

async function runtimeVersion(command: string): Promise<string> {
  const { stdout } = await $({ quiet: true })`${command} --version`;
  return stdout.match(/\d+\.\d+\.\d+/)?.[0] ?? "?";
}

async function pjsipVersion(program: string): Promise<string> {
  const { stdout } = await $({ quiet: true, nothrow: true })`${program} --help`;
  return stdout.match(/Tool v(\S+)/)?.[1] ?? "?";
}
