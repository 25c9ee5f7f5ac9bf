// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/incoming_request.h. */
export const incomingRequest = {
  sc_incoming_request_answer: { args: ["serial:incoming_request", "u32", "bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
