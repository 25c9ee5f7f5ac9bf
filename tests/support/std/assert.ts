// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * What the tests use of `@std/assert`, with the same names and signatures, over `node:assert/strict`.
 * README says which line to change to take JSR's package instead.
 */
import assertStrict from "node:assert/strict";

/** An error class that can be caught, as `@std/assert` takes it. */
// deno-lint-ignore no-explicit-any -- the signature of @std/assert: any constructor of errors
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

export class AssertionError extends assertStrict.AssertionError {
  constructor(message: string) {
    super({ message });
  }
}

/** node:assert takes no `undefined` for a message that is left out. */
function message(msg: string | undefined): [] {
  return (msg === undefined ? [] : [msg]) as [];
}

export function assert(expr: unknown, msg: string = ""): asserts expr {
  if (!expr) throw new AssertionError(msg || "Expected a truthy value");
}

export function assertFalse(expr: unknown, msg: string = ""): void {
  if (expr) throw new AssertionError(msg || "Expected a falsy value");
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  assertStrict.deepStrictEqual(actual, expected, ...message(msg));
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  assertStrict.notDeepStrictEqual(actual, expected, ...message(msg));
}

export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  assertStrict.strictEqual(actual, expected, ...message(msg));
}

export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  assertStrict.notStrictEqual(actual, expected, ...message(msg));
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    throw new AssertionError(msg ?? `Expected a value, got ${String(actual)}`);
  }
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) {
    throw new AssertionError(msg ?? `Expected ${String(actual)} > ${String(expected)}`);
  }
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) {
    throw new AssertionError(msg ?? `Expected ${String(actual)} >= ${String(expected)}`);
  }
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) {
    throw new AssertionError(msg ?? `Expected ${String(actual)} < ${String(expected)}`);
  }
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) {
    throw new AssertionError(msg ?? `Expected ${String(actual)} <= ${String(expected)}`);
  }
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  assertStrict.match(actual, expected, ...message(msg));
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    throw new AssertionError(msg ?? `Expected "${actual}" to include "${expected}"`);
  }
}

export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void {
  const have = Array.from(actual);
  for (const item of Array.from(expected)) {
    if (!have.some((one) => isEqual(one, item))) {
      throw new AssertionError(msg ?? `Expected the array to include ${String(item)}`);
    }
  }
}

export function assertInstanceOf<E extends abstract new (...args: never[]) => unknown>(
  actual: unknown,
  expectedType: E,
  msg: string = "",
): asserts actual is InstanceType<E> {
  if (!(actual instanceof expectedType)) {
    throw new AssertionError(msg || `Expected an instance of ${expectedType.name}, got ${String(actual)}`);
  }
}

export function assertIsError<E extends Error = Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) throw new AssertionError(msg ?? `Expected an Error, got ${String(error)}`);
  if (errorClass && !(error instanceof errorClass)) {
    throw new AssertionError(msg ?? `Expected ${errorClass.name}, got ${error.name}: ${error.message}`);
  }
  if (typeof msgMatches === "string") assertStringIncludes(error.message, msgMatches, msg);
  if (msgMatches instanceof RegExp) assertMatch(error.message, msgMatches, msg);
}

export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E {
  try {
    fn();
  } catch (error) {
    assertIsError(error, errorClass, msgIncludes, msg);
    return error as E;
  }
  throw new AssertionError(msg ?? "Expected the function to throw");
}

export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    assertIsError(error, errorClass, msgIncludes, msg);
    return error as E;
  }
  throw new AssertionError(msg ?? "Expected the promise to reject");
}

export function fail(msg: string = ""): never {
  throw new AssertionError(`Failed assertion${msg ? `: ${msg}` : "."}`);
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    assertStrict.deepStrictEqual(a, b);
    return true;
  } catch (error) {
    if (error instanceof assertStrict.AssertionError) return false;
    throw error;
  }
}
