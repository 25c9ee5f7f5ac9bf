// SPDX-License-Identifier: GPL-2.0-or-later
/** A realtime speech service that understands nothing: it says what the test wants, and keeps what it hears. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Sound } from "../../scripts/wav.ts";
import { until } from "./until.ts";

/** What a client sends. */
interface ClientEvent {
  readonly type: string;
  readonly audio?: string;
  readonly item_id?: string;
  readonly audio_end_ms?: number;
  readonly reached?: boolean;
}

const sampleRate = 24000;

export class SpeechService implements AsyncDisposable {
  readonly url: string;
  readonly #server: WebSocketServer;
  #client: WebSocket | null = null;
  #heard: Buffer[] = [];
  /** All but the sound. */
  readonly events: ClientEvent[] = [];

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (client) => {
      this.#client = client;
      client.on("message", (data) => this.#receive(JSON.parse(String(data)) as ClientEvent));
      client.on("close", () => this.#client = null);
      this.#send({ type: "session.created" });
    });
  }

  static async start(): Promise<SpeechService> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    return new SpeechService(server);
  }

  #receive(event: ClientEvent): void {
    if (event.type === "input_audio_buffer.append") this.#heard.push(Buffer.from(event.audio!, "base64"));
    else this.events.push(event);
  }

  #send(event: object): void {
    this.#client?.send(JSON.stringify(event));
  }

  /** Whether somebody talks with it. */
  get isConnected(): boolean {
    return this.#client !== null;
  }

  /** What it has heard so far. */
  get heard(): Sound {
    const bytes = Uint8Array.from(Buffer.concat(this.#heard));
    return { sampleRate, samples: new Int16Array(bytes.buffer) };
  }

  /** Says something, much faster than it is spoken. */
  say(item: string, { samples }: Sound): void {
    // No whole frames, and not aligned to anything.
    for (let at = 0; at < samples.length; at += 4801) {
      const piece = samples.slice(at, at + 4801);
      const delta = Buffer.from(piece.buffer).toString("base64");
      this.#send({ type: "response.output_audio.delta", item_id: item, delta });
    }
    this.#send({ type: "response.output_audio.done", item_id: item });
  }

  /** The caller has begun to speak. */
  interrupt(): void {
    this.#send({ type: "input_audio_buffer.speech_started" });
  }

  /** What is no JSON, and an event of no known type. */
  confuse(): void {
    this.#send({ type: "rate_limits.updated", rate_limits: [] });
    this.#send({ type: "error", error: { message: "It does not understand" } });
  }

  hangUp(): void {
    this.#client?.close();
  }

  /** Resolves with the event of this type that has come, or comes. */
  event(type: string, item?: string): Promise<ClientEvent> {
    return until(
      () => this.events.find((one) => one.type === type && (!item || one.item_id === item)) ?? null,
      `No ${type}; there were ${JSON.stringify(this.events)}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.terminate();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}
