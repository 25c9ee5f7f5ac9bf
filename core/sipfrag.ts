// SPDX-License-Identifier: GPL-2.0-or-later
/** The bodies of NOTIFYs that tell what becomes of a REFER (RFC 3515, section 2.4.5; RFC 3420). */
import { type Body, decodeUtf8 } from "./body.ts";
import type { Content } from "./content.ts";
import { sipStatusMessages } from "./sip_status_messages.ts";

/** The status of a response of somebody else's. */
export interface ReferralStatus {
  /** The code in the status line. */
  code: number;
  /** The reason phrase in the status line. */
  reason: string;
}

const encoder = new TextEncoder();

/** The status line as a body. */
export function sipfrag(code: number, reason: string | null): Content {
  const text = `SIP/2.0 ${code} ${reason ?? sipStatusMessages[code] ?? ""}`.trimEnd();
  return { type: "message/sipfrag;version=2.0", bytes: encoder.encode(`${text}\r\n`) };
}

/** The status in a body; null when it begins with no status line. */
export function parseSipfrag(body: Body | null): ReferralStatus | null {
  const text = body instanceof Uint8Array ? decodeUtf8(body) : body;
  const [, code, reason = ""] = /^\s*SIP\/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+([^\r\n]*))?(?:[\r\n]|$)/i
    .exec(text ?? "") ?? [];
  return code === undefined ? null : { code: Number(code), reason: reason.trim() };
}
