// SPDX-License-Identifier: GPL-2.0-or-later
/** Calls over a bad network, with peers that are killed, and while the engine stops. */
import { type Place, verdict, watch } from "./programs.ts";

/** Peers that are killed at the same time. */
const crowd = 5;

interface LossyFigures {
  readonly good: number;
  readonly others: number;
  readonly failedOthers: number;
  readonly unheard: number;
  readonly twice: number;
  readonly left: number;
}

/** Over a network that loses 10 % each way, repeats 5 % and delays 20 %. */
export async function soakLossy(place: Place, count: number): Promise<boolean> {
  const [figures] = await watch<LossyFigures>(
    "lossy_calls",
    [count, 500, Date.now() % 10_000],
    place,
    () => null,
  );
  const { good, others, failedOthers, unheard, twice, left } = figures!;
  return verdict(
    good >= 0.995 * count && failedOthers + unheard + twice + left === 0,
    `${good} of ${count} calls, ${others - failedOthers} of ${others} REGISTERs and MESSAGEs; ` +
      `${twice} told twice, ${left} objects left`,
  );
}

interface KilledFigures {
  readonly noticed?: number;
  readonly disconnected?: number;
  readonly portsAgain?: number;
  readonly secondsToLeave?: number;
}

/** Peers on the other runtime are killed in mid-call. */
export async function soakKilled(place: Place, count: number): Promise<boolean> {
  const other = place.runtime === "Deno" ? "Bun" : "Deno";
  const all = await watch<KilledFigures>("killed", [other, count, crowd], place, () => null);
  const noticed = Math.max(...all.map((one) => one.noticed ?? 0));
  const disconnected = Math.max(...all.map((one) => one.disconnected ?? 0));
  const { secondsToLeave = Infinity } = all.at(-1) ?? {};
  return verdict(
    all.length === count + 1 && noticed <= 2 && disconnected <= 4.5 && secondsToLeave <= 35,
    `${all.length - 1} of ${count} killed; noticed after ${noticed.toFixed(2)} s at most, ended in ` +
      `${disconnected.toFixed(2)} s, everything closed after ${secondsToLeave.toFixed(2)} s`,
  );
}

interface StopFigures {
  readonly ms: number;
  readonly messages: number;
  readonly disconnected: number;
  readonly successful: number;
  readonly ends: number;
  readonly toldAfter: number;
  readonly exceptions: number;
  readonly liveObjects: number;
}

/** Stops with so many calls, and requests a second, under way. */
export async function soakStops(place: Place, rounds: number, calls: number, rate: number): Promise<boolean> {
  const all = await watch<StopFigures>("stops", [rounds, calls, rate], place, () => null);
  const good = all.filter((one) =>
    one.ms <= 2000 && one.ends === 1 && one.disconnected === calls &&
    one.toldAfter + one.exceptions + one.liveObjects === 0 && one.messages > 0
  );
  const peers = all.reduce((sum, { successful }) => sum + successful, 0);
  const bad = all.find((one) => !good.includes(one));
  return verdict(
    good.length === rounds,
    `${good.length} of ${rounds} stops with ${calls} calls and ${rate} requests a second, the slowest in ` +
      `${Math.round(Math.max(...all.map(({ ms }) => ms)))} ms; ${peers} of ${
        rounds * calls
      } peers heard of it` +
      (bad ? `; one was ${JSON.stringify(bad)}` : ""),
  );
}
