// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/devices.h. */
export const devices = {
  sc_devices_look: { args: [], result: "u32" },
  sc_devices_list: { args: ["buffer", "u32"], result: "i32" },
  sc_devices_watch: { args: ["u32"], result: "void" },
} as const satisfies SymbolTable;
