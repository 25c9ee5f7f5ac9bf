// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * One party of the demo, in a process of its own. It does what protocol.ts says: the first line of its
 * standard input tells how to start, later ones to call and to hang up; its output tells what happens.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import {
  AudioMixer,
  Credentials,
  Engine,
  FromHeader,
  Invitation,
  NotificationCenter,
  resolve,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../mod.ts";
import { Call, type CallOptions } from "../../cli/call.ts";
import { noteOf, shownNotifications } from "./notes.ts";
import {
  type CallReport,
  decodeCommand,
  encodeLine,
  type EventBody,
  type PartyCommand,
  type PartyOptions,
} from "./protocol.ts";
import { callOver, describeRoute } from "../../cli/route.ts";
import { ownRuntime } from "./runtimes.ts";
import { describeSession } from "../../cli/session.ts";

/** Of the mixer, in Hz: wide enough for G.722 and Opus. */
const MIXER_RATE = 16000;

type Dial = Extract<PartyCommand, { type: "call" }>;

class Party {
  readonly #options: PartyOptions;
  readonly #engine: Engine = new Engine();
  readonly #center: NotificationCenter = new NotificationCenter();
  readonly #calls: Set<Call> = new Set();
  readonly #done: PromiseWithResolvers<void> = Promise.withResolvers();
  #mixer: AudioMixer | null = null;
  #count = 0;
  readonly #leaving: AbortController = new AbortController();
  #dialling: Promise<void> = Promise.resolve();

  constructor(options: PartyOptions) {
    this.#options = options;
  }

  /** Resolves when there is nothing more to do; rejects when something failed that must not. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  async start(): Promise<void> {
    const { address, port, codec, side } = this.#options;
    this.#center.addObserver((trace) => {
      report({ type: "trace", received: trace.data.received, text: trace.data.data }, trace.data.timestamp);
    }, { name: "SIPEngineSIPTrace" });
    this.#center.addObserver((shown) => {
      report({ type: "note", name: shown.name, text: noteOf(shown) }, shown.data.timestamp);
    }, { name: shownNotifications });
    await this.#engine.start({
      ipAddress: address,
      udpPort: port,
      tcpPort: address === null ? port : null,
      traceSip: true,
      ...(codec !== null && { codecs: [codec] }),
    });
    const { availableCodecs, pjsipVersion, udpPort } = this.#engine;
    if (codec !== null && !availableCodecs.some((name) => name.toLowerCase() === codec.toLowerCase())) {
      throw new Error(`This build has no ${codec}; it has ${availableCodecs.join(", ")}`);
    }
    this.#mixer = new AudioMixer(null, null, { sampleRate: MIXER_RATE });
    if (side === "callee") this.#expectCalls();
    report({
      type: "ready",
      runtime: ownRuntime(),
      pjsip: pjsipVersion,
      address: address ?? "*",
      port: udpPort ?? port,
    });
  }

  /** Calls an address, over one route after the other until somebody is reached. */
  dial(command: Dial): Promise<void> {
    return this.#dialling = this.#dial(command);
  }

  async #dial(command: Dial): Promise<void> {
    const { signal } = this.#leaving;
    try {
      const requestUri = SIPURI.parse(command.uri);
      const routes = await resolve(requestUri, { signal });
      const last = await callOver(
        routes,
        (route) => this.#call(requestUri, route, command),
        (next) => report({ type: "note", name: "Next route:", text: describeRoute(next) }),
      );
      this.#conclude(last);
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#done.resolve();
    }
  }

  /** Makes one call; resolves when it has ended. */
  async #call(
    requestUri: SIPURI,
    routeHeader: RouteHeader,
    { username, password }: Dial,
  ): Promise<CallReport> {
    const { signal } = this.#leaving;
    signal.throwIfAborted();
    const address = this.#options.address ?? this.#engine.contactUri(routeHeader).host;
    const invitation = new Invitation();
    const call = this.#add(invitation, address, null);
    const audio = await call.sound.open(null, 0);
    signal.throwIfAborted();
    const own = new SIPURI({ user: username ?? "demo", host: username === null ? address : requestUri.host });
    invitation.sendInvite({
      requestUri,
      fromHeader: new FromHeader(own),
      toHeader: new ToHeader(requestUri),
      routeHeader,
      sdp: describeSession({ address, audio, offer: null, index: 0 }),
      ...(username !== null && password !== null && { credentials: new Credentials(username, password) }),
    });
    return await call.ended;
  }

  /** Hangs up, and is done when every call has ended. */
  async leave(): Promise<void> {
    this.#leaving.abort(new Error("Leaving"));
    for (const call of this.#calls) call.hangUp();
    await Promise.all([this.#dialling, ...[...this.#calls].map((call) => call.ended)]);
    this.#done.resolve();
  }

  async stop(): Promise<void> {
    this.#mixer?.close();
    await this.#engine.stop();
  }

  #expectCalls(): void {
    // An observer sees the new call in the moment in which it comes; a stream would see it a little later.
    this.#center.addObserver(({ sender, data }) => {
      if (this.#leaving.signal.aborted || (this.#count > 0 && !this.#options.stay)) {
        return sender.sendResponse(486);
      }
      const address = this.#options.address ?? this.#addressTowards(sender);
      const call = this.#add(sender, address, data.timestamp);
      call.ended.then((ended) => this.#conclude(ended), this.#done.reject);
      call.answer().catch((error: unknown) => {
        report({ type: "note", name: "Trouble:", text: String(error) });
        if (sender.state === "incoming" || sender.state === "early") sender.sendResponse(488);
      });
    }, { name: "SIPInvitationChangedState", where: ({ data }) => data.state === "incoming" });
  }

  #addressTowards({ peerAddress }: Invitation): string {
    if (peerAddress === null) throw new Error("A call from nowhere");
    return this.#engine.contactUri(RouteHeader.to({ address: peerAddress.ip, port: peerAddress.port })).host;
  }

  #add(invitation: Invitation, address: string, started: Date | null): Call {
    const { play, record, loop, echo, hangUpAfter, stay } = this.#options;
    this.#count++;
    const options: CallOptions = {
      mixer: this.#mixer!,
      address,
      play,
      record: stay ? record.replace(/(\.wav)?$/, `-${this.#count}.wav`) : record,
      loop,
      echo,
      hangUpAfter,
      report,
    };
    const call = new Call(invitation, options, started);
    this.#calls.add(call);
    const forget = (): void => void this.#calls.delete(call);
    call.ended.then(forget, forget);
    return call;
  }

  #conclude(last: CallReport): void {
    report({ type: "ended", report: last });
    if (!this.#options.stay) this.#done.resolve();
  }
}

function report(event: EventBody, at: Date = new Date()): void {
  process.stdout.write(encodeLine({ ...event, at: at.getTime() }));
}

async function main(): Promise<void> {
  // Ctrl-C reaches the whole group of processes; the demo decides, and says so by a line.
  process.on("SIGINT", () => {});
  let party: Party | null = null;
  const failed = Promise.withResolvers<never>();
  const obey = async (command: PartyCommand): Promise<void> => {
    if (command.type === "start") {
      party = new Party(command.options);
      party.done.then(finished.resolve, failed.reject);
      await party.start();
    } else if (command.type === "call") await party?.dial(command);
    else if (party === null) finished.resolve();
    else await party.leave();
  };
  const finished = Promise.withResolvers<void>();
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => void obey(decodeCommand(line)).catch(failed.reject));
  input.on("close", () => void obey({ type: "hangup" }).catch(failed.reject));
  let status = 0;
  try {
    await Promise.race([finished.promise, failed.promise]);
  } catch (error) {
    report({ type: "failed", message: error instanceof Error ? error.message : String(error) });
    status = 1;
  }
  await (party as Party | null)?.stop();
  // The last lines must have left before the process does.
  process.stdout.write("", () => process.exit(status));
}

await main();
