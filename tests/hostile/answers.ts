// SPDX-License-Identifier: GPL-2.0-or-later
/** What an attacker gets back, and what a polite one says to it, so that calls come to their end. */

/** The first header of this name (in either form), without its name. */
export function headerOf(text: string, name: string, compact = name): string | null {
  return new RegExp(`^(?:${name}|${compact})[ \\t]*:[ \\t]*(.*?)\\r?$`, "im").exec(text)?.[1] ?? null;
}

function allOf(text: string, name: string): string[] {
  return text.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
}

/** Counts final responses: no transaction may have two that differ. */
export class Answers {
  /** By code: how many transactions had it. */
  readonly codes: Map<number, number> = new Map();
  /** Final responses that differ from the one before in the same transaction. */
  readonly doubles: string[] = [];
  readonly #finals = new Map<string, string>();

  /** How many transactions have had their final response. */
  get finals(): number {
    return this.#finals.size;
  }

  /**
   * Takes a message that came.
   *
   * @returns what is to be sent in reply: an ACK for a final response to an INVITE, a 200 for a request; null: nothing.
   */
  take(text: string): string | null {
    const [, digits] = /^SIP\/2\.0 (\d{3})/.exec(text) ?? [];
    if (digits === undefined) return text.startsWith("ACK") ? null : respond(text);
    const code = Number(digits);
    if (code < 200) return null;
    const via = headerOf(text, "Via") ?? "";
    const isInvite = headerOf(text, "CSeq")?.endsWith(" INVITE") ?? false;
    const callId = headerOf(text, "Call-ID", "i");
    const branch = /branch\s*=\s*([^;,\s]*)/i.exec(via)?.[1];
    const key = `${branch} ${callId} ${headerOf(text, "CSeq")}`;
    const final = `${code} ${/tag=[^;\s]*/.exec(headerOf(text, "To") ?? "")?.[0]}`;
    // What has no name of its own cannot be told from others like it.
    const known = branch && callId ? this.#finals.get(key) : undefined;
    if (known === undefined) {
      this.#finals.set(key, final);
      this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    } else if (known !== final) {
      this.doubles.push(`${key}: ${known}, then ${final}`);
    }
    return isInvite ? acknowledge(text, code) : null;
  }
}

function acknowledge(response: string, code: number): string {
  const to = headerOf(response, "To") ?? "";
  const contact = /<([^>]*)>/.exec(headerOf(response, "Contact") ?? "")?.[1];
  const via = allOf(response, "Via")[0] ?? "";
  return [
    `ACK ${contact ?? /<([^>]*)>/.exec(to)?.[1] ?? "sip:x"} SIP/2.0`,
    code < 300 ? via.replace(/branch=/, "branch=z9hG4bKack") : via,
    `From: ${headerOf(response, "From")}`,
    `To: ${to}`,
    `Call-ID: ${headerOf(response, "Call-ID")}`,
    `CSeq: ${(headerOf(response, "CSeq") ?? "1 INVITE").replace("INVITE", "ACK")}`,
    "Max-Forwards: 70",
    "Content-Length: 0\r\n\r\n",
  ].join("\r\n");
}

function respond(request: string): string {
  const copied = ["Via", "From", "To", "Call-ID", "CSeq"].flatMap((name) => allOf(request, name));
  return ["SIP/2.0 200 OK", ...copied, "Content-Length: 0\r\n\r\n"].join("\r\n");
}
