// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/audio_mixer.h. */
export const audioMixer = {
  sc_audio_mixer_create: { args: ["u32", "u32", "status"], result: "serial:audio_mixer" },
  sc_audio_mixer_close: { args: ["serial:audio_mixer"], result: "i32" },
  sc_audio_mixer_connect: { args: ["serial:audio_mixer", "u32", "u32"], result: "i32" },
  sc_audio_mixer_disconnect: { args: ["serial:audio_mixer", "u32", "u32"], result: "i32" },
  sc_audio_mixer_set_volume: { args: ["serial:audio_mixer", "u32", "u32"], result: "i32" },
  sc_audio_mixer_set_devices: {
    args: ["serial:audio_mixer", "text", "text", "u32", "status"],
    result: "u32",
  },
  sc_audio_mixer_use_devices: { args: ["serial:audio_mixer", "u32", "u32", "status"], result: "u32" },
  sc_audio_mixer_lost_devices: { args: ["serial:audio_mixer"], result: "u32" },
  sc_audio_mixer_signal_level: { args: ["serial:audio_mixer", "u32"], result: "i32" },
} as const satisfies SymbolTable;
