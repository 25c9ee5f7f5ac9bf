// SPDX-License-Identifier: GPL-2.0-or-later
/** What calls, requests, starts and stops leave in memory, and what calls take that are held. */
import { type Place, verdict, watch } from "./programs.ts";

/** Calls between two looks at the memory, and how many seconds they take, about. */
const kinds = {
  incoming: { calls: 5000, seconds: 14 },
  outgoing: { calls: 5000, seconds: 14 },
  talking: { calls: 500, seconds: 25 },
  requests: { calls: 20_000, seconds: 8 },
} as const;

/** In these rounds the runtimes compile and grow; after them this is the most that may stay, in bytes. */
const firstRounds = 3;
const mostPerCall = 1024;
const mostPerCycle = 32 * 1024;

/** The most that a call may take which is held, in bytes, and how long that is, in seconds. */
const mostPerHeld = 80_000;
const heldSeconds = 60;

interface Figures {
  readonly liveObjects: number;
  readonly residentBytes: number;
  readonly poolBytes?: number;
  readonly heapBytes?: number;
  readonly files?: number;
}

const mebibytes = (bytes: number = 0): string => (bytes / 2 ** 20).toFixed(1).padStart(7);

/** What stays of each call or cycle after the first rounds; true when that is little enough. */
function judge({ isSanitized }: Place, all: readonly Figures[], perRound: number, most: number): boolean {
  const isClean = all.every(({ liveObjects }) => liveObjects === 0);
  if (isSanitized) return verdict(isClean, `${all.length * perRound} of them under the address sanitizer`);
  const [before, later] = [all[firstRounds - 1], all.at(-1)];
  const rounds = all.length - firstRounds;
  if (!before || !later || rounds < 1) throw new Error(`Only ${all.length} rounds: too few to judge`);
  const each = (later.residentBytes - before.residentBytes) / (rounds * perRound);
  return verdict(isClean && each <= most, `${Math.round(each)} bytes stay of each, ${most} may`);
}

export async function soakCycles(place: Place, times: number): Promise<boolean> {
  const step = Math.max(1, Math.floor(times / 10));
  const all = await watch<Figures>(
    "cycles",
    [times, step],
    place,
    (figures, round) =>
      `  ${String(round * step).padStart(7)} cycles ${mebibytes(figures.residentBytes)} MiB, ` +
      `${figures.files} open files`,
  );
  return judge(place, all, step, mostPerCycle);
}

interface HeldFigures {
  readonly lost: number;
  readonly heldBytes: number;
  readonly heldPoolBytes: number;
  readonly heldHeapBytes: number;
  readonly leftObjects: number;
}

/** Calls held at once and then ended, none of them lost. */
export async function soakHeld(place: Place, kind: "incoming" | "outgoing", count: number): Promise<boolean> {
  const [figures] = await watch<HeldFigures>("held", [kind, count, heldSeconds], place, () => null);
  const { lost, heldBytes, heldPoolBytes, heldHeapBytes, leftObjects } = figures!;
  return verdict(
    lost === 0 && leftObjects === 0 && (place.isSanitized || heldBytes <= mostPerHeld),
    `${count} held for ${heldSeconds} s and ended, ${lost} lost; each held ${Math.round(heldBytes)} bytes ` +
      `(${Math.round(heldPoolBytes)} of PJSIP's, ${
        Math.round(heldHeapBytes)
      } of JavaScript's), ${mostPerHeld} may`,
  );
}

export type CallKind = keyof typeof kinds;
export const callKinds = Object.keys(kinds) as CallKind[];

export async function soakCalls(place: Place, kind: CallKind, minutes: number): Promise<boolean> {
  const { calls, seconds } = kinds[kind];
  const rounds = Math.max(firstRounds + 2, Math.round((minutes * 60) / seconds));
  const [count, times] = place.isSanitized ? [calls / 25, 5] : [calls, rounds];
  const all = await watch<Figures>(
    "sequence",
    [kind, ...Array<number>(times).fill(count)],
    place,
    (figures, round) =>
      `  ${String(round * count).padStart(7)} of them ${mebibytes(figures.residentBytes)} MiB, ` +
      `heap ${mebibytes(figures.heapBytes)}, pools ${mebibytes(figures.poolBytes)}`,
  );
  return judge(place, all, count, mostPerCall);
}
