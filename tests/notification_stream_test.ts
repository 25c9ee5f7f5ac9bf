// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { endSender, engineSender, subscriptionCount } from "../core/dispatch.ts";
import { SIPCoreInvalidStateError } from "../core/errors.ts";
import {
  NotificationCenter,
  notificationsOf,
  type SIPNotification,
  type StreamFilter,
} from "../core/notification.ts";
import { NotificationStream } from "../core/notification_stream.ts";

class Clock {
  readonly town: string = "Berne";

  notifications<const N extends keyof ClockNotifications = keyof ClockNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }
}

interface ClockNotifications {
  ClockDidTick: { readonly sender: Clock; readonly data: Readonly<{ count: number; timestamp: Date }> };
  ClockDidStrike: { readonly sender: Clock; readonly data: Readonly<{ hour: string; timestamp: Date }> };
}

declare module "../core/notification.ts" {
  interface NotificationMap extends ClockNotifications {}
}

const DONE = { done: true, value: undefined } as const;
const center = new NotificationCenter();

function tick(clock: Clock, ...counts: number[]): void {
  for (const count of counts) center.post("ClockDidTick", clock, { count });
}

async function countsOf(stream: AsyncIterable<SIPNotification<"ClockDidTick">>): Promise<number[]> {
  const counts: number[] = [];
  for await (const { data } of stream) counts.push(data.count);
  return counts;
}

function endEngine(): void {
  center.post("SIPEngineDidEnd", engineSender(), {});
}

