// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/bell.h. */
export const bell = {
  sc_bell_run: { args: [], result: "u32" },
  sc_bell_wait: { args: ["u32"], result: "i32", nonblocking: true },
  sc_bell_linger: { args: ["u32", "u32"], result: "i32" },
  sc_bell_start: { args: ["callback"], result: "i32" },
  sc_bell_stop: { args: [], result: "void" },
  sc_ring_drain: { args: ["buffer", "u32"], result: "i32" },
} as const satisfies SymbolTable;
