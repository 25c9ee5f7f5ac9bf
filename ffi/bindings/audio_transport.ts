// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/audio_transport.h. */
export const audioTransport = {
  sc_audio_transport_create: {
    args: ["serial:audio_mixer", "serial:rtp_transport", "bytes", "u32", "status"],
    result: "serial:audio_transport",
  },
  sc_audio_transport_close: { args: ["serial:audio_transport"], result: "i32" },
  sc_audio_transport_info: { args: ["serial:audio_transport", "buffer", "u32"], result: "i32" },
  sc_audio_transport_set_volume: { args: ["serial:audio_transport", "u32"], result: "i32" },
  sc_audio_transport_set_direction: { args: ["serial:audio_transport", "u32"], result: "i32" },
  sc_audio_transport_send_dtmf: { args: ["serial:audio_transport", "text"], result: "i32" },
  sc_audio_transport_statistics: { args: ["serial:audio_transport", "buffer", "u32"], result: "i32" },
  sc_audio_transport_detach: { args: ["serial:audio_transport", "buffer", "u32"], result: "i32" },
  sc_audio_transport_attach: { args: ["serial:audio_transport", "bytes", "u32"], result: "i32" },
} as const satisfies SymbolTable;
