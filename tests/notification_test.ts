// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import fc from "fast-check";
import {
  endSender,
  engineSender,
  hasEnded,
  hasListener,
  post,
  postException,
  postWarning,
  setEngineSender,
  subscriptionCount,
  watchListeners,
} from "../core/dispatch.ts";
import { SIPCoreError } from "../core/errors.ts";
import {
  NotificationCenter,
  type NotificationHandler,
  type NotificationObserver,
  type PostedData,
  type SIPNotification,
  type StreamFilter,
} from "../core/notification.ts";
import type { NotificationStream } from "../core/notification_stream.ts";

class Kettle {
  readonly litres: number = 2;
}

class Lid {
  readonly isTin: boolean = true;
}

type Boiling = { isDone: true; degrees: number } | { isDone: false; degrees: null };

// What an application does, with the module's own path in the place of the package's name.
declare module "../core/notification.ts" {
  interface NotificationMap {
    KettleDidSing: Note<Kettle, { pitch: number }>;
    KettleDidStop: Note<Kettle>;
    KettleDidBoil: Note<Kettle, Boiling>;
    LidDidFall: Note<Lid, { metres: number }>;
  }
}

const center = new NotificationCenter();

function sing(kettle: Kettle, ...pitches: number[]): void {
  for (const pitch of pitches) center.post("KettleDidSing", kettle, { pitch });
}

function endEngine(): void {
  center.post("SIPEngineDidEnd", engineSender(), {});
}

/** What was reported while `run` ran, by SIPEngineGotException. */
function exceptionsOf(run: () => void): SIPNotification<"SIPEngineGotException">["data"][] {
  const caught: SIPNotification<"SIPEngineGotException">["data"][] = [];
  using _observer = center.addObserver(({ data }) => void caught.push(data), {
    name: "SIPEngineGotException",
  });
  run();
  return caught;
}

/** What was given to the global reportError() while `run` ran. */
async function reportedErrorsOf(run: () => void | Promise<void>): Promise<unknown[]> {
  const reported: unknown[] = [];
  const original = globalThis.reportError;
  globalThis.reportError = (error: unknown) => void reported.push(error);
  try {
    await run();
  } finally {
    globalThis.reportError = original;
  }
  return reported;
}

