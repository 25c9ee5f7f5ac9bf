// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/recording_wave_file.h. */
export const recordingWaveFile = {
  sc_recording_wave_file_create: {
    args: ["serial:audio_mixer", "text", "status"],
    result: "serial:recording_wave_file",
  },
  sc_recording_wave_file_close: { args: ["serial:recording_wave_file"], result: "i32" },
  sc_recording_wave_file_slot: { args: ["serial:recording_wave_file"], result: "i32" },
} as const satisfies SymbolTable;
