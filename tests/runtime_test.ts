// SPDX-License-Identifier: GPL-2.0-or-later
import process from "node:process";
import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { runtime } from "../ffi/runtime.ts";

const wanted = process.env["SIPCORE_RUNTIME"];
const running = process.versions["deno"] ? "deno" : process.versions["bun"] ? "bun" : "node";

describe("runtime", () => {
  it("runtime is the one that the run is for", {
    skip: wanted ? false : "SIPCORE_RUNTIME does not say which runtime is meant",
  }, () => {
    assertEquals(running, wanted);
  });

  it("runtime is the adapter of the runtime that runs", () => {
    assertEquals(runtime.name, running);
    runtime.check();
  });

  it("runtime.environment() reads a variable, null when it is unset", () => {
    assertEquals(runtime.environment("PATH"), process.env["PATH"]!);
    assertEquals(runtime.environment("SIPCORE_NO_SUCH_VARIABLE"), null);
  });

  it("runtime.mayBind() says yes where everything is allowed", () => {
    for (const address of ["127.0.0.1", "::1", "0.0.0.0", "::"]) assert(runtime.mayBind(address), address);
  });
});

describe(
  "checkVersion()",
  { skip: running === "bun" ? false : "ffi/bun.ts can be imported under Bun only" },
  () => {
    it("checkVersion() refuses a Bun whose callbacks corrupt memory, and says so", async () => {
      const { checkVersion } = await import("../ffi/bun.ts");
      for (const version of ["1.3.14", "1.3.999", "0.8.1", "0", "1"]) {
        const { message } = assertThrows(() => checkVersion(version), Error, `Bun ${version} is too old`);
        assert(message.includes("1.4"), message);
        assert(message.includes("memory"), message);
      }
    });

    it("checkVersion() takes 1.4.0 and what is newer", async () => {
      const { checkVersion } = await import("../ffi/bun.ts");
      for (const version of ["1.4.0", "1.4.5", "1.10.0", "2.0.0", "1.4.0-canary.1"]) checkVersion(version);
    });
  },
);