describe("NotificationCenter", () => {
  it("NotificationCenter is one object", () => {
    assertStrictEquals(new NotificationCenter(), center);
    assert(center instanceof NotificationCenter);
  });

  it("NotificationCenter.post() adds a timestamp, copies and freezes", () => {
    const kettle = new Kettle();
    const data = { pitch: 440 };
    const heard: SIPNotification<"KettleDidSing">[] = [];
    using _observer = center.addObserver((n) => void heard.push(n), { name: "KettleDidSing" });
    const start = Date.now();
    center.post("KettleDidSing", kettle, data);
    data.pitch = 0;
    const [n] = heard;
    assert(n !== undefined);
    assertStrictEquals(n.name, "KettleDidSing");
    assertStrictEquals(n.sender, kettle);
    assertEquals(n.data.pitch, 440);
    assert(n.data.timestamp instanceof Date);
    assert(n.data.timestamp.getTime() >= start && n.data.timestamp.getTime() <= Date.now());
    assert(Object.isFrozen(n) && Object.isFrozen(n.data));
    assert(!Object.isFrozen(data) && !("timestamp" in data));
  });

  it("NotificationCenter.post() makes nothing of the data while nobody listens", () => {
    const kettle = new Kettle();
    const other = new Kettle();
    let reads = 0;
    const data = {
      get pitch(): number {
        return reads++;
      },
    };
    center.post("KettleDidSing", kettle, data);
    {
      using _elsewhere = center.addObserver(() => {}, { name: "KettleDidSing", sender: other });
      using _otherName = center.addObserver(() => {}, { name: "KettleDidStop" });
      center.post("KettleDidSing", kettle, data);
    }
    assertEquals(reads, 0);
    using _observer = center.addObserver(() => {}, { sender: kettle });
    center.post("KettleDidSing", kettle, data);
    assertEquals(reads, 1);
  });

  it("NotificationCenter.post() refuses what is not a notification", () => {
    const bad = center as unknown as { post(...args: unknown[]): void };
    for (const name of [undefined, null, 7, Symbol("x"), {}]) {
      assertThrows(() => bad.post(name, new Kettle(), {}), TypeError, "name");
    }
    for (const sender of [undefined, null, "kettle", 7]) {
      assertThrows(() => bad.post("KettleDidStop", sender, {}), TypeError, "sender");
    }
    for (const data of [undefined, null, "text", 7]) {
      assertThrows(() => bad.post("KettleDidStop", new Kettle(), data), TypeError, "data");
    }
  });

  it("NotificationCenter.post() takes names like __proto__ as names", () => {
    const names: unknown[] = [];
    const loose = center as unknown as {
      post(name: string, sender: object, data: object): void;
      addObserver(observer: (n: { name: string }) => void, filter: object): Disposable;
    };
    const sender = {};
    const odd = ["__proto__", "constructor", "", "toString"];
    using _observer = loose.addObserver(({ name }) => void names.push(name), { name: odd, sender });
    for (const name of odd) loose.post(name, sender, JSON.parse('{"__proto__": 1}'));
    assertEquals(names, odd);
  });

  it("NotificationCenter filters by name, sender and where, for any mixture", () => {
    const kettles = [new Kettle(), new Kettle()];
    const names = ["KettleDidSing", "KettleDidStop"] as const;
    const name = fc.constantFrom<StreamFilter<"KettleDidSing" | "KettleDidStop">["name"]>(
      undefined,
      "KettleDidSing",
      "KettleDidStop",
      ["KettleDidSing", "KettleDidStop"],
      ["KettleDidStop", "KettleDidStop"],
    );
    const filter = fc.record({ name, kettle: fc.constantFrom(null, 0, 1), keep: fc.boolean() });
    const act = fc.record({ name: fc.nat(1), kettle: fc.nat(1) });
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 12 }), fc.array(act, { maxLength: 12 }), (filters, acts) => {
        const before = subscriptionCount();
        const heard: string[] = [];
        const expected: string[] = [];
        using observers = new DisposableStack();
        filters.forEach(({ name, kettle, keep }, i) => {
          const sender = kettle === null ? null : kettles[kettle] ?? null;
          const observe: NotificationHandler<"KettleDidSing" | "KettleDidStop"> = (n) => {
            heard.push(`${i} ${n.name} ${kettles.indexOf(n.sender)}`);
          };
          observers.use(center.addObserver(observe, {
            ...(name === undefined ? {} : { name }),
            ...(sender === null ? {} : { sender }),
            ...(keep ? {} : { where: () => false }),
          }));
        });
        for (const { name, kettle } of acts) {
          const posted = names[name] ?? "KettleDidSing";
          filters.forEach((filter, i) => {
            const wanted = filter.name === undefined || [filter.name].flat().includes(posted);
            if (wanted && filter.keep && (filter.kettle === null || filter.kettle === kettle)) {
              expected.push(`${i} ${posted} ${kettle}`);
            }
          });
          center.post(posted, kettles[kettle] as Kettle, { pitch: 1 });
        }
        assertEquals(heard, expected);
        observers.dispose();
        assertEquals(subscriptionCount(), before);
      }),
    );
  });

  it("NotificationCenter refuses a malformed filter", () => {
    const before = subscriptionCount();
    const filters: unknown[] = [
      null,
      "KettleDidSing",
      { name: 7 },
      { name: ["KettleDidSing", 7] },
      { name: null },
      { sender: null },
      { sender: "kettle" },
      { where: true },
      { signal: {} },
    ];
    for (const filter of filters) {
      const bad = filter as StreamFilter<"KettleDidSing">;
      assertThrows(() => center.stream(bad), TypeError);
      assertThrows(() => center.addObserver(() => {}, bad), TypeError);
      if (filter !== null) assertThrows(() => center.removeObserver(() => {}, bad), TypeError);
    }
    assertEquals(subscriptionCount(), before);
  });

  it("NotificationCenter copies the names of a filter", () => {
    const kettle = new Kettle();
    const name: ("KettleDidSing" | "KettleDidStop")[] = ["KettleDidStop"];
    let heard = 0;
    using _observer = center.addObserver(() => void heard++, { name, sender: kettle });
    name.push("KettleDidSing");
    sing(kettle, 1);
    assertEquals(heard, 0);
  });
});

