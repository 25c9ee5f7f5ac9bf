// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/events.h. */
export const events = {
  sc_events_add: { args: ["bytes", "u32"], result: "i32" },
  sc_events_set_incoming: { args: ["bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
