// SPDX-License-Identifier: GPL-2.0-or-later
import type { SymbolTable } from "../types.ts";

/** The rows of shim/invitation.h. */
export const invitation = {
  sc_invitation_create: { args: ["bytes", "u32", "status"], result: "serial:invitation" },
  sc_invitation_answer: { args: ["serial:invitation", "u32", "bytes", "u32"], result: "i32" },
  sc_invitation_end: { args: ["serial:invitation", "u32", "bytes", "u32"], result: "i32" },
  sc_invitation_is_heard: { args: ["serial:invitation"], result: "u32" },
  sc_invitation_reinvite: { args: ["serial:invitation", "bytes", "u32"], result: "i32" },
  sc_invitation_cancel_reinvite: { args: ["serial:invitation"], result: "i32" },
  sc_invitation_ack: { args: ["serial:invitation", "bytes", "u32"], result: "i32" },
  sc_invitation_send_request: { args: ["serial:invitation", "bytes", "u32"], result: "i32" },
  sc_invitation_terminate: { args: ["serial:invitation", "u32"], result: "i32" },
} as const satisfies SymbolTable;
