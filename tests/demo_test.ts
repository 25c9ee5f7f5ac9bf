// SPDX-License-Identifier: GPL-2.0-or-later
import { spawn } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { RouteHeader } from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { startChild } from "../scripts/demo/child.ts";
import { runLoopback } from "../scripts/demo/loopback.ts";
import { parseOptions, UsageError } from "../scripts/demo/options.ts";
import { PatienceError, within } from "../scripts/demo/patience.ts";
import { decodeCommand, decodeEvent, encodeLine, type PartyEvent } from "../scripts/demo/protocol.ts";
import { runCall, runListen } from "../scripts/demo/remote.ts";
import { callOver, describeRoute } from "../cli/route.ts";
import { runtimeCommand } from "../scripts/demo/runtimes.ts";
import { callLines, verdictLines } from "../scripts/demo/summary.ts";
import { painter, Screen } from "../scripts/demo/terminal.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { callReport, FakeParty, type Faults } from "./support/fake_party.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sipcore-demo-"));
});

after(async () => {
  for (const pid of running) process.kill(-pid, "SIGKILL");
  await rm(folder, { recursive: true });
});

describe("parseOptions()", () => {
  it("reads the three ways to run", () => {
    assertEquals(parseOptions([])?.mode, { kind: "loopback" });
    assertEquals(parseOptions(["sip:bob@example.com"])?.mode, { kind: "call", uri: "sip:bob@example.com" });
    assertEquals(parseOptions(["--listen", "5060"])?.mode, { kind: "listen", port: 5060 });
    assertEquals(parseOptions(["--help", "--listen", "x"]), null);
  });

  it("reads every option", () => {
    const args =
      "sip:b@h --swap --codec PCMU --file a.wav --seconds 2.5 --folder d --user u --password p --plot";
    assertEquals(parseOptions(args.split(" ")), {
      mode: { kind: "call", uri: "sip:b@h" },
      swap: true,
      codec: "PCMU",
      file: "a.wav",
      seconds: 2.5,
      folder: "d",
      username: "u",
      password: "p",
      plot: true,
    });
  });

  it("refuses what cannot be followed, and says what", () => {
    const wrong: readonly (readonly [string, string])[] = [
      ["--listen 0", "port"],
      ["--listen 65536", "port"],
      ["--listen 5060x", "port"],
      ["--listen", "listen"],
      ["bob@example.com", "Not an address"],
      ["sip:", "Not an address"],
      ["sip:a@b sip:c@d", "One address"],
      ["sip:a@b --listen 5060", "Either"],
      ["--seconds 1", "2 to 3600"],
      ["--seconds NaN", "2 to 3600"],
      ["--seconds 9999", "2 to 3600"],
      ["--user u --password p", "address to call"],
      ["sip:a@b --user u", "together"],
      ["--codec=", "--codec wants a value"],
      ["--loud", "loud"],
    ];
    for (const [args, message] of wrong) {
      assertThrows(() => parseOptions(args.split(" ")), UsageError, message);
    }
  });
});

describe("protocol", () => {
  it("carries every kind of text in one line", () => {
    const event: PartyEvent = { type: "note", at: 1, name: "N", text: "a\r\nb\u2028\ud800" };
    const line = encodeLine(event);
    assertEquals(line.indexOf("\n"), line.length - 1);
    assertEquals(decodeEvent(line), event);
    const command = { type: "call", uri: "sip:a@b", username: null, password: null } as const;
    assertEquals(decodeCommand(encodeLine(command)), command);
  });

  it("decodeEvent() leaves alone what is no event", () => {
    for (const line of ["", "hello", "{", "{}", "[1]", "null", '{"type":"note"}', '{"type":"x","at":1}']) {
      assertEquals(decodeEvent(line), null);
    }
  });

  it("decodeCommand() throws on anything else", () => {
    for (const line of ["", "{}", '{"type":"fly"}']) {
      assertThrows(() => decodeCommand(line), Error, "Not a command");
    }
  });
});

