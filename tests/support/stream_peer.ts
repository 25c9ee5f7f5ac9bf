// SPDX-License-Identifier: GPL-2.0-or-later
/** The scripted peer's twin for TCP and TLS: takes connections, hands out the requests on them, answers as it is told. */
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTLSServer } from "node:tls";
import type { CertifiedKey } from "./certificates.ts";
import { header, parseMessage, type PeerMessage, printMessage, tagOf } from "./sip_text.ts";
import { until } from "./until.ts";

export interface StreamPeerOptions {
  readonly host?: string;
  /** Left out: any free one. */
  readonly port?: number;
  /** Left out: plain TCP. */
  readonly tls?: CertifiedKey;
}

export class StreamPeer implements AsyncDisposable {
  /** All that came, in order. */
  readonly received: PeerMessage[] = [];
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  readonly #origins: Map<PeerMessage, Socket> = new Map();
  #taken = 0;
  /** How many connections there were. */
  connections = 0;

  private constructor(options: StreamPeerOptions) {
    const take = (socket: Socket) => this.#accept(socket);
    const { tls } = options;
    this.#server = tls
      ? createTLSServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, take)
      : createServer(take);
  }

  static async open(options: StreamPeerOptions = {}): Promise<StreamPeer> {
    const peer = new StreamPeer(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    peer.#server.once("error", reject);
    peer.#server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
    await promise;
    return peer;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** The next request that nobody has taken. */
  async next(): Promise<PeerMessage> {
    await until(() => this.received.length > this.#taken, "a request on a connection");
    return this.received[this.#taken++]!;
  }

  /** Answers on the connection that the request came by. */
  respond(
    request: PeerMessage,
    code: number,
    headers: Readonly<Record<string, string>> = {},
    reason = "Scripted",
  ): void {
    const to = header(request, "To");
    const lines = [
      ...request.headers.get("via")!.map((via) => ["Via", via] as const),
      ["From", header(request, "From")],
      ["To", tagOf(to) === null ? `${to};tag=peer` : to],
      ["Call-ID", header(request, "Call-ID")],
      ["CSeq", header(request, "CSeq")],
      ...Object.entries(headers),
    ] as const;
    this.#origins.get(request)!.write(printMessage(`SIP/2.0 ${code} ${reason}`, lines, ""));
  }

  /** Ends every connection; new ones are taken. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    let waiting = "";
    // Latin-1: a character is a byte, so that Content-Length counts characters.
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (text: string) => {
      waiting += text;
      for (;;) {
        waiting = waiting.replace(/^(?:\r\n)+/, "");
        const end = waiting.indexOf("\r\n\r\n");
        if (end < 0) return;
        const length = Number(/^content-length\s*:\s*(\d+)/im.exec(waiting.slice(0, end))?.[1] ?? 0);
        const size = end + 4 + length;
        if (waiting.length < size) return;
        const message = parseMessage(
          waiting.slice(0, size),
          socket.remoteAddress ?? "",
          socket.remotePort ?? 0,
        );
        waiting = waiting.slice(size);
        this.#origins.set(message, socket);
        this.received.push(message);
      }
    });
  }
}
