// SPDX-License-Identifier: GPL-2.0-or-later

/** Something the person at the keyboard can mend: one sentence, shown without a stack, exit status 1. */
export class BuildFailure extends Error {
  override name = "BuildFailure";
}