describe("within()", () => {
  const never = new Promise<never>(() => {});

  it("gives the result, or ends with the clock, the signal, or the promise's own error", async () => {
    assertEquals(await within(Promise.resolve(1), 1000, "late"), 1);
    await assertRejects(() => within(never, 1, "too late"), PatienceError, "too late");
    await assertRejects(
      () => within(never, null, "", AbortSignal.abort(new Error("enough"))),
      Error,
      "enough",
    );
    const controller = new AbortController();
    const waiting = within(never, null, "", controller.signal);
    controller.abort(new Error("stop"));
    await assertRejects(() => waiting, Error, "stop");
    await assertRejects(() => within(Promise.reject(new Error("own")), 1000, "late"), Error, "own");
  });
});

describe("callOver()", () => {
  const routes = ["192.0.2.1", "192.0.2.2", "2001:db8::3"].map((address) =>
    RouteHeader.to({ address, transport: address === "192.0.2.2" ? "tls" : "udp" })
  );
  const failed = { ...callReport, code: 503, endedBy: null, ringing: null, setUp: null };

  /** Calls over the routes with these ends; gives the last report and where the attempts went. */
  async function attempts(...reports: (typeof callReport)[]): Promise<[typeof callReport, string[]]> {
    const went = [describeRoute(routes[0]!)];
    const next = (route: RouteHeader): void => void went.push(describeRoute(route));
    return [await callOver(routes, () => Promise.resolve(reports.shift()!), next), went];
  }

  it("goes on until somebody is reached", async () => {
    const [last, went] = await attempts(failed, { ...failed, code: 408 }, callReport);
    assert(last === callReport);
    assertEquals(went, ["192.0.2.1:5060 over UDP", "192.0.2.2:5061 over TLS", "[2001:db8::3]:5060 over UDP"]);
    const none = await attempts(failed, failed, failed);
    assert(none[0] === failed);
    assertEquals(none[1].length, 3);
  });

  it("asks nobody else after an answer, a ring, or the user's own hang-up", async () => {
    for (
      const report of [
        callReport,
        { ...failed, code: 486 },
        { ...failed, code: 500 },
        { ...failed, code: null },
        { ...failed, ringing: 10 },
        { ...failed, endedBy: "local" as const },
      ]
    ) assertEquals((await attempts(report))[1].length, 1);
  });

  it("throws where there is no route", async () => {
    await assertRejects(() => callOver([], () => Promise.reject(), () => {}), Error, "no route");
  });
});

describe("runtimeCommand()", () => {
  it("prefers the environment, then node_modules, then the PATH", async () => {
    const here = join(folder, "runtimes");
    const program = process.execPath;
    assertEquals(runtimeCommand("Bun", here, { SIPCORE_BUN: program })[0], program);
    assertEquals(runtimeCommand("Deno", root, {})[0], join(root, "node_modules/deno/deno"));
    assertThrows(
      () => runtimeCommand("Deno", here, { SIPCORE_DENO: "/no/such" }),
      Error,
      "SIPCORE_DENO names no",
    );
    assertThrows(() => runtimeCommand("Bun", here, { PATH: "/no:/such" }), Error, "/such/bun");
    await writeFile(join(folder, "bun"), "#!/bin/sh\n", { mode: 0o755 });
    assertEquals(runtimeCommand("Bun", here, { PATH: `/no:${folder}` })[0], join(folder, "bun"));
  });
});

