// SPDX-License-Identifier: GPL-2.0-or-later
import { records } from "../ffi/bindings/records.ts";
import { type NativeLibrary, openLibrary } from "../ffi/library.ts";
import { LibraryError } from "../ffi/library_error.ts";
import { Pump } from "../ffi/pump.ts";
import { argumentBlock, cstring, readAnswer, type Reader } from "../ffi/wire.ts";
import { checkInstance, checkInteger, checkText } from "./check_argument.ts";
import { hasListener, post, postException, setEngineSender, watchListeners } from "./dispatch.ts";
import {
  checkCodecs,
  type CheckedOptions,
  checkIncomingMethod,
  checkListeningPort,
  checkLogLevel,
  checkMaxPendingRequests,
  checkOptions,
  checkRtpPortRange,
  checkTraceSip,
  checkUserAgent,
  defaultStartOptions,
  type EngineOptions,
} from "./engine_options.ts";
import { forgetDevices, knownDevices, watchDevices } from "./devices.ts";
import type { EngineNotifications } from "./engine_notifications.ts";
import { checkAcceptTypes, checkEventName, checkKnownEvent, writeEvent } from "./event_packages.ts";
import { postEngineRecord } from "./engine_records.ts";
import { PJSIPError, SIPCoreError, SIPCoreInvalidStateError } from "./errors.ts";
import { BaseRouteHeader } from "./headers.ts";
import { NATDetections } from "./nat_detections.ts";
import { notificationsOf } from "./notification.ts";
import type { NotificationStream } from "./notification_stream.ts";
import { deliver, liveObjects, releaseAll, released } from "./registry.ts";
import { checkRoute } from "./route.ts";
import { check, running, setRunning, statusText } from "./running.ts";
import type { SessionTimer } from "./session_timer.ts";
import { sipTimers } from "./sip_timers.ts";
import {
  changeTLSOptions,
  checkTLSFiles,
  type TLSChanges,
  tlsError,
  type TLSOptions,
  type TLSProtocol,
  writeTLSOptions,
} from "./tls_options.ts";
import { checkHost } from "./uri_parser.ts";
import { SIPURI, type TransportName } from "./uri.ts";
import { isAnyAddress } from "./uri_parser.ts";

/** How long `stop()` waits for answers to the BYEs and CANCELs that it sends, in milliseconds. */
const goodbyeTime = 500;

const noPorts = Object.freeze({ udp: null, tcp: null, tls: null });

type EngineState = "stopped" | "starting" | "running" | "stopping";

let singleton: Engine | null = null;

/**
 * The SIP stack. A singleton: `new Engine()` is always the same object. While it runs it keeps the process alive.
 *
 * @example
 * ```ts
 * import { Engine } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1", userAgent: "example" });
 * console.log(`SIP over UDP at port ${engine.udpPort}`);
 * ```
 */
export class Engine {
  /** What `start()` takes for the options that are left out. */
  static readonly defaultStartOptions: Readonly<EngineOptions> = defaultStartOptions;

  #state: EngineState = "stopped";
  #options: CheckedOptions = { ...defaultStartOptions };
  #native: NativeLibrary | null = null;
  #pump: Pump | null = null;
  #ports: Readonly<Record<TransportName, number | null>> = noPorts;
  #availableCodecs: readonly string[] = Object.freeze([]);
  #pjsipVersion = "2.17";
  #starting: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  #ended: () => void = () => {};
  readonly #detections = new NATDetections();

