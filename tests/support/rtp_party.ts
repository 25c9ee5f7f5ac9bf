// SPDX-License-Identifier: GPL-2.0-or-later
/** The other end of a PCMU stream, without a library: packets as they are on the wire, with the time of each. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import {
  type AudioMixer,
  type AudioStartOptions,
  AudioTransport,
  RTPTransport,
  SDPConnection,
  SDPMediaStream,
  SDPSession,
} from "../../mod.ts";

/** A frame of 20 ms. */
const frameSize = 160;
const headSize = 12;

export class RTPParty implements AsyncDisposable {
  /** Ours, which talks to it. */
  readonly audio: AudioTransport;
  readonly #socket: Socket;
  readonly #port: number;
  #sequence = 0;

  private constructor(socket: Socket, mixer: AudioMixer, options: AudioStartOptions) {
    this.#socket = socket;
    const transport = new RTPTransport();
    transport.setInit();
    this.audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    const offer = new SDPSession("127.0.0.1", { media: [this.audio.getLocalMedia(true)] });
    const answer = new SDPSession("127.0.0.1", {
      connection: new SDPConnection("127.0.0.1"),
      media: [new SDPMediaStream("audio", socket.address().port, "RTP/AVP", { formats: ["0"] })],
    });
    this.#port = transport.localRtpPort!;
    this.audio.start(offer, answer, options);
  }

  static async start(mixer: AudioMixer, options: AudioStartOptions = {}): Promise<RTPParty> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new RTPParty(socket, mixer, options);
  }

  /** Calls with the µ-law bytes of each packet that comes, from now on. */
  onPacket(heard: (payload: Uint8Array) => void): void {
    this.#socket.on("message", (packet: Uint8Array) => {
      if (packet.length === headSize + frameSize && packet[1]! % 128 === 0) heard(packet.subarray(headSize));
    });
  }

  /** Sends 20 ms of one µ-law byte. */
  send(byte: number): void {
    const packet = new Uint8Array(headSize + frameSize).fill(byte, headSize);
    const view = new DataView(packet.buffer);
    view.setUint8(0, 0x80);
    view.setUint16(2, this.#sequence & 0xffff);
    view.setUint32(4, this.#sequence * frameSize);
    view.setUint32(8, 0x5eed);
    this.#sequence++;
    this.#socket.send(packet, this.#port, "127.0.0.1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.audio.stop();
    this.audio.transport.close();
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }
}

/** The sample of a µ-law byte (ITU-T G.711). */
export function decodeUlaw(byte: number): number {
  const inverted = ~byte & 0xff;
  const magnitude = (((inverted & 15) << 3) + 132 << (inverted >> 4 & 7)) - 132;
  return inverted & 128 ? -magnitude : magnitude;
}
