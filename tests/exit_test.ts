// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { leave, waysToLeave } from "./support/leaving.ts";
import { ownName } from "./support/program.ts";

/** A crash at the exit would be one in some, not one in each. */
const times = 5;

describe("Engine and the end of its process", () => {
  for (const way of waysToLeave.filter(({ only = ownName }) => only === ownName)) {
    it(`Engine lets the process end by its own status: ${way.name}`, { timeout: 60_000 }, async () => {
      await Promise.all(Array.from({ length: times }, () => leave(way)));
    });
  }
});