describe("callLines()", () => {
  const lines = (...args: Parameters<typeof callLines>): string => callLines(...args).join("\n");
  const plain = painter(false);

  it("joins what both parties know", () => {
    const text = lines({
      caller: callReport,
      callee: {
        ...callReport,
        received: { packets: 231, bytes: 1, arrival: { lost: 1, jitter: { mean: 0.5, max: 2 } } },
      },
    }, plain);
    assertMatch(text, /ringing after 4 ms, answered after 12 ms/);
    assertMatch(text, /4\.7 s, ended by the caller$/m);
    assertMatch(text, /Packets received +231 +230/);
    assertMatch(text, /Lost +1 \(0\.4 %\) +2 \(0\.9 %\)/);
    assertMatch(text, /Jitter, at most +2\.0 ms +1\.5 ms/);
  });

  it("tells what one party knows, of the far end only what RTCP told", () => {
    const text = lines({ callee: callReport }, plain);
    assertMatch(text, /ended by the callee/);
    assertMatch(text, /^ +sent +received$/m);
    assertMatch(text, /Packets +232 +230/);
    assertMatch(text, /Lost +- +2 \(0\.9 %\)/);
    assertMatch(text, /Jitter, mean +- +0\.3 ms/);
    const arrival = { lost: 58, jitter: { mean: 3, max: 4 } };
    const told = lines({ caller: { ...callReport, sent: { packets: 232, bytes: 1, arrival } } }, plain);
    assertMatch(told, /Lost +58 \(25\.0 %\) +2 \(0\.9 %\)/);
    assertMatch(told, /Jitter, at most +4\.0 ms +1\.5 ms/);
  });

  it("tells why a call ended that nobody simply hung up", () => {
    const ended = (report: Partial<typeof callReport>): string =>
      lines({ caller: { ...callReport, endedBy: null, length: null, ...report } }, plain).split("\n")[1]!;
    assertMatch(
      ended({ code: 408, reason: "Request Timeout", cause: "timeout" }),
      /\(408 Request Timeout, timeout\)$/,
    );
    assertMatch(ended({ code: 503, reason: "Oops", cause: "Oops" }), /\(503 Oops\)$/);
    assertMatch(ended({ code: null, cause: "engine stopped" }), /\(engine stopped\)$/);
  });

  it("tells of a call without an answer, and of no call", () => {
    const failed = {
      ...callReport,
      setUp: null,
      ringing: null,
      length: null,
      code: 486,
      reason: "Busy\x1b Here",
    };
    const text = lines(
      { caller: { ...failed, cause: null, codec: null, sent: null, received: null, endedBy: "remote" } },
      plain,
    );
    assertEquals(
      text,
      "  Set-up            not answered\n  Call              ended by the callee (486 Busy\ufffd Here)",
    );
    assertMatch(lines({}, plain), /There was no call/);
  });
});

describe("verdictLines()", () => {
  it("passes above 0.9 only", () => {
    const marks = [0.95, 0.9, null].map((match) => {
      const verdict = {
        listener: "caller",
        recording: "a.wav",
        match,
        problem: match === null ? "gone" : null,
      };
      return verdictLines(
        [verdict as Parameters<typeof verdictLines>[0][number]],
        painter(false),
        (p) => p,
      )[0];
    });
    assertEquals(marks, [
      "  ✔ what the caller heard: match 0.950   a.wav",
      "  ✘ what the caller heard: match 0.900   a.wav",
      "  ✘ what the caller heard: not measured   a.wav\n    gone",
    ]);
  });
});

/** Runs one way of the demo with parties that follow a script; gives the exit status and what was printed. */
async function play(
  faults: Faults,
  run: typeof runLoopback,
  args: readonly string[] = [],
  signal: AbortSignal = new AbortController().signal,
): Promise<{ status: number; text: string; pair: ReturnType<typeof FakeParty.pair> }> {
  const pair = FakeParty.pair(faults);
  let text = "";
  const status = await run(parseOptions(["--seconds", "2", ...args])!, {
    screen: new Screen({ write: (part: string) => text += part }, {}),
    folder,
    signal,
    startParty: (side) => pair[side],
    show: (path) => path.slice(folder.length + 1),
  });
  return { status, text, pair };
}

