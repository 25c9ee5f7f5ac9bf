// SPDX-License-Identifier: GPL-2.0-or-later
/** The lexical pieces that SIP headers and URIs share (RFC 3261, section 25.1). */

const BREAKS_LINES = /[\r\n\0]/;

/** A quoted-string that says `text`. */
export function quote(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters stand in a quoted-string only behind a backslash
  return `"${text.replace(/["\\\x00-\x08\x0a-\x1f\x7f]/g, "\\$&")}"`;
}

/** What a quoted-string says; other text says itself. */
export function unquote(text: string): string {
  return isQuoted(text) ? text.slice(1, -1).replace(/\\([^])/g, "$1") : text;
}

/** Whether all of `text` is one quoted-string. */
export function isQuoted(text: string): boolean {
  return text.startsWith('"') && quotedAt(text, 0)?.length === text.length;
}

/** The quoted-string that begins at `index`, quotes included; null when there is none, or none that ends. */
export function quotedAt(text: string, index: number): string | null {
  if (text[index] !== '"') return null;
  for (let end = index + 1; end < text.length; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === '"') return text.slice(index, end + 1);
  }
  return null;
}

/** Splits at each `separator` outside of quotes and, with `brackets`, outside of <>; never throws. */
export function splitOutside(text: string, separator: string, brackets: boolean): string[] {
  const pieces: string[] = [];
  let start = 0;
  // A quote or bracket without its end hides nothing; having found one, none is looked for again, so that
  // a text made of them takes no more time than any other.
  let quotes = true;
  let angles = brackets;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"' && quotes) {
      const quoted = quotedAt(text, i);
      if (quoted === null) quotes = false;
      else i += quoted.length - 1;
    } else if (c === "<" && angles) {
      const end = text.indexOf(">", i);
      if (end < 0) angles = false;
      else i = end;
    } else if (c === separator) {
      pieces.push(text.slice(start, i));
      start = i + 1;
    }
  }
  pieces.push(text.slice(start));
  return pieces;
}

/**
 * Bytes for percent-escapes: %XX becomes the character that the escaped bytes spell in UTF-8. A byte that is
 * no UTF-8 becomes U+DC00 plus the byte, so that nothing is lost: `encodeEscapes` turns it into %XX again.
 */
export function decodeEscapes(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run.replace(UTF8_OR_BYTE, (piece) => {
        return piece.length > 3 || piece[1]! < "8" ? decodeURIComponent(piece) : keepByte(piece);
      });
    }
  });
}

/** One well-formed UTF-8 sequence in escapes (RFC 3629, section 4), or one escaped byte. */
const UTF8_OR_BYTE = new RegExp(
  [
    "%(?:C[2-9A-F]|D.)%[89AB].",
    "%E0%[AB].%[89AB].",
    "%(?:E[1-9ABCEF])(?:%[89AB].){2}",
    "%ED%[89].%[89AB].",
    "%F0%[9AB].(?:%[89AB].){2}",
    "%F[1-3](?:%[89AB].){3}",
    "%F4%8.(?:%[89AB].){2}",
    "%..",
  ].join("|"),
  "gi",
);

function keepByte(escape: string): string {
  return String.fromCharCode(0xdc00 + Number.parseInt(escape.slice(1), 16));
}

/** Escapes every character that `reserved` matches; `reserved` is global and reads code points ("gu"). */
export function encodeEscapes(text: string, reserved: RegExp): string {
  return text.replace(reserved, (character) => {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) return `%${(code - 0xdc00).toString(16).toUpperCase()}`;
    if (code >= 0xd800 && code <= 0xdfff) throw new TypeError("A URI must not contain a lone surrogate");
    return encodeURIComponent(character);
  });
}

/** The body of a header line "Name: body", or of a lone body; `names` are the header's name and compact form. */
export function headerBody(text: string, names: readonly string[]): string {
  // Behind a backslash a quoted-string may hold NUL, which nothing here can send again.
  const unfolded = text.replace(/\r?\n[ \t]+/g, " ").replaceAll("\\\0", "\\\ufffd");
  if (BREAKS_LINES.test(unfolded)) throw new TypeError("text must not contain CR, LF or NUL");
  const colon = unfolded.indexOf(":");
  const name = unfolded.slice(0, Math.max(colon, 0)).trim().toLowerCase();
  const body = names.some((one) => one.toLowerCase() === name) ? unfolded.slice(colon + 1) : unfolded;
  return body.trim();
}
