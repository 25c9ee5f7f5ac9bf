// SPDX-License-Identifier: GPL-2.0-or-later
/** Judges a recording by what was played. */
import { correlate } from "../correlation.ts";
import { readWav } from "../wav.ts";
import type { Side } from "./protocol.ts";

/** A recording passes when its median correlation with what was played is above this. */
export const THRESHOLD = 0.9;

export interface Verdict {
  /** Who recorded. */
  readonly listener: Side;
  readonly recording: string;
  /** The median correlation; null when it could not be measured. */
  readonly match: number | null;
  /** Why it could not be measured; null when it was. */
  readonly problem: string | null;
}

/** Compares two WAV files; a file that cannot be read is a verdict too. */
export async function judge(listener: Side, played: string, recording: string): Promise<Verdict> {
  try {
    const match = correlate(await readWav(played), await readWav(recording)).median;
    return { listener, recording, match, problem: null };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const problem = missing ? "nothing was recorded" : error instanceof Error ? error.message : String(error);
    return { listener, recording, match: null, problem };
  }
}

export function passes(verdict: Verdict): boolean {
  return verdict.match !== null && verdict.match > THRESHOLD;
}
