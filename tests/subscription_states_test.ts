// SPDX-License-Identifier: GPL-2.0-or-later
/** What each method does in each state: a row for a state, a column for a method. */
import { after, before, describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { Engine, Referral, SIPCoreInvalidStateError, Subscription } from "../mod.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer } from "./support/peer.ts";
import {
  acceptedReferral,
  referFromPeer,
  referPeer,
  referralOptions,
  tellStatus,
} from "./support/referrals.ts";
import {
  activeSubscription,
  activeSubscriptionFromPeer,
  notify,
  pidfType,
  subscribeFromPeer,
  subscribeToPeer,
  subscriptionOptions,
} from "./support/subscriptions.ts";

/** "throws": SIPCoreInvalidStateError. */
type Answer = "passes" | "throws";

const engine = new Engine();

function answerOf(action: () => void): Answer {
  try {
    action();
    return "passes";
  } catch (error) {
    if (error instanceof SIPCoreInvalidStateError) return "throws";
    throw error;
  }
}

/** Tries the one method on an object that was brought into the state, and compares. */
async function compare<T extends { readonly state: string }>(
  table: Readonly<Record<string, Readonly<Record<string, Answer>>>>,
  make: Readonly<Record<string, (peer: Peer) => Promise<T>>>,
  methods: Readonly<Record<string, (object: T) => void>>,
): Promise<void> {
  const found: Record<string, Record<string, Answer>> = {};
  for (const state of Object.keys(table)) {
    const row: Record<string, Answer> = {};
    for (const [method, call] of Object.entries(methods)) {
      await using peer = await Peer.open();
      const object = await make[state]!(peer);
      row[method] = answerOf(() => call(object));
    }
    found[state] = row;
  }
  assertEquals(found, table);
}

describe("Subscriptions and referrals, states and methods", () => {
  before(() => startEngine({ incomingEvents: ["presence"] }));
  after(stopEngine);

  it("Subscription in each state", { timeout: 60_000 }, async () => {
    await compare<Subscription>(
      {
        NULL: { subscribe: "passes", end: "throws", dispose: "passes" },
        SENT: { subscribe: "passes", end: "passes", dispose: "passes" },
        ACTIVE: { subscribe: "passes", end: "passes", dispose: "passes" },
        odd: { subscribe: "passes", end: "passes", dispose: "passes" },
        ending: { subscribe: "throws", end: "passes", dispose: "passes" },
        TERMINATED: { subscribe: "throws", end: "passes", dispose: "passes" },
      },
      {
        NULL: (peer) => Promise.resolve(new Subscription(subscriptionOptions(peer.port))),
        SENT: async (peer) => {
          const { subscription, notes } = await subscribeToPeer(peer);
          await notes.until("SIPSubscriptionWillStart");
          return subscription;
        },
        ACTIVE: async (peer) => (await activeSubscription(peer)).subscription,
        odd: async (peer) => {
          const { subscription, notes, request } = await activeSubscription(peer);
          await notify(peer, request, "odd");
          await notes.until("SIPSubscriptionChangedState");
          return subscription;
        },
        ending: async (peer) => {
          const { subscription } = await activeSubscription(peer);
          subscription.end();
          return subscription;
        },
        TERMINATED: async (peer) => {
          const { subscription, notes, request } = await activeSubscription(peer);
          await notify(peer, request, "terminated");
          await notes.end();
          return subscription;
        },
      },
      {
        subscribe: (subscription) => subscription.subscribe(),
        end: (subscription) => subscription.end({ timeout: 0.2 }),
        dispose: (subscription) => subscription[Symbol.dispose](),
      },
    );
  });

  it("Referral in each state", { timeout: 60_000 }, async () => {
    await compare<Referral>(
      {
        NULL: { sendRefer: "passes", refresh: "throws", end: "throws", dispose: "passes" },
        SENT: { sendRefer: "throws", refresh: "throws", end: "passes", dispose: "passes" },
        ACTIVE: { sendRefer: "throws", refresh: "passes", end: "passes", dispose: "passes" },
        ending: { sendRefer: "throws", refresh: "throws", end: "passes", dispose: "passes" },
        TERMINATED: { sendRefer: "throws", refresh: "throws", end: "passes", dispose: "passes" },
      },
      {
        NULL: (peer) => Promise.resolve(new Referral(referralOptions(peer.port))),
        SENT: async (peer) => {
          const { referral, notes } = await referPeer(peer);
          await notes.until("SIPReferralWillStart");
          return referral;
        },
        ACTIVE: async (peer) => (await acceptedReferral(peer)).referral,
        ending: async (peer) => {
          const { referral } = await acceptedReferral(peer);
          referral.end();
          return referral;
        },
        TERMINATED: async (peer) => {
          const { referral, notes, request } = await acceptedReferral(peer);
          await tellStatus(peer, request, "terminated;reason=noresource", "200 OK");
          await notes.end();
          return referral;
        },
      },
      {
        sendRefer: (referral) => referral.sendRefer(),
        refresh: (referral) => referral.refresh(),
        end: (referral) => referral.end({ timeout: 0.2 }),
        dispose: (referral) => referral[Symbol.dispose](),
      },
    );
  });

  it("IncomingSubscription in each state", { timeout: 60_000 }, async () => {
    const ended = {
      reject: "throws",
      acceptPending: "throws",
      accept: "throws",
      pushContent: "throws",
      end: "throws",
      dispose: "passes",
    } as const;
    await compare(
      {
        incoming: {
          ...ended,
          reject: "passes",
          acceptPending: "passes",
          accept: "passes",
          dispose: "passes",
        },
        pending: { ...ended, accept: "passes", end: "passes", dispose: "passes" },
        active: { ...ended, pushContent: "passes", end: "passes", dispose: "passes" },
        terminated: ended,
      },
      {
        incoming: async (peer) => (await subscribeFromPeer(engine, peer)).subscription,
        pending: async (peer) => {
          const { subscription } = await subscribeFromPeer(engine, peer);
          subscription.acceptPending();
          return subscription;
        },
        active: async (peer) => (await activeSubscriptionFromPeer(engine, peer)).subscription,
        terminated: async (peer) => {
          const { subscription, notes } = await activeSubscriptionFromPeer(engine, peer);
          subscription.end();
          await notes.end();
          return subscription;
        },
      },
      {
        reject: (subscription) => subscription.reject(403),
        acceptPending: (subscription) => subscription.acceptPending(),
        accept: (subscription) => subscription.accept(),
        pushContent: (subscription) => subscription.pushContent(pidfType, "<presence/>"),
        end: (subscription) => subscription.end(),
        dispose: (subscription) => subscription[Symbol.dispose](),
      },
    );
  });

  it("IncomingReferral in each state", { timeout: 60_000 }, async () => {
    const ended = {
      reject: "throws",
      accept: "throws",
      sendNotify: "throws",
      end: "throws",
      dispose: "passes",
    } as const;
    await compare(
      {
        incoming: { ...ended, reject: "passes", accept: "passes", dispose: "passes" },
        active: { ...ended, sendNotify: "passes", end: "passes", dispose: "passes" },
        terminated: ended,
      },
      {
        incoming: async (peer) => (await referFromPeer(engine, peer)).referral,
        active: async (peer) => {
          const { referral } = await referFromPeer(engine, peer);
          referral.accept();
          return referral;
        },
        terminated: async (peer) => {
          const { referral, notes } = await referFromPeer(engine, peer);
          referral.reject(603);
          await notes.end();
          return referral;
        },
      },
      {
        reject: (referral) => referral.reject(603),
        accept: (referral) => referral.accept(),
        sendNotify: (referral) => referral.sendNotify(180),
        end: (referral) => referral.end(),
        dispose: (referral) => referral[Symbol.dispose](),
      },
    );
  });
});
