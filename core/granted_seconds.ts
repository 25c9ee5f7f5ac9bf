// SPDX-License-Identifier: GPL-2.0-or-later
import type { BaseContactHeader, BaseHeader } from "./headers.ts";
import { FrozenContactHeader } from "./headers.ts";
import { MOST_SECONDS } from "./parameters.ts";
import type { SIPMessage } from "./sip_message.ts";

/** The seconds in the value of Expires, Min-Expires and the like; null for what is none. */
export function parseSeconds(text: string | null): number | null {
  const [, digits] = /^\s*([0-9]+)\s*(?:;.*)?$/.exec(text ?? "") ?? [];
  return digits === undefined ? null : Math.min(Number(digits), MOST_SECONDS);
}

/**
 * For how many seconds a 2xx grants what was asked for: its Expires, else the `expires` of the Contact that is ours,
 * else what was asked; 0: for none.
 */
export function grantedSeconds(
  { headers }: SIPMessage,
  contact: BaseContactHeader | null,
  asked: readonly BaseHeader[],
): number {
  const granted = parseSeconds(headers.text("Expires"));
  if (granted !== null) return granted;
  const ours = contact?.uri;
  for (const one of ours ? headers.getAll("Contact") : []) {
    if (one instanceof FrozenContactHeader && one.expires !== null && ours?.equals(one.uri)) {
      return one.expires;
    }
  }
  return parseSeconds(asked.find(({ name }) => name.toLowerCase() === "expires")?.body ?? null) ?? 0;
}