describe("runLoopback()", () => {
  it("draws the call, sums it up, and gives 0 when both recordings match", async () => {
    const { status, text, pair } = await play({}, runLoopback, ["--codec", "PCMU"]);
    assertEquals(status, 0);
    const order = [
      "Caller",
      "INVITE + SDP",
      "180 Ringing",
      "200 OK + SDP",
      " ACK ",
      "♪ PCMU 8000 Hz ♪",
      "Set-up",
    ];
    const places = order.map((word) => text.indexOf(word));
    assertEquals(places, places.toSorted((a, b) => a - b));
    assert(!places.includes(-1));
    assertMatch(text, /✔ what the caller heard: match 1\.000 +caller-heard\.wav/);
    assertMatch(text, /The call works/);
    assertEquals(pair.caller.commands.map((command) => command.type), ["start", "call", "hangup"]);
    assertEquals(pair.callee.commands.map((command) => command.type), ["start", "hangup"]);
    const [start, call] = pair.caller.commands;
    assert(
      start?.type === "start" && start.options.codec === "PCMU" && start.options.address === "127.0.0.1",
    );
    assert(call?.type === "call" && call.uri === "sip:callee@127.0.0.1:5060");
  });

  it("draws a picture of the call with --plot, and none without", async () => {
    const picture = join(folder, "call.svg");
    assertEquals((await play({}, runLoopback)).text.includes("Picture"), false);
    await assertRejects(() => readFile(picture));
    const { status, text } = await play({}, runLoopback, ["--plot"]);
    assertEquals(status, 0);
    assertMatch(text, /Picture +call\.svg/);
    const svg = await readFile(picture, "utf8");
    assertMatch(svg, /^<svg .*\n<title>Call with sip:peer@127\.0\.0\.1, PCMU 8000 Hz<\/title>/);
    assertEquals(svg.match(/<polyline/g)?.length, 6);
  });

  it("gives 1 when a party records something else", async () => {
    const { status, text } = await play({ hearsItself: "callee" }, runLoopback);
    assertEquals(status, 1);
    assertMatch(text, /✘ what the callee heard: match 0/);
    assertMatch(text, /✔ what the caller heard/);
    assertMatch(text, /does not work/);
  });

  it("gives 1 when the call is refused, also with good recordings of an earlier run", async () => {
    assertEquals((await play({}, runLoopback)).status, 0);
    const { status, text } = await play({ refuse: "486 Busy Here" }, runLoopback);
    assertEquals(status, 1);
    assertMatch(text, /486 Busy Here/);
    assertMatch(text, /The call ended too early/);
    assertMatch(text, /not measured/);
  });

  it("gives 1 and the reason when a party cannot start", async () => {
    const { status, text, pair } = await play({ cannotStart: "callee" }, runLoopback);
    assertEquals(status, 1);
    assertMatch(text, /No library/);
    assertEquals(pair.caller.commands.map((command) => command.type), ["start", "hangup"]);
  });

  it("hangs up and gives 130 when the user ends it", async () => {
    const controller = new AbortController();
    const result = play({ neverPlays: "caller" }, runLoopback, [], controller.signal);
    controller.abort(new Error("Interrupted"));
    const { status, text, pair } = await result;
    assertEquals(status, 130);
    assertEquals(pair.caller.commands.at(-1)?.type, "hangup");
    assertEquals(/does not work/.test(text), false);
  });

  it("plays the file that it was given, and judges by it", async () => {
    const file = join(folder, "own.wav");
    const sound = makeSound("callee", { sampleRate: 8000, seconds: 3 });
    await writeWav(file, { ...sound, samples: sound.samples.toReversed() });
    const { status } = await play({}, runLoopback, ["--file", file]);
    assertEquals(status, 0);
    assertEquals(await readWav(join(folder, "callee-heard.wav")), await readWav(file));
    await writeFile(file, "no sound");
    await assertRejects(() => play({}, runLoopback, ["--file", file]), Error, "own.wav: Not a WAV file");
  });
});

describe("runCall()", () => {
  it("calls the address with the credentials, and draws what comes back", async () => {
    const args = ["sip:bob@example.com", "--user", "u", "--password", "p"];
    const { status, text, pair } = await play(
      {},
      (o, c) => runCall("sip:bob@example.com", o, autoHangUp(c)),
      args,
    );
    assertEquals(status, 0);
    const call = pair.caller.commands[1];
    assertEquals(call, { type: "call", uri: "sip:bob@example.com", username: "u", password: "p" });
    assertMatch(text, /◀─+ 180 Ringing ─+┤/);
    assertMatch(text, /├─+ ACK ─+▶│/);
    assertEquals(/[^x] p\b/.test(text.replaceAll("Caller", "")), false);
  });

  it("gives 1 when nobody answers", async () => {
    const { status, text } = await play(
      { refuse: "486 Busy Here" },
      (o, c) => runCall("sip:b@h", o, autoHangUp(c)),
      ["sip:b@h"],
    );
    assertEquals(status, 1);
    assertMatch(text, /not answered/);
  });

  /** The fake callee takes part unseen; its end is the end of the call. */
  function autoHangUp(company: Parameters<typeof runCall>[2]): typeof company {
    return {
      ...company,
      startParty: (side) => {
        const party = company.startParty(side) as FakeParty;
        const callee = company.startParty("callee");
        const files = { play: join(folder, "caller.wav"), record: join(folder, "unseen.wav") };
        const options = { side: "callee", codec: null, address: null, port: 0, ...files } as const;
        callee.send({
          type: "start",
          options: { ...options, loop: false, echo: false, stay: false, hangUpAfter: null },
        });
        void (async () => {
          for await (const event of callee.events) {
            if (event.type === "played" || event.type === "ended") callee.send({ type: "hangup" });
          }
        })();
        return party;
      },
    };
  }
});

