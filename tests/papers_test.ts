// SPDX-License-Identifier: GPL-2.0-or-later
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import * as sipcore from "../mod.ts";
import { Child } from "../scripts/bench/child.ts";
import { inPath } from "../scripts/build/debian.ts";
import { layoutOf, ROOT } from "../scripts/build/layout.ts";
import { runtimeCommand } from "../scripts/demo/runtimes.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { writeWav } from "../scripts/wav.ts";
import { skipWithoutNamespaces } from "./support/bare_root.ts";
import { sipcoreCommand } from "./support/command_line.ts";
import { kamailioUsers, skipWithoutKamailio } from "./support/kamailio.ts";
import { type CodeBlock, codeBlocks, docstringExamples, readText, withClaims } from "./support/markdown.ts";
import { ownName } from "./support/program.ts";
import type { Job, Outcome } from "./support/programs/papers.ts";
import { sourceFiles } from "./support/sources.ts";

const papers = [
  "README.md",
  ...readdirSync(join(ROOT, "docs")).filter((file) => file.endsWith(".md")).sort().map((file) =>
    `docs/${file}`
  ),
];
const sources = sourceFiles().filter((file) => /^(core|media)\/.*\.ts$/.test(file));
const blocks = papers.flatMap(codeBlocks);
const examples = sources.flatMap(docstringExamples);
const tasks = (JSON.parse(readText("package.json")) as { scripts: Record<string, string> }).scripts;
const folder = join(layoutOf(false).folder, "papers", ownName);
const onlyDeno = ownName === "Deno" ? false : "once is enough: Deno's tests do it";

/** The examples with what they are called with, and what is run meanwhile. */
const programs: Readonly<
  Record<string, { readonly args: readonly string[]; readonly commands?: readonly string[] }>
> = {
  "answer.ts": { args: ["greeting.wav"], commands: ["sipcore call sip:a@127.0.0.1 --seconds 0.3"] },
  "call.ts": { args: ["sip:bob@127.0.0.2"] },
  "call_domain.ts": { args: ["sip:bob@example.com"] },
  "message.ts": { args: [], commands: ["sipcore message sip:a@127.0.0.1:5070 'Hello!'"] },
  "register.ts": { args: ["sip:alice@example.com", "alicepw", "127.0.0.2:5060"], commands: ["sleep 0.3"] },
  "echo.ts": { args: [], commands: ["sipcore call sip:a@127.0.0.1 --seconds 0.3"] },
  "transcriber.ts": { args: ["recordings"], commands: ["sipcore call sip:a@127.0.0.1 --seconds 0.3"] },
  "voice_agent.ts": {
    args: ["ws://127.0.0.1:9", "5060"],
    // No service is there: who calls is told so. tests/voice_agent_test.ts has one.
    commands: ["sipcore call sip:a@127.0.0.1 --seconds 0.3 || test $? = 1"],
  },
  "subscribe.ts": { args: ["sip:bob@127.0.0.2:5060"], commands: ["sleep 0.3"] },
};

const nameOf = ({ file, line }: CodeBlock) => `${file}:${line}`;

/** Whether a command is one of the project's tasks, which have tests of their own. */
function isTask(line: string): boolean {
  const task = /^(?:npm run|deno task|bun run|npm) ([\w:]+)(?: --.*)?$/.exec(line)?.[1];
  return task !== undefined && Object.hasOwn(tasks, task);
}

