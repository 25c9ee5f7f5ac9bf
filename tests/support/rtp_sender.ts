// SPDX-License-Identifier: GPL-2.0-or-later
/** Somebody with a UDP socket of his own who sends RTP, or anything else. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** A packet of RTP (RFC 3550, section 5.1) with 20 ms of PCMU. */
export function rtpPacket(
  sequence: number,
  ssrc: number,
  { payloadType = 0, level = 0xff }: { payloadType?: number; level?: number } = {},
): Uint8Array {
  const packet = new Uint8Array(172).fill(level);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x80);
  view.setUint8(1, payloadType);
  view.setUint16(2, sequence);
  view.setUint32(4, sequence * 160);
  view.setUint32(8, ssrc);
  return packet;
}

/** Ends by `using`. */
export class RtpSender implements Disposable {
  readonly ssrc: number;
  readonly #socket: Socket;
  /** The number of its next packet. */
  sequence = 1000;
  /** Datagrams that came to it. */
  received = 0;

  private constructor(socket: Socket, ssrc: number) {
    this.#socket = socket;
    this.ssrc = ssrc;
    socket.on("message", () => this.received++);
  }

  static async open(ssrc: number, address: string = "127.0.0.1", port: number = 0): Promise<RtpSender> {
    const socket = createSocket("udp4");
    const listening = once(socket, "listening");
    socket.bind({ port, address, exclusive: true });
    await listening;
    return new RtpSender(socket, ssrc);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(data: Uint8Array, port: number, address: string = "127.0.0.1"): Promise<void> {
    return new Promise((sent) => this.#socket.send(data, port, address, () => sent()));
  }

  /** So many packets of noise, one right after the other. */
  async sendRtp(count: number, port: number, options: { level?: number } = {}): Promise<void> {
    for (; count > 0; count--) await this.send(rtpPacket(this.sequence++, this.ssrc, options), port);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
