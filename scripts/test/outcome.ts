// SPDX-License-Identifier: GPL-2.0-or-later
/** What came out of one step of a test run. */

export interface Failure {
  readonly name: string;
  readonly text: string;
}

export interface Skip {
  readonly name: string;
  readonly reason: string;
}

export interface Outcome {
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly skips: readonly Skip[];
}
