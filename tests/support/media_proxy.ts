// SPDX-License-Identifier: GPL-2.0-or-later
/** A network between two ends of RTP that does to packets what a test wants. */
import { createSocket, type Socket } from "node:dgram";
import { SDPSession } from "../../mod.ts";

export type Side = "left" | "right";

/** What becomes of a datagram that `from` has sent: nothing, itself, several. */
export type Passage = (packet: Uint8Array, from: Side) => Iterable<Uint8Array>;

/** True for what an encrypted or plain RTP packet begins with; false for DTLS and STUN. */
export function isRtp(packet: Uint8Array): boolean {
  return packet[0]! >> 6 === 2;
}

/** Passes on what comes to the ports that it puts into descriptions. Ends by `await using`. */
export class MediaProxy implements AsyncDisposable {
  /** What came, by its sender. */
  readonly packets: Readonly<Record<Side, Uint8Array[]>> = { left: [], right: [] };
  readonly #passage: Passage;
  readonly #sockets: Readonly<Record<Side, Socket>> = {
    left: createSocket("udp4"),
    right: createSocket("udp4"),
  };
  readonly #ports: Record<Side, number> = { left: 0, right: 0 };

  private constructor(passage: Passage) {
    this.#passage = passage;
  }

  static async start(passage: Passage = (packet) => [packet]): Promise<MediaProxy> {
    const proxy = new MediaProxy(passage);
    for (const side of ["left", "right"] as const) {
      const socket = proxy.#sockets[side];
      socket.on("message", (packet) => proxy.#take(new Uint8Array(packet), side));
      await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
    }
    return proxy;
  }

  #take(packet: Uint8Array, from: Side): void {
    this.packets[from].push(packet);
    for (const passed of this.#passage(packet, from)) this.send(passed, from);
  }

  /** As if `from` had sent it. */
  send(packet: Uint8Array, from: Side): void {
    const to = from === "left" ? "right" : "left";
    this.#sockets[to].send(packet, this.#ports[to], "127.0.0.1");
  }

  /** For AudioPair's `onTheWay`: the description with our port in place of its own. */
  readonly route = (sdp: SDPSession, from: Side): SDPSession => {
    const copy = SDPSession.from(sdp);
    const media = copy.media[0]!;
    this.#ports[from] = media.port;
    media.port = this.#sockets[from === "left" ? "right" : "left"].address().port;
    return copy;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of Object.values(this.#sockets)) {
      await new Promise<void>((closed) => socket.close(closed));
    }
  }
}
