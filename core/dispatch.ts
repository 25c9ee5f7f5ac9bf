// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Who hears what, in which order, and until when: the machinery behind `NotificationCenter` and
 * `NotificationStream`, and what the rest of the core uses of it. None of it is public.
 *
 * One clock counts subscriptions, posts and ends. A subscription hears the posts that are younger than itself, and
 * an end reaches the subscriptions that are older than itself, however long either had to wait for its turn.
 */
import { exceptionType, traceback } from "./traceback.ts";
import type { Engine } from "./engine.ts";
import type { EngineWarningKind } from "./engine_notifications.ts";
import type {
  NotificationMap,
  NotificationName,
  PostedData,
  SIPNotification,
  StreamFilter,
} from "./notification.ts";

/** The receiving end of a subscription. After `ended` or `aborted` nothing more comes. */
export interface Sink {
  /** True for an observer: it survives the end of the engine; streams and waiters end with it. */
  readonly survivesEngine: boolean;
  deliver(notification: SIPNotification): void;
  /** The filter's `where` threw. The subscription stays unless the sink ends it. */
  failed(error: unknown, notification: SIPNotification): void;
  /** The sender or the engine has ended. */
  ended(subscription: Subscription): void;
  /** The filter's signal was aborted. */
  aborted(subscription: Subscription): void;
}

/** One entry of the index. */
export interface Subscription {
  readonly names: readonly string[] | null;
  readonly sender: object | null;
  readonly where: ((notification: SIPNotification) => boolean) | null;
  readonly signal: AbortSignal | null;
  readonly sink: Sink;
  readonly since: number;
  readonly onAbort: () => void;
  isActive: boolean;
}

/** What a post can carry beside its data. */
export interface PostOptions {
  /** When it happened, if that was not now. */
  readonly timestamp?: Date;
  /** The data stays the caller's: the notification carries a copy. */
  readonly copy?: boolean;
  /** Called if no stream, no observer and no `once` has heard it. */
  readonly unheard?: () => void;
}

/** The subscriptions of one sender, or those that take any. A Set keeps the order of registration. */
class Shelf {
  readonly all: Set<Subscription> = new Set();
  readonly anyName: Set<Subscription> = new Set();
  readonly byName: Map<string, Set<Subscription>> = new Map();

  add(subscription: Subscription): void {
    this.all.add(subscription);
    if (subscription.names === null) this.anyName.add(subscription);
    for (const name of subscription.names ?? []) {
      const named = this.byName.get(name);
      if (named === undefined) this.byName.set(name, new Set([subscription]));
      else named.add(subscription);
    }
  }

  delete(subscription: Subscription): void {
    this.all.delete(subscription);
    this.anyName.delete(subscription);
    for (const name of subscription.names ?? []) {
      const named = this.byName.get(name);
      if (named?.delete(subscription) && named.size === 0) this.byName.delete(name);
    }
  }
}

/** What a class that extends it constructs is the object that it was given. */
class Given {
  constructor(object: object) {
    return object;
  }
}

/** Marks senders that have ended by a private field of its own, which costs the collector nothing, unlike a WeakSet. */
class Ended extends Given {
  readonly #mark = true;

  static has(sender: object): boolean {
    return #mark in sender && sender.#mark;
  }
}

const NOBODY: ReadonlySet<Subscription> = new Set();

const ofAnySender = new Shelf();
const ofOneSender: WeakMap<object, Shelf> = new WeakMap();
/** What ends with the engine. */
const endsWithEngine: Set<Subscription> = new Set();
const watches: Map<string, { isHeard: boolean; changed: (isHeard: boolean) => void }> = new Map();

let clock = 0;
let subscriptions = 0;
let engine: object = Object.freeze({});
let hasStarted = false;
let isDraining = false;
let backlog: (() => void)[] = [];

/** The object that sends the engine's notifications: the engine, a frozen placeholder before there is one. */
export function engineSender(): Engine {
  return engine as Engine;
}

/** Called once, with the Engine, when it is made. */
export function setEngineSender(sender: object): void {
  engine = sender;
  checkWatches();
}

/** How many subscriptions there are, streams, observers and waiters together. */
export function subscriptionCount(): number {
  return subscriptions;
}

/**
 * Enters a sink in the index. A filter that can never fit again (signal aborted, sender ended) tells the sink at
 * once and enters nothing.
 *
 * Throws TypeError for a malformed filter.
 */
export function subscribe<N extends NotificationName>(filter: StreamFilter<N>, sink: Sink): Subscription {
  const subscription: Subscription = {
    ...checkFilter(filter),
    sink,
    since: ++clock,
    onAbort: () => {
      unsubscribe(subscription);
      sink.aborted(subscription);
    },
    isActive: false,
  };
  const { sender, signal } = subscription;
  if (signal?.aborted) sink.aborted(subscription);
  else if (sender !== null && Ended.has(sender)) sink.ended(subscription);
  else enter(subscription);
  return subscription;
}

