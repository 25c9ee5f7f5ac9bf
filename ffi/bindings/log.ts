// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/log.h. */
export const log = {
  sc_log_trace: { args: ["u32"], result: "void" },
} as const satisfies SymbolTable;
