// SPDX-License-Identifier: GPL-2.0-or-later
/** Collects what the parties measure of a call, and draws it when it is over. */
import { writeFile } from "node:fs/promises";
import { plotCall, type Sample } from "./plot.ts";
import type { CallReport, Side } from "./protocol.ts";

/** An hour of them, five a second. */
const MOST = 18_000;

export class Picture {
  readonly #samples: Record<Side, Sample[]> = { caller: [], callee: [] };

  take(side: Side, sample: Sample): void {
    const samples = this.#samples[side];
    if (samples.length < MOST) samples.push(sample);
  }

  /** Writes the file and begins anew; false: nothing was measured. */
  async save(path: string, report: CallReport | undefined): Promise<boolean> {
    const samples = { ...this.#samples };
    this.#samples.caller = [];
    this.#samples.callee = [];
    if (samples.caller.length + samples.callee.length === 0) return false;
    const codec = report?.codec ? `, ${report.codec} ${report.sampleRate} Hz` : "";
    await writeFile(path, plotCall(`Call with ${report?.peer ?? "?"}${codec}`, samples));
    return true;
  }
}
