// SPDX-License-Identifier: GPL-2.0-or-later
/** What the ways to run the demo share: how parties come and how they leave. */
import type { Party } from "./child.ts";
import { PatienceError, within } from "./patience.ts";
import type { PartyEvent, Side } from "./protocol.ts";
import type { Stage } from "./stage.ts";
import type { Screen } from "./terminal.ts";

export interface Company {
  readonly screen: Screen;
  /** Where sounds and recordings go; it exists. */
  readonly folder: string;
  /** Aborted when the user wants to end. */
  readonly signal: AbortSignal;
  readonly startParty: (side: Side) => Party;
  /** A path as the user would write it. */
  readonly show: (path: string) => string;
}

/** What a party runs on, for the head of the ladder. */
export function engineOf({ runtime, pjsip }: Extract<PartyEvent, { type: "ready" }>): string {
  return `${runtime}, PJSIP ${pjsip}`;
}

/** Time for a runtime to start, load the library and open its sockets; for a call to be hung up. */
export const STARTING = 30_000;
const LEAVING = 10_000;

/** Lets the parties hang up and leave, one after the other so that one BYE ends the call; else kills them. */
export async function dismiss(stage: Stage, parties: readonly Party[]): Promise<void> {
  for (const party of parties) {
    party.send({ type: "hangup" });
    try {
      await within(stage.left(party.side), LEAVING, `The ${party.side} does not leave`);
    } catch (error) {
      if (!(error instanceof PatienceError)) throw error;
      party.kill();
      await stage.left(party.side);
    }
  }
}
