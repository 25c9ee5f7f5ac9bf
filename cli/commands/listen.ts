// SPDX-License-Identifier: GPL-2.0-or-later
import { type AudioMixer, type Engine, type Invitation, NotificationCenter, RouteHeader } from "../../mod.ts";
import type { Call } from "../call.ts";
import type { Command, Input } from "../command.ts";
import { done, Failure, misused } from "../exit_status.ts";
import { account, general, lasting, network } from "../options.ts";
import { keepRegistered } from "../registrar.ts";
import { aborted, localAddress, readURI, startEngine, untilTold } from "../station.ts";
import { openMixer, sound, talk, tellEnd } from "../talk.ts";

export const listen: Command = {
  words: "",
  count: [0, 0],
  summary: "answers calls and prints messages",
  options: {
    ...sound,
    once: { help: "end after the first call" },
    reject: { value: "CODE", help: "answer calls with this code, such as 486, instead" },
    register: { value: "URI", help: "be reachable under this address of a registrar" },
    duration: { value: "SECONDS", help: "how long a registration shall hold (default: 300)" },
    "hang-up": { value: "SECONDS", help: "hang up so long after the answer" },
    ...lasting,
    ...account,
    ...network,
    port: { value: "PORT", help: "local port for UDP and TCP (default: 5060)" },
    ...general,
  },
  async run(input) {
    const { values, output } = input;
    const register = values.text("register");
    const uri = register === null ? null : readURI(register);
    const code = values.number("reject", 300, 699);
    const port = values.port("port") ?? 5060;
    const codec = values.text("codec");
    if (code !== null && values.has("play")) throw new Failure("Either --reject or --play", misused);
    await using engine = await startEngine(input, {
      udpPort: port,
      tcpPort: port,
      ...(codec !== null && { codecs: [codec] }),
    });
    using mixer = openMixer(input);
    const finished = new AbortController();
    const until = AbortSignal.any([untilTold(input), finished.signal]);
    using desk = new Desk({
      input,
      engine,
      mixer,
      code,
      onEnded: () => values.has("once") && finished.abort(),
    });
    const { udpPort, tcpPort, tlsPort } = engine;
    output.event(
      "ready",
      { udpPort, tcpPort, tlsPort },
      `Listening on UDP ${udpPort}, TCP ${tcpPort}, TLS ${tlsPort}`,
    );
    const status = uri === null
      ? aborted(until).then(() => done)
      : keepRegistered(uri, { ...input, engine, until, onSuccess() {} });
    const ended = await status;
    await desk.close();
    return ended;
  },
};

interface DeskOptions {
  readonly input: Input;
  readonly engine: Engine;
  readonly mixer: AudioMixer;
  /** What to answer calls with instead of taking them; null: take them. */
  readonly code: number | null;
  readonly onEnded: () => void;
}

/** Takes the calls. */
class Desk implements Disposable {
  readonly #options: DeskOptions;
  readonly #calls = new Set<Call>();
  readonly #leaving = new AbortController();
  #count = 0;

  constructor(options: DeskOptions) {
    this.#options = options;
    const center = new NotificationCenter();
    const { signal } = this.#leaving;
    // An observer sees the new call in the moment in which it comes; a stream would see it a little later.
    center.addObserver(({ sender, data }) => this.#take(sender, data.timestamp), {
      name: "SIPInvitationChangedState",
      where: ({ data }) => data.state === "incoming",
      signal,
    });
    center.addObserver(({ data }) => {
      const from = data.fromHeader === null ? null : String(data.fromHeader.uri);
      const text = typeof data.body === "string" ? data.body : null;
      const contentType = data.contentType?.body ?? null;
      options.input.output.event(
        "message",
        { from, contentType, text },
        `${from ?? "Somebody"}: ${text ?? ""}`,
      );
    }, { name: "SIPEngineGotMessage", signal });
  }

  #take(invitation: Invitation, timestamp: Date): void {
    const { input, engine, mixer, code, onEnded } = this.#options;
    const { values, output } = input;
    const { peerAddress } = invitation;
    const from = String(invitation.remoteIdentity?.uri ?? "somebody");
    output.event("incoming", { from }, `Call from ${from}`, timestamp);
    if (code !== null || peerAddress === null) return invitation.sendResponse(code ?? 480);
    const route = RouteHeader.to({ address: peerAddress.ip, port: peerAddress.port });
    const taken = talk(invitation, {
      ...{ values, output, mixer, address: localAddress(engine, route) },
      record: this.#recording(),
      started: timestamp,
      hangUpAfter: values.number("hang-up", 0.1, 1e6),
      endsWithFile: false,
      digits: "",
    });
    this.#calls.add(taken);
    taken.ended.then((report) => {
      tellEnd(report, output);
      this.#calls.delete(taken);
      onEnded();
    });
    taken.answer().catch((error: unknown) => {
      output.remark(String(error));
      if (invitation.state === "incoming" || invitation.state === "early") invitation.sendResponse(488);
    });
  }

  /** The first call's is the file that was named; later ones get a number. */
  #recording(): string | null {
    const file = this.#options.input.values.text("record");
    this.#count++;
    return file === null || this.#count === 1 ? file : file.replace(/(\.wav)?$/i, `-${this.#count}.wav`);
  }

  /** Takes no more, hangs up, and resolves when all have ended. */
  async close(): Promise<void> {
    this.#leaving.abort();
    for (const call of this.#calls) call.hangUp();
    await Promise.all([...this.#calls].map((call) => call.ended));
  }

  [Symbol.dispose](): void {
    this.#leaving.abort();
  }
}
