// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readArguments } from "../cli/command.ts";
import { listen } from "../cli/commands/listen.ts";
import { Failure, statusOf } from "../cli/exit_status.ts";
import { AudioMixer, version } from "../mod.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { skipWithoutAlsa, writeAlsaConfig } from "./support/alsa.ts";
import { callPort } from "./support/calls.ts";
import { sipcore, startListening, startSipcore, toldBy } from "./support/command_line.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Kamailio, kamailioUsers, skipWithoutKamailio } from "./support/kamailio.ts";
import { Peer } from "./support/peer.ts";
import { TalkingEnd } from "./support/talking_end.ts";
import { until } from "./support/until.ts";

const patient = { timeout: 60_000 };

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sipcore-cli-"));
});
after(() => rm(folder, { recursive: true }));

describe("sipcore's words", () => {
  const read = (...args: string[]) => {
    try {
      return readArguments(listen, args);
    } catch (error) {
      assert(error instanceof Failure);
      return [error.status, error.message] as const;
    }
  };

  it("sipcore reads its options, and refuses what it does not know or cannot use, with status 2", () => {
    const good = readArguments(listen, ["--port=5070", "--echo", "--seconds", "2.5"]);
    assertEquals(good.values.port("port"), 5070);
    assertEquals([good.values.has("echo"), good.values.has("once")], [true, false]);
    assertEquals(good.values.number("seconds", 0.1, 1e6), 2.5);
    assertEquals(good.values.text("play"), null);
    for (const args of [["--nonsense"], ["--port"], ["stray"], ["--echo=yes"]]) {
      const result = read(...args);
      assert(Array.isArray(result) && result[0] === 2, String(args));
    }
    for (
      const [name, value] of [["port", "65536"], ["port", "x"], ["port", "1.5"], ["seconds", "0"]] as const
    ) {
      const { values } = readArguments(listen, [`--${name}`, value]);
      try {
        if (name === "port") values.port(name);
        else values.number(name, 0.1, 1e6);
        assert(false, value);
      } catch (error) {
        assert(error instanceof Failure && error.status === 2, String(error));
        assertStringIncludes(error.message, `--${name}`);
      }
    }
  });

  it("sipcore's exit status tells a refusal from silence", () => {
    assertEquals([200, 202, 302, 404, 486, 603].map(statusOf), [0, 0, 1, 1, 1, 1]);
    assertEquals([null, 0, 408, 503].map(statusOf), [4, 4, 4, 4]);
  });

  it("sipcore explains itself, and says what is wrong", patient, async () => {
    const run = async (...args: string[]) => {
      const child = startSipcore(args);
      return { status: await child.end(20_000), text: child.output.join("\n") };
    };
    const [all, one, none, other, missing, codec, file] = await Promise.all([
      run("--help"),
      run("call", "--help"),
      run(),
      run("frobnicate"),
      run("call"),
      run("listen", "--codec", "nonsense"),
      run("call", "sip:a@127.0.0.1", "--play", join(folder, "none.wav")),
    ]);
    assertEquals([all.status, one.status, none.status, other.status, missing.status], [0, 0, 2, 2, 2]);
    assertMatch(all.text, /call URI[\s\S]*listen[\s\S]*register URI[\s\S]*Exit status: 0 done/);
    assertMatch(one.text, /--play WAV[\s\S]*--password TEXT[\s\S]*--json/);
    assertStringIncludes(other.text, `There is no command "frobnicate"`);
    assertEquals(codec.status, 2, codec.text);
    assertStringIncludes(codec.text, "nonsense");
    assertEquals(file.status, 3, file.text);
    assertStringIncludes(file.text, "none.wav");
  });
});

