// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/subscription.h. */
export const subscription = {
  sc_subscription_create: { args: ["bytes", "u32", "status"], result: "serial:subscription" },
  sc_subscription_refresh: { args: ["serial:subscription", "bytes", "u32"], result: "i32" },
  sc_subscription_end: { args: ["serial:subscription", "u32"], result: "i32" },
} as const satisfies SymbolTable;
