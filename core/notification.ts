// SPDX-License-Identifier: GPL-2.0-or-later
import { checkFilter, post, reportFailure, subscribe, type Subscription, unsubscribe } from "./dispatch.ts";
import type { EngineNotifications } from "./engine_notifications.ts";
import { SIPCoreError } from "./errors.ts";
import type { AudioTransportNotifications } from "../media/audio_transport.ts";
import type { PCMPortNotifications } from "../media/pcm_port.ts";
import type { RTPTransportNotifications } from "../media/rtp_transport.ts";
import type { ToneGeneratorNotifications } from "../media/tone_generator.ts";
import type { WaveFileNotifications } from "../media/wave_file.ts";
import type { IncomingRequestNotifications } from "./incoming_request.ts";
import type { IncomingReferralNotifications } from "./incoming_referral_notifications.ts";
import type { IncomingSubscriptionNotifications } from "./incoming_subscription_notifications.ts";
import type { InvitationNotifications } from "./invitation_notifications.ts";
import type { SubscriptionNotifications } from "./subscription_notifications.ts";
import type { MessageNotifications } from "./message.ts";
import type { PublicationNotifications } from "./publication_notifications.ts";
import type { ReferralNotifications } from "./referral_notifications.ts";
import type { RegistrationNotifications } from "./registration_notifications.ts";
import type { RequestNotifications } from "./request_notifications.ts";
import { NotificationStream } from "./notification_stream.ts";

/** What a notification of one name carries: the object that sends it, and its data. */
export interface Note<S extends object, D extends object = Record<never, never>> {
  /** The object that sent it. */
  readonly sender: S;
  /** What it tells, and when it happened. */
  readonly data: Readonly<D & { timestamp: Date }>;
}

/**
 * Every notification by its name. A noun declares its own beside its class,
 *
 *     export interface InvitationNotifications { SIPInvitationChangedState: Note<Invitation, InvitationStateChange> }
 *
 * and is joined here by one `import type` and its place in the `extends` list; the nouns of `media/` too, because the
 * registry of packages takes no `declare module` from a library.
 *
 * Applications add names of their own by declaration merging with the module that they import:
 *
 * ```ts ignore
 * import type { Note } from "@sipcore/sipcore";
 *
 * declare module "@sipcore/sipcore" {
 *   interface NotificationMap { PhoneBookDidChange: Note<PhoneBook, { entries: number }> }
 * }
 * ```
 */
export interface NotificationMap
  extends
    EngineNotifications,
    IncomingRequestNotifications,
    InvitationNotifications,
    SubscriptionNotifications,
    IncomingSubscriptionNotifications,
    ReferralNotifications,
    IncomingReferralNotifications,
    RequestNotifications,
    MessageNotifications,
    RegistrationNotifications,
    PublicationNotifications,
    AudioTransportNotifications,
    RTPTransportNotifications,
    PCMPortNotifications,
    WaveFileNotifications,
    ToneGeneratorNotifications {}

/** The name of a notification. */
export type NotificationName = keyof NotificationMap;

/** A notification, told apart by `name`; frozen, and so is its `data`. */
export type SIPNotification<N extends NotificationName = NotificationName> = {
  [K in N]: { readonly name: K } & NotificationMap[K];
}[N];

/** The data of a notification as it is posted: without the timestamp, which the center adds. */
export type PostedData<N extends NotificationName> = WithoutTimestamp<NotificationMap[N]["data"]>;

/** `Omit` that keeps a union of shapes a union. */
export type WithoutTimestamp<D> = D extends unknown ? Omit<D, "timestamp"> : never;

/** Which notifications to hear; what is left out lets everything pass. */
export interface StreamFilter<N extends NotificationName> {
  /** The name, or the names. */
  name?: N | readonly N[];
  /** The object that sends them. */
  sender?: NotificationMap[N]["sender"];
  /** Its abort ends the subscription. */
  signal?: AbortSignal;
  /** Called in the step of the post with each notification that fits the rest; true lets it pass. */
  where?: (n: SIPNotification<N>) => boolean;
}

/** An observer that is a function. What it throws, or its promise rejects with, is posted as SIPEngineGotException. */
export type NotificationHandler<N extends NotificationName = NotificationName> = (
  n: SIPNotification<N>,
) => void | Promise<void>;

/** An observer that is an object. */
export interface NotificationObserver<N extends NotificationName = NotificationName> {
  /** Called with each notification; what it throws, or its promise rejects with, is posted as SIPEngineGotException. */
  handleNotification(n: SIPNotification<N>): void | Promise<void>;
}

// Any observer, whatever its names: as an identity, and as what the index calls after the filter has checked them.
type AnyObserver = NotificationHandler | NotificationObserver;

let center: NotificationCenter | null = null;
const registrations: Map<AnyObserver, Set<Subscription>> = new Map();

/**
 * Where everything that happens is told. A singleton: `new NotificationCenter()` is always the same object.
 *
 * Three ways to hear: `stream()` for a loop, `once()` for one, `addObserver()` for a callback in the very step of the
 * post. A filter's signal ends any of them.
 *
 * @example
 * ```ts
 * import { Engine, NotificationCenter } from "@sipcore/sipcore";
 *
 * const center = new NotificationCenter();
 * using _observer = center.addObserver(({ data }) => console.error(data.traceback), {
 *   name: "SIPEngineGotException",
 * });
 * const engine = new Engine();
 * const started = center.once("SIPEngineDidStart", { sender: engine });
 * await engine.start();
 * console.log("running since", (await started).data.timestamp);
 * await engine.stop();
 * ```
 */
