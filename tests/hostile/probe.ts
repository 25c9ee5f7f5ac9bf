// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** What all probes of a run have found. */
export interface ProbeReport {
  readonly sent: number;
  readonly lost: number;
  readonly slowestMs: number;
}

/** After so many without an answer in a row the engine is taken for dead. */
const deadAfter = 3;

/** Asks an engine over UDP whether it is alive: an OPTIONS from a port of its own, and how long the 200 takes. */
export class Probe implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #waiting = new Map<string, (code: number) => void>();
  #sent = 0;
  #lost = 0;
  #lostInARow = 0;
  #slowestMs = 0;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on("message", (data) => {
      const text = data.toString("latin1");
      const [, code] = /^SIP\/2\.0 (\d{3}) /.exec(text) ?? [];
      const [, callId = ""] = /^Call-ID:\s*(\S+)/im.exec(text) ?? [];
      this.#waiting.get(callId)?.(Number(code));
    });
  }

  static async open(port: number): Promise<Probe> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new Probe(socket, port);
  }

  get report(): ProbeReport {
    return { sent: this.#sent, lost: this.#lost, slowestMs: this.#slowestMs };
  }

  /**
   * Asks once.
   *
   * @throws Error when the answer is no 200, or when three in a row had none.
   */
  async ask(timeoutMs = 2000): Promise<void> {
    const callId = `probe${this.#socket.address().port}x${++this.#sent}`;
    const begun = performance.now();
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting.set(callId, resolve);
    const timer = setTimeout(() => resolve(0), timeoutMs);
    this.#socket.send(this.#options(callId), this.#port, "127.0.0.1");
    const code = await promise;
    clearTimeout(timer);
    this.#waiting.delete(callId);
    if (code === 0) {
      this.#lost++;
      if (++this.#lostInARow === deadAfter) throw new Error(`${deadAfter} probes had no answer`);
      return;
    }
    if (code !== 200) throw new Error(`A probe was answered ${code}`);
    this.#lostInARow = 0;
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - begun);
  }

  #options(callId: string): string {
    return [
      `OPTIONS sip:probe@127.0.0.1:${this.#port} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.#socket.address().port};rport;branch=z9hG4bK${callId}`,
      "Max-Forwards: 70",
      `From: <sip:probe@127.0.0.1>;tag=${callId}`,
      "To: <sip:probe@127.0.0.1>",
      `Call-ID: ${callId}`,
      "CSeq: 1 OPTIONS",
      "Content-Length: 0\r\n\r\n",
    ].join("\r\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }
}
