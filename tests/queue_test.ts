// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assertEquals, assertIsError, assertRejects } from "@std/assert";
import fc from "fast-check";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import { Queue } from "../core/queue.ts";

const DONE = { done: true, value: undefined } as const;

async function readAll<T>(queue: Queue<T>): Promise<T[]> {
  const values: T[] = [];
  for (let step = await queue.next(); !step.done; step = await queue.next()) values.push(step.value);
  return values;
}

describe("Queue", () => {
  it("Queue.next() gives what was pushed before it, in order", async () => {
    const queue = new Queue<number>();
    queue.push(1);
    queue.push(2);
    assertEquals(await queue.next(), { done: false, value: 1 });
    queue.push(3);
    assertEquals(await queue.next(), { done: false, value: 2 });
    assertEquals(await queue.next(), { done: false, value: 3 });
  });

  it("Queue.next() waits for the next push", async () => {
    const queue = new Queue<string>();
    const waiting = queue.next();
    queue.push("a");
    queue.push("b");
    assertEquals(await waiting, { done: false, value: "a" });
    assertEquals(queue.size, 1);
  });

  it("Queue.next() rejects a second reader and leaves the first one waiting", async () => {
    const queue = new Queue<number>();
    const first = queue.next();
    const error = await assertRejects(() => queue.next(), SIPCoreInvalidStateError);
    assertEquals(error.state, "reading");
    queue.push(7);
    assertEquals(await first, { done: false, value: 7 });
  });

  it("Queue.next() hands out falsy values and undefined", async () => {
    const queue = new Queue<unknown>();
    for (const value of [undefined, null, 0, "", false]) queue.push(value);
    queue.end();
    assertEquals(await readAll(queue), [undefined, null, 0, "", false]);
  });

  it("Queue.size counts what was pushed and not read", async () => {
    const queue = new Queue<number>();
    assertEquals(queue.size, 0);
    for (let i = 0; i < 5; i++) queue.push(i);
    assertEquals(queue.size, 5);
    await queue.next();
    queue.push(5);
    assertEquals(queue.size, 5);
    queue.end();
    await readAll(queue);
    assertEquals(queue.size, 0);
  });

  it("Queue.end() leaves what is pending, then gives done for ever", async () => {
    const queue = new Queue<number>();
    queue.push(1);
    queue.end();
    queue.push(2);
    assertEquals(await queue.next(), { done: false, value: 1 });
    assertEquals(await queue.next(), DONE);
    assertEquals(await queue.next(), DONE);
  });

  it("Queue.end() releases a waiting reader", async () => {
    const queue = new Queue<number>();
    const waiting = queue.next();
    queue.end();
    assertEquals(await waiting, DONE);
  });

  it("Queue.fail() rejects once behind what is pending", async () => {
    const queue = new Queue<number>();
    queue.push(1);
    queue.fail(new RangeError("broken"));
    queue.end();
    assertEquals(await queue.next(), { done: false, value: 1 });
    await assertRejects(() => queue.next(), RangeError, "broken");
    assertEquals(await queue.next(), DONE);
  });

  it("Queue.fail() rejects a waiting reader", async () => {
    const queue = new Queue<number>();
    const waiting = queue.next().catch((error: unknown) => error);
    queue.fail(new RangeError("broken"));
    assertIsError(await waiting, RangeError);
    assertEquals(await queue.next(), DONE);
  });

  it("Queue.fail() can carry undefined", async () => {
    const queue = new Queue<number>();
    queue.fail(undefined);
    assertEquals(await queue.next().then(() => "resolved", (error: unknown) => [error]), [undefined]);
  });

  it("Queue.close() drops what is pending, an error too", async () => {
    const queue = new Queue<number>();
    queue.push(1);
    queue.fail(new Error("dropped"));
    queue.close();
    assertEquals(queue.size, 0);
    assertEquals(await queue.next(), DONE);
  });

  it("Queue.close() releases a waiting reader", async () => {
    const queue = new Queue<number>();
    const waiting = queue.next();
    queue.close();
    assertEquals(await waiting, DONE);
  });

  it("Queue keeps order and count for any interleaving of pushes and reads", async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 200 }), async (pushes) => {
      const queue = new Queue<number>();
      const reads: Promise<IteratorResult<number, undefined>>[] = [];
      let pushed = 0;
      for (const push of pushes) {
        if (push) queue.push(pushed++);
        else if (queue.size > 0) reads.push(queue.next());
      }
      assertEquals(queue.size, pushed - reads.length);
      queue.end();
      const values = (await Promise.all(reads)).map((step) => step.value as number);
      values.push(...await readAll(queue));
      assertEquals(values, Array.from({ length: pushed }, (_, i) => i));
    }));
  });

  it("Queue loses nothing of a million values", async () => {
    const queue = new Queue<number>();
    const count = 1_000_000;
    for (let i = 0; i < count; i++) queue.push(i);
    queue.end();
    let expected = 0;
    for (let step = await queue.next(); !step.done; step = await queue.next()) {
      if (step.value !== expected++) throw new Error(`Expected ${expected - 1}, got ${step.value}`);
    }
    assertEquals(expected, count);
  });
});