export class NotificationCenter {
  /** Gives the one center that there is. */
  constructor() {
    if (center !== null) return center;
    center = this;
  }

  /**
   * The notifications that fit the filter, posted from this call on, as a stream to read with `for await`.
   *
   * Throws TypeError for a malformed filter.
   */
  stream<const N extends NotificationName = NotificationName>(
    filter?: StreamFilter<N>,
  ): NotificationStream<N> {
    return new NotificationStream(filter);
  }

  /**
   * The first notification of this name, or of one of these names, that fits and is posted after this call.
   *
   * Rejects with the signal's reason, with what `where` threw, with SIPCoreError (code "ENDED") when the sender or
   * the engine ends first, and with TypeError for a malformed filter. A promise that nobody awaits may be left: being
   * ended or aborted is then no unhandled rejection.
   */
  once<const N extends NotificationName>(
    name: N | readonly N[],
    options: Omit<StreamFilter<N>, "name"> = {},
  ): Promise<SIPNotification<N>> {
    const { promise, resolve, reject } = Promise.withResolvers<SIPNotification<N>>();
    const leave = (reason: unknown) => {
      promise.catch(() => {});
      reject(reason);
    };
    try {
      if (name === undefined) throw new TypeError("name must be a string or an array of strings");
      const filter = { ...options, name } as StreamFilter<N>;
      const subscription = subscribe(filter, {
        survivesEngine: false,
        deliver: (notification) => {
          unsubscribe(subscription);
          // The filter lets nothing but its names pass.
          resolve(notification as SIPNotification<N>);
        },
        failed: (error) => {
          unsubscribe(subscription);
          reject(error);
        },
        ended: () =>
          leave(new SIPCoreError(`Ended before ${[name].flat().join(" or ")} was posted`, "ENDED")),
        aborted: ({ signal }) => leave(signal?.reason),
      });
    } catch (error) {
      reject(error);
    }
    return promise;
  }

  /**
   * Calls the observer with every notification that fits the filter, synchronously, in post order; observers are
   * called in order of registration, once for each registration that fits.
   *
   * It stays through stop and start of the engine, until it is removed or disposed of, its filter's signal is
   * aborted, or its filter's sender has sent its last notification. What its filter's `where` throws is posted as
   * SIPEngineGotException, as what the observer throws is.
   *
   * Throws TypeError for a malformed observer or filter.
   */
  addObserver<const N extends NotificationName = NotificationName>(
    observer: NotificationHandler<N> | NotificationObserver<N>,
    filter: StreamFilter<N> = {},
  ): Disposable {
    if (typeof observer !== "function" && typeof observer?.handleNotification !== "function") {
      throw new TypeError("observer must be a function or an object with handleNotification()");
    }
    const target = observer as AnyObserver;
    const subscription = subscribe(filter, {
      survivesEngine: true,
      deliver: (notification) => {
        const answer: unknown = typeof target === "function"
          ? target(notification)
          : target.handleNotification(notification);
        if (answer === undefined) return;
        Promise.resolve(answer).catch((error) => reportFailure(error, notification));
      },
      failed: reportFailure,
      ended: (ending) => forget(target, ending),
      aborted: (ending) => forget(target, ending),
    });
    if (subscription.isActive) remember(target, subscription);
    return {
      [Symbol.dispose]() {
        unsubscribe(subscription);
        forget(target, subscription);
      },
    };
  }

  /**
   * Removes the observer: with a filter those of its registrations that were made with the same names, sender and
   * `where`, without one all. Quiet if there is none.
   *
   * Throws TypeError for a malformed filter.
   */
  removeObserver<const N extends NotificationName = NotificationName>(
    observer: NotificationHandler<N> | NotificationObserver<N>,
    filter?: StreamFilter<N>,
  ): void {
    const target = observer as AnyObserver;
    const wanted = filter === undefined ? null : checkFilter(filter);
    for (const subscription of registrations.get(target) ?? []) {
      if (wanted !== null && !isSameFilter(wanted, subscription)) continue;
      unsubscribe(subscription);
      forget(target, subscription);
    }
  }

  /**
   * Posts a notification, with the time of now. Streams have it when this returns, and observers were called; from
   * inside an observer it waits until the notification at hand has reached everybody.
   *
   * `data` is copied; the copy is frozen. Throws TypeError if an argument is of the wrong type.
   */
  post<N extends NotificationName>(name: N, sender: NotificationMap[N]["sender"], data: PostedData<N>): void {
    post(name, sender, data, { copy: true });
  }
}

/** The stream behind the `notifications()` of an object: of this sender, all names or those given. */
export function notificationsOf<N extends NotificationName>(
  sender: object,
  name?: N | readonly N[],
): NotificationStream<N> {
  return new NotificationStream((name === undefined ? { sender } : { sender, name }) as StreamFilter<N>);
}

function remember(observer: AnyObserver, subscription: Subscription): void {
  const own = registrations.get(observer);
  if (own === undefined) registrations.set(observer, new Set([subscription]));
  else own.add(subscription);
}

function forget(observer: AnyObserver, subscription: Subscription): void {
  const own = registrations.get(observer);
  if (own?.delete(subscription) && own.size === 0) registrations.delete(observer);
}

type Filter = ReturnType<typeof checkFilter>;

function isSameFilter(a: Filter, b: Filter): boolean {
  return a.sender === b.sender && a.where === b.where && isSameSet(a.names, b.names);
}

function isSameSet(a: readonly string[] | null, b: readonly string[] | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((one) => b.includes(one));
}
