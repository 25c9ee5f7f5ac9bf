// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { Child } from "../scripts/bench/child.ts";

describe("Child", () => {
  it("Child.end() gives the status of a process whose own child goes on and holds its output", async () => {
    const child = new Child("a shell", "sh", ["-c", "sleep 20 & echo begun; exit 3"]);
    assertEquals(await child.end(15_000), 3);
    assertEquals(child.output, ["begun"]);
    await child.stop();
  });
});
