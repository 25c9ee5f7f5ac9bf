// SPDX-License-Identifier: GPL-2.0-or-later
/** The E-model of ITU-T G.107 with its default values, for what a stream's statistics tell. */

/** Ie, what a codec takes away by itself, and Bpl, how well it bears random loss. */
interface Impairment {
  readonly ie: number;
  readonly bpl: number;
}

/** G.711 with concealment (G.113, appendix I); of wide band no codec is worse on the narrow-band scale. */
const g711: Impairment = { ie: 0, bpl: 25.1 };

/**
 * G.113, appendix I: G.729A, GSM full rate; its table has no Bpl for the latter, that of GSM enhanced full rate stands
 * in, and nothing for Speex and iLBC, which are rated like G.729A.
 */
const impairments: ReadonlyMap<string, Impairment> = new Map([
  ["g729", { ie: 11, bpl: 19 }],
  ["gsm", { ie: 20, bpl: 10 }],
  ["speex", { ie: 11, bpl: 19 }],
  ["ilbc", { ie: 11, bpl: 19 }],
]);

/** What the estimate goes by. */
export interface MosFacts {
  /** As SDP names it. */
  readonly codec: string;
  /** In Hz. */
  readonly sampleRate: number;
  /** From mouth to ear, in ms. */
  readonly delay: number;
  /** Percent of the packets that were lost. */
  readonly loss: number;
}

/** The mean opinion score to be expected, 1 to 4.5. */
export function estimateMos({ codec, sampleRate, delay, loss }: MosFacts): number {
  const { ie, bpl } = sampleRate > 8000 ? g711 : impairments.get(codec.toLowerCase()) ?? g711;
  const ofDelay = 0.024 * delay + 0.11 * Math.max(0, delay - 177.3);
  const ofLoss = ie + (95 - ie) * loss / (loss + bpl);
  const r = Math.min(100, Math.max(0, 93.2 - ofDelay - ofLoss));
  return Math.max(1, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r));
}
