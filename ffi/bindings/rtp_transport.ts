// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/rtp_transport.h. */
export const rtpTransport = {
  sc_rtp_transport_create: { args: ["text", "status"], result: "serial:rtp_transport" },
  sc_rtp_transport_create_ice: { args: ["text", "bytes", "u32", "status"], result: "serial:rtp_transport" },
  sc_rtp_transport_close: { args: ["serial:rtp_transport"], result: "i32" },
  sc_rtp_transport_info: { args: ["serial:rtp_transport", "buffer", "u32"], result: "i32" },
  sc_rtp_transport_ice: { args: ["serial:rtp_transport", "buffer", "u32"], result: "i32" },
  sc_rtp_transport_encode: {
    args: ["serial:rtp_transport", "bytes", "u32", "u32", "status", "buffer", "u32"],
    result: "i32",
  },
  sc_rtp_transport_establish: { args: ["serial:rtp_transport", "bytes", "u32", "u32"], result: "i32" },
  sc_rtp_transport_restart_ice: { args: ["serial:rtp_transport"], result: "i32" },
  sc_rtp_transport_reset: { args: ["serial:rtp_transport"], result: "i32" },
} as const satisfies SymbolTable;
