// SPDX-License-Identifier: GPL-2.0-or-later
import { post } from "../core/dispatch.ts";
import type { Note } from "../core/notification.ts";
import { check, running, runningOrNull } from "../core/running.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, readAnswer, type Reader } from "../ffi/wire.ts";
import type { RTPTransport } from "./rtp_transport.ts";
import type { CheckedSRTPOptions, SRTPCipher, SRTPKeying } from "./srtp_options.ts";

/** What SRTP has dropped, since the transport was established; RTP and RTCP together. */
export interface SRTPStatistics {
  /** Packets that were changed on their way, or were never the peer's: their authentication failed. */
  readonly packetsRefused: number;
  /** Packets that had come before. */
  readonly packetsReplayed: number;
}

/** The notifications of RTPTransport about encryption. No key is in any of them. */
export interface SRTPNotifications {
  /** Sound is encrypted from now on, both ways; posted again when a later negotiation changes keying or suite. */
  RTPTransportSRTPNegotiationDidSucceed: Note<RTPTransport, { keying: SRTPKeying; cipher: SRTPCipher }>;
  /**
   * The DTLS handshake did not succeed: the peer's certificate is not the one that its description names, it has refused
   * ours, or has not answered for 10 seconds. No sound flows, and none in clear; a later success is told.
   */
  RTPTransportSRTPNegotiationDidFail: Note<RTPTransport, { reason: string }>;
}

interface State {
  readonly isPending: boolean;
  readonly keying: SRTPKeying | null;
  readonly cipher: SRTPCipher | null;
  readonly statistics: SRTPStatistics;
}

/** How long a handshake may take until a program is told, in ms. Tests have less time. */
export const srtpPatience: { ms: number } = { ms: 10_000 };

/** The encryption of one RTP transport. */
export class SRTPSession {
  readonly #transport: RTPTransport;
  readonly #options: CheckedSRTPOptions;
  #serial: Serial<"rtp_transport"> | null = null;
  /** What the program knows: keying and suite. */
  #told: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(transport: RTPTransport, options: CheckedSRTPOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** The sockets are open: puts SRTP around them. */
  secure(serial: Serial<"rtp_transport">): void {
    const { srtpForced, srtpKeying, srtpCiphers, offered } = this.#options;
    const args = argumentBlock().u8(srtpForced ? 1 : 0).u8(srtpKeying.includes("dtls") ? 1 : 0)
      .u8(srtpKeying.includes("sdes") ? 1 : 0).u8(srtpKeying[0] === "dtls" ? 1 : 0)
      .u32(offered).u32(srtpCiphers.length);
    for (const cipher of srtpCiphers) args.text(cipher);
    check(running().sc_srtp_secure(serial, args.block, args.size), "Could not secure the RTP transport");
    this.#serial = serial;
  }

  /** Null when there is no other half. */
  get state(): State | null {
    const native = runningOrNull();
    const serial = this.#serial;
    if (!native || serial === null) return null;
    const answer = readAnswer((buffer, capacity) => native.sc_srtp_info(serial, buffer, capacity));
    if (!answer) return null;
    const isActive = answer.u32() === 1;
    const isPending = answer.u32() === 1;
    const keying = answer.text() as SRTPKeying;
    const cipher = answer.text() as SRTPCipher;
    const statistics = { packetsRefused: answer.u32(), packetsReplayed: answer.u32() };
    return {
      isPending,
      keying: isActive ? keying : null,
      cipher: isActive ? cipher : null,
      statistics,
    };
  }

  /** Offer and answer were given to the transport: it encrypts now, or waits for a handshake, or speaks in clear. */
  established(): void {
    const { state } = this;
    clearTimeout(this.#timer);
    if (state?.keying && state.cipher) {
      const { keying, cipher } = state;
      queueMicrotask(() => this.#tell(keying, cipher));
    } else if (state?.isPending) {
      this.#told = null;
      const { ms } = srtpPatience;
      this.#timer = setTimeout(() => {
        if (this.state?.isPending) this.#fail(`No DTLS handshake within ${ms / 1000} seconds`);
      }, ms);
    }
  }

  #tell(keying: SRTPKeying, cipher: SRTPCipher, timestamp: Date = new Date()): void {
    if (this.#serial === null || this.#told === `${keying} ${cipher}`) return;
    this.#told = `${keying} ${cipher}`;
    post("RTPTransportSRTPNegotiationDidSucceed", this.#transport, { keying, cipher }, { timestamp });
  }

  #fail(reason: string, timestamp: Date = new Date()): void {
    clearTimeout(this.#timer);
    this.#told = null;
    post("RTPTransportSRTPNegotiationDidFail", this.#transport, { reason }, { timestamp });
  }

  /** A record of SC_RECORD_SRTP: a handshake has ended. */
  receive(time: Date, reader: Reader): void {
    const isGood = reader.u8() === 1;
    const text = reader.text();
    if (!isGood) return this.#fail(text, time);
    clearTimeout(this.#timer);
    this.#tell("dtls", text as SRTPCipher, time);
  }

  /** The transport is ready for another use. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#told = null;
  }

  /** The transport has ended. */
  ended(): void {
    this.reset();
    this.#serial = null;
  }
}
