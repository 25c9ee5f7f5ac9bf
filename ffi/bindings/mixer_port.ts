// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/mixer_port.h. */
export const mixerPort = {
  sc_mixer_port_create: { args: ["serial:audio_mixer", "status"], result: "serial:mixer_port" },
  sc_mixer_port_close: { args: ["serial:mixer_port"], result: "i32" },
  sc_mixer_port_slot: { args: ["serial:mixer_port"], result: "i32" },
} as const satisfies SymbolTable;