describe("NotificationCenter.addObserver()", () => {
  it("addObserver() calls in order of registration, whatever the filters", () => {
    const kettle = new Kettle();
    const order: number[] = [];
    using observers = new DisposableStack();
    observers.use(center.addObserver(() => void order.push(0), { sender: kettle }));
    observers.use(center.addObserver(() => void order.push(1)));
    observers.use(center.addObserver(() => void order.push(2), { name: "KettleDidSing", sender: kettle }));
    observers.use(center.addObserver(() => void order.push(3), { name: "KettleDidSing" }));
    observers.use(center.addObserver(() => void order.push(4), { sender: kettle }));
    sing(kettle, 1);
    assertEquals(order, [0, 1, 2, 3, 4]);
  });

  it("addObserver() takes an object and calls it as its method", () => {
    const kettle = new Kettle();
    class Listener implements NotificationObserver<"KettleDidSing"> {
      readonly pitches: number[] = [];
      handleNotification(n: SIPNotification<"KettleDidSing">): void {
        this.pitches.push(n.data.pitch);
      }
    }
    const listener = new Listener();
    using _observer = center.addObserver(listener, { name: "KettleDidSing", sender: kettle });
    sing(kettle, 1, 2);
    assertEquals(listener.pitches, [1, 2]);
  });

  it("addObserver() refuses what cannot be called", () => {
    for (const observer of [null, undefined, 7, {}, { handleNotification: 7 }]) {
      assertThrows(() => center.addObserver(observer as unknown as () => void), TypeError, "observer");
    }
  });

  it("addObserver() is called within the post", () => {
    const kettle = new Kettle();
    let heard = 0;
    using _observer = center.addObserver(({ data }) => void (heard = data.pitch), {
      name: "KettleDidSing",
      sender: kettle,
    });
    sing(kettle, 5);
    assertEquals(heard, 5);
  });

  it("addObserver() queues a post made inside an observer behind the one at hand", () => {
    const kettle = new Kettle();
    const heard: string[] = [];
    using observers = new DisposableStack();
    observers.use(center.addObserver(({ data: { pitch } }) => {
      heard.push(`first ${pitch}`);
      if (pitch < 4) sing(kettle, pitch * 2, pitch * 2 + 1);
      heard.push(`first ${pitch} done`);
    }, { name: "KettleDidSing", sender: kettle }));
    const stream = center.stream({ name: "KettleDidSing", sender: kettle });
    observers.use(center.addObserver(({ data: { pitch } }) => void heard.push(`second ${pitch}`), {
      name: "KettleDidSing",
      sender: kettle,
    }));
    sing(kettle, 1);
    assertEquals(
      heard,
      [1, 2, 3, 4, 5, 6, 7].flatMap((pitch) => [`first ${pitch}`, `first ${pitch} done`, `second ${pitch}`]),
    );
    assertEquals(stream.pending, 7);
    endSender(kettle);
  });

  it("addObserver() inside an observer hears only what is posted after it", async () => {
    const kettle = new Kettle();
    const heard: number[] = [];
    const streams: NotificationStream<"KettleDidSing">[] = [];
    using observers = new DisposableStack();
    observers.use(center.addObserver(({ data: { pitch } }) => {
      if (pitch !== 1) return;
      sing(kettle, 2);
      observers.use(
        center.addObserver(({ data }) => void heard.push(data.pitch), {
          name: "KettleDidSing",
          sender: kettle,
        }),
      );
      streams.push(center.stream({ name: "KettleDidSing", sender: kettle }));
      sing(kettle, 3);
    }, { name: "KettleDidSing", sender: kettle }));
    sing(kettle, 1);
    endSender(kettle);
    assertEquals(heard, [3]);
    assertEquals(streams.length, 1);
    for (const stream of streams) {
      assertEquals((await Array.fromAsync(stream)).map(({ data }) => data.pitch), [3]);
    }
  });

  it("addObserver() is quiet once it is disposed of, even for a post that waits", () => {
    const kettle = new Kettle();
    const heard: string[] = [];
    using observers = new DisposableStack();
    observers.use(center.addObserver(() => {
      heard.push("first");
      second[Symbol.dispose]();
      second[Symbol.dispose]();
    }, { name: "KettleDidSing", sender: kettle }));
    const second = center.addObserver(() => void heard.push("second"), { sender: kettle });
    sing(kettle, 1, 2);
    assertEquals(heard, ["first", "first"]);
  });

  it("addObserver() registered again inside itself does not run for ever", () => {
    const kettle = new Kettle();
    let calls = 0;
    const observe = () => {
      calls++;
      center.removeObserver(observe);
      center.addObserver(observe, { name: "KettleDidSing", sender: kettle });
    };
    observe();
    sing(kettle, 1);
    sing(kettle, 2);
    center.removeObserver(observe);
    assertEquals(calls, 3);
  });

  it("addObserver() ends with its signal and is not registered with an aborted one", () => {
    const kettle = new Kettle();
    const before = subscriptionCount();
    const control = new AbortController();
    let heard = 0;
    const observe = () => void heard++;
    center.addObserver(observe, { sender: kettle, signal: control.signal });
    sing(kettle, 1);
    control.abort();
    sing(kettle, 2);
    center.addObserver(observe, { sender: kettle, signal: control.signal });
    sing(kettle, 3);
    assertEquals(heard, 1);
    assertEquals(subscriptionCount(), before);
  });

  it("addObserver() that its where disposes of is not called", () => {
    const kettle = new Kettle();
    let heard = 0;
    const observer = center.addObserver(() => void heard++, {
      name: "KettleDidSing",
      sender: kettle,
      where: () => {
        observer[Symbol.dispose]();
        return true;
      },
    });
    sing(kettle, 1);
    assertEquals(heard, 0);
  });

  it("addObserver() survives stop and start", () => {
    const kettle = new Kettle();
    const heard: string[] = [];
    using _observer = center.addObserver(({ name }) => void heard.push(name));
    endEngine();
    center.post("SIPEngineWillStart", engineSender(), {});
    center.post("SIPEngineDidFail", engineSender(), {});
    sing(kettle, 1);
    assertEquals(heard, ["SIPEngineDidEnd", "SIPEngineWillStart", "SIPEngineDidFail", "KettleDidSing"]);
  });

  it("addObserver() of one sender is let go with it", () => {
    const kettle = new Kettle();
    const before = subscriptionCount();
    const heard: string[] = [];
    const observe = (n: SIPNotification) => void heard.push(n.name);
    center.addObserver(observe, { sender: kettle });
    using _everything = center.addObserver(observe, { name: "KettleDidSing" });
    sing(kettle, 1);
    endSender(kettle);
    center.addObserver(observe, { sender: kettle });
    assertEquals(subscriptionCount(), before + 1);
    assertEquals(heard, ["KettleDidSing", "KettleDidSing"]);
  });

  it("addObserver() that throws hurts nobody and is reported", () => {
    const kettle = new Kettle();
    const error = new RangeError("boom");
    const heard: number[] = [];
    const caught = exceptionsOf(() => {
      using observers = new DisposableStack();
      observers.use(center.addObserver(() => {
        throw error;
      }, { name: "KettleDidSing", sender: kettle }));
      observers.use(center.addObserver(({ data }) => void heard.push(data.pitch), {
        name: "KettleDidSing",
        sender: kettle,
      }));
      sing(kettle, 1, 2);
    });
    assertEquals(heard, [1, 2]);
    assertEquals(caught.length, 2);
    assertEquals(caught[0]?.type, "RangeError");
    assertStrictEquals(caught[0]?.value, error);
    assert(caught[0]?.traceback.includes("RangeError: boom"));
    assertEquals(caught[0]?.fatal, false);
  });

  it("addObserver() whose promise rejects is reported", async () => {
    const kettle = new Kettle();
    const caught = center.once("SIPEngineGotException");
    using _observer = center.addObserver(() => Promise.reject(new RangeError("later")), {
      name: "KettleDidSing",
      sender: kettle,
    });
    sing(kettle, 1);
    const { data, sender } = await caught;
    assertEquals(data.type, "RangeError");
    assertStrictEquals(sender, engineSender());
  });

  it("addObserver() may return anything", async () => {
    const kettle = new Kettle();
    const caught: unknown[] = [];
    using observers = new DisposableStack();
    observers.use(
      center.addObserver(({ data }) => void caught.push(data.value), { name: "SIPEngineGotException" }),
    );
    const answers: unknown[] = [
      7,
      null,
      "text",
      {
        get then() {
          throw new Error("then");
        },
      },
      {
        then: () => {
          throw new Error("thrown by then()");
        },
      },
    ];
    for (const answer of answers) {
      observers.use(center.addObserver(() => answer as void, { name: "KettleDidSing", sender: kettle }));
    }
    sing(kettle, 1);
    await delay(0);
    assertEquals(caught.map(String), ["Error: then", "Error: thrown by then()"]);
  });

  it("addObserver() that throws over SIPEngineGotException is given to reportError() only", async () => {
    const kettle = new Kettle();
    const first = new Error("first");
    let calls = 0;
    const reported = await reportedErrorsOf(async () => {
      using observers = new DisposableStack();
      observers.use(center.addObserver(() => {
        throw first;
      }, { name: "KettleDidSing", sender: kettle }));
      observers.use(center.addObserver(() => {
        calls++;
        throw new Error("second");
      }, { name: "SIPEngineGotException" }));
      observers.use(center.addObserver(() => {
        calls++;
        return Promise.reject(new Error("third"));
      }, { name: "SIPEngineGotException" }));
      sing(kettle, 1);
      await delay(0);
    });
    assertEquals(reported.map(String), ["Error: second", "Error: third"]);
    assertEquals(calls, 2);
  });

  it("addObserver() that throws over everything is called twice for one post", async () => {
    const kettle = new Kettle();
    let calls = 0;
    const reported = await reportedErrorsOf(() => {
      using _observer = center.addObserver(() => {
        throw new Error(`call ${++calls}`);
      });
      sing(kettle, 1);
    });
    assertEquals(calls, 2);
    assertEquals(reported.map(String), ["Error: call 2"]);
  });

  it("addObserver() whose where throws is not called and is reported", () => {
    const kettle = new Kettle();
    let calls = 0;
    const caught = exceptionsOf(() => {
      using _observer = center.addObserver(() => void calls++, {
        name: "KettleDidSing",
        sender: kettle,
        where: ({ data }) => {
          if (data.pitch === 1) throw new RangeError("where");
          return true;
        },
      });
      sing(kettle, 1, 2);
    });
    assertEquals(calls, 1);
    assertEquals(caught.map(({ type }) => type), ["RangeError"]);
  });
});

