// SPDX-License-Identifier: GPL-2.0-or-later
/** The programs of examples/ and README.md that have the sound of calls in their hands, each in a process of its own. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { deadline, delay } from "@std/async";
import { AudioMixer } from "../mod.ts";
import type { Child } from "../scripts/bench/child.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, type Sound } from "../scripts/wav.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { readSound, writeSound } from "./support/pcm.ts";
import { startScript } from "./support/program.ts";
import { SpeechService } from "./support/speech_service.ts";
import { until } from "./support/until.ts";
import { VoiceCall } from "./support/voice_call.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const sampleRate = 8000;
/** Other processes may keep these from sending in time. */
const likeness = 0.7;

const said: Sound = makeSound("caller", { seconds: 1.2, sampleRate });
const answered: Sound = makeSound("callee", { seconds: 1.2, sampleRate });
/** As services have it. */
const spoken = (seconds: number): Sound => makeSound("callee", { seconds, sampleRate: 24000 });

describe("Examples", () => {
  let folder = "";
  let mixer: AudioMixer;
  /** They go on side by side. */
  const stories = new Map<string, Promise<void>>();
  const tell = (title: string, story: () => Promise<void>): void => {
    begins.push(() => {
      const told = story();
      told.catch(() => {});
      stories.set(title, told);
    });
    it(title, () => stories.get(title)!);
  };
  const begins: (() => void)[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-examples-"));
    await startEngine({ codecs: ["PCMU"], rtpPortRange: [41000, 41400] });
    mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    for (const begin of begins) begin();
  });

  after(async () => {
    await Promise.allSettled(stories.values());
    mixer.close();
    await stopEngine();
    await rm(folder, { recursive: true });
  });

  /** Runs a program until the test is through with it, which then must end by itself. */
  async function withProgram(
    script: string,
    args: readonly (string | number)[],
    use: (port: number, program: Child) => Promise<void>,
  ): Promise<void> {
    const program = startScript(script, args);
    try {
      const { match } = await program.line(/^Call sip:\w+@127\.0\.0\.1:(\d+)$/, 20_000);
      await use(Number(match[1]), program);
      // Not by the child's own kill(): Deno would say that this ended it.
      process.kill(program.pid, "SIGINT");
      await program.end(10_000);
      assertEquals(await program.ended, { code: 0, signal: null }, program.output.join("\n"));
    } finally {
      program.kill();
    }
  }

  tell("echo.ts says again what it hears, a second later", async () => {
    await withProgram(join(root, "examples/echo.ts"), [0], async (port) => {
      await using call = await VoiceCall.start(mixer, port, sampleRate);
      const [heard] = await Promise.all([readSound(call.voice, 2800), writeSound(call.voice, said)]);
      const { median, offset } = correlate(said, heard);
      assertGreater(median, likeness);
      assert(offset > 1 && offset < 2, `${offset} s later`);
    });
  });

  tell("transcriber.ts writes a file for each speaker, who hear each other", async () => {
    await withProgram(join(root, "examples/transcriber.ts"), [folder, 0], async (port, program) => {
      const spoke = [1, 2].map((speaker) =>
        program.line(new RegExp(`^${speaker}-sipcore spoke from`), 10_000)
      );
      const left = [1, 2].map((speaker) => program.line(new RegExp(`^${speaker}-sipcore has left`), 10_000));
      {
        await using one = await VoiceCall.start(mixer, port, sampleRate);
        await using other = await VoiceCall.start(mixer, port, sampleRate);
        const [heard] = await Promise.all([
          readSound(other.voice, 1600),
          writeSound(one.voice, said),
          writeSound(other.voice, answered),
        ]);
        assertGreater(correlate(said, heard).median, likeness);
        await Promise.all(spoke);
      }
      await Promise.all(left);
      assertEquals((await readdir(folder)).filter((file) => file.endsWith(".wav")).sort(), [
        "1-sipcore.wav",
        "2-sipcore.wav",
      ]);
      assertGreater(correlate(said, await readWav(join(folder, "1-sipcore.wav"))).median, likeness);
      assertGreater(correlate(answered, await readWav(join(folder, "2-sipcore.wav"))).median, likeness);
    });
  });

  tell("voice_agent.ts lets a speech service talk with the caller, who may interrupt it", async () => {
    await using service = await SpeechService.start();
    await withProgram(join(root, "examples/voice_agent.ts"), [service.url, 0], async (port) => {
      {
        await using call = await VoiceCall.start(mixer, port, sampleRate);
        await service.event("session.update");
        await converse(service, call);
        service.confuse();
        // What was said to its end is told, what was cut off is too.
        assertEquals((await service.event("output_audio_buffer.mark", "item_1")).reached, true);
        assertEquals((await service.event("output_audio_buffer.mark", "item_2")).reached, false);
        const { item_id, audio_end_ms } = await service.event("conversation.item.truncate");
        assertEquals(item_id, "item_2");
        assert(audio_end_ms! > 200 && audio_end_ms! < 2500, `${audio_end_ms} ms`);
      }
      await until(() => !service.isConnected, "The service is left");
      await using call = await VoiceCall.start(mixer, port, sampleRate);
      await until(() => service.isConnected, "The service is called again");
      service.hangUp();
      await deadline(call.ended(), 10_000);
    });
  });

  tell("README.md has a voice agent that works as it stands there", async () => {
    const readme = await readFile(join(root, "README.md"), "utf8");
    const [, program = ""] = /^## A voice agent$[\s\S]*?^```ts$([\s\S]*?)^```$/m.exec(readme) ?? [];
    assertLess(program.split("\n").length, 44);
    await using service = await SpeechService.start();
    const script = join(folder, "readme.ts");
    const its = [
      [`"@sipcore/sipcore"`, JSON.stringify(pathToFileURL(join(root, "mod.ts")).href)],
      ["ws://127.0.0.1:8080", service.url],
      ["udpPort: 5060", "udpPort: 0, codecs: ['PCMU']"],
      [
        "const mixer =",
        "console.log(`Call sip:agent@127.0.0.1:${engine.udpPort}`);\n" +
        'process.once("SIGINT", () => engine.stop());\nconst mixer =',
      ],
    ] as const;
    let source = program;
    for (const [from, to] of its) {
      assert(source.includes(from), from);
      source = source.replaceAll(from, to);
    }
    await writeFile(script, source);
    await withProgram(script, [], async (port) => {
      await using call = await VoiceCall.start(mixer, port, sampleRate);
      await until(() => service.isConnected, "The service is called");
      await converse(service, call);
    });
  });

  /** Both speak to their end, then the service, which the caller interrupts. */
  async function converse(service: SpeechService, call: VoiceCall): Promise<void> {
    await until(() => service.heard.samples.length > 0, "The service hears");
    service.say("item_1", spoken(1.2));
    const [heard] = await Promise.all([readSound(call.voice, 1800), writeSound(call.voice, said)]);
    assertGreater(correlate(answered, heard).median, likeness, "the caller");
    const samples = service.heard.samples.length + 12000;
    await until(() => service.heard.samples.length > samples, "The service has heard all");
    assertGreater(correlate(said, service.heard).median, likeness, "the service");
    await catchUp(call);
    service.say("item_2", spoken(4));
    const loud = loudUntilSilence(call);
    await delay(900);
    service.interrupt();
    const ms = await loud;
    assert(ms > 200 && ms < 2500, `It was heard for ${ms} ms`);
  }

  /** Reads what waits. */
  async function catchUp({ voice }: VoiceCall): Promise<void> {
    const reader = voice.readable.getReader();
    for (let took = 0; took < 3;) {
      const begin = performance.now();
      await deadline(reader.read(), 10_000);
      took = performance.now() - begin;
    }
    reader.releaseLock();
  }

  /** Reads until 400 ms of silence have come after some sound; how many ms of sound were there. */
  async function loudUntilSilence({ voice }: VoiceCall): Promise<number> {
    const reader = voice.readable.getReader();
    let loud = 0;
    for (let quiet = 0; quiet < 20 || loud === 0;) {
      const { value } = await deadline(reader.read(), 10_000);
      const isLoud = value!.some((sample) => Math.abs(sample) > 300);
      if (isLoud) loud += 20;
      quiet = isLoud ? 0 : quiet + 1;
    }
    reader.releaseLock();
    return loud;
  }
});
