// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/pcm_port.h. */
export const pcmPort = {
  sc_pcm_port_create: { args: ["serial:audio_mixer", "u32", "u32", "status"], result: "serial:pcm_port" },
  sc_pcm_port_close: { args: ["serial:pcm_port"], result: "i32" },
  sc_pcm_port_info: { args: ["serial:pcm_port", "buffer", "u32"], result: "i32" },
  sc_pcm_port_flush: { args: ["serial:pcm_port"], result: "i32" },
} as const satisfies SymbolTable;
