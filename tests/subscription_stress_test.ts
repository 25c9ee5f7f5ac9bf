// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Subscriptions that end in every way at every moment: run against the address sanitizer it tells most. SIPCORE_RACES in
 * the environment says how many races each of its tests holds; 400 when it is not set.
 */
import process from "node:process";
import { afterEach, describe, it } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import {
  type IncomingSubscription,
  NotificationCenter,
  Referral,
  SIPCoreInvalidStateError,
  Subscription,
} from "../mod.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { referPeer, referralOptions } from "./support/referrals.ts";
import {
  activeSubscription,
  pidf,
  pidfType,
  subscribeToPeer,
  subscriptionOptions,
} from "./support/subscriptions.ts";
import { until } from "./support/until.ts";

const center = new NotificationCenter();

/** So many are under way at once. */
const abreast = 400;
const races = Number(process.env["SIPCORE_RACES"] ?? abreast);
/** Ten seconds for a thousand, and what the slowest machine may want. */
const timeout = 60_000 + races * 10;

/** What the state forbids is no failure: nobody knows here what the state is. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SIPCoreInvalidStateError)) throw error;
  }
}

/** Does things at moments before so many milliseconds have passed. Ends by `using`. */
class Moments implements Disposable {
  readonly #dice: Dice;
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();
  #over = false;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  later(ms: number, action: () => void): void {
    if (this.#over) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      attempt(action);
    }, this.#dice.throw(ms));
    this.#timers.add(timer);
  }

  [Symbol.dispose](): void {
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

/** Answers whatever comes, or does not, and says things that nobody asked for, until the peer is closed. */
async function answerAtRandom(peer: Peer, dice: Dice, moments: Moments): Promise<void> {
  const notify = (request: PeerMessage) => {
    const state = [
      "active;expires=1",
      "pending",
      "terminated",
      "terminated;reason=giveup",
      "odd",
      "",
    ][dice.throw(6)]!;
    const event = /^event:\s*(.*)$/im.exec(request.text)?.[1] ?? "presence";
    peer.request("NOTIFY", {
      ...peer.dialog(request),
      headers: { Event: event, ...(state === "" ? {} : { "Subscription-State": state }) },
      ...(dice.percent(50) ? { body: "SIP/2.0 200 OK\r\n", contentType: "message/sipfrag" } : {}),
    });
  };
  for (;;) {
    let message: PeerMessage;
    try {
      message = await peer.next({ timeoutMs: 60_000 });
    } catch {
      return;
    }
    if (message.method === null) continue;
    if (dice.percent(30)) moments.later(50, () => notify(message));
    if (dice.percent(10)) continue;
    const code = [200, 200, 200, 202, 100, 403, 423, 481, 500][dice.throw(9)]!;
    const headers: Record<string, string> = dice.percent(70) ? { Expires: `${dice.throw(3)}` } : {};
    if (message.method === "REFER" && dice.percent(30)) headers["Refer-Sub"] = "false";
    moments.later(30, () => {
      peer.respond(message, code, { headers });
      if (dice.percent(60)) notify(message);
    });
  }
}

/** Lets so many come to their end, or ends all that have not when the last has begun. */
async function race(count: number, seed: number, stopsEarly: boolean): Promise<void> {
  await startEngine();
  await using peer = await Peer.open();
  const dice = new Dice(seed);
  using moments = new Moments(dice);
  const answering = answerAtRandom(peer, dice, moments);
  const ended = new Set<object>();
  const lastWords: string[] = [];
  using _observer = center.addObserver(({ name, sender, data }) => {
    if (name === "SIPSubscriptionDidEnd" || name === "SIPSubscriptionDidFail") lastWords.push(name);
    if ("state" in data && data.state === "TERMINATED") {
      assertEquals(ended.has(sender), false, "it ended twice");
      ended.add(sender);
    }
  }, {
    name: [
      "SIPSubscriptionChangedState",
      "SIPReferralChangedState",
      "SIPSubscriptionDidEnd",
      "SIPSubscriptionDidFail",
    ],
  });
  const errors: unknown[] = [];
  using _errors = center.addObserver(({ data }) => void errors.push(data.value), {
    name: "SIPEngineGotException",
  });
  for (let index = 0; index < count; index++) {
    if (index % 4 === 0) {
      const referral = new Referral(referralOptions(peer.port));
      referral.sendRefer({ createSubscription: dice.percent(70) });
      if (dice.percent(40)) moments.later(100, () => referral.refresh());
      moments.later(150, () => referral.end({ timeout: 0.5 }));
    } else {
      const subscription = new Subscription(
        subscriptionOptions(peer.port, { refresh: 1 + dice.throw(3) }),
      );
      subscription.subscribe(dice.percent(30) ? { timeout: 0.05 } : {});
      if (dice.percent(40)) moments.later(100, () => subscription.subscribe());
      moments.later(150, () => subscription.end({ timeout: 0.5 }));
    }
    if (index % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await until(() => index - ended.size < abreast, "some end", 30_000);
  }
  if (!stopsEarly) await until(() => ended.size === count, "the end of all", 30_000);
  await stopEngine();
  assertEquals(ended.size, count);
  assertEquals(lastWords.length, Math.floor(count * 3 / 4));
  assertEquals(errors, []);
  moments[Symbol.dispose]();
  await peer.close();
  await answering;
}

describe("Subscription, at random,", () => {
  afterEach(stopEngine);

  it("Subscription and Referral come to their end in every race", { timeout }, async () => {
    await race(races, 4711, false);
  });

  it(
    "Subscription and Referral come to their end in every race when the engine stops",
    { timeout },
    async () => {
      for (let begun = 0; begun < races; begun += abreast) await race(abreast, 4711 + begun, true);
    },
  );

  it("IncomingSubscription comes to its end in every race", { timeout }, async () => {
    const engine = await startEngine({ incomingEvents: ["presence"] });
    await using peer = await Peer.open();
    const dice = new Dice(1147);
    using moments = new Moments(dice);
    const ended = new Set<IncomingSubscription>();
    let made = 0;
    using _ends = center.addObserver(({ sender }) => {
      assertEquals(ended.has(sender), false, "it ended twice");
      ended.add(sender);
    }, { name: "SIPIncomingSubscriptionDidEnd" });
    const act = (subscription: IncomingSubscription) => {
      const acts = [
        () => subscription.accept({ contentType: pidfType, content: pidf("open") }),
        () => subscription.acceptPending(),
        () => subscription.pushContent(pidfType, pidf("closed")),
        () => subscription.end({ reason: "giveup" }),
        () => subscription.reject(403),
      ];
      for (let times = 0; times < 4; times++) moments.later(100, acts[dice.throw(acts.length)]!);
      moments.later(150, () => subscription[Symbol.dispose]());
    };
    using _made = center.addObserver(({ sender }) => {
      made++;
      if (dice.percent(60)) attempt(() => sender.accept());
      act(sender);
    }, { name: "SIPIncomingSubscriptionGotSubscribe" });
    const errors: unknown[] = [];
    using _errors = center.addObserver(({ data }) => void errors.push(data.value), {
      name: "SIPEngineGotException",
    });
    const answering = (async () => {
      for (;;) {
        let message: PeerMessage;
        try {
          message = await peer.next({ timeoutMs: 60_000 });
        } catch {
          return;
        }
        if (message.method === "NOTIFY") {
          const code = [200, 200, 200, 200, 481, 408, 500, 0][dice.throw(8)]!;
          if (code) moments.later(40, () => peer.respond(message, code));
        } else if (message.code === 200 && /SUBSCRIBE/.test(message.headers.get("cseq")![0]!)) {
          if (!dice.percent(60)) continue;
          const headers = { Event: "presence", Expires: `${dice.throw(3)}` };
          moments.later(60, () => peer.request("SUBSCRIBE", { ...peer.dialog(message), headers }));
        }
      }
    })();
    for (let index = 0; index < races; index++) {
      await until(() => index - ended.size < abreast, "some end", 30_000);
      peer.request("SUBSCRIBE", {
        uri: `sip:bob@127.0.0.1:${engine.udpPort}`,
        headers: { Event: "presence", Expires: `${[0, 1, 300][dice.throw(3)]}` },
      });
      if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await until(() => made === races && ended.size === races, "the end of all", 30_000);
    assertGreater(peer.received.length, races * 2);
    await stopEngine();
    assertEquals(errors, []);
    moments[Symbol.dispose]();
    await peer.close();
    await answering;
  });
});

describe("Subscription, attacked,", () => {
  afterEach(stopEngine);

  const odd = {
    "Event": ["presence", "presence;id=1", "PRESENCE", "x", ";;;", 'presence;a="b', "p".repeat(7000), ""],
    "Subscription-State": [
      "active;expires=-1",
      "active;expires=99999999999999999999",
      "active;expires=0",
      "active;expires=1;expires=2;reason=",
      "terminated2",
      "active;" + "x;".repeat(2000),
      '"active"',
      "",
      "=",
    ],
    "Expires": ["-1", "4294967295", "4294967296", "99999999999999999999", "x", "1;y=2", ""],
    "Refer-To": ["<sip:a@b>", "<<>>", "", "<sip:" + "a".repeat(6000) + "@b>"],
    "Refer-Sub": ["false", "false;x", "FALSE", "f", "", "falsetto"],
    "Contact": ["*", "<sip:x@127.0.0.1:1>", "<sip:x@[::1>", "", "<tel:1>"],
    "Content-Type": ["message/sipfrag", "multipart/related", "x", "a/b;c"],
    "Retry-After": ["-1", "99999999999999", "x"],
  } as const;

  function oddHeaders(dice: Dice): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const [name, values] of Object.entries(odd)) {
      if (dice.percent(60)) headers[name] = values[dice.throw(values.length)]!;
    }
    return headers;
  }

  it("Subscription, Referral and their incoming twins survive what no honest peer sends", {
    timeout: 60_000,
  }, async () => {
    const engine = await startEngine({ incomingEvents: ["presence"] });
    await using peer = await Peer.open();
    const dice = new Dice(815);
    using _subscriptions = center.addObserver(({ sender }) => {
      attempt(() => dice.percent(30) ? sender.acceptPending() : sender.accept());
    }, { name: "SIPIncomingSubscriptionGotSubscribe" });
    using _referrals = center.addObserver(({ sender, data }) => {
      void [data.referTo, data.requestUri, data.body, sender.remoteContactHeader, sender.localContactHeader];
      attempt(() => sender.accept());
    }, { name: "SIPIncomingReferralGotRefer" });
    using _notifies = center.addObserver(({ data }) => void [data.contentType, data.event, data.body], {
      name: ["SIPSubscriptionGotNotify", "SIPReferralGotNotify"],
    });
    const errors: unknown[] = [];
    using _errors = center.addObserver(({ data }) => void errors.push(data.value), {
      name: "SIPEngineGotException",
    });
    const uri = `sip:bob@127.0.0.1:${engine.udpPort}`;
    const methods = ["SUBSCRIBE", "NOTIFY", "REFER"];
    const dialogs: PeerMessage[] = [];
    for (let round = 0; round < 60; round++) {
      const { subscription, request } = await subscribeToPeer(peer);
      peer.respond(request, 200, {
        headers: { Expires: ["0", "1", "300", "x", "4294967295"][dice.throw(5)]! },
      });
      const referred = await referPeer(peer);
      peer.respond(referred.request, 202, { headers: oddHeaders(dice) });
      dialogs.push(request, referred.request);
      for (let times = 0; times < 12; times++) {
        const method = methods[dice.throw(methods.length)]!;
        const known = dialogs[dialogs.length - 1 - dice.throw(Math.min(6, dialogs.length))]!;
        const place = dice.percent(30) ? { uri } : peer.dialog(known);
        peer.request(method, {
          ...place,
          headers: oddHeaders(dice),
          body: dice.percent(40) ? "SIP/2.0 2" : "",
        });
      }
      for (const message of peer.pending) {
        if (message.code !== null && message.code < 300 && dialogs.length < 400) dialogs.push(message);
        else if (message.method === "NOTIFY") peer.respond(message, 200, { headers: oddHeaders(dice) });
      }
      while (peer.pending.length > 0) await peer.next();
      attempt(() => subscription.end({ timeout: 0.1 }));
      attempt(() => referred.referral.end({ timeout: 0.1 }));
    }
    // It still works.
    await using other = await Peer.open();
    const fine = await activeSubscription(other);
    attempt(() => fine.subscription.end({ timeout: 0.1 }));
    await fine.notes.end();
    await stopEngine();
    assertEquals(errors, []);
  });
});
