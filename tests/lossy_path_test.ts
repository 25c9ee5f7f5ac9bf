// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { LossyPath, type LossyPathOptions } from "./support/lossy_path.ts";
import { until } from "./support/until.ts";

/** A port that keeps the numbers that come. */
async function openEnd() {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const heard: number[] = [];
  const from = new Set<number>();
  socket.on("message", (data, { port }) => {
    heard.push(Number(data.toString()));
    from.add(port);
  });
  const send = async (number: number, port: number) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.send(String(number), port, "127.0.0.1", () => resolve());
    await promise;
  };
  return {
    heard,
    from,
    send,
    port: socket.address().port,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** What the second end hears of so many numbers of the first's. */
async function passOn(count: number, options: Omit<LossyPathOptions, "ends">) {
  await using first = await openEnd();
  await using second = await openEnd();
  await using path = await LossyPath.open({ ends: [first.port, second.port], ...options });
  for (let number = 0; number < count; number++) {
    await first.send(number, path.ports[0]);
    // Sockets hold only so many.
    if (number % 50 === 49) await until(() => path.counts[0].received > number, "so many datagrams");
  }
  await until(() => {
    const [{ received, lost, duplicated }] = path.counts;
    return received === count && second.heard.length === count - lost + duplicated;
  }, "the datagrams");
  assertEquals([...second.from], [path.ports[1]]);
  await second.send(7, path.ports[1]);
  await until(() => path.counts[1].received === 1, "the answer");
  return { heard: second.heard, counts: path.counts[0] };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("LossyPath", () => {
  it("LossyPath passes everything on in order where it is told nothing else", async () => {
    const { heard, counts } = await passOn(200, {});
    assertEquals(heard, numbers(200));
    assertEquals(counts, { received: 200, lost: 0, duplicated: 0, late: 0 });
    assertEquals((await passOn(50, { delay: 20 })).heard, numbers(50));
  });

  it("LossyPath loses, repeats and swaps as many as it is told, the same ones with the same seed", async () => {
    const options = { loss: 10, duplicates: 5, late: 20, lateness: 5, seed: 42 };
    const [one, other, third] = [
      await passOn(1000, options),
      await passOn(1000, options),
      await passOn(1000, { ...options, seed: 43 }),
    ];
    const { lost, duplicated, late } = one.counts;
    assertGreater(lost, 60);
    assertLess(lost, 140);
    assertGreater(duplicated, 20);
    assertLess(duplicated, 80);
    assertGreater(late, 130);
    assertLess(late, 270);
    assertEquals(new Set(one.heard).size, 1000 - lost);
    assert(one.heard.some((number, index) => number < (one.heard[index - 1] ?? 0)), "nothing was overtaken");
    assertEquals(other.counts, one.counts);
    assertEquals([...other.heard].sort(), [...one.heard].sort());
    assert(new Set(third.heard).symmetricDifference(new Set(one.heard)).size > 0);
  });
});
