// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/srtp.h. */
export const srtp = {
  sc_srtp_secure: { args: ["serial:rtp_transport", "bytes", "u32"], result: "i32" },
  sc_srtp_info: { args: ["serial:rtp_transport", "buffer", "u32"], result: "i32" },
} as const satisfies SymbolTable;
