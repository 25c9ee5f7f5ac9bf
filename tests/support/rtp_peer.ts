// SPDX-License-Identifier: GPL-2.0-or-later
/** A scripted end of an audio stream: RTP and RTCP (RFC 3550) as wrong as the test wants. */
import { createSocket, type Socket } from "node:dgram";
import { type AudioTransport, SDPConnection, SDPMediaStream, SDPSession } from "../../mod.ts";
import { until } from "./until.ts";

/** A packet of RTP, as it came. */
export interface RTPPacket {
  /** When, by performance.now(). */
  readonly at: number;
  readonly marker: boolean;
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payload: Uint8Array;
}

/** What a packet to send is made of; what is left out follows from the packet before. */
export interface RTPFields {
  marker?: boolean;
  payloadType?: number;
  sequence?: number;
  timestamp?: number;
  ssrc?: number;
  payload?: Uint8Array;
}

/** A named event (RFC 4733). */
export interface KeyEvent {
  readonly packet: RTPPacket;
  readonly event: number;
  readonly isEnd: boolean;
  /** In units of the timestamp. */
  readonly duration: number;
}

/** What a report (RFC 3550, section 6.4.1) tells of one source. */
export interface ReportBlock {
  ssrc: number;
  lost?: number;
  jitter?: number;
  lastReport?: number;
  delay?: number;
}

/** Silence of PCMU, 20 ms. */
export const silence: Uint8Array = new Uint8Array(160).fill(0xff);

/** Sends and takes RTP at a port of loopback and RTCP at the next one. Ends by `using`. */
export class RTPPeer implements Disposable {
  readonly received: RTPPacket[] = [];
  /** Packets of RTCP, compound as they came, with their times. */
  readonly reports: { at: number; bytes: Uint8Array }[] = [];
  ssrc = 0x5ead0001;
  sequence = 1000;
  timestamp = 16000;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  #target = 0;

  private constructor(rtp: Socket, rtcp: Socket) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    rtp.on("message", (bytes) => this.#take(bytes));
    rtcp.on(
      "message",
      (bytes) => void this.reports.push({ at: performance.now(), bytes: new Uint8Array(bytes) }),
    );
  }

  static async open(): Promise<RTPPeer> {
    for (;;) {
      const rtp = createSocket("udp4");
      await bind(rtp, 0);
      const { port } = rtp.address();
      const rtcp = createSocket("udp4");
      if (port % 2 === 0 && await bind(rtcp, port + 1)) return new RTPPeer(rtp, rtcp);
      rtp.close();
      rtcp.close();
    }
  }

  get port(): number {
    return this.#rtp.address().port;
  }

  /** Our description that answers this offer as it is, or with these formats of it. */
  answer(offer: SDPSession, formats?: readonly string[]): SDPSession {
    const media = SDPMediaStream.from(offer.media[0]!);
    media.port = this.port;
    media.connection = new SDPConnection("127.0.0.1");
    media.attributes = media.attributes.filter(({ name }) => name !== "rtcp");
    if (formats) media.formats = [...formats];
    return new SDPSession("127.0.0.1", { media: [media] });
  }

  /** Starts the transport as one that has offered to us. */
  join(audio: AudioTransport, options: Parameters<AudioTransport["start"]>[2] = {}): void {
    const offer = new SDPSession("127.0.0.1", { media: [audio.getLocalMedia(true)] });
    this.#target = offer.media[0]!.port;
    audio.start(offer, this.answer(offer), options);
  }

  /** Where packets go to from now on. */
  set target(port: number) {
    this.#target = port;
  }

