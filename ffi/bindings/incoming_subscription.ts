// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/incoming_subscription.h. */
export const incomingSubscription = {
  sc_incoming_subscription_reject: { args: ["serial:incoming_subscription", "u32"], result: "i32" },
  sc_incoming_subscription_accept_pending: { args: ["serial:incoming_subscription"], result: "i32" },
  sc_incoming_subscription_accept: { args: ["serial:incoming_subscription", "bytes", "u32"], result: "i32" },
  sc_incoming_subscription_push: { args: ["serial:incoming_subscription", "bytes", "u32"], result: "i32" },
  sc_incoming_subscription_end: { args: ["serial:incoming_subscription", "bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