describe("sipcore version, codecs and devices", () => {
  it("sipcore tells versions and codecs, and which library is missing", patient, async () => {
    const [versions, codecs, missing] = await Promise.all([
      sipcore(["version"]),
      sipcore(["codecs"]),
      sipcore(["version"], { env: { SIPCORE_LIBRARY: join(folder, "none.so") } }),
    ]);
    assertEquals(versions.status, 0, versions.output);
    assertEquals([versions.told[0]!["sipcore"], versions.told[0]!["pjsip"]], [version, "2.17"]);
    assertEquals(codecs.status, 0, codecs.output);
    const names = codecs.told.map(({ name }) => name);
    for (const name of ["opus", "G722", "PCMU", "PCMA", "GSM"]) assert(names.includes(name), name);
    assertEquals(missing.status, 3);
    assertStringIncludes(missing.output, "none.so");
  });

  it("sipcore devices tells the names and directions of ALSA's devices", {
    ...patient,
    skip: skipWithoutAlsa,
  }, async () => {
    const config = join(folder, "asound.conf");
    writeAlsaConfig(config, [{ name: "speaker", plays: join(folder, "played.raw") }]);
    const { status, told, output } = await sipcore(["devices"], { env: { ALSA_CONFIG_PATH: config } });
    assertEquals(status, 0, output);
    assertEquals(told.map(({ name, input, output }) => [name, input, output]), [["speaker", false, true]]);
  });
});

describe("sipcore call and listen", () => {
  it(
    "sipcore call and sipcore listen hear what the other plays, dial, and tell of the call",
    patient,
    async () => {
      const sounds = {
        caller: makeSound("caller", { seconds: 1.5 }),
        callee: makeSound("callee", { seconds: 1.5 }),
      };
      const file = (name: string) => join(folder, `${name}.wav`);
      await Promise.all([writeWav(file("caller"), sounds.caller), writeWav(file("callee"), sounds.callee)]);
      const { child, port } = await startListening([
        "--once",
        ...["--play", file("callee"), "--record", file("heard-by-callee")],
      ]);
      const uri = `sip:bob@127.0.0.1:${port}`;
      const called = await sipcore([
        ...["call", uri, "--from", "sip:alice@127.0.0.1"],
        ...["--play", file("caller"), "--record", file("heard-by-caller"), "--dtmf", "42"],
      ]);
      assertEquals(called.status, 0, called.output);
      assertEquals(await child.end(10_000), 0);

      const states = called.told.filter(({ event }) => event === "state").map(({ state }) => state);
      assertEquals(states.slice(0, 4), ["outgoing", "early", "connecting", "connected"]);
      const end = called.told.at(-1)!;
      assertEquals([end.event, end["endedBy"], end["codec"]], ["ended", "local", "opus"]);
      assert((end["received"] as { packets: number }).packets > 30, called.output);
      const told = toldBy(child);
      assertEquals(told.find(({ event }) => event === "incoming")!["from"], "sip:alice@127.0.0.1");
      assertEquals(told.filter(({ event }) => event === "dtmf").map(({ digit }) => digit), ["4", "2"]);
      for (const [of, heardBy] of [["callee", "caller"], ["caller", "callee"]] as const) {
        const { median } = correlate(sounds[of], await readWav(file(`heard-by-${heardBy}`)));
        // Keys are sent in the place of sound, and machines are busy.
        assert(median > 0.5, `${heardBy} heard ${of}: ${median}`);
      }
    },
  );

  it("sipcore listen goes along with a caller that holds, and changes the codec", patient, async () => {
    const { child, port } = await startListening(["--once"]);
    const engine = await startEngine({ rtpPortRange: [44900, 44999] });
    using mixer = new AudioMixer(null, null);
    using end = new TalkingEnd(mixer, null, ["PCMU", "G722"]);
    const updates: string[] = [];
    const call = callPort(port, end.offer({ codec: "PCMU" }));
    end.follow(call, () => updates.push(`${end.audio.codec} ${end.audio.direction}`));
    const settle = (count: number): Promise<true> =>
      until(
        () => updates.length === count && call.state === "connected" && call.subState === "normal",
        "No answer",
      );
    await settle(1);
    call.sendReinvite({ sdp: end.offer({ codec: "PCMU", direction: "sendonly" }) });
    await settle(2);
    call.sendReinvite({ sdp: end.offer({ codec: "G722" }) });
    await settle(3);
    assertEquals(updates, ["PCMU sendrecv", "PCMU sendonly", "G722 sendrecv"]);
    const { packets } = end.audio.statistics!.rx;
    await until(() => end.audio.statistics!.rx.packets > packets + 10, "Nothing is heard any more");
    call.end();
    assertEquals(await child.end(10_000), 0);
    const talks = toldBy(child).filter(({ event }) => event === "talk").map(({ codec }) => codec);
    assertEquals(talks, ["PCMU", "PCMU", "G722"]);
    end[Symbol.dispose]();
    mixer.close();
    assertEquals(engine.isRunning, true);
    await stopEngine();
  });

  it(
    "sipcore call and sipcore listen encrypt their sound, and refuse a peer that cannot",
    patient,
    async () => {
      const [secure, plain] = await Promise.all([startListening(["--srtp"]), startListening()]);
      const call = (port: number, ...options: string[]) =>
        sipcore(["call", `sip:a@127.0.0.1:${port}`, "--seconds", "0.3", ...options]);
      const [both, one, refused] = await Promise.all([
        call(secure.port, "--srtp-only"),
        call(plain.port, "--srtp"),
        call(plain.port, "--srtp-only"),
      ]);
      const srtp = ({ told }: typeof both) => told.find(({ event }) => event === "talk")?.["srtp"];
      assertEquals([both.status, srtp(both)], [0, true], both.output);
      assertEquals([one.status, srtp(one)], [0, false], one.output);
      assertEquals([refused.status, srtp(refused)], [1, undefined], refused.output);
      await Promise.all([secure.child.stop(), plain.child.stop()]);
    },
  );

  it(
    "sipcore call tells a refusal, an unreachable peer and Ctrl-C apart by its exit status",
    patient,
    async () => {
      await using peer = await Peer.open();
      const { child, port } = await startListening(["--reject", 486]);
      const ringing = startSipcore(["call", peer.uri, "--json", "--address", "127.0.0.1"]);
      const interrupted = (async () => {
        const invite = await peer.next({ method: "INVITE", timeoutMs: 20_000 });
        peer.respond(invite, 180);
        await ringing.line(/"early"/, 10_000);
        ringing.signal("SIGINT");
        const cancel = await peer.next({ method: "CANCEL" });
        peer.respond(cancel, 200);
        peer.respond(invite, 487);
        return await ringing.end(10_000);
      })();
      const [busy, nowhere, name, status] = await Promise.all([
        sipcore(["call", `sip:a@127.0.0.1:${port}`]),
        sipcore(["call", `sip:a@127.0.0.1:9`, "--timeout", "0.5"]),
        sipcore(["call", "sip:a@nowhere.invalid"]),
        interrupted,
      ]);
      assertEquals([busy.status, busy.told.at(-1)!["code"]], [1, 486], busy.output);
      assertEquals([nowhere.status, name.status], [4, 4], nowhere.output + name.output);
      assertStringIncludes(name.output, "nowhere.invalid");
      assertEquals(status, 130);
      child.signal("SIGINT");
      assertEquals(await child.end(10_000), 0);
    },
  );
});