  constructor() {
    if (singleton) return singleton;
    singleton = this;
    setEngineSender(this);
    watchListeners("SIPEngineLog", () => this.#applyListeners());
    watchListeners("SIPEngineSIPTrace", () => this.#applyListeners());
    watchListeners("AudioDevicesDidChange", () => this.#applyListeners());
    watchListeners("DefaultAudioDeviceDidChange", () => this.#applyListeners());
  }

  /** Whether it has started and was not asked to stop. */
  get isRunning(): boolean {
    return this.#state === "running";
  }

  /**
   * Starts the stack. Resolves after SIPEngineDidStart.
   *
   * @param options those of {@linkcode EngineOptions} that are not to be the default's, and a signal.
   * @throws TypeError, RangeError for a bad option, naming it; SIPCoreInvalidStateError when it runs already;
   * PJSIPError when PJSIP fails (a port in use, say), after SIPEngineDidFail; SIPCoreError when the shared library
   * cannot be used; the signal's reason when it has aborted.
   */
  start(options: Partial<EngineOptions> & { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#state !== "stopped") {
      return Promise.reject(
        new SIPCoreInvalidStateError(`The engine is ${this.#state}`, this.#state, "ENGINE_RUNNING"),
      );
    }
    let checked: CheckedOptions;
    try {
      options.signal?.throwIfAborted();
      checked = checkOptions(options);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#state = "starting";
    this.#starting = this.#start(checked, options.signal);
    return this.#starting;
  }

  async #start(options: CheckedOptions, signal: AbortSignal | undefined): Promise<void> {
    // Nothing is posted before start() has returned.
    await null;
    if (signal?.aborted) {
      this.#state = "stopped";
      throw signal.reason;
    }
    this.#options = options;
    post("SIPEngineWillStart", this, {});
    try {
      this.#open(options);
    } catch (error) {
      this.#state = "stopped";
      post("SIPEngineDidFail", this, {});
      throw error;
    }
    this.#state = "running";
    post("SIPEngineDidStart", this, {});
  }

  #open(options: CheckedOptions): void {
    checkTLSFiles(options);
    const native = openNative(options.libraryPath);
    if (native.sc_attach() !== 0) {
      throw new SIPCoreError("Another isolate of this process uses the library", "LIBRARY_BUSY");
    }
    const args = argumentBlock().text(options.ipAddress ?? "")
      .i32(options.udpPort ?? -1).i32(options.tcpPort ?? -1).i32(options.tlsPort ?? -1).text(
        options.userAgent,
      )
      .u32(options.rtpPortRange[0]).u32(options.rtpPortRange[1])
      .list(options.incomingRequests, (writer, method) => writer.text(method))
      .u32(sipTimers.t1).u32(sipTimers.t2).u32(sipTimers.t4).u32(sipTimers.td);
    writeTLSOptions(args, options).u32(options.maxPendingRequests).u8(options.detectSipLoops ? 1 : 0)
      .list(options.events, writeEvent)
      .list(options.incomingEvents, (writer, event) => writer.text(event));
    const status = native.sc_engine_start(args.block, args.size);
    if (status !== 0) {
      const step = readAnswer((buffer, capacity) => native.sc_engine_failed_step(buffer, capacity))?.text();
      native.sc_detach();
      const text = statusText(status);
      throw tlsError(status, text, options) ??
        new PJSIPError(`Could not ${describeStep(step ?? "start", options)}`, status, text);
    }
    this.#native = native;
    this.#pump = new Pump(native, this.#receive, postException);
    this.#pump.start();
    setRunning(native);
    this.#read(native);
    this.#applyListeners();
  }

  #read(native: NativeLibrary): void {
    this.#readPorts(native);
    const codecs = readAnswer((buffer, capacity) => native.sc_engine_codecs(buffer, capacity));
    const names = new Set<string>();
    for (let count = codecs?.u32() ?? 0; count > 0; count--) {
      names.add(codecs!.text());
      codecs!.u32();
      codecs!.u32();
    }
    this.#availableCodecs = Object.freeze([...names]);
    const build = readAnswer((buffer, capacity) => native.sc_build(buffer, capacity));
    this.#pjsipVersion = build?.text() ?? this.#pjsipVersion;
  }

  #readPorts(native: NativeLibrary): void {
    const ports = readAnswer((buffer, capacity) => native.sc_transports_ports(buffer, capacity));
    const next = () => {
      const port = ports?.i32() ?? -1;
      return port < 0 ? null : port;
    };
    this.#ports = { udp: next(), tcp: next(), tls: next() };
  }

  /**
   * Stops the stack: calls get BYE, CANCEL or 480, every object comes to its last state, threads and sockets go.
   * Resolves after SIPEngineDidEnd, within 2 seconds. Called when it is stopped already it does nothing; called
   * during `start()` it waits for that first.
   */
  stop(): Promise<void> {
    if (this.#stopping === null && this.#state !== "stopped") {
      this.#stopping = this.#stop().finally(() => this.#stopping = null);
    }
    return this.#stopping ?? Promise.resolve();
  }

  async #stop(): Promise<void> {
    if (this.#state === "starting") {
      try {
        await this.#starting;
      } catch {
        return; // its caller has the reason; there is nothing left to stop
      }
    }
    await null;
    this.#state = "stopping";
    post("SIPEngineWillEnd", this, {});
    for (const object of liveObjects()) guard(() => object.engineStopping());
    await released(liveObjects().filter((object) => object.isLeaving), goodbyeTime);
    const ended = new Promise<void>((resolve) => this.#ended = resolve);
    setRunning(null);
    this.#native!.sc_engine_stop();
    await ended;
    this.#native!.sc_engine_join();
    this.#pump!.stop();
    this.#native!.sc_detach();
    for (const object of liveObjects()) guard(() => object.engineStopped());
    releaseAll();
    this.#native = this.#pump = null;
    this.#ports = noPorts;
    this.#availableCodecs = Object.freeze([]);
    forgetDevices();
    await this.#detections.end();
    this.#state = "stopped";
    post("SIPEngineDidEnd", this, {});
  }

  readonly #receive = (kind: number, serial: number, time: number, reader: Reader): void => {
    const timestamp = new Date(time);
    if (kind === records.SC_RECORD_ENGINE_STOPPED) this.#ended();
    else if (!postEngineRecord(this, kind, timestamp, reader)) deliver(kind, serial, timestamp, reader);
  };

  #applyListeners(): void {
    if (!this.#native) return;
    const { logLevel, traceSip } = this.#options;
    this.#native.pj_log_set_level(hasListener("SIPEngineLog", this) ? logLevel : 0);
    this.#native.sc_log_trace(traceSip && hasListener("SIPEngineSIPTrace", this) ? 1 : 0);
    watchDevices(this.#native);
  }

  /** The option of this name as the last start had it. */
  get libraryPath(): string | null {
    return this.#options.libraryPath;
  }

  /** The option of this name as the last start had it. */
  get ipAddress(): string | null {
    return this.#options.ipAddress;
  }

  /** The UDP port that is listened on; null: none. */
  get udpPort(): number | null {
    return this.#ports.udp;
  }

  /** The TCP port that is listened on; null: none. */
  get tcpPort(): number | null {
    return this.#ports.tcp;
  }

  /** The TLS port that is listened on; null: none. */
  get tlsPort(): number | null {
    return this.#ports.tls;
  }

  /** The least version of TLS that is accepted; null is "TLSv1". */
  get tlsProtocol(): TLSProtocol | null {
    return this.#options.tlsProtocol;
  }

  /** Whether the certificates of servers must be good and bear the right name. */
  get tlsVerifyServer(): boolean {
    return this.#options.tlsVerifyServer;
  }

  /** The file of the certificate authorities. */
  get tlsCaFile(): string | null {
    return this.#options.tlsCaFile;
  }

  /** The file of our certificate. */
  get tlsCertFile(): string | null {
    return this.#options.tlsCertFile;
  }

  /** The file of our certificate's key. */
  get tlsPrivkeyFile(): string | null {
    return this.#options.tlsPrivkeyFile;
  }

  /** How long a TLS handshake may take, in milliseconds. */
  get tlsTimeout(): number {
    return this.#options.tlsTimeout;
  }

  /**
   * Listens on another UDP port: 0: any free one; null: none, and nothing new is sent by UDP. Calls go on over the
   * socket that they began with, which closes with the last of them. The present port changes nothing.
   *
   * @throws RangeError; PJSIPError when it cannot be had (the old one stays); SIPCoreInvalidStateError when the engine
   * does not run.
   */
  setUdpPort(value: number | null): void {
    this.#setPort("UDP", 0, "udpPort", value);
  }

  /** Listens on another TCP port, in the way of {@linkcode Engine.setUdpPort}. Open connections stay. */
  setTcpPort(value: number | null): void {
    this.#setPort("TCP", 1, "tcpPort", value);
  }

  #setPort(name: string, kind: number, option: "udpPort" | "tcpPort", value: number | null): void {
    const native = running();
    const port = checkListeningPort(value, "value");
    check(native.sc_transports_change_port(kind, port ?? -1), `Could not listen on the ${name} port ${port}`);
    this.#options = { ...this.#options, [option]: port };
    this.#readPorts(native);
  }

  /**
   * Changes TLS; what is left out keeps its value. Connections that we made under the old options carry no new
   * request; calls go on.
   *
   * @throws TypeError, RangeError; PJSIPTLSError for files that are of no use, naming them; PJSIPError when the port
   * cannot be had; the old listener and options stay then. SIPCoreInvalidStateError when the engine does not run.
   */
  setTlsOptions(options: TLSChanges = {}): void {
    const native = running();
    const old: TLSOptions = { ...this.#options, tlsPort: this.#ports.tls };
    const changed = changeTLSOptions(old, options);
    checkTLSFiles(changed);
    const args = writeTLSOptions(argumentBlock().i32(changed.tlsPort ?? -1), changed);
    const status = native.sc_transports_change_tls(args.block, args.size);
    const error = tlsError(status, statusText(status), changed);
    if (error) throw error;
    check(status, `Could not listen on the TLS port ${changed.tlsPort}`);
    this.#options = { ...this.#options, ...changed };
    this.#readPorts(native);
  }

  /** What User-Agent and Server say. */
  get userAgent(): string {
    return this.#options.userAgent;
  }
  set userAgent(value: string) {
    const userAgent = checkUserAgent(value);
    if (this.#native) {
      check(this.#native.sc_engine_set_user_agent(cstring(userAgent)), "Could not set userAgent");
    }
    this.#options = { ...this.#options, userAgent };
  }

  /** 0 to 6: the most talkative level that becomes SIPEngineLog. */
  get logLevel(): number {
    return this.#options.logLevel;
  }
  set logLevel(value: number) {
    this.#options = { ...this.#options, logLevel: checkLogLevel(value) };
    this.#applyListeners();
  }

  /** Whether SIP messages become SIPEngineSIPTrace. */
  get traceSip(): boolean {
    return this.#options.traceSip;
  }
  set traceSip(value: boolean) {
    this.#options = { ...this.#options, traceSip: checkTraceSip(value) };
    this.#applyListeners();
  }

  /** Whether requests that come in a circle, or twice, get 482. */
  get detectSipLoops(): boolean {
    return this.#options.detectSipLoops;
  }

  /** The session timer of calls that name none; null: one is kept when the peer asks for it. */
  get sessionTimer(): Readonly<Required<SessionTimer>> | null {
    return this.#options.sessionTimer;
  }

  /** How many requests may wait for the program before others get 503. */
  get maxPendingRequests(): number {
    return this.#options.maxPendingRequests;
  }
  set maxPendingRequests(value: number) {
    const maxPendingRequests = checkMaxPendingRequests(value);
    if (this.#native) {
      const status = this.#native.sc_engine_set_max_pending_requests(maxPendingRequests);
      check(status, "Could not set maxPendingRequests");
    }
    this.#options = { ...this.#options, maxPendingRequests };
  }

  /** First and last UDP port for RTP and RTCP; transports that are open keep theirs. */
  get rtpPortRange(): readonly [number, number] {
    return this.#options.rtpPortRange;
  }
  set rtpPortRange(value: readonly [number, number]) {
    const rtpPortRange = checkRtpPortRange(value);
    if (this.#native) {
      check(this.#native.sc_engine_set_rtp_ports(...rtpPortRange), "Could not set rtpPortRange");
    }
    this.#options = { ...this.#options, rtpPortRange };
  }

  /** The audio codecs of every later session description, in order of preference; those this build has. */
  get codecs(): readonly string[] {
    if (!this.#native) return this.#options.codecs;
    const available = new Set(this.#availableCodecs.map((name) => name.toLowerCase()));
    return Object.freeze(this.#options.codecs.filter((name) => available.has(name.toLowerCase())));
  }
  set codecs(value: readonly string[]) {
    this.#options = { ...this.#options, codecs: checkCodecs(value) };
  }

  /** The codecs of this build; empty while stopped. */
  get availableCodecs(): readonly string[] {
    return this.#availableCodecs;
  }

  /**
   * The names of the sound devices that can be heard, as `new AudioMixer()` takes them: what ALSA can open here. They
   * are looked for when they are asked for, each time that ALSA's configuration or /dev/snd has changed; which takes
   * a while, as each is opened. Empty while stopped, and on a machine without ALSA.
   */
  get inputDevices(): readonly string[] {
    return knownDevices().inputDevices;
  }

  /** The names of the sound devices that can be played to, in the way of {@linkcode Engine.inputDevices}. */
  get outputDevices(): readonly string[] {
    return knownDevices().outputDevices;
  }

  /** The names of all sound devices, in the way of {@linkcode Engine.inputDevices}. */
  get soundDevices(): readonly string[] {
    return knownDevices().soundDevices;
  }

  /** PJSIP's own version (`pj_get_version`). */
  get pjsipVersion(): string {
    return this.#pjsipVersion;
  }

  /** The event packages that are known, with their content types; empty while stopped. */
  get events(): ReadonlyMap<string, readonly string[]> {
    return new Map(this.#native ? this.#options.events : []);
  }

  /**
   * Makes an event package known. It can neither be removed nor changed as long as the engine runs.
   *
   * @param acceptTypes the content types that its notifications may have.
   * @throws TypeError for what is no name or no content type; RangeError for a package that is known; PJSIPError when
   * all packages together have more than 31 content types; SIPCoreInvalidStateError when the engine does not run.
   */
  addEvent(event: string, acceptTypes: Iterable<string>): void {
    const native = running();
    const name = checkEventName(event, "event");
    const types = checkAcceptTypes(acceptTypes, "acceptTypes");
    if (this.#options.events.has(name)) throw new RangeError(`The event package ${name} is known already`);
    const args = writeEvent(argumentBlock(), [name, types]);
    check(native.sc_events_add(args.block, args.size), `Could not add the event package ${name}`);
    this.#options = { ...this.#options, events: new Map([...this.#options.events, [name, types]]) };
  }

  /** The event packages of which subscriptions may come in; empty while stopped. */
  get incomingEvents(): ReadonlySet<string> {
    return new Set(this.#native ? this.#options.incomingEvents : []);
  }

  /** From now on subscriptions to this package may come in. Throws RangeError for one that is not in `events`. */
  addIncomingEvent(event: string): void {
    running();
    const name = checkKnownEvent(event, this.#options.events, "event");
    this.#setIncomingEvents(new Set([...this.#options.incomingEvents, name]));
  }

  /** From now on a SUBSCRIBE to this package gets 489. Throws RangeError for one that is not in `incomingEvents`. */
  removeIncomingEvent(event: string): void {
    running();
    const events = new Set(this.#options.incomingEvents);
    if (!events.delete(checkText(event, "event"))) {
      throw new RangeError(`${event} is not among the incoming events`);
    }
    this.#setIncomingEvents(events);
  }

  #setIncomingEvents(incomingEvents: ReadonlySet<string>): void {
    const args = argumentBlock().list(incomingEvents, (writer, event) => writer.text(event));
    check(running().sc_events_set_incoming(args.block, args.size), "Could not set the incoming events");
    this.#options = { ...this.#options, incomingEvents };
  }

  /** The methods of requests outside dialogs that become an IncomingRequest; empty while stopped. */
  get incomingRequests(): ReadonlySet<string> {
    return new Set(this.#native ? this.#options.incomingRequests : []);
  }

  /** From now on requests of this method become IncomingRequests. Throws RangeError for those that cannot. */
  addIncomingRequest(method: string): void {
    running();
    this.#setIncomingRequests(new Set([...this.#options.incomingRequests, checkIncomingMethod(method)]));
  }

  /** From now on requests of this method are answered by the stack itself. */
  removeIncomingRequest(method: string): void {
    running();
    const methods = new Set(this.#options.incomingRequests);
    if (!methods.delete(checkText(method, "method"))) {
      throw new RangeError(`${method} is not among the incoming requests`);
    }
    this.#setIncomingRequests(methods);
  }

  #setIncomingRequests(incomingRequests: ReadonlySet<string>): void {
    const args = argumentBlock().list(incomingRequests, (writer, method) => writer.text(method));
    check(
      running().sc_engine_set_incoming_requests(args.block, args.size),
      "Could not set the incoming requests",
    );
    this.#options = { ...this.#options, incomingRequests };
  }

  /**
   * Our own address as someone behind that route sees it: the local IP that packets to it leave from, and our port
   * of its transport.
   *
   * @throws TypeError when the route's host is no IP address; SIPCoreInvalidStateError when the engine does not run;
   * SIPCoreError when nothing is listened on for that transport.
   */
  contactUri(routeHeader: BaseRouteHeader, options: { user?: string | null } = {}): SIPURI {
    running();
    const route = checkRoute(checkInstance(routeHeader, BaseRouteHeader, "routeHeader"));
    const port = this.#ports[route.transport];
    if (port === null) {
      throw new SIPCoreError(`Nothing is listened on for the transport ${route.transport}`, "INVALID_STATE");
    }
    const { ipAddress } = this.#options;
    const bound = ipAddress === null || isAnyAddress(ipAddress) ? null : ipAddress;
    const loopback = route.address.includes(":") ? "::1" : "127.0.0.1";
    const uri = new SIPURI({
      host: bound ?? (this.#localAddressTowards(route.address) || loopback),
      port,
      user: options.user ?? null,
    });
    uri.transport = route.transport;
    return uri;
  }

  /** Empty: there is no way to it. */
  #localAddressTowards(remote: string): string {
    const native = running();
    const text = cstring(remote);
    return readAnswer((buffer, capacity) => native.sc_engine_local_address(text, buffer, capacity))?.text() ??
      "";
  }

  /**
   * Finds the type of the NAT that this machine is behind, with the tests of RFC 3489, section 10.1. Every call is
   * answered by exactly one SIPEngineDetectedNATType, within 10 seconds and in any order, also when the engine stops
   * first. As many as wanted may run at a time.
   *
   * The server must have two addresses and answer from the other one when asked to (RFC 3489, RFC 5780). Only answers
   * from its addresses to what was sent are believed. When nothing comes back at all the type is "Blocked". Under Deno
   * this wants `--allow-net`.
   *
   * @param stunServerAddress an IP address or a name; with two kinds of addresses the kind of `ipAddress`, IPv4 first.
   * @param options `userData` comes back with the answer.
   * @throws TypeError, RangeError; SIPCoreInvalidStateError when the engine does not run.
   */
  detectNatType(
    stunServerAddress: string,
    options: { stunServerPort?: number; userData?: unknown } = {},
  ): void {
    const { stunServerPort = 3478, userData = null } = options;
    running();
    this.#detections.start({
      host: checkHost(stunServerAddress, "stunServerAddress"),
      port: checkInteger(stunServerPort, "stunServerPort", 1, 65535),
      userData,
      ipAddress: this.#options.ipAddress,
      localAddressTowards: (remote) => this.#localAddressTowards(remote),
    });
  }

  /** The stream of the engine's own notifications, all or those of the names given. */
  notifications<const N extends keyof EngineNotifications = keyof EngineNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** `stop()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function openNative(path: string | null): NativeLibrary {
  try {
    return openLibrary(path);
  } catch (cause) {
    if (cause instanceof LibraryError) throw new SIPCoreError(cause.message, cause.code, { cause });
    throw cause;
  }
}

function describeStep(step: string, options: CheckedOptions): string {
  if (step.endsWith("UDP port")) return `${step} ${options.udpPort}`;
  if (step.endsWith("TCP port")) return `${step} ${options.tcpPort}`;
  if (step.endsWith("TLS port")) return `${step} ${options.tlsPort}`;
  return step;
}

/** One object's failure must not keep the others from ending. */
function guard(action: () => void): void {
  try {
    action();
  } catch (error) {
    postException(error);
  }
}

// The sender of engine notifications exists before anybody asks for it.
new Engine();
