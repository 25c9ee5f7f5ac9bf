// SPDX-License-Identifier: GPL-2.0-or-later
import { before, describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { runScript, startAll } from "./support/pjsua/run_script.ts";
import { counts, type Kind, reasons, scriptsOf, skipWithoutScripts, slow } from "./support/pjsua/scripts.ts";
import { ownName } from "./support/program.ts";

const kinds = ["recvfrom", "sendto", "sipp"] as const;
const patient = { timeout: 300_000 };

function greenOf(kind: Kind): string[] {
  return skipWithoutScripts ? [] : scriptsOf(kind).filter((name) => reasons[kind][name] === undefined);
}

describe("pjproject's system tests", { skip: skipWithoutScripts }, () => {
  const chosen = kinds.flatMap((kind) =>
    greenOf(kind).filter((name) => !slow[kind].includes(name)).map((name) => ({ kind, name }))
  );
  let outcomes: Promise<void>[] = [];

  before(() => {
    outcomes = startAll(chosen.map(({ kind, name }) => () => runScript(kind, name, ownName)));
  });

  it("pjproject's system tests are all accounted for", () => {
    for (const kind of kinds) {
      const all = scriptsOf(kind);
      assertEquals({ all: all.length, green: greenOf(kind).length }, counts[kind]);
      const named = [...Object.keys(reasons[kind]), ...slow[kind]];
      assertEquals(named.filter((name) => !all.includes(name)), []);
    }
  });

  chosen.forEach(({ kind, name }, index) => {
    it(`pjproject's ${kind}/${name} passes`, patient, () => outcomes[index]);
  });
});