describe("NotificationCenter.removeObserver()", () => {
  it("removeObserver() without a filter removes all registrations", () => {
    const kettle = new Kettle();
    const before = subscriptionCount();
    let heard = 0;
    const observe = () => void heard++;
    center.addObserver(observe);
    center.addObserver(observe, { sender: kettle });
    center.addObserver(observe, { name: "KettleDidSing", sender: kettle });
    sing(kettle, 1);
    assertEquals(heard, 3);
    center.removeObserver(observe);
    center.removeObserver(observe);
    sing(kettle, 2);
    assertEquals(heard, 3);
    assertEquals(subscriptionCount(), before);
  });

  it("removeObserver() with a filter removes the registrations of the same filter", () => {
    const kettle = new Kettle();
    const where = () => true;
    const observe = () => {};
    const filters: StreamFilter<"KettleDidSing" | "KettleDidStop">[] = [
      {},
      { name: "KettleDidSing" },
      { name: ["KettleDidSing", "KettleDidStop"] },
      { sender: kettle },
      { name: "KettleDidSing", sender: kettle },
      { name: "KettleDidSing", sender: kettle, where },
    ];
    const before = subscriptionCount();
    for (const filter of filters) center.addObserver(observe, filter);
    center.removeObserver(observe, { name: "KettleDidStop" });
    center.removeObserver(observe, {
      name: ["KettleDidSing", "KettleDidSing", "KettleDidStop"],
      sender: kettle,
    });
    center.removeObserver(observe, { sender: new Kettle() });
    center.removeObserver(() => {}, {});
    assertEquals(subscriptionCount(), before + filters.length);
    filters.forEach((filter, i) => {
      const sameNames = Array.isArray(filter.name)
        ? { ...filter, name: [...filter.name, ...filter.name].toReversed() }
        : filter;
      center.removeObserver(observe, sameNames);
      assertEquals(subscriptionCount(), before + filters.length - i - 1);
    });
  });

  it("removeObserver() removes an object by identity", () => {
    const before = subscriptionCount();
    const observer = { handleNotification(): void {} };
    center.addObserver(observer, { name: "KettleDidSing" });
    center.removeObserver({ handleNotification: observer.handleNotification });
    assertEquals(subscriptionCount(), before + 1);
    center.removeObserver(observer);
    assertEquals(subscriptionCount(), before);
  });
});