describe("runListen()", () => {
  it("waits until the user ends it, and gives 0", async () => {
    const controller = new AbortController();
    const result = play({}, (o, c) => runListen(5070, o, c), ["--listen", "5070"], controller.signal);
    setTimeout(() => controller.abort(new Error("Interrupted")), 20);
    const { status, text, pair } = await result;
    assertEquals(status, 0);
    assertMatch(text, /Calls answered: 1/);
    const start = pair.callee.commands[0];
    assert(start?.type === "start");
    const { port, stay, echo, loop, hangUpAfter } = start.options;
    assertEquals({ port, stay, echo, loop, hangUpAfter }, {
      port: 5070,
      stay: true,
      echo: true,
      loop: false,
      hangUpAfter: 2,
    });
  });

  it("gives 1 when it cannot start", async () => {
    const { status, text } = await play({ cannotStart: "callee" }, (o, c) => runListen(5070, o, c));
    assertEquals(status, 1);
    assertMatch(text, /No library/);
  });
});

describe("startChild()", () => {
  async function eventsOf(source: string): Promise<{ events: PartyEvent[]; output: string[] }> {
    const script = join(folder, "child.mjs");
    await writeFile(script, source);
    const output: string[] = [];
    const party = startChild({
      side: "caller",
      command: runtimeCommand("Bun", root),
      script,
      onOutput: (line) => output.push(line),
    });
    party.send({ type: "hangup" });
    const events: PartyEvent[] = [];
    for await (const event of party.events) events.push(event);
    party.send({ type: "hangup" });
    return { events, output };
  }

  it("gives the events, hands on what else is printed, and outlives the child", async () => {
    const { events, output } = await eventsOf(`
      process.stdin.once("data", (data) => {
        console.log(JSON.stringify({ type: "note", at: 1, name: "heard", text: String(data).trim() }));
        console.log("hello");
        console.error("oh");
        process.exit(0);
      });
    `);
    assertEquals(events, [{ type: "note", at: 1, name: "heard", text: '{"type":"hangup"}' }]);
    assertEquals(output.toSorted(), ["hello", "oh"]);
  });

  it("reports a child that fails or is killed", async () => {
    const status = (await eventsOf("process.exit(3);")).events;
    assert(status[0]?.type === "failed" && status[0].message === "The caller left with status 3");
    const killed = (await eventsOf('process.kill(process.pid, "SIGKILL");')).events;
    assert(killed[0]?.type === "failed" && killed[0].message === "The caller died of SIGKILL");
  });

  it("reports a program that does not exist", async () => {
    const party = startChild({
      side: "callee",
      command: [join(folder, "nothing")],
      script: "x",
      onOutput: () => {},
    });
    const events: PartyEvent[] = [];
    for await (const event of party.events) events.push(event);
    assert(events[0]?.type === "failed" && /ENOENT|nothing/.test(events[0].message));
  });
});

interface Run {
  /** Resolves with the exit status when the demo has ended. */
  readonly status: Promise<number | null>;
  readonly text: string;
  /** Ctrl-C: to the demo and to everything that it started. */
  interrupt(): void;
  /** Resolves when this has been printed. */
  printed(word: string): Promise<void>;
}

/** What a failed test may leave running. */
const running = new Set<number>();

/** Runs the demo as the user does. */
function demo(args: readonly string[]): Run {
  const [program, ...run] = runtimeCommand("Deno", root);
  const child = spawn(program, [...run, join(root, "scripts/demo.ts"), ...args], {
    env: { ...process.env, NO_COLOR: "1" },
    detached: true,
  });
  let text = "";
  const readers = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      for (const read of readers) read();
    });
  }
  running.add(child.pid!);
  const status = new Promise<number | null>((resolve) => child.on("close", resolve));
  void status.then(() => running.delete(child.pid!));
  return {
    status,
    get text() {
      return text;
    },
    interrupt: () => void process.kill(-child.pid!, "SIGINT"),
    printed: (word) =>
      new Promise((resolve, reject) => {
        const read = (): void => text.includes(word) ? resolve() : undefined;
        readers.add(read);
        read();
        void status.then(() => reject(new Error(`No "${word}" in\n${text}`)));
      }),
  };
}

