// SPDX-License-Identifier: GPL-2.0-or-later
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandLine, compile, whyDenoCannotCompile } from "../scripts/compile/executable.ts";
import { correlate } from "../scripts/correlation.ts";
import { makeSound } from "../scripts/make-sounds.ts";
import { readWav, writeWav } from "../scripts/wav.ts";
import { inBareRoot, makeBareRoot, skipWithoutNamespaces, withMounted } from "./support/bare_root.ts";
import { Certificates, skipWithoutOpenssl } from "./support/certificates.ts";
import { sipcore, startListening } from "./support/command_line.ts";
import { Kamailio, kamailioUsers, skipWithoutKamailio } from "./support/kamailio.ts";
import { libraryFile } from "./support/library_file.ts";
import { ownName } from "./support/program.ts";

const patient = { timeout: 60_000 };

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sipcore-executable-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Lets an executable call itself over loopback; how well it heard what it played. */
async function callItself(command: [string, ...string[]], env: Record<string, string>): Promise<number> {
  const sound = makeSound("callee", { seconds: 1.5 });
  const [greeting, heard] = [join(folder, "greeting.wav"), join(folder, "heard.wav")];
  await writeWav(greeting, sound);
  const options = { command, env, cwd: folder };
  const { child, port } = await startListening(["--once", "--play", greeting], options);
  const called = await sipcore(
    ["call", `sip:bob@127.0.0.1:${port}`, "--seconds", "2", "--record", heard],
    options,
  );
  assertEquals(called.status, 0, called.output);
  assertEquals(await child.end(10_000), 0);
  return correlate(sound, await readWav(heard)).median;
}

describe("bun build --compile", {
  skip: ownName === "Bun" ? false : "once is enough: Bun's tests do it",
}, () => {
  let executable = "";
  before(() => {
    executable = join(folder, "sipcore-bun");
    assertEquals(compile("Bun", commandLine, executable), null);
  });

  it(
    "an executable of Bun's carries the library: alone in a bare root it registers by TLS, calls and records",
    {
      ...patient,
      skip: skipWithoutNamespaces || skipWithoutKamailio || skipWithoutOpenssl,
    },
    async () => {
      using certificates = new Certificates();
      await using kamailio = await Kamailio.start({ certificate: certificates.get("good") });
      const root = join(folder, "root");
      makeBareRoot(root, executable);
      const command = inBareRoot(root);
      const as = (user: "alice" | "bob", port: number) => [
        ...["--from", kamailio.uri(user), "--password", kamailioUsers[user]],
        ...["--proxy", `127.0.0.1:${port}`, "--address", "127.0.0.1"],
      ];
      const registered = await sipcore(
        ["register", kamailio.uri("alice"), "--once", "--transport", "tls", ...as("alice", kamailio.tlsPort)],
        { command },
      );
      assertEquals(registered.status, 0, registered.output);
      assertEquals(registered.told.map(({ event }) => event), ["registered", "unregistered"]);

      const sound = makeSound("callee", { seconds: 2 });
      await writeWav(join(folder, "bob.wav"), sound);
      const { child } = await startListening([
        ...["--once", "--register", kamailio.uri("bob"), "--play", join(folder, "bob.wav")],
        ...as("bob", kamailio.port),
      ]);
      await child.line(/"registered"/, 20_000);
      const called = await sipcore(
        [
          "call",
          kamailio.uri("bob"),
          "--seconds",
          "2.5",
          "--record",
          "/heard.wav",
          ...as("alice", kamailio.port),
        ],
        { command },
      );
      assertEquals(called.status, 0, called.output);
      assertEquals(await child.end(10_000), 0);
      const { median } = correlate(sound, await readWav(join(root, "heard.wav")));
      assert(median > 0.8, String(median));
    },
  );

  it("an executable of Bun's calls itself from an empty folder", patient, async () => {
    const match = await callItself(["env", "-i", `TMPDIR=${folder}`, executable], {});
    assert(match > 0.8, String(match));
  });

  it(
    "an executable of Bun's says what helps where its library cannot be unpacked, and takes SIPCORE_LIBRARY",
    {
      ...patient,
      skip: skipWithoutNamespaces,
    },
    async () => {
      await Promise.all(["ro", "noexec"].map(async (options) => {
        const mounted = mkdtempSync(join(folder, "mounted-"));
        const command = withMounted(mounted, options, executable);
        const there = { TMPDIR: mounted, BUN_TMPDIR: mounted, SIPCORE_LIBRARY: "" };
        const failed = await sipcore(["version"], { command, env: there });
        assertEquals(failed.status, 3, failed.output);
        assertStringIncludes(failed.output, "this executable");
        assertStringIncludes(
          failed.output,
          "let TMPDIR name a folder that this user may write to and run programs from",
        );
        const named = await sipcore(["version"], {
          command,
          env: { ...there, SIPCORE_LIBRARY: libraryFile },
        });
        assertEquals(named.status, 0, named.output);
      }));
    },
  );
});

const why = ownName === "Deno" ? whyDenoCannotCompile() : "once is enough: Deno's tests do it";

describe("deno compile", { skip: why ?? false }, () => {
  it(
    "an executable of Deno's carries the library and calls itself from an empty folder",
    patient,
    async () => {
      const executable = join(folder, "sipcore-deno");
      assertEquals(compile("Deno", commandLine, executable), null);
      const match = await callItself(["env", "-i", `TMPDIR=${folder}`, executable], {});
      assert(match > 0.8, String(match));
    },
  );
});

describe("whyDenoCannotCompile()", {
  skip: ownName === "Deno" ? false : "once is enough: Deno's tests do it",
}, () => {
  it("whyDenoCannotCompile() goes by DENORT_BIN", () => {
    const own = process.env["DENORT_BIN"];
    process.env["DENORT_BIN"] = join(folder, "nowhere");
    try {
      const reason = whyDenoCannotCompile();
      assert(reason !== null);
      assertStringIncludes(reason, "deno compile fails");
    } finally {
      if (own === undefined) delete process.env["DENORT_BIN"];
      else process.env["DENORT_BIN"] = own;
    }
  });
});