describe("NotificationCenter.once()", () => {
  it("once() resolves with the first that fits, and lets go", async () => {
    const kettle = new Kettle();
    const before = subscriptionCount();
    sing(kettle, 0);
    const first = center.once("KettleDidSing", { sender: kettle, where: ({ data }) => data.pitch > 1 });
    assertEquals(subscriptionCount(), before + 1);
    sing(new Kettle(), 9);
    sing(kettle, 1, 2, 3);
    assertEquals(subscriptionCount(), before);
    assertEquals((await first).data.pitch, 2);
  });

  it("once() takes several names", async () => {
    const kettle = new Kettle();
    const first = center.once(["KettleDidSing", "KettleDidStop"], { sender: kettle });
    center.post("KettleDidStop", kettle, {});
    sing(kettle, 1);
    const n = await first;
    assertEquals(n.name === "KettleDidSing" ? n.data.pitch : n.name, "KettleDidStop");
  });

  it("once() is subscribed when it returns", async () => {
    const kettle = new Kettle();
    const waiters = [1, 2, 3].map(() => center.once("KettleDidSing", { sender: kettle }));
    sing(kettle, 1, 2);
    assertEquals((await Promise.all(waiters)).map(({ data }) => data.pitch), [1, 1, 1]);
  });

  it("once() rejects with the signal's reason", async () => {
    const before = subscriptionCount();
    const control = new AbortController();
    const waiting = center.once("KettleDidSing", { signal: control.signal });
    control.abort(new RangeError("late"));
    assertEquals(subscriptionCount(), before);
    await assertRejects(() => waiting, RangeError, "late");
    await assertRejects(() => center.once("KettleDidSing", { signal: control.signal }), RangeError, "late");
    assertEquals(subscriptionCount(), before);
  });

  it("once() that has its notification does not mind an abort", async () => {
    const kettle = new Kettle();
    const control = new AbortController();
    const first = center.once("KettleDidSing", { sender: kettle, signal: control.signal });
    sing(kettle, 1);
    control.abort();
    endSender(kettle);
    assertEquals((await first).data.pitch, 1);
  });

  it("once() rejects with what where throws", async () => {
    const kettle = new Kettle();
    const before = subscriptionCount();
    const first = center.once("KettleDidSing", {
      sender: kettle,
      where: () => {
        throw new RangeError("where");
      },
    });
    sing(kettle, 1, 2);
    await assertRejects(() => first, RangeError, "where");
    assertEquals(subscriptionCount(), before);
  });

  it("once() whose where ends it is not resolved as well", async () => {
    const kettle = new Kettle();
    const control = new AbortController();
    const first = center.once("KettleDidSing", {
      sender: kettle,
      signal: control.signal,
      where: () => {
        control.abort(new RangeError("from where"));
        return true;
      },
    });
    sing(kettle, 1);
    await assertRejects(() => first, RangeError, "from where");
  });

  it("once() rejects when the sender ends first, or has ended", async () => {
    const kettle = new Kettle();
    const first = center.once("KettleDidStop", { sender: kettle });
    endSender(kettle);
    for (const waiting of [first, center.once("KettleDidStop", { sender: kettle })]) {
      const error = await assertRejects(() => waiting, SIPCoreError, "KettleDidStop");
      assertEquals(error.code, "ENDED");
    }
  });

  it("once() has the sender's last notification", async () => {
    const kettle = new Kettle();
    const last = center.once("KettleDidStop", { sender: kettle });
    center.post("KettleDidStop", kettle, {});
    endSender(kettle);
    assertStrictEquals((await last).sender, kettle);
  });

  it("once() rejects when the engine ends first, and has SIPEngineDidEnd itself", async () => {
    const waiting = center.once(["KettleDidSing", "KettleDidStop"]);
    const end = center.once("SIPEngineDidEnd");
    endEngine();
    assertEquals((await end).name, "SIPEngineDidEnd");
    const error = await assertRejects(() => waiting, SIPCoreError, "KettleDidSing or KettleDidStop");
    assertEquals(error.code, "ENDED");
  });

  it("once() that nobody awaits is no unhandled rejection when it is ended or aborted", async () => {
    const unhandled: unknown[] = [];
    const listen = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      unhandled.push(event.reason);
    };
    globalThis.addEventListener("unhandledrejection", listen);
    const control = new AbortController();
    void center.once("KettleDidSing");
    void center.once("KettleDidSing", { signal: control.signal });
    control.abort();
    endEngine();
    await delay(5);
    globalThis.removeEventListener("unhandledrejection", listen);
    assertEquals(unhandled, []);
  });

  it("once() rejects a malformed filter", async () => {
    const before = subscriptionCount();
    await assertRejects(() => center.once(7 as unknown as "KettleDidSing"), TypeError);
    await assertRejects(() => center.once(undefined as unknown as "KettleDidSing"), TypeError);
    await assertRejects(() => center.once("KettleDidSing", { sender: 7 as unknown as Kettle }), TypeError);
    assertEquals(subscriptionCount(), before);
  });
});

