// SPDX-License-Identifier: GPL-2.0-or-later
/** Where the parties perform: draws what they report, keeps it, and lets the demo wait for it. */
import type { Party } from "./child.ts";
import { Ladder } from "./ladder.ts";
import { Merge, other } from "./merge.ts";
import type { CallReport, EventType, PartyEvent, Side } from "./protocol.ts";
import type { Screen } from "./terminal.ts";

type EventOf<T extends EventType> = Extract<PartyEvent, { type: T }>;

/** How often what waits is looked at, in milliseconds. */
const TICK = 20;
const BARS = [..." ▁▂▃▄▅▆▇█"];

/** A party that failed or left when more was expected of it. */
export class PartyError extends Error {
  override readonly name: string = "PartyError";
}

export interface StageOptions {
  readonly screen: Screen;
  readonly parties: readonly Party[];
  /** Called for each call that has ended, after its last line in the ladder. */
  readonly onEnded?: (side: Side, report: CallReport) => void;
  /** Called for each level at once, before it is drawn. */
  readonly onLevel?: (side: Side, level: EventOf<"level">) => void;
}

export class Stage {
  readonly #screen: Screen;
  readonly #parties: readonly Party[];
  readonly #merge: Merge;
  readonly #onEnded: (side: Side, report: CallReport) => void;
  readonly #onLevel: (side: Side, level: EventOf<"level">) => void;
  readonly #history: Readonly<Record<Side, PartyEvent[]>> = { caller: [], callee: [] };
  readonly #gone: Set<Side> = new Set();
  readonly #waiting: Set<() => void> = new Set();
  readonly #levels: Partial<Record<Side, number>> = {};
  #ladder: Ladder | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  /** The parties that have told of sound, and since when all of them have. */
  readonly #talkers: Set<Side> = new Set();
  #talking: number | null = null;

  constructor(options: StageOptions) {
    this.#screen = options.screen;
    this.#parties = options.parties;
    this.#onEnded = options.onEnded ?? (() => {});
    this.#onLevel = options.onLevel ?? (() => {});
    this.#merge = new Merge(options.parties.map((party) => party.side));
    for (const party of options.parties) void this.#pump(party);
  }

  /** Draws the head of the ladder, and from now on what the parties report, also what they did before. */
  open(headings: Readonly<Record<Side, readonly string[]>>): void {
    const { paint } = this.#screen;
    this.#ladder = new Ladder({ paint, width: () => this.#screen.width, headings });
    for (const line of this.#ladder.head()) this.#screen.line(line);
    this.#timer = setInterval(() => this.#draw(performance.now()), TICK);
  }

  /** Draws the rest and stops. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#screen.status("");
    if (this.#ladder !== null) this.#draw(Infinity);
  }

  /** The first event of this type that the party reports or has reported. */
  async first<T extends EventType>(side: Side, type: T): Promise<EventOf<T>> {
    for (;;) {
      const history = this.#history[side];
      const found = history.find((event): event is EventOf<T> => event.type === type);
      if (found !== undefined) return found;
      const failed = history.find((event) => event.type === "failed");
      if (failed !== undefined) throw new PartyError(failed.message);
      if (this.#gone.has(side)) {
        const called = history.some((event) => event.type === "ended");
        throw new PartyError(
          called ? "The call ended too early" : `The ${side} left before it was "${type}"`,
        );
      }
      await this.#news();
    }
  }

  /** Resolves when the party has left. */
  async left(side: Side): Promise<void> {
    while (!this.#gone.has(side)) await this.#news();
  }

  /** The reports of the calls that this party has ended. */
  reports(side: Side): CallReport[] {
    return this.#history[side].filter((event) => event.type === "ended").map((event) => event.report);
  }

  /** What went wrong with the parties; null: nothing. */
  get failure(): string | null {
    for (const { side } of this.#parties) {
      const failed = this.#history[side].find((event) => event.type === "failed");
      if (failed !== undefined) return failed.message;
    }
    return null;
  }

  /** How many SIP messages of both sides were sent and not received. */
  get lostMessages(): number {
    return this.#merge.lost("caller") + this.#merge.lost("callee");
  }

  async #pump(party: Party): Promise<void> {
    for await (const event of party.events) {
      // A trace can be long and an hour of levels many: only what is asked for later is kept.
      if (event.type !== "trace" && event.type !== "level" && event.type !== "note") {
        this.#history[party.side].push(event);
      }
      if (event.type === "level") this.#onLevel(party.side, event);
      this.#merge.push(party.side, event, performance.now());
      this.#wake();
    }
    this.#gone.add(party.side);
    this.#wake();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  #draw(now: number): void {
    for (const { side, event } of now === Infinity ? this.#merge.drain() : this.#merge.take(now)) {
      this.#step(side, event);
    }
    this.#showStatus();
  }

  #step(side: Side, event: PartyEvent): void {
    const ladder = this.#ladder!;
    switch (event.type) {
      case "trace":
        this.#screen.line(ladder.message(event.at, event.received ? other(side) : side, event.text));
        break;
      case "note":
        this.#screen.line(ladder.note(event.at, side, event.name, event.text));
        break;
      case "talk":
        // Each party reports it; the sound is one.
        if (this.#talkers.add(side).size < this.#parties.length) break;
        this.#screen.line(ladder.sound(event.at, event.codec, event.sampleRate));
        this.#talking = event.at;
        break;
      case "level":
        this.#levels[side] = event.heard;
        break;
      case "ended":
        this.#talkers.clear();
        this.#talking = null;
        this.#onEnded(side, event.report);
        break;
      case "ready":
      case "played":
      case "failed":
        break;
    }
  }

  #showStatus(): void {
    if (this.#talking === null) return this.#screen.status("");
    const seconds = ((Date.now() - this.#talking) / 1000).toFixed(1);
    const levels = this.#parties.map(({ side }) => {
      const level = Math.ceil(((this.#levels[side] ?? 0) / 256) * (BARS.length - 1));
      return `the ${side} hears ${BARS[level]}`;
    });
    this.#screen.status(this.#screen.paint("blue", `  ♪ ${seconds.padStart(5)} s   ${levels.join("   ")}`));
  }
}