/** A shell block without what has tests of its own; empty: nothing is left. */
function shellText({ text }: CodeBlock): string {
  const lines = text.split("\n").map((line) => line.replace(/\s+#.*$/, "").trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#") && !isTask(line)).join("\n");
}

/** Writes a module where it finds the package by its name. */
function module(stage: string, name: string, text: string): string {
  const path = join(folder, stage, `${name.replace(/\W+/g, "_")}.ts`);
  writeFileSync(path, text);
  return path;
}

/** What sh finds: the command line from the source tree, both runtimes. */
function makeCommands(stage: string): string {
  const bin = join(folder, stage, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(
    join(bin, "sipcore"),
    `#!/bin/sh\nexec ${sipcoreCommand.map((word) => `'${word}'`).join(" ")} "$@"\n`,
  );
  chmodSync(join(bin, "sipcore"), 0o755);
  for (const name of ["Deno", "Bun"] as const) {
    symlinkSync(resolve(runtimeCommand(name, ROOT)[0]), join(bin, name.toLowerCase()));
  }
  return bin;
}

/** A program that guides speak of. */
const started = `import { Engine } from "@sipcore/sipcore";
await using engine = new Engine();
await engine.start();
`;

/** A network of its own, in which example.com is a Kamailio's address. */
const namespace = `ip link set lo up && mount --bind "$0" /etc/hosts && exec "$@"`;

/** Runs the jobs; the names and errors of those that went wrong. */
async function run(stage: string, jobs: readonly Job[]): Promise<string[]> {
  const place = join(folder, stage);
  await writeWav(join(place, "greeting.wav"), makeSound("callee", { seconds: 1 }));
  writeFileSync(join(place, "program.ts"), started);
  writeFileSync(join(place, "hosts"), "127.0.0.1 localhost\n127.0.0.2 example.com sip.example.com\n");
  writeFileSync(join(place, "jobs.json"), JSON.stringify(jobs));
  const env = {
    PATH: `${makeCommands(stage)}:${process.env["PATH"]}`,
    SIP_PASSWORD: kamailioUsers.alice,
    SIPCORE_PASSWORD: kamailioUsers.alice,
  };
  const options = ownName === "Deno" ? ["run", "--allow-all", "--no-check", "--quiet"] : ["run"];
  const program = fileURLToPath(new URL("./support/programs/papers.ts", import.meta.url));
  const child = new Child(
    "papers",
    "unshare",
    [
      ...["--map-root-user", "--net", "--mount", "sh", "-c", namespace, join(place, "hosts")],
      ...[process.execPath, ...options, program, join(place, "jobs.json")],
    ],
    env,
    place,
  );
  const status = await child.end(240_000);
  // An executable is large.
  rmSync(join(place, "program"), { force: true });
  const outcomes = join(place, "outcomes");
  const lines = existsSync(outcomes) ? readFileSync(outcomes, "utf8").trim().split("\n") : [];
  const told = lines.map((line) => JSON.parse(line) as Outcome);
  if (process.env["SIPCORE_PAPERS"]) {
    for (const { name, milliseconds } of told) console.log(name, milliseconds);
  }
  const failed = told.filter(({ error }) => error !== null).map(({ name, error }) => `${name}: ${error}`);
  const missing = jobs.filter(({ name }) => !told.some((one) => one.name === name)).map(({ name }) =>
    `${name}: not run`
  );
  if (status !== 0 || missing.length > 0) failed.push(child.failure(`ended with ${status}`).message);
  return [...failed, ...missing];
}

function fresh(stage: string): void {
  rmSync(join(folder, stage), { recursive: true, force: true });
  mkdirSync(join(folder, stage), { recursive: true });
}

const skip = skipWithoutNamespaces || skipWithoutKamailio ||
  (inPath("ip") ? false : "there is no ip (Debian: iproute2)");

/** The code of the papers. */
function paperJobs(): Job[] {
  fresh("papers");
  return blocks.filter(({ notRun }) => notRun === null).flatMap((block): Job[] => {
    const { language, text, commands, beside } = block;
    const name = nameOf(block);
    if (language === "ts") {
      return [{ name, language, code: module("papers", name, withClaims(text)), args: [], commands, beside }];
    }
    const code = language === "sh" ? shellText(block) : "";
    return code === "" ? [] : [{ name, language, code, args: [], commands, beside }];
  });
}

/** The programs in examples/, and the examples of the classes. */
function exampleJobs(): Job[] {
  fresh("examples");
  const files = readdirSync(join(ROOT, "examples")).filter((file) => file.endsWith(".ts")).sort();
  return [
    ...files.map((file) => ({
      name: `examples/${file}`,
      language: "ts",
      code: join(ROOT, "examples", file),
      args: programs[file]?.args ?? [],
      commands: programs[file]?.commands ?? [],
    })),
    ...examples.map((block) => ({
      name: `${nameOf(block)} ${block.name}`,
      language: "ts",
      code: module("examples", nameOf(block), withClaims(block.text)),
      args: [],
      commands: [],
      // Somebody at port 5060, whom some of them name.
      beside: "sipcore listen --address 127.0.0.1",
    })),
  ];
}

describe("README and guides", () => {
  let ofPapers: Promise<string[]>;
  let ofExamples: Promise<string[]>;
  before(() => {
    if (skip) return;
    // Side by side: they mostly wait.
    ofPapers = run("papers", paperJobs());
    ofExamples = run("examples", exampleJobs());
    for (const each of [ofPapers, ofExamples]) each.catch(() => {});
  });

  it("README and guides hold code that runs as it is printed", { skip, timeout: 300_000 }, async () => {
    assertEquals(await ofPapers, []);
  });

  it("The examples, and those of the classes, run", { skip, timeout: 300_000 }, async () => {
    assertEquals(await ofExamples, []);
  });

  it("README and guides hold code of the right types", { skip: onlyDeno, timeout: 120_000 }, () => {
    fresh("types");
    const all = [...blocks.filter(({ language }) => language === "ts"), ...examples];
    const modules = all.map((block) => module("types", nameOf(block), `${block.text}\nexport {};\n`));
    const { status, stderr } = spawnSync(process.execPath, ["check", ...modules], {
      cwd: ROOT,
      encoding: "utf8",
    });
    assertEquals(status, 0, stderr);
  });

  it("README and guides link to what is there", () => {
    const broken = papers.flatMap((paper) => {
      const text = readText(paper).replace(/```[\s\S]*?```/g, "");
      return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
        .filter((target) => !/^(https?:|#)/.test(target))
        .filter((target) => !existsSync(join(ROOT, dirname(paper), target.replace(/#.*$/, ""))))
        .map((target) => `${paper} links to ${target}`);
    });
    assertEquals(broken, []);
  });

  it("README and guides name tasks that there are", () => {
    const lines = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.split("\n"))
      .map((line) => line.replace(/\s+#.*$/, "").trim());
    const wrong = lines.filter((line) =>
      /^(npm run|npm test|deno task|bun run [\w:]+$)/.test(line) && !isTask(line)
    );
    assertEquals(wrong, []);
  });
});

describe("Examples", () => {
  it("Examples are each run, and stand in the list of those to read", () => {
    const files = readdirSync(join(ROOT, "examples")).filter((file) => file.endsWith(".ts")).sort();
    assertEquals(files, Object.keys(programs).sort());
    const listed = [...readText("examples/README.md").matchAll(/\]\((\w+\.ts)\)/g)].map(([, file]) => file!);
    assertEquals(listed.sort(), files);
  });

  it("Examples are there for every class", () => {
    const shown = new Set(examples.map(({ name }) => name));
    const twins = /^(Base|Frozen)(?!List$|Dict$)/;
    const classes = Object.entries(sipcore).filter(([name, value]) =>
      typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value)) &&
      !twins.test(name)
    ).map(([name]) => name);
    assert(classes.length > 30);
    const isError = (name: string) => name.endsWith("Error") && name !== "SIPCoreError";
    assertEquals(classes.filter((name) => !shown.has(name) && !isError(name)), []);
  });
});

describe("deno doc", { skip: onlyDeno }, () => {
  it("deno doc --lint finds every public name documented", { timeout: 60_000 }, () => {
    const env = { ...process.env, NO_COLOR: "1" };
    const { status, stderr } = spawnSync(process.execPath, ["doc", "--lint", "mod.ts"], {
      cwd: ROOT,
      encoding: "utf8",
      env,
    });
    const errors = stderr.split("\n").filter((line) => /^error|^ *-->/.test(line));
    assertEquals([status, errors], [0, []]);
  });
});
