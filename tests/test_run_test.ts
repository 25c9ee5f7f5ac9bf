// SPDX-License-Identifier: GPL-2.0-or-later
/** `npm test` itself: what it makes of the reports, and of runs that go wrong. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ROOT } from "../scripts/build/layout.ts";
import { parseJunit } from "../scripts/test/junit.ts";
import { parseOptions, UsageError } from "../scripts/test/options.ts";
import type { Outcome } from "../scripts/test/outcome.ts";
import { alone, runSuite } from "../scripts/test/suite.ts";

describe("parseOptions()", () => {
  it("parseOptions() reads what is to be run", () => {
    assertEquals(parseOptions([]), { parts: ["static", "deno", "bun"], filter: "", asan: false });
    assertEquals(parseOptions(["--only", "bun"]), { parts: ["bun"], filter: "", asan: false });
    assertEquals(parseOptions(["--filter=uri"]), { parts: ["deno", "bun"], filter: "uri", asan: false });
    assertEquals(parseOptions(["--asan"]), { parts: ["deno", "bun"], filter: "", asan: true });
    assertEquals(parseOptions(["--help"]), null);
  });

  it("parseOptions() refuses what it does not know", () => {
    for (const args of [["--only", "node"], ["--only"], ["--filter="], ["uri"], ["--fast"]]) {
      assertThrows(() => parseOptions(args), UsageError);
    }
  });
});

describe("parseJunit()", () => {
  it("parseJunit() names a test by all its titles, as Bun nests them", () => {
    const xml = `<testsuites name="bun test">
  <testsuite name="a_test.ts" file="a_test.ts" tests="3">
    <testsuite name="A &gt; B" file="a_test.ts" line="3">
      <testcase name="good" classname="A" time="0" file="a_test.ts" line="4" assertions="0" />
      <testcase name="bad" classname="A" line="5">
        <failure type="AssertionError" message="1 &amp; 2">1 !== 2&#10;  at a_test.ts:5&#10;</failure>
      </testcase>
      <testcase name="late" classname="A" line="5">
        <failure type="TimeoutError" message="test timed out" />
      </testcase>
    </testsuite>
    <testcase name="left out" line="9">
      <skipped />
    </testcase>
  </testsuite>
</testsuites>`;
    assertEquals(parseJunit(xml), [
      { name: "A > B > good", skipped: false, failure: null },
      { name: "A > B > bad", skipped: false, failure: "1 !== 2\n  at a_test.ts:5" },
      { name: "A > B > late", skipped: false, failure: "test timed out" },
      { name: "left out", skipped: true, failure: null },
    ]);
  });

  it("parseJunit() leaves out suites that say nothing of their own, as Deno counts them", () => {
    const failure = '<failure message="x">text</failure>';
    const testcase = (name: string, content = "") =>
      `<testcase name="${name}" line="1">${content}</testcase>`;
    const xml = `<?xml version="1.0"?>\n<testsuites name="deno test"><testsuite name="./a_test.ts" tests="9">
${testcase("sum", failure)}${testcase("sum &gt; bad", failure)}${testcase("sum &gt; good")}
${testcase("whole")}${testcase("whole &gt; good")}
${testcase("hook", failure)}${testcase("hook &gt; good")}
${testcase("alone")}</testsuite></testsuites>\n`;
    assertEquals(parseJunit(xml).map(({ name, failure }) => [name, failure !== null]), [
      ["sum > bad", true],
      ["sum > good", false],
      ["whole > good", false],
      ["hook", true],
      ["hook > good", false],
      ["alone", false],
    ]);
  });

  it("parseJunit() refuses a report that was cut off", () => {
    for (const xml of ["", "<testsuites>", '<testsuites><testsuite name="a">']) {
      assertThrows(() => parseJunit(xml), Error, "not whole");
    }
  });
});

const runtime = process.versions["deno"] ? "deno" : "bun";

it("files that run alone exist", () => {
  for (const file of alone) assert(existsSync(join(ROOT, file)), file);
});

describe("runSuite()", () => {
  const folder = mkdtempSync(join(tmpdir(), "sipcore-suite-"));
  after(() => rmSync(folder, { recursive: true }));

  /** Runs test files with these contents under the present runtime. */
  async function run(name: string, files: Record<string, string>, timeout = 30_000): Promise<Outcome> {
    const own = join(folder, name);
    mkdirSync(own);
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(
        join(own, `${file}_test.ts`),
        `import { describe, it, after } from "node:test";\n${text}`,
      );
    }
    return await runSuite({
      runtime,
      program: process.execPath,
      files: Object.keys(files).map((file) => join(relative(ROOT, own), `${file}_test.ts`)),
      env: {},
      log: join(folder, "log"),
      timeout,
    });
  }

  it("runSuite() counts tests, and has the reason of each skip and the text of each failure", async () => {
    const outcome = await run("count", {
      one: `describe("suite", () => {
  it("good", () => {});
  it("bad", () => { throw new Error("because"); });
  it("left out", { skip: "no peer" }, () => {});
  describe("inner", () => {
    it("deep", () => {});
    describe("innermost", () => { it("left out too", { skip: "no luck" }, () => {}); });
  });
});
describe("gone", { skip: "no suite" }, () => { it("never seen", () => {}); });`,
      two: `it("alone", () => {}); it("unsaid", { skip: true }, () => {});`,
    });
    assertEquals(outcome.passed, 3);
    assertEquals(outcome.failures.map(({ name }) => name), [`${runtime}: suite > bad`]);
    assertStringIncludes(outcome.failures[0]!.text, "because");
    assertEquals(outcome.skips.map(({ name, reason }) => [name, reason]).sort(), [
      [`${runtime}: one_test.ts: gone`, "no suite"],
      [`${runtime}: one_test.ts: suite > inner > innermost > left out too`, "no luck"],
      [`${runtime}: one_test.ts: suite > left out`, "no peer"],
      [`${runtime}: two_test.ts: unsaid`, "no reason given"],
    ]);
    assertStringIncludes(readFileSync(join(folder, "log"), "utf8"), "one_test.ts");
  });

  it("runSuite() counts an error outside any test, of which no report tells", async () => {
    const { passed, failures } = await run("outside", {
      broken: `throw new Error("while loading");`,
      good: `it("good", () => {});`,
    });
    assertEquals([passed, failures.length], [1, 1]);
    assertStringIncludes(failures[0]!.name, "an error outside any test");
    assertStringIncludes(failures[0]!.text, "while loading");
  });

  it("runSuite() counts a hook that fails", async () => {
    const { failures } = await run("hook", {
      hook:
        `describe("suite", () => { after(() => { throw new Error("in after"); }); it("good", () => {}); });`,
    });
    assertEquals(failures.length, 1);
    assertStringIncludes(failures[0]!.text, "in after");
  });

  it("runSuite() names the file during which the runtime died", async () => {
    const { failures } = await run("crash", {
      crash: `it("dies", () => { process.kill(process.pid, "SIGKILL"); });`,
      good: `it("good", () => {});`,
    });
    assertEquals(failures.map(({ name }) => name), [
      `${runtime}: the run died of SIGKILL, during crash_test.ts`,
    ]);
  });

  it("runSuite() kills a run that does not end, and names the file", async () => {
    const { failures } = await run("hang", {
      good: `it("good", () => {});`,
      hang: `it("hangs", () => { for (;;); });`,
    }, 3000);
    assertEquals(failures.map(({ name }) => name), [
      `${runtime}: the run had not ended after 3 s, during hang_test.ts`,
    ]);
  });

  it("runSuite() counts a file without a test", async () => {
    const { passed, failures } = await run("empty", {
      empty: `void describe;`,
      good: `it("good", () => {});`,
    });
    assertEquals(passed, 1);
    assertEquals(failures.map(({ name }) => /empty_test\.ts has no test$/.test(name)), [true]);
  });

  it("runSuite() says that a runtime cannot be started", async () => {
    const { failures } = await runSuite({
      runtime,
      program: join(folder, "no-such-program"),
      files: ["tests/any_test.ts"],
      env: {},
      log: join(folder, "log"),
      timeout: 30_000,
    });
    assertEquals(failures.length, 1);
    assertStringIncludes(failures[0]!.name, "cannot be started");
  });
});
