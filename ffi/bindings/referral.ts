// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/referral.h. */
export const referral = {
  sc_referral_create: { args: ["bytes", "u32", "status"], result: "serial:referral" },
  sc_referral_refresh: { args: ["serial:referral", "bytes", "u32"], result: "i32" },
  sc_referral_end: { args: ["serial:referral", "u32"], result: "i32" },
} as const satisfies SymbolTable;
