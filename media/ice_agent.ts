// SPDX-License-Identifier: GPL-2.0-or-later
import { post } from "../core/dispatch.ts";
import { hostAddress } from "../core/host_address.ts";
import { running, runningOrNull, statusText } from "../core/running.ts";
import { isIPLiteral } from "../core/uri_parser.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, cstring, readAnswer, type Reader } from "../ffi/wire.ts";
import { type ICECandidate, type ICEState, readCandidate, readResult } from "./ice_negotiation.ts";
import type { ICEServer, ICESettings } from "./ice_options.ts";
import type { RTPTransport } from "./rtp_transport.ts";

/** How long a server's name may take to resolve, in ms. */
const patience = 5000;

/** What ICE says of a transport right now. */
export interface ICEFacts {
  /** Where RTP is to come to by the description. */
  readonly address: string;
  readonly port: number;
  /** Whether both sides use it. */
  readonly isActive: boolean;
  readonly chosen: { readonly local: ICECandidate; readonly remote: ICECandidate } | null;
}

/** ICE of one RTPTransport: its state, and what is posted about it. */
export class ICEAgent {
  readonly settings: ICESettings;
  readonly #owner: RTPTransport;
  readonly #ending: AbortController = new AbortController();
  #state: ICEState = "NULL";
  /** When the descriptions were agreed upon: what is told of an earlier time is about an earlier call. */
  #started = 0;

  constructor(owner: RTPTransport, settings: ICESettings) {
    this.#owner = owner;
    this.settings = settings;
  }

  /** Whether a server is to be found by its name first. */
  get asksForNames(): boolean {
    const { stun, turn } = this.settings;
    return [stun, turn].some((server) => server !== null && !isIPLiteral(server.address));
  }

  /** The addresses of both servers. Rejects with a text for people. */
  async resolve(bound: string): Promise<[stun: string, turn: string]> {
    const { stun, turn } = this.settings;
    const timer = setTimeout(
      () => this.#ending.abort(new Error(`No address within ${patience / 1000} s`)),
      patience,
    );
    const find = (server: ICEServer | null): Promise<string> | string =>
      server === null ? "" : hostAddress(server.address, bound || null, this.#ending.signal);
    try {
      return await Promise.all([find(stun), find(turn)]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Opens the sockets and begins to gather; 0 and a status on failure. */
  open(
    bound: string,
    status: Int32Array<ArrayBuffer>,
    [stun, turn] = [this.settings.stun?.address ?? "", this.settings.turn?.address ?? ""],
  ): Serial<"rtp_transport"> {
    const args = this.settings.write(argumentBlock(), stun, turn);
    return running().sc_rtp_transport_create_ice(cstring(bound), args.block, args.size, status);
  }

  /** Posts it once the method that causes it has returned. */
  changeLater(state: ICEState): void {
    const prevState = this.#state;
    if (state === prevState) return;
    this.#state = state;
    queueMicrotask(() => {
      if (this.#owner.state === "INVALID") return;
      post("RTPTransportICENegotiationStateDidChange", this.#owner, { prevState, state });
    });
  }

  change(state: ICEState, timestamp: Date): void {
    const prevState = this.#state;
    this.#state = state;
    post("RTPTransportICENegotiationStateDidChange", this.#owner, { prevState, state }, { timestamp });
  }

  /** Our candidates are in a description. */
  described(): void {
    if (this.#state === "GATHERING_COMPLETE") this.changeLater("NEGOTIATION_START");
  }

  /** Both descriptions are known; later ones need not mean that anything begins anew. */
  established(serial: Serial<"rtp_transport">): void {
    const facts = this.facts(serial);
    if (facts?.chosen) return;
    this.#started = Date.now();
    this.changeLater(facts?.isActive ? "NEGOTIATING" : "GATHERING_COMPLETE");
  }

  facts(serial: Serial<"rtp_transport"> | null): ICEFacts | null {
    const native = runningOrNull();
    if (!native || serial === null) return null;
    const answer = readAnswer((buffer, capacity) => native.sc_rtp_transport_ice(serial, buffer, capacity));
    if (!answer) return null;
    const address = answer.text();
    const port = answer.u32();
    const isActive = answer.u32() !== 0;
    const hasChosen = answer.u32() !== 0;
    const chosen = hasChosen ? { local: readCandidate(answer), remote: readCandidate(answer) } : null;
    return { address, port, isActive, chosen };
  }

  /** Why gathering has failed, for people. */
  gatheringFailure(status: number, ofRelay: boolean): string {
    const { stun, turn } = this.settings;
    const [kind, server] = ofRelay || !stun ? ["TURN", turn] : ["STUN", stun];
    return `No candidate from the ${kind} server ${server?.address} at port ${server?.port}: ${
      statusText(status)
    }`;
  }

  /** The checks have ended. */
  negotiated(time: Date, reader: Reader): void {
    if (this.#state !== "NEGOTIATING" || time.getTime() < this.#started) return;
    const status = reader.i32();
    const duration = reader.u32() / 1000;
    if (status === 0) {
      reader.u32(); // the size of what follows
      const result = readResult(duration, reader);
      this.change("RUNNING", time);
      post("RTPTransportICENegotiationDidSucceed", this.#owner, result, { timestamp: time });
    } else {
      this.change("FAILED", time);
      const reason = `No way to the peer was found: ${statusText(status)}`;
      post("RTPTransportICENegotiationDidFail", this.#owner, { reason }, { timestamp: time });
    }
  }

  /** No name is waited for any more. */
  end(): void {
    this.#ending.abort(new Error("The transport has been closed"));
  }
}