describe("dispatch", () => {
  it("endSender() inside an observer ends streams behind what was posted before it", async () => {
    const kettle = new Kettle();
    using _observer = center.addObserver(() => {
      center.post("KettleDidStop", kettle, {});
      endSender(kettle);
      assert(hasEnded(kettle));
    }, { name: "KettleDidSing", sender: kettle });
    const stream = center.stream({ sender: kettle });
    sing(kettle, 1);
    assertEquals((await Array.fromAsync(stream)).map(({ name }) => name), ["KettleDidSing", "KettleDidStop"]);
  });

  it("hasEnded() knows the senders that have ended", () => {
    const kettle = new Kettle();
    assertEquals(hasEnded(kettle), false);
    endSender(kettle);
    assertEquals(hasEnded(kettle), true);
  });

  it("hasListener() answers for name and sender", () => {
    const kettle = new Kettle();
    assertEquals(hasListener("KettleDidSing", kettle), false);
    for (const filter of [{}, { name: "KettleDidSing" as const }, { sender: kettle }]) {
      using _observer = center.addObserver(() => {}, filter);
      assertEquals(hasListener("KettleDidSing", kettle), true);
    }
    for (const filter of [{ name: "KettleDidStop" as const }, { sender: new Kettle() }]) {
      using _observer = center.addObserver(() => {}, filter);
      assertEquals(hasListener("KettleDidSing", kettle), false);
    }
  });

  it("hasListener() counts streams and waiters until they end", async () => {
    const kettle = new Kettle();
    const stream = center.stream({ name: "KettleDidSing" });
    assert(hasListener("KettleDidSing", kettle));
    await stream.return();
    assert(!hasListener("KettleDidSing", kettle));
    const waiting = center.once("KettleDidSing");
    assert(hasListener("KettleDidSing", kettle));
    sing(kettle, 1);
    assert(!hasListener("KettleDidSing", kettle));
    await waiting;
  });

  it("watchListeners() tells each change for the engine, and no other", async () => {
    const changes: boolean[] = [];
    watchListeners("KettleDidStop", (isHeard) => void changes.push(isHeard));
    const stream = center.stream({ name: "KettleDidStop" });
    const everything = center.stream();
    await stream.return();
    assertEquals(changes, [true]);
    await everything.return();
    assertEquals(changes, [true, false]);
    await center.stream({ name: "KettleDidSing" }).return();
    await center.stream({ name: "KettleDidStop", sender: new Kettle() }).return();
    assertEquals(changes, [true, false]);
    const observer = center.addObserver(() => {}, { sender: engineSender() });
    assertEquals(changes, [true, false, true]);
    observer[Symbol.dispose]();
    void center.once("KettleDidStop");
    endEngine();
    assertEquals(changes, [true, false, true, false, true, false]);
  });

  it("watchListeners() that throws is reported and hurts nobody", () => {
    let isArmed = true;
    watchListeners("KettleDidBoil", () => {
      if (isArmed) throw new RangeError("watch");
    });
    const caught = exceptionsOf(() => {
      using _observer = center.addObserver(() => {}, { name: "KettleDidBoil" });
    });
    isArmed = false;
    assertEquals(caught.map(({ type }) => type), ["RangeError", "RangeError"]);
  });

  it("post() takes the time when it happened", async () => {
    const kettle = new Kettle();
    const timestamp = new Date(86_400_000);
    const first = center.once("KettleDidSing", { sender: kettle });
    post("KettleDidSing", kettle, { pitch: 1 }, { timestamp });
    assertStrictEquals((await first).data.timestamp, timestamp);
  });

  it("post() tells what nobody heard", () => {
    const kettle = new Kettle();
    let unheard = 0;
    const ring = () => post("KettleDidSing", kettle, { pitch: 1 }, { unheard: () => void unheard++ });
    ring();
    assertEquals(unheard, 1);
    {
      using _otherName = center.addObserver(() => {}, { name: "KettleDidStop" });
      using _otherSender = center.addObserver(() => {}, { sender: new Kettle() });
      using _refused = center.addObserver(() => {}, { where: () => false });
      ring();
    }
    assertEquals(unheard, 2);
    {
      using _observer = center.addObserver(() => {
        throw new Error("heard all the same");
      }, { sender: kettle });
      ring();
    }
    const stream = center.stream({ name: "KettleDidSing" });
    ring();
    endSender(kettle);
    assertEquals(stream.pending, 1);
    void stream.return();
    assertEquals(unheard, 2);
  });

  it("post() inside an observer tells in its turn what nobody heard", () => {
    const kettle = new Kettle();
    const heard: string[] = [];
    using _first = center.addObserver(() => {
      const observer = center.addObserver(() => {}, { name: "KettleDidStop" });
      post("KettleDidStop", kettle, {}, { unheard: () => void heard.push("unheard") });
      observer[Symbol.dispose]();
      heard.push("posted");
    }, { name: "KettleDidSing", sender: kettle });
    sing(kettle, 1);
    assertEquals(heard, ["posted", "unheard"]);
  });

  it("post() survives an unheard() that throws", () => {
    const kettle = new Kettle();
    const caught = exceptionsOf(() => {
      post("KettleDidSing", kettle, { pitch: 1 }, {
        unheard: () => {
          throw new RangeError("unheard");
        },
      });
    });
    assertEquals(caught.map(({ type }) => type), ["RangeError"]);
  });

  it("postException() and postWarning() post with the engine as sender", async () => {
    const exception = center.once("SIPEngineGotException", { sender: engineSender() });
    const warning = center.once("SIPEngineGotWarning", { sender: engineSender() });
    postException("thrown text", true);
    postWarning("overload", 3, "Three too many");
    const { timestamp: _at, ...told } = (await exception).data;
    assertEquals(told, { type: "string", value: "thrown text", traceback: "thrown text", fatal: true });
    const { timestamp: _then, ...warned } = (await warning).data;
    assertEquals(warned, { kind: "overload", count: 3, message: "Three too many" });
  });

  it("setEngineSender() makes that object's notifications the engine's", async () => {
    const original = engineSender();
    const engine = {} as typeof original;
    try {
      setEngineSender(engine);
      assertStrictEquals(engineSender(), engine);
      const stream = center.stream({ name: "SIPEngineDidEnd" });
      center.post("SIPEngineDidEnd", original, {});
      center.post("SIPEngineDidEnd", engine, {});
      assertEquals((await Array.fromAsync(stream)).length, 2);
    } finally {
      setEngineSender(original);
    }
  });
});

