// SPDX-License-Identifier: GPL-2.0-or-later
import { randomUUID } from "node:crypto";
import { Alarm } from "./alarm.ts";
import { Backoff } from "./backoff.ts";
import { checkBoolean, checkInstance, checkInteger } from "./check_argument.ts";
import { onConnectionLost } from "./connection_losses.ts";
import { BaseCredentials, FrozenCredentials } from "./credentials.ts";
import { endSender, post } from "./dispatch.ts";
import type { EndpointAddress } from "./endpoint_address.ts";
import { SIPCoreInvalidStateError } from "./errors.ts";
import { checkExtraHeaders } from "./extra_headers.ts";
import { FrozenList } from "./frozen.ts";
import { parseSeconds } from "./granted_seconds.ts";
import { frozenHeader } from "./header_map.ts";
import {
  BaseContactHeader,
  BaseFromHeader,
  type BaseHeader,
  BaseRouteHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRetryAfterHeader,
  FrozenRouteHeader,
  Header,
  ToHeader,
} from "./headers.ts";
import { lazy } from "./lazy.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { MOST_SECONDS } from "./parameters.ts";
import type { RegistrationNotifications } from "./registration_notifications.ts";
import { setWaiting } from "./registry.ts";
import { Request, type RequestOutcome } from "./request.ts";
import type { SendOptions } from "./request_options.ts";
import { endCount, running, runningOrNull } from "./running.ts";
import { SoftState } from "./soft_state.ts";
import { checkTimeout } from "./timeout.ts";
import { SIPURI } from "./uri.ts";

/** What a Registration takes beside the address. */
export interface RegistrationOptions {
  /** What answers the registrar's challenge. */
  credentials?: BaseCredentials | null;
  /** For how many seconds to register. Default 300. */
  duration?: number;
  /** Headers beside those that the library writes by itself. */
  extraHeaders?: Iterable<BaseHeader>;
  /** Whether it registers again by itself: in time, after the loss of its connection, and after failures. Default false. */
  autoRefresh?: boolean;
}

/** What one REGISTER is about. */
interface Binding {
  readonly contactHeader: FrozenContactHeader;
  readonly routeHeader: FrozenRouteHeader;
}

/** "Interval Too Brief" (RFC 3261, section 21.4.17). */
const tooBrief = 423;

/** Nobody is told to come back later than this, in seconds: a day. */
const longestWait = 86_400;

/** What it writes itself beside what every request does. */
const ownHeaders = ["expires"];

/**
 * The registration of a contact for an address (RFC 3261, section 10), by one REGISTER after the other. Unless
 * `autoRefresh` is set it does nothing by itself: SIPRegistrationWillExpire says when to register again.
 *
 * @example
 * ```ts
 * import { ContactHeader, Engine, FromHeader, Registration, RouteHeader, SIPURI } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * const from = new FromHeader(SIPURI.parse("sip:alice@example.net"));
 * using registration = new Registration(from, { duration: 600, autoRefresh: true });
 * const route = RouteHeader.to({ address: "127.0.0.1", port: 5060 });
 * registration.register(new ContactHeader(engine.contactUri(route, { user: "alice" })), route, { timeout: 1 });
 * for await (const { name, data } of registration.notifications()) {
 *   console.log(name, "code" in data ? data.code : "");
 *   break;
 * }
 * ```
 */
export class Registration {
  /** @internal */
  readonly isLeaving = false;
  /** Whether it registers again by itself. */
  readonly autoRefresh: boolean;
  readonly #madeAt: number = endCount();
  readonly #state: SoftState<Binding>;
  readonly #retry: Alarm = new Alarm();
  readonly #backoff: Backoff = new Backoff();
  #fromHeader: FrozenFromHeader;
  #credentials: FrozenCredentials | null = null;
  #duration = 300;
  #extraHeaders: FrozenList<BaseHeader> = new FrozenList();
  #callId = "";
  /** What was registered, or tried, last. */
  #binding: Binding | null = null;
  /** It registers again by itself: `autoRefresh`, between `register()` and `end()`. */
  #isActive = false;
  /** What the registrar wants at least, in seconds; and whether it has just said so. */
  #least = 0;
  #wasTooBrief = false;
  /** How often the connection was lost since the last registration that held for half of its time. */
  #losses = 0;
  #isDisposed = false;
  #unlisten: () => void = () => {};

