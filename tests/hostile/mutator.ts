// SPDX-License-Identifier: GPL-2.0-or-later
import type { Random } from "./random.ts";

/** Pieces that parsers trip over. */
const tokens: readonly string[] = [
  ...'\0 \r \n \r\n \r\n\r\n \n\n \t \\ \\" " < > <> ; , = : @ ? & % %00 %0d%0a %ff [ ] [::] [::1 ( ) * /'
    .split(" "),
  " ",
  "\r\n ",
  "\xff",
  "\xc3\xa9",
  "\xed\xa0\x80",
  "\x80\x81\xfe",
  "%%%s%n%x",
  "sip:",
  "sips:",
  "tel:+1",
  "nobodyKnowsThisScheme:x",
  "SIP/2.0",
  "SIP/7.0",
  "SIP/2.0/UDP ",
  ";branch=z9hG4bK",
  ";branch=",
  ";tag=",
  ";lr",
  ";maddr=127.0.0.1",
  ";received=::1",
  ";rport=99999",
  ";ttl=256",
  ";transport=tcp",
  ";q=1.0001",
  ";expires=99999999999",
  '"unbalanced',
  "a=rtpmap:200 x/8000\r\n",
  "a=fmtp:255 x\r\n",
  "a=crypto:1 x y\r\n",
  "m=audio 0 RTP/AVP 0\r\n",
  "c=IN IP4 host.invalid\r\n",
  "--part",
  "--part--",
];

const numbers: readonly string[] = [
  "0",
  "-1",
  "1e9",
  "255",
  "256",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "4294967301",
  "9223372036854775807",
  "9223372036854775808",
  "18446744073709551616",
  "9".repeat(40),
  "",
  "0x10",
  " 7",
];

const headers: readonly string[] = [
  "Via: SIP/2.0/UDP host.invalid;branch=z9hG4bKx",
  "Via: SIP/2.0/TLS [::1]:5061;branch=z9hG4bKy;received=[::1]",
  "From: sip:x@y",
  "To: <sip:x@y>;tag=z",
  "CSeq: 2 INVITE",
  "CSeq: 1 FOO",
  "Call-ID: another",
  "Content-Length: 5",
  "Content-Type: multipart/mixed;boundary=part",
  "Content-Type: multipart/mixed",
  "Content-Type: application/sdp",
  "Content-Encoding: gzip",
  "Contact: *",
  "Route: <sip:host.invalid;lr>",
  "Record-Route: <sip:host.invalid;lr>, <sip:127.0.0.1>",
  "Require: 100rel, timer, foo",
  "Proxy-Require: foo",
  "Supported: 100rel, timer, replaces, norefersub",
  "Session-Expires: 1;refresher=uac",
  "Min-SE: 4294967296",
  "Replaces: x;to-tag=y;from-tag=z;early-only",
  "Event: presence",
  "RAck: 1 1 INVITE",
  "Max-Forwards: 0",
  "Expires: -1",
  "Authorization: Digest",
  "Retry-After: 5 (x",
  "Subscription-State: terminated;reason=",
  "Refer-To: <sip:x?a=b&c=d>",
  "Accept: x/y, ,,",
  "X:",
  ":",
  "no colon",
];

type Mutation = (text: string, random: Random, other: () => string) => string;

function splice(text: string, from: number, cut: number, put: string): string {
  return text.slice(0, from) + put + text.slice(from + cut);
}

function bytes(random: Random, most: number): string {
  return String.fromCharCode(...Array.from({ length: 1 + random.below(most) }, () => random.below(256)));
}

/** Changes the list of header lines. */
function changeLines(text: string, change: (lines: string[]) => void): string {
  const end = text.search(/\r?\n\r?\n/);
  const lines = text.slice(0, end < 0 ? text.length : end).split(/\r?\n/);
  change(lines);
  return lines.join("\r\n") + (end < 0 ? "" : text.slice(end));
}

/** Replaces one of what matches. */
function replaceOne(text: string, pattern: RegExp, random: Random, by: (found: string) => string): string {
  const found = [...text.matchAll(pattern)];
  if (found.length === 0) return text;
  const { index, 0: match } = random.pick(found);
  return splice(text, index, match.length, by(match));
}

const mutations: readonly Mutation[] = [
  (text, random) => splice(text, random.below(text.length), 1, bytes(random, 1)),
  (text, random) => splice(text, random.below(text.length), random.below(30), bytes(random, 20)),
  (text, random) => splice(text, random.below(text.length), random.below(40), ""),
  (text, random) => splice(text, random.below(text.length), random.below(4), random.pick(tokens)),
  (text, random) => splice(text, random.below(text.length), 0, random.pick(tokens)),
  (text, random) => {
    const from = random.below(text.length);
    return splice(text, from, 0, text.slice(from, from + random.below(200)));
  },
  (text, random) => text.slice(0, random.below(text.length)),
  (text, random) => replaceOne(text, /\d+/g, random, () => random.pick(numbers)),
  (text, random) => replaceOne(text, /[;,<>"=:@]/g, random, () => random.pick(tokens)),
  (text, random) =>
    replaceOne(text, /[\w.-]{2,}/g, random, (word) => random.chance(0.5) ? word.toUpperCase() : ""),
  (text, random) => replaceOne(text, /"[^"]*"|<[^>]*>/g, random, (word) => word.slice(0, -1)),
  (text, random) =>
    replaceOne(text, /: /g, random, () => random.pick([" : ", ":\r\n ", ":\t", ": \r\n\t \r\n "])),
  (text, random) => changeLines(text, (lines) => lines.splice(random.below(lines.length), 1)),
  (text, random) =>
    changeLines(text, (lines) => lines.splice(random.below(lines.length), 0, random.pick(lines))),
  (text, random) =>
    changeLines(text, (lines) => lines.splice(1 + random.below(lines.length), 0, random.pick(headers))),
  (text, random) =>
    changeLines(text, (lines) => {
      const [one, other] = [random.below(lines.length), random.below(lines.length)];
      [lines[one], lines[other]] = [lines[other]!, lines[one]!];
    }),
  (text, random, other) =>
    changeLines(text, (lines) => {
      lines.splice(random.below(lines.length), 1, random.pick(other().split(/\r?\n/)));
    }),
  (text, random) => text.replace(/^(content-length|l)\s*:.*$/im, `$1: ${random.pick(numbers)}`),
  (text, random) => random.chance(0.5) ? text.replaceAll("\r\n", "\n") : text.replaceAll("\r\n", "\r"),
];

/** One in so many messages gets something long. */
const longOnes = 50;

/** Makes a piece of the message long: up to 20 kB. */
const lengthen: Mutation = (text, random) => {
  const count = 2 ** random.below(15);
  return splice(text, random.below(text.length), 0, random.pick(tokens).repeat(count).slice(0, 20_000));
};

/** A message that differs from this one in one to six places; what it is the seed of `random` decides. */
export function mutate(text: string, random: Random, other: () => string): string {
  let changed = text;
  for (let count = 1 + Math.floor(random.next() ** 3 * 6); count > 0 && changed.length > 0; count--) {
    changed = random.pick(mutations)(changed, random, other);
  }
  if (random.below(longOnes) === 0 && changed.length > 0) changed = lengthen(changed, random, other);
  return changed.slice(0, 65_000);
}
