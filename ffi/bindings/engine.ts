// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/engine.h. */
export const engine = {
  sc_engine_start: { args: ["bytes", "u32"], result: "i32" },
  sc_engine_failed_step: { args: ["buffer", "u32"], result: "i32" },
  sc_engine_stop: { args: [], result: "void" },
  sc_engine_join: { args: [], result: "void" },
  sc_engine_local_address: { args: ["text", "buffer", "u32"], result: "i32" },
  sc_engine_set_user_agent: { args: ["text"], result: "i32" },
  sc_engine_set_rtp_ports: { args: ["u32", "u32"], result: "i32" },
  sc_engine_codecs: { args: ["buffer", "u32"], result: "i32" },
  sc_engine_audio_sdp: { args: ["text", "u32", "buffer", "u32"], result: "i32" },
  sc_engine_set_max_pending_requests: { args: ["u32"], result: "i32" },
  sc_engine_set_incoming_requests: { args: ["bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
