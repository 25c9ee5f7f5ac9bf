// SPDX-License-Identifier: GPL-2.0-or-later
/** Parties for tests of the demo: they hold a conversation by script, without a library, in no time. */
import { copyFile } from "node:fs/promises";
import { Queue } from "../../core/queue.ts";
import type { Party } from "../../scripts/demo/child.ts";
import type {
  CallReport,
  EventBody,
  PartyCommand,
  PartyEvent,
  PartyOptions,
  Side,
} from "../../scripts/demo/protocol.ts";

/** A SIP message as short as one can be. */
export function sip(firstLine: string, cseq: string, sdp: boolean = false): string {
  const type = sdp ? "Content-Type: application/sdp\r\n" : "";
  return `${firstLine}\r\nCSeq: 1 ${cseq}\r\n${type}\r\n${sdp ? "v=0\r\n" : ""}`;
}

export const callReport: CallReport = {
  peer: "sip:peer@127.0.0.1",
  code: 200,
  reason: "Normal call clearing",
  cause: "user request",
  endedBy: "local",
  ringing: 4,
  setUp: 12,
  length: 4650,
  codec: "PCMU",
  sampleRate: 8000,
  received: { packets: 230, bytes: 36800, arrival: { lost: 2, jitter: { mean: 0.25, max: 1.5 } } },
  sent: { packets: 232, bytes: 37120, arrival: null },
  recording: "heard.wav",
};

/** What a pair of fake parties does wrong. */
export interface Faults {
  /** The callee answers this instead of 200. */
  readonly refuse?: string;
  /** This side's recording is its own sound instead of the other's. */
  readonly hearsItself?: Side;
  /** This side never finishes playing. */
  readonly neverPlays?: Side;
  /** This side cannot start. */
  readonly cannotStart?: Side;
  /** This side does not react to being told to hang up. */
  readonly doesNotLeave?: Side;
}

/** One side of a pair. */
export class FakeParty implements Party {
  readonly side: Side;
  readonly commands: PartyCommand[] = [];
  killed = false;
  readonly #faults: Faults;
  readonly #events: Queue<PartyEvent> = new Queue();
  #left = false;
  #options: PartyOptions | null = null;
  #peer: FakeParty | null = null;

  constructor(side: Side, faults: Faults) {
    this.side = side;
    this.#faults = faults;
  }

  static pair(faults: Faults = {}): Readonly<Record<Side, FakeParty>> {
    const pair = { caller: new FakeParty("caller", faults), callee: new FakeParty("callee", faults) };
    pair.caller.#peer = pair.callee;
    pair.callee.#peer = pair.caller;
    return pair;
  }

  get events(): AsyncIterable<PartyEvent> {
    return { [Symbol.asyncIterator]: () => this.#events };
  }

  send(command: PartyCommand): void {
    this.commands.push(command);
    if (this.#left) return;
    if (command.type === "start") this.#start(command.options);
    else if (command.type === "call") void this.#converse();
    else if (this.#faults.doesNotLeave !== this.side) this.#hangUp();
  }

  kill(): void {
    this.killed = true;
    this.#leave();
  }

  /** Reports something. */
  tell(event: EventBody): void {
    this.#events.push({ at: Date.now(), ...event });
  }

  #start(options: PartyOptions): void {
    this.#options = options;
    if (this.#faults.cannotStart === this.side) {
      this.tell({ type: "failed", message: "No library" });
      return this.#leave();
    }
    this.tell({ type: "note", name: "SIPEngineDidStart", text: "" });
    this.tell({ type: "ready", runtime: "Fake 1.0", pjsip: "2.17", address: "127.0.0.1", port: 5060 });
  }

  /** Tells both sides of a message from this one. */
  #message(text: string): void {
    this.tell({ type: "trace", received: false, text });
    this.#peer!.tell({ type: "trace", received: true, text });
  }

  async #converse(): Promise<void> {
    const peer = this.#peer!;
    const { refuse, neverPlays } = this.#faults;
    this.#message(sip("INVITE sip:callee@127.0.0.1 SIP/2.0", "INVITE", true));
    peer.#message(sip("SIP/2.0 180 Ringing", "INVITE"));
    peer.#message(sip(`SIP/2.0 ${refuse ?? "200 OK"}`, "INVITE", refuse === undefined));
    this.#message(sip("ACK sip:callee@127.0.0.1 SIP/2.0", "ACK"));
    if (refuse !== undefined) {
      const report = { ...callReport, code: 486, reason: "Busy Here", setUp: null, recording: null };
      for (const party of [this, peer]) {
        party.tell({ type: "ended", report });
        party.#leave();
      }
      return;
    }
    for (const party of [this, peer]) {
      party.tell({ type: "talk", codec: "PCMU", sampleRate: 8000 });
      party.tell({ type: "level", heard: 100, received: 10, lost: 0, jitter: 0.5 });
      party.tell({ type: "level", heard: 200, received: 19, lost: 1, jitter: 2 });
      const heard = this.#faults.hearsItself === party.side ? party : party.#peer!;
      await copyFile(heard.#options!.play, party.#options!.record);
      if (neverPlays !== party.side) party.tell({ type: "played" });
    }
  }

  #hangUp(): void {
    for (const party of [this, this.#peer!]) {
      if (!party.#left) party.tell({ type: "ended", report: callReport });
      party.#leave();
    }
  }

  #leave(): void {
    this.#left = true;
    this.#events.end();
  }
}
