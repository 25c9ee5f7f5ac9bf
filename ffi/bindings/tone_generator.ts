// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/tone_generator.h. */
export const toneGenerator = {
  sc_tone_generator_create: { args: ["serial:audio_mixer", "status"], result: "serial:tone_generator" },
  sc_tone_generator_close: { args: ["serial:tone_generator"], result: "i32" },
  sc_tone_generator_slot: { args: ["serial:tone_generator"], result: "i32" },
  sc_tone_generator_set_volume: { args: ["serial:tone_generator", "u32"], result: "i32" },
  sc_tone_generator_play: { args: ["serial:tone_generator", "bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
