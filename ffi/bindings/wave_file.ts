// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/wave_file.h. */
export const waveFile = {
  sc_wave_file_create: { args: ["serial:audio_mixer", "text", "u32", "status"], result: "serial:wave_file" },
  sc_wave_file_close: { args: ["serial:wave_file"], result: "i32" },
  sc_wave_file_slot: { args: ["serial:wave_file"], result: "i32" },
  sc_wave_file_set_volume: { args: ["serial:wave_file", "u32"], result: "i32" },
} as const satisfies SymbolTable;
