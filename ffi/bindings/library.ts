// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/library.h. */
export const library = {
  sc_abi: { args: [], result: "u32" },
  sc_build: { args: ["buffer", "u32"], result: "i32" },
  sc_attach: { args: [], result: "i32" },
  sc_detach: { args: [], result: "void" },
  sc_status_text: { args: ["i32", "buffer", "u32"], result: "i32" },
  sc_live_objects: { args: [], result: "u32" },
  sc_pool_bytes: { args: [], result: "f64" },
  sc_live_threads: { args: [], result: "u32" },
  sc_clock_figures: { args: ["buffer", "u32"], result: "i32" },
  sc_fail_after: { args: ["u32"], result: "void" },
  sc_trim: { args: [], result: "void" },
} as const satisfies SymbolTable;
