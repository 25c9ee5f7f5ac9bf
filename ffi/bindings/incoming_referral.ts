// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/incoming_referral.h. */
export const incomingReferral = {
  sc_incoming_referral_reject: { args: ["serial:incoming_referral", "u32"], result: "i32" },
  sc_incoming_referral_accept: {
    args: ["serial:incoming_referral", "u32", "u32", "bytes", "u32"],
    result: "i32",
  },
  sc_incoming_referral_push: { args: ["serial:incoming_referral", "bytes", "u32"], result: "i32" },
  sc_incoming_referral_end: { args: ["serial:incoming_referral", "bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