/** A call takes its seconds, and a busy machine some more. */
const patient = { timeout: 60_000 };

/** A UDP and TCP port that nobody uses. */
function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    })
  );
}

describe("npm run demo", () => {
  it("--help tells how, and a wrong option is refused with status 2", patient, async () => {
    const help = demo(["--help"]);
    assertEquals(await help.status, 0);
    assertMatch(help.text, /^Usage: npm run demo/);
    const wrong = demo(["--loud"]);
    assertEquals(await wrong.status, 2);
    assertMatch(wrong.text, /Usage/);
  });

  for (const swap of [false, true]) {
    it(`makes a call with sound ${swap ? "from Bun to Deno" : "from Deno to Bun"}`, patient, async () => {
      const args = ["--seconds", "2", "--codec", "PCMU", "--folder", folder];
      const run = demo(swap ? [...args, "--swap"] : args);
      assertEquals(await run.status, 0, run.text);
      for (const word of ["INVITE + SDP", "180 Ringing", "200 OK + SDP", "ACK", "BYE", "200 OK (BYE)"]) {
        assert(run.text.includes(` ${word} `), `No "${word}" in\n${run.text}`);
      }
      assertMatch(run.text, swap ? /Bun [0-9.]+.*Deno [0-9.]+/ : /Deno [0-9.]+.*Bun [0-9.]+/);
      assertMatch(run.text, /Codec +PCMU, 8000 Hz/);
      const played = await readWav(join(folder, "callee.wav"));
      assert(correlate(played, await readWav(join(folder, "caller-heard.wav"))).median > 0.9);
    });
  }

  it("hangs up on Ctrl-C", patient, async () => {
    const run = demo(["--seconds", "30", "--folder", folder]);
    await run.printed("♪");
    run.interrupt();
    assertEquals(await run.status, 130, run.text);
    assert(run.text.includes(" BYE ") && run.text.includes(" 200 OK (BYE) "), run.text);
  });

  it("calls an address, where --listen answers one call after the other until Ctrl-C", patient, async () => {
    const port = await freePort();
    const [left, right] = [join(folder, "left"), join(folder, "right")];
    const listener = demo(["--listen", `${port}`, "--folder", right, "--codec", "PCMA"]);
    await listener.printed(`port ${port}`);
    for (const [host, transport] of [["127.0.0.1", "udp"], ["localhost", "tcp"]]) {
      const run = demo([
        `sip:demo@${host}:${port};transport=${transport}`,
        "--seconds",
        "2",
        "--folder",
        left,
      ]);
      assertEquals(await run.status, 0, run.text);
      assertMatch(run.text, /Codec +PCMA, 8000 Hz/);
      assertMatch(run.text, /ended by the caller/);
      const played = makeSound("callee", { seconds: 8 });
      const start = { ...played, samples: played.samples.slice(0, 24000) };
      assert(correlate(start, await readWav(join(left, "caller-heard.wav"))).median > 0.9, run.text);
    }
    listener.interrupt();
    assertEquals(await listener.status, 0, listener.text);
    assertMatch(listener.text, /Calls answered: 2/);
    const heard = await readWav(join(right, "callee-heard-2.wav"));
    const played = makeSound("caller", { seconds: 8 });
    assert(correlate({ ...played, samples: played.samples.slice(0, 24000) }, heard).median > 0.9);
  });

  it("gives 1 where nobody listens", patient, async () => {
    const port = await freePort();
    const run = demo([`sip:demo@127.0.0.1:${port};transport=tcp`, "--folder", folder]);
    assertEquals(await run.status, 1, run.text);
    assertMatch(run.text, /not answered/);
  });

  it("gives 1 and says so where there is no route", patient, async () => {
    const run = demo(["sip:demo@256.0.0.1", "--folder", folder]);
    assertEquals(await run.status, 1, run.text);
    assertMatch(run.text, /no route to "256\.0\.0\.1"/);
  });
});
