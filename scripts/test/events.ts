// SPDX-License-Identifier: GPL-2.0-or-later
/** What the test files tell beside the runner's report; see node-test.ts. */
import { appendFileSync, readFileSync } from "node:fs";
import process from "node:process";

export type TestEvent =
  | { readonly type: "file"; readonly file: string }
  | { readonly type: "skip"; readonly file: string; readonly name: string; readonly reason: string };

/** Names the file that the events are written to, one JSON text a line. */
export const eventsVariable = "SIPCORE_TEST_EVENTS";

export function tell(event: TestEvent): void {
  const path = process.env[eventsVariable];
  if (path) appendFileSync(path, `${JSON.stringify(event)}\n`);
}

/** The events of a run; a last line that was cut off is left out. */
export function readEvents(path: string): TestEvent[] {
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as TestEvent);
}