describe("NotificationMap", () => {
  it("NotificationMap is merged with an application's names", () => {
    const kettle = new Kettle();
    // The compiler is the test here: each of these must be refused, and the rest accepted.
    const check = (): void => {
      // @ts-expect-error -- no such name
      center.post("KettleDidWhistle", kettle, {});
      // @ts-expect-error -- the sender of another name
      center.post("LidDidFall", kettle, { metres: 1 });
      center.post("LidDidFall", new Lid(), { metres: 1 });
      // @ts-expect-error -- data of the wrong shape
      center.post("KettleDidSing", kettle, { pitch: "high" });
      // @ts-expect-error -- data missing
      center.post("KettleDidSing", kettle, {});
      // @ts-expect-error -- two shapes mixed
      center.post("KettleDidBoil", kettle, { isDone: true, degrees: null });
      center.post("KettleDidBoil", kettle, { isDone: false, degrees: null });
      // @ts-expect-error -- the timestamp is the center's
      const _data: PostedData<"KettleDidSing"> = { pitch: 1, timestamp: new Date() };
      // @ts-expect-error -- a stream of a sender that cannot send that
      center.stream({ name: "LidDidFall", sender: kettle });
      center.addObserver((n) => {
        if (n.name === "LidDidFall") n.data.metres satisfies number;
        // @ts-expect-error -- data cannot be changed
        if (n.name === "LidDidFall") n.data.metres = 2;
      });
      center.stream({ name: ["KettleDidSing", "LidDidFall"] }) satisfies AsyncIterable<
        SIPNotification<"KettleDidSing" | "LidDidFall">
      >;
      center.once("KettleDidBoil").then(({ data }) => data.isDone ? data.degrees.toFixed() : data.degrees);
    };
    assertEquals(typeof check, "function");
  });
});
