// SPDX-License-Identifier: GPL-2.0-or-later
/** For `bun test --preload`: test files get node-test.ts in the place of `node:test`. */
import * as standIn from "./node-test.ts";

/** What is used of `bun:test`, written out so that it also type-checks outside Bun. */
interface BunTest {
  readonly mock: { module(specifier: string, factory: () => object): void };
}

// A specifier that is no literal: other runtimes' checkers do not know the scheme.
const specifier: string = "bun:test";
const { mock } = await import(specifier) as BunTest;
const copy = { ...standIn };
mock.module("node:test", () => copy);
