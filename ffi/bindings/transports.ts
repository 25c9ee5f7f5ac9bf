// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/transports.h. */
export const transports = {
  sc_transports_ports: { args: ["buffer", "u32"], result: "i32" },
  sc_transports_change_port: { args: ["u32", "i32"], result: "i32" },
  sc_transports_change_tls: { args: ["bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
