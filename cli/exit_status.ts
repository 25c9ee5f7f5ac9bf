// SPDX-License-Identifier: GPL-2.0-or-later
/** What the command line's exit statuses mean. */

/** It went as it should: answered, delivered, registered, notified, or ended by who may end it. */
export const done = 0;
/** The other side has said no. */
export const refused = 1;
/** The command line cannot be followed. */
export const misused = 2;
/** Something is wrong on this machine: the shared library, a port, a file. */
export const failedHere = 3;
/** Nobody was reached: no route, no answer, or not in time. */
export const unreached = 4;
/** Ctrl-C came before there was an outcome. */
export const interrupted = 130;

/** The status that follows from the code of a response; null: none came. */
export function statusOf(code: number | null): number {
  if (code === null || code === 0 || code === 408 || code === 503) return unreached;
  return code < 300 ? done : refused;
}

/** Ends the command with a sentence for the user. */
export class Failure extends Error {
  /** The exit status. */
  readonly status: number;

  constructor(message: string, status: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}