describe("sipcore message and trace", () => {
  it("sipcore message delivers its words or its standard input, and tells a refusal", patient, async () => {
    await using peer = await Peer.open();
    const { child, port } = await startListening();
    const uri = `sip:bob@127.0.0.1:${port}`;
    const piped = startSipcore(["message", uri, "--json"]);
    piped.write("from a pipe");
    piped.endInput();
    const refused = (async () => {
      peer.respond(await peer.next({ method: "MESSAGE", timeoutMs: 20_000 }), 403);
    })();
    const [said, other, status] = await Promise.all([
      sipcore(["message", uri, "Hello, Bob!", "--from", "sip:alice@127.0.0.1"]),
      sipcore(["message", peer.uri, "Hello?"]),
      piped.end(20_000),
      refused,
    ]);
    assertEquals([said.status, status, other.status], [0, 0, 1], said.output + other.output);
    assertEquals([other.told[0]!["delivered"], other.told[0]!["code"]], [false, 403]);
    child.signal("SIGTERM");
    assertEquals(await child.end(10_000), 0);
    const messages = toldBy(child).filter(({ event }) => event === "message");
    assertEquals(messages.map(({ text }) => text).sort(), ["Hello, Bob!", "from a pipe"]);
    assert(messages.some(({ from }) => from === "sip:alice@127.0.0.1"));
  });

  it(
    "sipcore trace shows the messages of a question and its answer, and those that come in",
    patient,
    async () => {
      const waiting = startSipcore(["trace", "--json", "--address", "127.0.0.1"]);
      const { match } = await waiting.line(/"event":"ready".*"udpPort":(\d+)/, 20_000);
      const asked = await sipcore(["trace", `sip:127.0.0.1:${match[1]}`, "--from", "sip:alice@127.0.0.1"]);
      assertEquals(asked.status, 0, asked.output);
      const [request, response, answer] = asked.told;
      assertMatch(String(request!["text"]), /^OPTIONS sip:127\.0\.0\.1/);
      assertMatch(String(response!["text"]), /^SIP\/2\.0 200 OK/);
      assertEquals([request!["received"], response!["received"], answer!["code"]], [false, true, 200]);
      waiting.signal("SIGINT");
      assertEquals(await waiting.end(10_000), 0);
      const came = toldBy(waiting).filter(({ event }) => event === "message");
      assertEquals(came.map(({ received }) => received), [true, false]);
    },
  );
});