  #take(bytes: Uint8Array): void {
    if (bytes.length < 12) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.received.push({
      at: performance.now(),
      marker: (bytes[1]! & 0x80) !== 0,
      payloadType: bytes[1]! & 0x7f,
      sequence: view.getUint16(2),
      timestamp: view.getUint32(4),
      ssrc: view.getUint32(8),
      payload: new Uint8Array(bytes.subarray(12)),
    });
  }

  /** The events among what has come with that payload type. */
  keys(payloadType: number): KeyEvent[] {
    return this.received.filter((packet) => packet.payloadType === payloadType).map((packet) => {
      const [event, flags, high, low] = packet.payload;
      return { packet, event: event!, isEnd: flags! >= 0x80, duration: high! * 256 + low! };
    });
  }

  /** Sends a packet: 20 ms of silence after the last one, unless told otherwise. */
  send(fields: RTPFields = {}): Promise<void> {
    const { marker = false, payloadType = 0, ssrc = this.ssrc, payload = silence } = fields;
    const sequence = this.sequence = (fields.sequence ?? this.sequence + 1) & 0xffff;
    const timestamp = this.timestamp = (fields.timestamp ?? this.timestamp + 160) >>> 0;
    const packet = new Uint8Array(12 + payload.length);
    const view = new DataView(packet.buffer);
    packet[0] = 0x80;
    packet[1] = payloadType | (marker ? 0x80 : 0);
    view.setUint16(2, sequence);
    view.setUint32(4, timestamp);
    view.setUint32(8, ssrc);
    packet.set(payload, 12);
    return this.sendBytes(packet);
  }

  /** One packet of an event; its timestamp stays that of the event's beginning. */
  sendKey(event: number, duration: number, options: RTPFields & { isEnd?: boolean } = {}): Promise<void> {
    const flags = options.isEnd ? 0x8a : 0x0a;
    const payload = new Uint8Array([event, flags, duration >> 8, duration & 255]);
    return this.send({ payloadType: 101, timestamp: this.timestamp, ...options, payload });
  }

  sendBytes(packet: Uint8Array): Promise<void> {
    return new Promise((sent) => this.#rtp.send(packet, this.#target, "127.0.0.1", () => sent()));
  }

  sendControlBytes(packet: Uint8Array): Promise<void> {
    return new Promise((sent) => this.#rtcp.send(packet, this.#target + 1, "127.0.0.1", () => sent()));
  }

  /** Sends a receiver report. */
  sendReport(blocks: readonly ReportBlock[]): Promise<void> {
    const packet = new Uint8Array(8 + 24 * blocks.length);
    const view = new DataView(packet.buffer);
    packet[0] = 0x80 | blocks.length;
    packet[1] = 201;
    view.setUint16(2, packet.length / 4 - 1);
    view.setUint32(4, this.ssrc);
    for (const [index, block] of blocks.entries()) {
      const at = 8 + 24 * index;
      view.setUint32(at, block.ssrc);
      view.setUint32(at + 4, (block.lost ?? 0) & 0xffffff);
      view.setUint32(at + 12, block.jitter ?? 0);
      view.setUint32(at + 16, block.lastReport ?? 0);
      view.setUint32(at + 20, block.delay ?? 0);
    }
    return this.sendControlBytes(packet);
  }

  /** Whether a stream has said goodbye (RFC 3550, section 6.6). */
  get hasBye(): boolean {
    return this.reports.some(({ bytes }) => {
      for (let at = 0; at + 4 <= bytes.length; at += 4 * (bytes[at + 2]! * 256 + bytes[at + 3]! + 1)) {
        if (bytes[at + 1] === 203) return true;
      }
      return false;
    });
  }

  /** The first sender report that comes, or has come: its source and its time as a report names it. */
  async senderReport(): Promise<
    { at: number; ssrc: number; lastReport: number; jitter: number; lost: number }
  > {
    const found = await until(
      () => this.reports.find(({ bytes }) => bytes[1] === 200) ?? null,
      "No sender report has come",
    );
    const view = new DataView(found.bytes.buffer);
    return {
      at: found.at,
      ssrc: view.getUint32(4),
      lastReport: view.getUint32(10),
      lost: view.getUint32(32) & 0xffffff,
      jitter: view.getUint32(40),
    };
  }

  [Symbol.dispose](): void {
    this.#rtp.close();
    this.#rtcp.close();
  }
}

function bind(socket: Socket, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind(port, "127.0.0.1", () => resolve(true));
  });
}
