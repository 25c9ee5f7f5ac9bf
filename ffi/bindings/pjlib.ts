// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** Functions of pjlib that are safe at any time and in any thread, called as they are; from pj/log.h. */
export const pjlib = {
  pj_log_set_level: { args: ["i32"], result: "void" },
  pj_log_get_level: { args: [], result: "i32" },
} as const satisfies SymbolTable;
