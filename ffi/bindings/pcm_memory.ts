// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/pcm_memory.h. */
export const pcmMemory = {
  sc_pcm_memory_segment: { args: ["u32"], result: "memory" },
  sc_pcm_memory_size: { args: ["u32"], result: "u32" },
  sc_pcm_memory_sync: { args: ["u32", "buffer", "u32"], result: "i32" },
} as const satisfies SymbolTable;
