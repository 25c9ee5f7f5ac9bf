// SPDX-License-Identifier: GPL-2.0-or-later
/** Reads the JUnit reports of `deno test` and `bun test`, which both run `node:test`, into one form. */

export interface Case {
  /** Titles from the outermost suite to the test, joined by " > ". */
  readonly name: string;
  readonly skipped: boolean;
  /** null: it passed, or was skipped. */
  readonly failure: string | null;
}

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, word) => {
    if (word !== undefined) return entities[word] ?? whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : parseInt(hex, 16));
  });
}

function attributes(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, unescape(value!)]),
  );
}

/**
 * The tests of a report, without those suites that are nothing but the sum of their tests.
 *
 * @throws Error when it is no whole JUnit report.
 */
export function parseJunit(xml: string): Case[] {
  if (!/<\/testsuites>\s*$/.test(xml)) throw new Error("The report is not whole");
  const cases: Case[] = [];
  // Bun nests suites and names the test alone; Deno has one level and names the whole path.
  const suites: string[] = [];
  const element =
    /<testsuite\b([^>]*?)(\/?)>|<\/testsuite>|<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const [whole, suite, empty, testcase, content = ""] of xml.matchAll(element)) {
    if (suite !== undefined) {
      if (empty) continue;
      const { name = "", line } = attributes(suite);
      suites.push(line === undefined ? "" : name);
    } else if (whole === "</testsuite>") {
      suites.pop();
    } else {
      const { name = "" } = attributes(testcase!);
      cases.push({
        name: [...suites.filter((title) => title !== ""), name].join(" > "),
        skipped: content.includes("<skipped"),
        failure: failureOf(content),
      });
    }
  }
  return cases.filter((one) => !isSum(one, cases));
}

function failureOf(content: string): string | null {
  const found = /<(?:failure|error)\b([^>]*?)(?:\/>|>([\s\S]*?)<\/(?:failure|error)>)/.exec(content);
  if (!found) return null;
  return unescape(found[2] ?? "").trim() || (attributes(found[1]!)["message"] ?? "failed");
}

/** A suite that Deno reports among the tests: it says something of its own only when none of its tests failed. */
function isSum({ name, failure }: Case, cases: readonly Case[]): boolean {
  const inside = cases.filter((other) => other.name.startsWith(`${name} > `));
  return inside.length > 0 && (failure === null || inside.some((other) => other.failure !== null));
}