function enter(subscription: Subscription): void {
  const { sender, signal, sink } = subscription;
  let shelf: Shelf | undefined = sender === null ? ofAnySender : ofOneSender.get(sender);
  if (shelf === undefined) ofOneSender.set(sender as object, shelf = new Shelf());
  shelf.add(subscription);
  if (!sink.survivesEngine) endsWithEngine.add(subscription);
  signal?.addEventListener("abort", subscription.onAbort, { once: true });
  subscription.isActive = true;
  subscriptions++;
  if (sender === null || sender === engine) checkWatches();
}

/** Takes a subscription out of the index; quiet if it is out already. */
export function unsubscribe(subscription: Subscription): void {
  if (!subscription.isActive) return;
  subscription.isActive = false;
  subscriptions--;
  const { sender, signal } = subscription;
  signal?.removeEventListener("abort", subscription.onAbort);
  endsWithEngine.delete(subscription);
  // An empty shelf stays: it goes with its sender.
  (sender === null ? ofAnySender : ofOneSender.get(sender))?.delete(subscription);
  if (sender === null || sender === engine) checkWatches();
}

/** A filter's parts, checked and copied. */
export function checkFilter<N extends NotificationName>(
  filter: StreamFilter<N>,
): Pick<Subscription, "names" | "sender" | "where" | "signal"> {
  if (typeof filter !== "object" || filter === null) throw new TypeError("filter must be an object");
  const { name, sender, where, signal } = filter;
  const names = name === undefined ? null : [...new Set([name].flat())];
  if (names?.some((one) => typeof one !== "string")) {
    throw new TypeError("filter.name must be a string or an array of strings");
  }
  if (sender !== undefined && !isObject(sender)) throw new TypeError("filter.sender must be an object");
  if (where !== undefined && typeof where !== "function") {
    throw new TypeError("filter.where must be a function");
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("filter.signal must be an AbortSignal");
  }
  return {
    names,
    sender: sender ?? null,
    // Only notifications of the filter's names are ever shown to it.
    where: (where ?? null) as ((notification: SIPNotification) => boolean) | null,
    signal: signal ?? null,
  };
}

/**
 * Whether a post of this name by this sender would find a subscription (its `where` is not asked).
 *
 * For what is dear to prepare: log lines and traces.
 */
export function hasListener(name: NotificationName, sender: object): boolean {
  const shelf = ofOneSender.get(sender);
  return ofAnySender.anyName.size > 0 || ofAnySender.byName.has(name) ||
    (shelf !== undefined && (shelf.anyName.size > 0 || shelf.byName.has(name)));
}

/** Whether somebody listens for this name, rather than for all names. */
export function hasNamedListener(name: NotificationName, sender: object): boolean {
  return ofAnySender.byName.has(name) || (ofOneSender.get(sender)?.byName.has(name) ?? false);
}

/**
 * Tells whenever {@linkcode hasListener} for this name and the engine changes, in the same step as the subscription
 * that changes it. One watch a name; a later one takes its place.
 */
export function watchListeners(name: NotificationName, changed: (isHeard: boolean) => void): void {
  watches.set(name, { isHeard: hasListener(name, engine), changed });
}

function checkWatches(): void {
  for (const [name, watch] of watches) {
    const isHeard = hasListener(name as NotificationName, engine);
    if (isHeard === watch.isHeard) continue;
    watch.isHeard = isHeard;
    try {
      watch.changed(isHeard);
    } catch (error) {
      postException(error);
    }
  }
}

/**
 * Posts a notification; a post made while another is being handed out waits for its turn.
 *
 * Unless it is to be copied the data becomes the notification's: it gets its timestamp and is frozen. When nobody
 * listens nothing is made of the data. Throws TypeError if name, sender or data is of the wrong type.
 */
export function post<N extends NotificationName>(
  name: N,
  sender: NotificationMap[N]["sender"],
  data: PostedData<N>,
  options?: PostOptions,
): void {
  if (typeof name !== "string") throw new TypeError("name must be a string");
  if (!isObject(sender)) throw new TypeError("sender must be an object");
  if (!isObject(data)) throw new TypeError("data must be an object");
  announce(name, sender, () => {
    const own = complete(options?.copy ? { ...data } : data, options?.timestamp ?? new Date());
    return Object.freeze({ name, sender, data: own }) as unknown as SIPNotification;
  }, options?.unheard);
}

/** The same for data that is dear to make, or seldom read: it is made when a reader of the notification asks for it. */
export function postLazily<N extends NotificationName>(
  name: N,
  sender: NotificationMap[N]["sender"],
  timestamp: Date,
  make: () => PostedData<N>,
  unheard?: () => void,
): void {
  announce(
    name,
    sender,
    () => new LazyNotification(name, sender, () => complete(make(), timestamp)) as unknown as SIPNotification,
    unheard,
  );
}

function complete(data: object, timestamp: Date): object {
  return Object.freeze(Object.assign(data, { timestamp }));
}

/** A notification whose data is made when it is read. */
class LazyNotification {
  readonly name: NotificationName;
  readonly sender: object;
  #make: (() => object) | null;
  #data: object | null = null;