describe("NotificationStream", () => {
  it("NotificationStream has what is posted from its making on, in order", async () => {
    const clock = new Clock();
    tick(clock, 1);
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    tick(clock, 2, 3);
    const late = center.stream({ name: "ClockDidTick", sender: clock });
    tick(clock, 4);
    endSender(clock);
    assertEquals(await countsOf(stream), [2, 3, 4]);
    assertEquals(await countsOf(late), [4]);
  });

  it("NotificationStream loses nothing of 100,000 posts", async () => {
    const clock = new Clock();
    const streams = [
      center.stream({ name: "ClockDidTick", sender: clock }),
      center.stream({ name: "ClockDidTick" }),
      center.stream({ name: ["ClockDidTick"], where: ({ data }) => data.count >= 0 }),
    ];
    const reading = streams.map(countsOf);
    for (let count = 0; count < 100_000; count++) {
      center.post("ClockDidTick", clock, { count });
      // The readers get a turn now and then: waiting, behind and far behind all happen.
      if (count % 7919 === 0) await Promise.resolve();
    }
    endEngine();
    for (const counts of await Promise.all(reading)) {
      assertEquals(counts.length, 100_000);
      assert(counts.every((count, i) => count === i));
    }
  });

  it("NotificationStream tells notifications apart by name", async () => {
    const clock = new Clock();
    const stream = clock.notifications();
    tick(clock, 1);
    center.post("ClockDidStrike", clock, { hour: "noon" });
    endSender(clock);
    const heard: string[] = [];
    for await (const n of stream) {
      assertStrictEquals(n.sender.town, "Berne");
      heard.push(n.name === "ClockDidTick" ? n.data.count.toFixed(1) : n.data.hour.toUpperCase());
    }
    assertEquals(heard, ["1.0", "NOON"]);
  });

  it("notificationsOf() takes one name or several", async () => {
    const clock = new Clock();
    const other = new Clock();
    const strikes = clock.notifications("ClockDidStrike");
    const both = clock.notifications(["ClockDidStrike", "ClockDidTick"]);
    tick(clock, 1);
    tick(other, 2);
    center.post("ClockDidStrike", clock, { hour: "one" });
    endSender(clock);
    assertEquals((await Array.fromAsync(strikes)).map(({ data }) => data.hour), ["one"]);
    assertEquals((await Array.fromAsync(both)).map(({ name }) => name), ["ClockDidTick", "ClockDidStrike"]);
  });

  it("NotificationStream without a filter has everything", async () => {
    const clock = new Clock();
    const stream = center.stream();
    tick(clock, 1);
    endEngine();
    assertEquals((await Array.fromAsync(stream)).map(({ name }) => name), [
      "ClockDidTick",
      "SIPEngineDidEnd",
    ]);
  });

  it("NotificationStream with an empty list of names has nothing", async () => {
    const clock = new Clock();
    const names: "ClockDidTick"[] = [];
    const stream = center.stream({ name: names, sender: clock });
    tick(clock, 1);
    assertEquals(stream.pending, 0);
    endSender(clock);
    assertEquals(await stream.next(), DONE);
  });

  it("NotificationStream.pending counts what was not read", async () => {
    const clock = new Clock();
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    assertEquals(stream.pending, 0);
    tick(clock, 1, 2, 3);
    assertEquals(stream.pending, 3);
    await stream.next();
    assertEquals(stream.pending, 2);
    await stream.return();
    assertEquals(stream.pending, 0);
  });

  it("NotificationStream.next() refuses a second concurrent reader", async () => {
    const clock = new Clock();
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    const first = stream.next();
    await assertRejects(() => stream.next(), SIPCoreInvalidStateError);
    tick(clock, 1);
    assertEquals((await first).value?.data.count, 1);
    await stream.return();
  });

  it("NotificationStream unsubscribes on break", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    assertEquals(subscriptionCount(), before + 1);
    tick(clock, 1, 2);
    for await (const { data } of stream) {
      assertEquals(data.count, 1);
      break;
    }
    assertEquals(subscriptionCount(), before);
    tick(clock, 3);
    assertEquals(stream.pending, 0);
    assertEquals(await stream.next(), DONE);
  });

  it("NotificationStream unsubscribes when the loop's body throws", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    tick(clock, 1);
    await assertRejects(
      async () => {
        for await (const { data } of stream) throw new RangeError(`at ${data.count}`);
      },
      RangeError,
      "at 1",
    );
    assertEquals(subscriptionCount(), before);
  });

  it("NotificationStream.return() unsubscribes, releases the reader and may be repeated", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    const waiting = stream.next();
    assertEquals(await stream.return(), DONE);
    assertEquals(await waiting, DONE);
    assertEquals(await stream.return(), DONE);
    assertEquals(subscriptionCount(), before);
  });

  it("NotificationStream.throw() unsubscribes and rejects", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    tick(clock, 1);
    await assertRejects(() => stream.throw(new RangeError("mine")), RangeError, "mine");
    assertEquals(subscriptionCount(), before);
    assertEquals(await stream.next(), DONE);
  });

  it("NotificationStream unsubscribes at the end of await using", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    {
      await using stream = center.stream({ name: "ClockDidTick", sender: clock });
      tick(clock, 1);
      assertEquals(stream.pending, 1);
      assertEquals(subscriptionCount(), before + 1);
    }
    assertEquals(subscriptionCount(), before);
  });

  it("NotificationStream ends at once when its signal is aborted", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const control = new AbortController();
    const waiting = center.stream({ name: "ClockDidTick", signal: control.signal });
    const behind = center.stream({ name: "ClockDidTick", sender: clock, signal: control.signal });
    const read = waiting.next();
    tick(clock, 1, 2);
    assertEquals((await read).value?.data.count, 1);
    const rest = countsOf(waiting);
    await Promise.resolve();
    control.abort(new Error("enough"));
    assertEquals(subscriptionCount(), before);
    assertEquals(behind.pending, 0);
    assertEquals(await behind.next(), DONE);
    assertEquals(await rest, [2]);
  });

  it("NotificationStream made with an aborted signal is at its end", async () => {
    const before = subscriptionCount();
    const stream = center.stream({ name: "ClockDidTick", signal: AbortSignal.abort() });
    assertEquals(subscriptionCount(), before);
    assertEquals(await stream.next(), DONE);
  });

  it("NotificationStream lets go of its signal when it ends", async () => {
    const clock = new Clock();
    const signal = new AbortController().signal;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener =
      ((...args: Parameters<typeof add>) => (listeners++, add(...args))) as typeof add;
    signal.removeEventListener =
      ((...args: Parameters<typeof remove>) => (listeners--, remove(...args))) as typeof remove;
    const ended = center.stream({ sender: clock, signal });
    const left = center.stream({ signal });
    assertEquals(listeners, 2);
    endSender(clock);
    await left.return();
    assertEquals(await ended.next(), DONE);
    assertEquals(listeners, 0);
  });

  it("NotificationStream of a sender ends after the sender's last notification", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const stream = clock.notifications("ClockDidTick");
    const wider = center.stream({ name: "ClockDidTick" });
    tick(clock, 1);
    endSender(clock);
    endSender(clock);
    assertEquals(subscriptionCount(), before + 1);
    assertEquals(stream.pending, 1);
    assertEquals(await countsOf(stream), [1]);
    tick(new Clock(), 2);
    assertEquals(wider.pending, 2);
    await wider.return();
  });

  it("NotificationStream of a sender that has ended is at its end", async () => {
    const clock = new Clock();
    endSender(clock);
    const before = subscriptionCount();
    const stream = clock.notifications();
    assertEquals(subscriptionCount(), before);
    assertEquals(await stream.next(), DONE);
  });

  it("NotificationStream ends after SIPEngineDidEnd, and a new one lives in the next run", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const everything = center.stream();
    const ticks = center.stream({ name: "ClockDidTick", sender: clock });
    center.post("SIPEngineWillStart", engineSender(), {});
    center.post("SIPEngineDidStart", engineSender(), {});
    tick(clock, 1);
    center.post("SIPEngineWillEnd", engineSender(), {});
    endEngine();
    assertEquals(subscriptionCount(), before);
    assertEquals(await countsOf(ticks), [1]);
    assertEquals((await Array.fromAsync(everything)).map(({ name }) => name), [
      "SIPEngineWillStart",
      "SIPEngineDidStart",
      "ClockDidTick",
      "SIPEngineWillEnd",
      "SIPEngineDidEnd",
    ]);
    const next = center.stream({ name: "ClockDidTick", sender: clock });
    tick(clock, 2);
    endEngine();
    assertEquals(await countsOf(next), [2]);
  });

  it("NotificationStream ends after the SIPEngineDidFail of a failed start", async () => {
    const stream = center.stream({ name: "SIPEngineDidFail" });
    center.post("SIPEngineWillStart", engineSender(), {});
    center.post("SIPEngineDidFail", engineSender(), {});
    assertEquals((await Array.fromAsync(stream)).length, 1);
  });

  it("NotificationStream outlives the SIPEngineDidFail of a running engine until SIPEngineDidEnd", async () => {
    const stream = center.stream({ name: ["SIPEngineDidFail", "SIPEngineDidEnd"] });
    center.post("SIPEngineWillStart", engineSender(), {});
    center.post("SIPEngineDidStart", engineSender(), {});
    center.post("SIPEngineDidFail", engineSender(), {});
    endEngine();
    assertEquals((await Array.fromAsync(stream)).map(({ name }) => name), [
      "SIPEngineDidFail",
      "SIPEngineDidEnd",
    ]);
  });

  it("NotificationStream that an observer of SIPEngineDidEnd makes belongs to the next run", async () => {
    const clock = new Clock();
    const streams: NotificationStream<"ClockDidTick">[] = [];
    using _observer = center.addObserver(() => {
      streams.push(center.stream({ name: "ClockDidTick" }));
    }, { name: "SIPEngineDidEnd" });
    endEngine();
    tick(clock, 1);
    endEngine();
    assertEquals(await Promise.all(streams.map(countsOf).slice(0, 1)), [[1]]);
    await streams[1]?.return();
  });

  it("NotificationStream fails with what its where throws, behind what is pending", async () => {
    const clock = new Clock();
    const before = subscriptionCount();
    const stream = center.stream({
      name: "ClockDidTick",
      sender: clock,
      where: ({ data }) => {
        if (data.count === 2) throw new RangeError("where");
        return true;
      },
    });
    tick(clock, 1, 2, 3);
    assertEquals(subscriptionCount(), before);
    assertEquals((await stream.next()).value?.data.count, 1);
    await assertRejects(() => stream.next(), RangeError, "where");
    assertEquals(await stream.next(), DONE);
  });

  it("NotificationStream made twice by the same filter reads twice", async () => {
    const clock = new Clock();
    const filter: StreamFilter<"ClockDidTick"> = { name: "ClockDidTick", sender: clock };
    const streams = [center.stream(filter), new NotificationStream(filter)];
    tick(clock, 1, 2);
    endSender(clock);
    for (const stream of streams) assertEquals(await countsOf(stream), [1, 2]);
  });

  it("NotificationStream over 10,000 pending is reported once, and again after it caught up", async () => {
    const clock = new Clock();
    const warnings: SIPNotification<"SIPEngineGotWarning">["data"][] = [];
    using _observer = center.addObserver(({ data }) => void warnings.push(data), {
      name: "SIPEngineGotWarning",
    });
    const stream = center.stream({ name: "ClockDidTick", sender: clock });
    const flood = (count: number) => {
      for (let i = 0; i < count; i++) tick(clock, i);
    };
    flood(10_000);
    assertEquals(warnings.length, 0);
    flood(20_000);
    assertEquals(warnings.length, 1);
    assertEquals(warnings[0]?.kind, "slow-stream");
    assertEquals(warnings[0]?.count, 10_001);
    assert(warnings[0]?.message.includes("ClockDidTick"));
    while (stream.pending > 1) await stream.next();
    flood(10_000);
    assertEquals(warnings.length, 1);
    while (stream.pending > 0) await stream.next();
    flood(10_001);
    assertEquals(warnings.length, 2);
    assertEquals(stream.pending, 10_001);
    await stream.return();
  });

  it("NotificationStream that hears everything can be slow without an echo", async () => {
    const clock = new Clock();
    const streams = [center.stream(), center.stream()];
    for (let i = 0; i < 20_000; i++) tick(clock, i);
    endEngine();
    for (const stream of streams) {
      const names = (await Array.fromAsync(stream)).map(({ name }) => name);
      assertEquals(names.filter((name) => name === "SIPEngineGotWarning").length, 2);
      assertEquals(names.filter((name) => name === "ClockDidTick").length, 20_000);
    }
  });

  it("NotificationStream by the thousands, each of its sender, is found by sender", async () => {
    const before = subscriptionCount();
    let asked = 0;
    const clocks = Array.from({ length: 5_000 }, () => new Clock());
    const streams = clocks.map((sender) =>
      center.stream({ name: "ClockDidTick", sender, where: () => (asked++, true) })
    );
    for (const clock of clocks) tick(clock, 1);
    assertEquals(asked, 5_000);
    for (const clock of clocks) endSender(clock);
    assertEquals(subscriptionCount(), before);
    for (const stream of streams) assertEquals(await countsOf(stream), [1]);
  });
});
