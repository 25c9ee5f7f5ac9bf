// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { skipWithoutAlsa, tellingProgram } from "./support/alsa.ts";
import { libraryFile } from "./support/library_file.ts";
import { skipWithoutProc } from "./support/process_figures.ts";

const none = [[], [], []];
const patient = { timeout: 40_000 };

describe("Engine's sound devices", { skip: skipWithoutProc }, () => {
  let folder = "";
  let env: Record<string, string> = {};

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sipcore-devices-"));
    env = { ALSA_CONFIG_PATH: join(folder, "asound.conf") };
  });

  after(() => rm(folder, { recursive: true }));

  const run = (task: string, more: Record<string, string> = {}) =>
    tellingProgram("devices", [task, folder], { ...env, ...more });

  it("Engine.soundDevices are ALSA's by direction, looked for when asked, again after a change", {
    ...patient,
    skip: skipWithoutAlsa,
  }, async () => {
    const headset = [["headset"], ["headset"], ["headset"]];
    assertEquals(await run("list"), [{
      before: none,
      running: [["microphone", "headset"], ["speaker", "headset"], ["speaker", "microphone", "headset"]],
      same: true,
      later: headset,
      after: none,
      again: headset,
      // A start costs nothing of it.
      loaded: [false, true],
    }]);
  });

  it("AudioDevicesDidChange and DefaultAudioDeviceDidChange tell what came and went, and what it replaced", {
    ...patient,
    skip: skipWithoutAlsa,
  }, async () => {
    const first = ["speaker", "microphone"], second = ["headset", ...first], third = [...second, "default"];
    const list = (oldDevices: string[], newDevices: string[]) => ({
      name: "AudioDevicesDidChange",
      data: { oldDevices, newDevices },
      devices: newDevices,
      isEngine: true,
    });
    const other = (changedInput: boolean, changedOutput: boolean, devices: string[]) => ({
      name: "DefaultAudioDeviceDidChange",
      data: { changedInput, changedOutput },
      devices,
      isEngine: true,
    });
    assertEquals(await run("changes"), [
      list(first, second),
      other(true, true, second),
      list(second, third),
      other(false, true, third),
      other(false, true, third),
      list(third, []),
      other(true, true, []),
    ]);
  });

  it("AudioDevicesDidChange reaches streams of all names; one thread watches, and ends with the engine", {
    ...patient,
    skip: skipWithoutAlsa,
  }, async () => {
    assertEquals(await run("aside"), [{
      devices: ["speaker"],
      names: ["AudioDevicesDidChange", "DefaultAudioDeviceDidChange"],
      watchers: [0, 1, 0],
    }]);
  });

  it("Engine logs what ALSA complains about, and leaves stderr alone", {
    ...patient,
    skip: skipWithoutAlsa,
  }, async () => {
    await writeFile(env["ALSA_CONFIG_PATH"]!, "pcm.broken { type\n");
    assertEquals(await run("log"), [{ found: none }, { level: 4, sender: "alsa" }]);
  });

  it("Engine and AudioMixer work without libasound, and with one that is none", patient, async () => {
    const libraries = { empty: join(folder, "empty"), foreign: join(folder, "foreign") };
    await writeFile(env["ALSA_CONFIG_PATH"]!, "");
    for (const path of Object.values(libraries)) await mkdir(path);
    await writeFile(join(libraries.empty, "libasound.so.2"), "");
    await symlink(libraryFile, join(libraries.foreign, "libasound.so.2"));
    for (const path of Object.values(libraries)) {
      assertEquals(await run("missing", { LD_LIBRARY_PATH: path }), [{
        found: none,
        selected: [null, null, null, null, 200],
      }]);
    }
  });
});
