// SPDX-License-Identifier: GPL-2.0-or-later
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { sipcore, startListening, toldBy } from "./support/command_line.ts";
import { Kamailio, skipWithoutKamailio } from "./support/kamailio.ts";
import { codeBlocks } from "./support/markdown.ts";
import { ownName } from "./support/program.ts";

/** The configuration that the guide prints, with other words for its address and its file. */
function configuration(port: number, list: string): string {
  let { text } = codeBlocks("docs/deployment.md").find(({ language }) => language === "kamailio")!;
  for (
    const [there, here] of [["192.0.2.10:5060", `127.0.0.1:${port}`], [
      "/etc/kamailio/dispatcher.list",
      list,
    ]] as const
  ) {
    assertStringIncludes(text, there);
    text = text.replace(there, here);
  }
  return text;
}

describe("Kamailio's dispatcher", {
  skip: skipWithoutKamailio || (ownName === "Bun" ? false : "once is enough: Bun's tests do it"),
}, () => {
  it("Kamailio, set up as the guide says, shares calls among processes and leaves out one that has gone", {
    timeout: 60_000,
  }, async () => {
    const processes = await Promise.all([startListening(), startListening()]);
    await using kamailio = await Kamailio.startWith((port, folder) => {
      const list = join(folder, "dispatcher.list");
      writeFileSync(list, processes.map((each) => `1 sip:127.0.0.1:${each.port}\n`).join(""));
      return configuration(port, list);
    });
    const call = async () => {
      const uri = `sip:anyone@127.0.0.1:${kamailio.port}`;
      const { status, output } = await sipcore(["call", uri, "--seconds", "0.2", "--timeout", "10"]);
      assertEquals(status, 0, output);
    };
    const counts = () =>
      processes.map(({ child }) => toldBy(child).filter(({ event }) => event === "incoming").length);
    try {
      await call();
      await call();
      assertEquals(counts(), [1, 1]);
      // It is found out while a call waits, which then goes to the other one.
      processes[0].child.kill();
      await processes[0].child.ended;
      await Promise.all([call(), call()]);
      assertEquals(counts(), [1, 3]);
    } finally {
      for (const { child } of processes) child.kill();
    }
  });
});