  constructor(name: NotificationName, sender: object, make: () => object) {
    this.name = name;
    this.sender = sender;
    this.#make = make;
    Object.freeze(this);
  }

  get data(): object {
    if (this.#make !== null) {
      this.#data = this.#make();
      this.#make = null;
    }
    return this.#data!;
  }

  toJSON(): object {
    const { name, sender, data } = this;
    return { name, sender, data };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return this.toJSON();
  }
}

function announce(
  name: NotificationName,
  sender: object,
  make: () => SIPNotification,
  unheard?: () => void,
): void {
  const at = ++clock;
  const lifecycle = sender === engine ? LIFECYCLE.get(name) : undefined;
  if (hasListener(name, sender)) {
    const notification = make();
    inTurn(() => {
      if (!handOut(notification, at)) tellUnheard(unheard);
      lifecycle?.(at);
    });
  } else {
    if (unheard !== undefined) tellUnheard(unheard);
    if (lifecycle !== undefined) inTurn(() => lifecycle(at));
  }
}

/** Posts SIPEngineGotException. */
export function postException(error: unknown, fatal: boolean = false): void {
  post("SIPEngineGotException", engineSender(), {
    type: exceptionType(error),
    value: error,
    traceback: traceback(error),
    fatal,
  });
}

/** Posts SIPEngineGotWarning. */
export function postWarning(kind: EngineWarningKind, count: number, message: string): void {
  post("SIPEngineGotWarning", engineSender(), { kind, count, message });
}

/** Reports what an observer threw; what was thrown over SIPEngineGotException itself must not go round in circles. */
export function reportFailure(error: unknown, notification: SIPNotification): void {
  if (notification.name === "SIPEngineGotException") reportError(error);
  else postException(error);
}

/**
 * Says that what this sender has posted so far was its last: what is bound to it ends behind that.
 *
 * Streams end, waiters are rejected, observers that are bound to it are let go. Quiet the second time.
 */
export function endSender(sender: object): void {
  if (Ended.has(sender)) return;
  new Ended(sender);
  const at = ++clock;
  inTurn(() => end(ofOneSender.get(sender)?.all ?? NOBODY, at));
}

/** Whether {@linkcode endSender} was called for it. */
export function hasEnded(sender: object): boolean {
  return Ended.has(sender);
}

/** What the engine's own notifications do to the streams, after they were handed out. */
const LIFECYCLE: ReadonlyMap<string, (at: number) => void> = new Map<string, (at: number) => void>([
  ["SIPEngineWillStart", () => void (hasStarted = false)],
  ["SIPEngineDidStart", () => void (hasStarted = true)],
  // After a start that worked SIPEngineDidEnd is still to come.
  ["SIPEngineDidFail", (at) => void (hasStarted || end(endsWithEngine, at))],
  ["SIPEngineDidEnd", (at) => end(endsWithEngine, at)],
]);

function end(which: ReadonlySet<Subscription>, at: number): void {
  for (const subscription of which) {
    if (subscription.since > at) continue;
    unsubscribe(subscription);
    subscription.sink.ended(subscription);
  }
}

function inTurn(step: () => void): void {
  if (isDraining) {
    backlog.push(step);
    return;
  }
  isDraining = true;
  try {
    step();
    while (backlog.length > 0) {
      const batch = backlog;
      backlog = [];
      for (const one of batch) one();
    }
  } finally {
    isDraining = false;
  }
}

function handOut(notification: SIPNotification, at: number): boolean {
  let isHeard = false;
  for (const subscription of inOrder(notification)) {
    const { sink, since } = subscription;
    if (since > at || !subscription.isActive || !fits(subscription, notification)) continue;
    isHeard = true;
    try {
      sink.deliver(notification);
    } catch (error) {
      reportFailure(error, notification);
    }
  }
  return isHeard;
}

function fits(subscription: Subscription, notification: SIPNotification): boolean {
  if (subscription.where === null) return true;
  try {
    // It may have ended its own subscription.
    return subscription.where(notification) && subscription.isActive;
  } catch (error) {
    if (subscription.isActive) subscription.sink.failed(error, notification);
    return false;
  }
}

/** The candidates for a notification by age. The usual single set is walked as it stands: `since` skips what joins. */
function inOrder({ name, sender }: SIPNotification): Iterable<Subscription> {
  const named = ofAnySender.byName.get(name);
  const shelf = ofOneSender.get(sender);
  if (shelf === undefined && ofAnySender.anyName.size === 0) return named ?? NOBODY;
  const sets = [named, ofAnySender.anyName, shelf?.byName.get(name), shelf?.anyName];
  let only: Set<Subscription> | null = null;
  for (const set of sets) {
    if (set === undefined || set.size === 0) continue;
    if (only !== null) return merged(sets);
    only = set;
  }
  return only ?? NOBODY;
}

function merged(sets: readonly (Set<Subscription> | undefined)[]): Subscription[] {
  return sets.flatMap((set) => [...set ?? NOBODY]).sort((a, b) => a.since - b.since);
}

function tellUnheard(unheard: (() => void) | undefined): void {
  try {
    unheard?.();
  } catch (error) {
    postException(error);
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
