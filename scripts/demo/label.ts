// SPDX-License-Identifier: GPL-2.0-or-later
/** What stands on the arrow of a SIP message. */

export interface Label {
  readonly text: string;
  readonly kind: "request" | "provisional" | "success" | "failure";
}

/** A text that a stranger sent, made safe for a terminal: no control characters, nothing invisible. */
export function clean(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
}

/** Labels a SIP message by its first line, its CSeq and whether it carries a session description. */
export function labelOf(message: string): Label {
  const end = message.search(/\r?\n\r?\n/);
  const head = end < 0 ? message : message.slice(0, end);
  const [first = ""] = head.split(/\r?\n/, 1);
  const sdp = /^(content-type|c)[ \t]*:[ \t]*application\/sdp/im.test(head) ? " + SDP" : "";
  const response = /^SIP\/2\.0 ([1-6][0-9]{2}) ?(.*)$/.exec(first);
  if (response === null) {
    const method = /^[A-Za-z0-9.!%*_+`'~-]+/.exec(first)?.[0] ?? "?";
    const again = method === "INVITE" && /^(to|t)[ \t]*:.*;[ \t]*tag=/im.test(head);
    return { text: (again ? "re-INVITE" : method) + sdp, kind: "request" };
  }
  const [, code = "", reason = ""] = response;
  const method = /^cseq[ \t]*:[ \t]*[0-9]+[ \t]+(\S+)/im.exec(head)?.[1] ?? "?";
  const answered = method === "INVITE" ? "" : ` (${method})`;
  return { text: clean(`${code} ${reason}`.trim() + answered + sdp), kind: kindOf(code) };
}

function kindOf(code: string): Label["kind"] {
  if (code.startsWith("1")) return "provisional";
  return code.startsWith("2") ? "success" : "failure";
}