  /** @throws TypeError and RangeError for bad arguments. */
  /** An address that is not registered yet. */
  constructor(fromHeader: BaseFromHeader, options: RegistrationOptions = {}) {
    this.#fromHeader = FrozenFromHeader.from(checkInstance(fromHeader, BaseFromHeader, "fromHeader"));
    this.credentials = options.credentials ?? null;
    this.duration = options.duration ?? 300;
    this.extraHeaders = options.extraHeaders ?? [];
    this.autoRefresh = checkBoolean(options.autoRefresh ?? false, "autoRefresh");
    this.#state = new SoftState({
      succeeded: (outcome, binding) => this.#succeeded(outcome, binding),
      failed: (outcome, binding) => this.#failed(outcome, binding),
      willExpire: (expires) => this.#willExpire(expires),
      didEnd: (expired) => this.#didEnd(expired),
      didNotEnd: (outcome) => this.#didNotEnd(outcome),
    });
  }

  /** The address that is registered; of the next REGISTER. */
  get fromHeader(): FrozenFromHeader {
    return this.#fromHeader;
  }
  set fromHeader(value: BaseFromHeader) {
    this.#fromHeader = FrozenFromHeader.from(checkInstance(value, BaseFromHeader, "fromHeader"));
  }

  /** What answers the registrar's challenge; of the next REGISTER. */
  get credentials(): FrozenCredentials | null {
    return this.#credentials;
  }
  set credentials(value: BaseCredentials | null) {
    this.#credentials = value && FrozenCredentials.from(checkInstance(value, BaseCredentials, "credentials"));
  }

  /** For how many seconds to register, 1 to 4294967295; of the next REGISTER. */
  get duration(): number {
    return this.#duration;
  }
  set duration(value: number) {
    this.#duration = checkInteger(value, "duration", 1, MOST_SECONDS);
  }

  /** More headers; of the next REGISTER. */
  get extraHeaders(): FrozenList<BaseHeader> {
    return this.#extraHeaders;
  }
  set extraHeaders(value: Iterable<BaseHeader>) {
    this.#extraHeaders = new FrozenList(checkExtraHeaders(value, ownHeaders).map(frozenHeader));
  }

  /** Whether the registrar has taken a contact of ours that has not expired. */
  get isRegistered(): boolean {
    return this.#state.kept !== null;
  }

  /** The Contact that is registered, as it was sent; null when none is. */
  get contactHeader(): FrozenContactHeader | null {
    return this.#state.kept?.contactHeader ?? null;
  }

  /** Whole seconds until the registration expires; 0 when there is none. */
  get expiresIn(): number {
    return this.#state.expiresIn;
  }

  /** Where the last response came from; a new object each time. */
  get peerAddress(): EndpointAddress | null {
    return this.#state.last?.peerAddress ?? null;
  }

  /**
   * Registers, or renews. A REGISTER that is on its way is given up for this one, and nothing more is told of it. A
   * failure to send comes as SIPRegistrationDidFail with code 0.
   *
   * @param contactHeader where the address is to be reached.
   * @param routeHeader the registrar: an IP address, its port and transport.
   * @throws SIPCoreInvalidStateError when the engine does not run, or was stopped since this was made, or this was
   * disposed of; TypeError and RangeError for bad arguments; the signal's reason when it has aborted.
   */
  register(contactHeader: BaseContactHeader, routeHeader: BaseRouteHeader, options: SendOptions = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    const binding = {
      contactHeader: FrozenContactHeader.from(
        checkInstance(contactHeader, BaseContactHeader, "contactHeader"),
      ),
      routeHeader: FrozenRouteHeader.from(checkInstance(routeHeader, BaseRouteHeader, "routeHeader")),
    };
    if (binding.contactHeader.uri === null) throw new TypeError('contactHeader must not be "*"');
    options.signal?.throwIfAborted();
    this.#checkAlive();
    this.#least = 0;
    this.#isActive = this.autoRefresh;
    this.#register(binding, timeout, options.signal ?? null);
  }

  #checkAlive(): void {
    running();
    if (this.#isDisposed || this.#madeAt !== endCount()) {
      throw new SIPCoreInvalidStateError("Could not register: this registration has ended", null);
    }
  }

  #register(binding: Binding, timeout: number | null, signal: AbortSignal | null): void {
    const seconds = Math.max(this.#duration, this.#least);
    const request = this.#requestOf(binding, seconds);
    this.#binding = binding;
    this.#retry.clear();
    this.#state.send(request, binding, { timeout, signal, abort: () => this.end() });
    this.#waits();
  }

  /** One rising CSeq for each Call-ID; a new one where nothing is registered and nothing on its way. */
  #requestOf({ contactHeader, routeHeader }: Binding, seconds: number): Request {
    const { kept, current, last } = this.#state;
    if (last === null || (kept === null && current === null)) this.#callId = randomUUID();
    const goesOn = last?.callId === this.#callId;
    // One that is on its way may have answered a challenge already.
    const step = last?.state === "IN_PROGRESS" && last.credentials ? 2 : 1;
    const { uri } = this.#fromHeader;
    const to = new ToHeader(this.#fromHeader.uri, { displayName: this.#fromHeader.displayName });
    return new Request({
      method: "REGISTER",
      requestUri: new SIPURI({ host: uri.host, secure: uri.secure }),
      fromHeader: this.#fromHeader,
      toHeader: to,
      routeHeader,
      contactHeader,
      credentials: this.#credentials,
      callId: this.#callId,
      cseq: goesOn ? last.cseq + step : 1,
      extraHeaders: [new Header("Expires", String(seconds)), ...this.#extraHeaders],
    });
  }

  /**
   * Unregisters: SIPRegistrationWillEnd, and then SIPRegistrationDidEnd or SIPRegistrationDidNotEnd. A REGISTER that is
   * on its way is given up for it. When nothing is registered or on its way nothing happens, but for the end of
   * `autoRefresh`, until the next `register()`.
   *
   * @throws TypeError and RangeError for a bad timeout.
   */
  end(options: { timeout?: number | null } = {}): void {
    const timeout = checkTimeout(options.timeout ?? null);
    this.#isActive = false;
    this.#retry.clear();
    this.#unlisten();
    const binding = this.#state.kept ?? this.#state.current;
    this.#waits();
    if (binding === null || this.#state.isEnding || !runningOrNull()) return;
    const { contactHeader, routeHeader } = binding;
    const parameters = new Map(contactHeader.parameters);
    // It would have the last word against Expires.
    for (const name of parameters.keys()) if (name.toLowerCase() === "expires") parameters.delete(name);
    const { uri, displayName } = contactHeader;
    const bare = new FrozenContactHeader(uri, { displayName, parameters });
    const request = this.#requestOf({ contactHeader: bare, routeHeader }, 0);
    // Ahead of what a failure to send tells.
    queueMicrotask(() => post("SIPRegistrationWillEnd", this, {}));
    this.#state.send(request, binding, { timeout, signal: null, abort() {} }, true);
    this.#waits();
  }

  /** Unregisters if need be; its last notification is what tells so. Nothing can be registered after it. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.end();
    if (!this.#state.isEnding) this.#leave();
  }

  /** Nothing more is told. */
  #leave(): void {
    this.#state.forget();
    this.#waits();
    endSender(this);
  }

  /** The stream of this registration's notifications, all or those of the names given. */
  notifications<const N extends keyof RegistrationNotifications = keyof RegistrationNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** The engine has to know of whoever waits for something. */
  #waits(): void {
    setWaiting(this, this.isRegistered || this.#state.current !== null || this.#retry.isSet);
  }

  #succeeded({ response, expires, time, connection }: RequestOutcome, binding: Binding): void {
    this.#wasTooBrief = false;
    if (this.#losses < 2) this.#backoff.reset();
    this.#unlisten();
    this.#unlisten = this.#isActive && connection !== null
      ? onConnectionLost(connection, () => this.#lostConnection())
      : () => {};
    const contacts = lazy(() =>
      new FrozenList(
        response.headers.getAll("Contact").filter((one) => one instanceof FrozenContactHeader),
      )
    );
    post("SIPRegistrationDidSucceed", this, {
      code: response.code,
      get reason() {
        return response.reason;
      },
      contactHeader: binding.contactHeader,
      get contactHeaderList() {
        return contacts();
      },
      expiresIn: expires,
      routeHeader: binding.routeHeader,
    }, { timestamp: time });
    this.#waits();
  }

  #failed({ response, time }: RequestOutcome, { routeHeader }: Binding): void {
    const { code, reason, headers } = response;
    const minExpires = parseSeconds(headers.text("Min-Expires"));
    const later = headers.get("Retry-After");
    const retryAfter = later instanceof FrozenRetryAfterHeader ? later.seconds : null;
    const willRetryIn = this.#isActive && runningOrNull() !== null
      ? this.#waitAfter(code, minExpires, retryAfter)
      : null;
    // Before anybody is told: who calls register() now wants no other one.
    if (willRetryIn !== null) this.#retry.set(willRetryIn, () => this.#refresh());
    this.#waits();
    const { expiresIn } = this;
    post("SIPRegistrationDidFail", this, {
      code,
      reason,
      routeHeader,
      minExpires,
      retryAfter,
      headers,
      expiresIn,
      willRetryIn,
    }, { timestamp: time });
  }

  /** In how many seconds to try again. */
  #waitAfter(code: number, minExpires: number | null, retryAfter: number | null): number {
    const asked = Math.max(this.#duration, this.#least);
    const isNew = code === tooBrief && minExpires !== null && minExpires > asked;
    if (isNew) this.#least = minExpires;
    // A registrar that wants more and more is a failure like any other.
    const isAtOnce = isNew && !this.#wasTooBrief;
    this.#wasTooBrief = code === tooBrief;
    return isAtOnce ? 0 : Math.min(longestWait, Math.max(this.#backoff.next(), retryAfter ?? 0));
  }

  #refresh(): void {
    if (this.#isActive && this.#state.current === null && runningOrNull()) {
      this.#register(this.#binding!, null, null);
    }
  }

  /** At once, unless that happens again and again. */
  #lostConnection(): void {
    if (this.#state.current !== null) return; // it will fail, or was sent elsewhere
    this.#retry.set(this.#losses++ === 0 ? 0 : this.#backoff.next(), () => this.#refresh());
    this.#waits();
  }

  #willExpire(expires: number): void {
    this.#losses = 0;
    this.#backoff.reset();
    post("SIPRegistrationWillExpire", this, { expires });
    this.#refresh();
  }

  #didEnd(expired: boolean): void {
    this.#unlisten();
    // A registrar that takes it for no time at all.
    if (expired && this.#isActive && this.#state.current === null && !this.#retry.isSet) {
      this.#retry.set(this.#backoff.next(), () => this.#refresh());
    }
    this.#waits();
    post("SIPRegistrationDidEnd", this, { expired });
    if (this.#isDisposed) this.#leave();
  }

  #didNotEnd({ response, time }: RequestOutcome): void {
    const { code, reason } = response;
    this.#waits();
    post("SIPRegistrationDidNotEnd", this, { code, reason }, { timestamp: time });
    if (this.#isDisposed) this.#leave();
  }

  /** @internal */
  engineStopping(): void {}

  /** @internal */
  engineStopped(): void {
    this.#isActive = false;
    this.#retry.clear();
    this.#unlisten();
    endSender(this);
  }
}
