// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Stands in for `node:test` during `npm test`: the same functions, which also tell which file has begun and why a
 * test is skipped. Neither runner reports the reason, and Bun says nothing at all of a suite that is skipped.
 */
import * as real from "node:test";
import { tell } from "./events.ts";

/** A title, options and a function, each of which may be left out. */
type Arguments = readonly unknown[];
type Register = (...args: Arguments) => unknown;
type Options = { readonly skip?: boolean | string; readonly todo?: boolean | string };

let titles: readonly string[] = [];
let current = "";

/** The test file that calls. */
function callingFile(): string {
  return /[\w-]+_test\.ts/.exec(new Error().stack ?? "")?.[0] ?? "a file without a name";
}

function enter(): string {
  const file = callingFile();
  if (file !== current) tell({ type: "file", file });
  return current = file;
}

/** Runs the body of a suite, now or later, with the titles of the suite around what is registered in it. */
function nest(path: readonly string[], body: unknown): unknown {
  if (typeof body !== "function") return body;
  return (...args: Arguments): unknown => {
    const outside = titles;
    titles = path;
    try {
      return body(...args);
    } finally {
      titles = outside;
    }
  };
}

function announcing<F extends object>(register: F, isSuite: boolean): F {
  const call = register as unknown as Register;
  const announced = (...args: Arguments): unknown => {
    const file = enter();
    const title = typeof args[0] === "string" ? args[0] : "<anonymous>";
    const path = [...titles, title];
    const given = args.find((arg) => typeof arg === "object" && arg !== null) as Options | undefined;
    const skip = given?.skip || given?.todo;
    if (skip) {
      const reason = typeof skip === "string" ? skip : "no reason given";
      tell({ type: "skip", file, name: path.join(" > "), reason });
    }
    return call(...(isSuite ? args.map((arg) => nest(path, arg)) : args));
  };
  // it.skip() and the like come along as they are: they have no reason that could be told.
  return Object.assign(announced, register) as unknown as F;
}

// Taken now: where the module itself is replaced, its bindings lead here later.
export const it: typeof real.it = announcing(real.it, false);
export const test: typeof real.test = announcing(real.test, false);
export const describe: typeof real.describe = announcing(real.describe, true);
export const suite: typeof real.suite = announcing(real.suite, true);
export const before: typeof real.before = real.before;
export const after: typeof real.after = real.after;
export const beforeEach: typeof real.beforeEach = real.beforeEach;
export const afterEach: typeof real.afterEach = real.afterEach;
export const mock: typeof real.mock = real.mock;
export default test;