describe("sipcore and Kamailio", { skip: skipWithoutKamailio }, () => {
  let kamailio: Kamailio;
  before(async () => {
    kamailio = await Kamailio.start();
  });
  after(() => kamailio[Symbol.asyncDispose]());

  /** The options that make it a user of Kamailio's. */
  const as = (user: "alice" | "bob", password: string = kamailioUsers[user]) => [
    ...["--from", kamailio.uri(user), "--password", password],
    ...["--proxy", `127.0.0.1:${kamailio.port}`, "--address", "127.0.0.1"],
  ];

  it("sipcore register registers, unregisters, and tells a wrong password", patient, async () => {
    const uri = kamailio.uri("alice");
    const [good, wrong, hidden] = await Promise.all([
      sipcore(["register", uri, "--once", "--transport", "tcp", ...as("alice")]),
      sipcore(["register", uri, ...as("alice", "wrong")]),
      sipcore(
        ["register", kamailio.uri("bob"), "--seconds", "0.7", "--proxy", `127.0.0.1:${kamailio.port}`],
        {
          env: { SIPCORE_PASSWORD: kamailioUsers.bob },
        },
      ),
    ]);
    assertEquals(good.status, 0, good.output);
    assertEquals(good.told.map(({ event }) => event), ["registered", "unregistered"]);
    assertMatch(String(good.told[0]!["contacts"]), /^sip:alice@127\.0\.0\.1:\d+;transport=tcp$/);
    assertEquals([wrong.status, wrong.told.map(({ code }) => code)], [1, [401]], wrong.output);
    assertEquals(hidden.status, 0, hidden.output);
    assertEquals(hidden.told.map(({ event }) => event), ["registered", "unregistered"]);
  });

  it("sipcore listen is reachable at a registrar by calls and messages", patient, async () => {
    const { child } = await startListening([
      "--register",
      kamailio.uri("bob"),
      "--once",
      "--echo",
      ...as("bob"),
    ]);
    await child.line(/"registered"/, 20_000);
    const said = await sipcore(["message", kamailio.uri("bob"), "By way of Kamailio", ...as("alice")]);
    assertEquals(said.status, 0, said.output);
    const called = await sipcore(["call", kamailio.uri("bob"), "--seconds", "1", ...as("alice")]);
    assertEquals(called.status, 0, called.output);
    assertEquals(await child.end(10_000), 0);
    const events = toldBy(child).map(({ event }) => event);
    for (const event of ["message", "incoming", "talk", "ended"]) assert(events.includes(event), event);
    assertEquals(events.at(-1) === "unregistered" || events.includes("unregistered"), true);
  });

  it("sipcore subscribe prints what it is told", patient, async () => {
    const { status, told, output } = await sipcore([
      "subscribe",
      kamailio.uri("bob"),
      "--once",
      ...as("alice"),
    ]);
    assertEquals(status, 0, output);
    const notify = told.find(({ event }) => event === "notify");
    assert(notify !== undefined, output);
    assert(notify["contentType"] === null || notify["contentType"] === "application/pidf+xml", output);
    const wrong = await sipcore(["subscribe", kamailio.uri("bob"), "--once", ...as("alice", "wrong")]);
    assertEquals(wrong.status, 1, wrong.output);
  });
});

describe("sipcore's statuses", () => {
  it("sipcore's documented exit statuses are those of the code", async () => {
    const text = await readFile(new URL("../cli/usage.ts", import.meta.url), "utf8");
    for (
      const each of [
        "0 done",
        "1 the other side refused",
        "2 the command",
        "3 something",
        "4 nobody",
        "130 Ctrl-C",
      ]
    ) {
      assertStringIncludes(text, each);
    }
  });
});
