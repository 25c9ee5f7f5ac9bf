// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/request.h. */
export const request = {
  sc_request_create: { args: ["bytes", "u32", "status"], result: "serial:request" },
  sc_request_end: { args: ["serial:request"], result: "i32" },
} as const satisfies SymbolTable;
