// SPDX-License-Identifier: GPL-2.0-or-later
import type { Writer } from "../ffi/wire.ts";

/** What a message may hold beside that which PJSIP writes: a datagram takes 65,507 bytes. */
const most = 62_000;

/** Throws RangeError when what is to be said does not fit into one message. */
export function checkSize(args: Writer): void {
  if (args.size > most) {
    throw new RangeError(`reason, headers and body take ${args.size} bytes; a message has room for ${most}`);
  }
}
