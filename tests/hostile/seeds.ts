// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Messages to begin with, good ones and bad ones. A character stands for a byte (latin1), so that what is no UTF-8 can
 * be edited like the rest. `{to}` and the like are filled by whoever sends them.
 */
import { gunzipSync } from "node:zlib";
import { readFile, readFolder, readTable } from "../support/corpus.ts";

export interface Seed {
  readonly name: string;
  readonly text: string;
}

/** What is filled in when a message is sent. */
export interface Filling {
  /** The port of the engine. */
  readonly port: number;
  /** The port of the sender. */
  readonly ownPort: number;
  readonly transport: "UDP" | "TCP" | "TLS";
  /** Of which no other message has the same. */
  readonly unique: string;
}

const sdp = [
  "v=0",
  "o=- 1 1 IN IP4 127.0.0.1",
  "s=-",
  "c=IN IP4 127.0.0.1",
  "t=0 0",
  "m=audio 4000 RTP/AVP 0 8 101",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-15",
  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
  "a=candidate:1 1 UDP 2130706431 127.0.0.1 4000 typ host",
  "a=rtcp:4001 IN IP4 127.0.0.1",
  "m=video 4002 RTP/AVP 96",
  "a=rtpmap:96 H264/90000",
  "",
].join("\r\n");

const multipart = [
  "--part",
  "Content-Type: application/sdp",
  "",
  sdp,
  "--part",
  "Content-Type: text/plain; charset=utf-8",
  "Content-Disposition: render;handling=optional",
  "",
  "hello",
  "--part--",
  "",
].join("\r\n");

function request(method: string, lines: readonly string[] = [], body = "", type = ""): string {
  return [
    `${method} sip:{to} SIP/2.0`,
    `Via: SIP/2.0/{transport} 127.0.0.1:{ownPort};rport;branch=z9hG4bK{unique}`,
    "Max-Forwards: 70",
    'From: "Caller" <sip:{from}>;tag={unique}',
    "To: <sip:{to}>",
    "Call-ID: {unique}@127.0.0.1",
    `CSeq: 1 ${method}`,
    "Contact: <sip:{from};transport=udp>;expires=60;q=0.5",
    ...lines,
    ...(body ? [`Content-Type: ${type}`] : []),
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

function response(code: number, method: string): string {
  return request(method, ["Record-Route: <sip:127.0.0.1;lr>"], sdp, "application/sdp")
    .replace(/^.*/, `SIP/2.0 ${code} Reason`);
}

/** Valid messages of each kind that a user agent gets to see. */
export const ownSeeds: readonly Seed[] = Object.entries({
  invite: request(
    "INVITE",
    ["Allow: INVITE, ACK, BYE, CANCEL", "Supported: timer, 100rel"],
    sdp,
    "application/sdp",
  ),
  "invite without an offer": request("INVITE", ["Record-Route: <sip:127.0.0.1:5999;lr>, <sip:127.0.0.1;lr>"]),
  "invite in parts": request("INVITE", [], multipart, "multipart/mixed;boundary=part"),
  "invite with timers": request(
    "INVITE",
    [
      "Session-Expires: 1800;refresher=uas",
      "Min-SE: 90",
      "Require: timer",
      "Replaces: a@b;to-tag=1;from-tag=2",
    ],
    sdp,
    "application/sdp",
  ),
  ack: request("ACK"),
  bye: request("BYE", ['Reason: SIP;cause=200;text="done"']),
  cancel: request("CANCEL"),
  options: request("OPTIONS", ["Accept: application/sdp, */*;q=0.1"]),
  message: request(
    "MESSAGE",
    ["Subject: hello", "Date: Sat, 13 Nov 2010 23:29:00 GMT"],
    "hello",
    "text/plain",
  ),
  "message in parts": request("MESSAGE", [], multipart, 'multipart/mixed;boundary="part"'),
  register: request("REGISTER", [
    'Authorization: Digest username="a", realm="b", nonce="c", uri="sip:d", response="e", algorithm=MD5, ' +
    'qop=auth, nc=00000001, cnonce="f"',
    "Expires: 3600",
    "Path: <sip:127.0.0.1;lr>",
  ]),
  subscribe: request("SUBSCRIBE", ["Event: presence;id=1", "Expires: 600", "Accept: application/pidf+xml"]),
  notify: request(
    "NOTIFY",
    ["Event: presence", "Subscription-State: active;expires=600"],
    '<?xml version="1.0"?><presence/>',
    "application/pidf+xml",
  ),
  refer: request("REFER", ["Refer-To: <sip:{from}?Replaces=a%3Bto-tag%3Db>", "Referred-By: <sip:{from}>"]),
  update: request("UPDATE", ["RSeq: 1"], sdp, "application/sdp"),
  prack: request("PRACK", ["RAck: 1 1 INVITE"]),
  info: request("INFO", ["Info-Package: dtmf"], "Signal=1\r\nDuration=100\r\n", "application/dtmf-relay"),
  publish: request("PUBLISH", ["Event: presence", "SIP-If-Match: x"], "<x/>", "application/pidf+xml"),
  "in a dialog": request("BYE").replace("To: <sip:{to}>", "To: <sip:{to}>;tag=t"),
  ringing: response(180, "INVITE"),
  ok: response(200, "INVITE"),
  "ok to options": response(200, "OPTIONS"),
  unauthorized: response(401, "REGISTER").replace(
    "Record-Route",
    'WWW-Authenticate: Digest realm="a", nonce="b", qop="auth,auth-int", algorithm=SHA-256, stale=true\r\n' +
      "Record-Route",
  ),
  moved: response(302, "INVITE"),
  "with compact names": request("MESSAGE", ["k: x", "s: y"], "z", "text/plain").replace("Via:", "v:")
    .replace("From:", "f:").replace("To:", "t:").replace("Call-ID:", "i:").replace("Contact:", "m:")
    .replace("Content-Type:", "c:").replace("Content-Length:", "l:"),
}).map(([name, text]) => ({ name, text }));

/** The files of a folder of the corpus that are SIP messages. */
function messagesIn(folder: string, accept: (name: string) => boolean = () => true): Seed[] {
  return [...readFolder(folder)].filter(([name]) => accept(name))
    .map(([name, bytes]) => ({ name: `${folder}/${name}`, text: latin1(bytes) }));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The messages of a YAML list of block texts. */
function blocksOf(text: string): string[] {
  return text.split(/^- \|.*$/m).slice(1).map((block) => {
    return block.replace(/^\n/, "").replace(/^ {2}/gm, "").trimEnd().replace(/\n/g, "\r\n") + "\r\n\r\n";
  });
}

/** The torture messages of RFC 4475 and RFC 5118. */
export function tortureSeeds(): Seed[] {
  return [...messagesIn("rfc4475/files", (name) => name.endsWith(".dat")), ...messagesIn("rfc5118/wire")];
}

/** The INVITEs of the PROTOS suite. */
export function protosSeeds(): Seed[] {
  const archive = readFile("protos-c07-half.tar.gz");
  return archive === null ? [] : untar(gunzipSync(archive)).map(([name, bytes]) => ({
    name: `protos/${name}`,
    text: latin1(bytes).replace(
      /<(To|From|From-Address|From-IP|Local-Port|Call-ID|CSeq|Branch-ID|Content-Length)>/g,
      (_, word) => {
        return protosWords[word as string]!;
      },
    ),
  }));
}

const protosWords: Readonly<Record<string, string>> = {
  "To": "{to}",
  "From": "{from}",
  "From-Address": "127.0.0.1",
  "From-IP": "127.0.0.1",
  "Local-Port": "{ownPort}",
  "Call-ID": "{unique}",
  "CSeq": "1",
  "Branch-ID": "{unique}",
  "Content-Length": "{length}",
};

/** The files of a tar archive (POSIX ustar). */
function untar(bytes: Uint8Array): [name: string, bytes: Uint8Array][] {
  const files: [string, Uint8Array][] = [];
  for (let at = 0; at + 512 <= bytes.length && bytes[at] !== 0;) {
    const field = (from: number, size: number) =>
      latin1(bytes.subarray(at + from, at + from + size)).split("\0")[0]!;
    const size = Number.parseInt(field(124, 12), 8);
    if (["", "0"].includes(field(156, 1))) {
      files.push([field(0, 100), bytes.subarray(at + 512, at + 512 + size)]);
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** All messages of the corpora but for those of PROTOS; empty when they are not there. */
export function corpusSeeds(): Seed[] {
  return [
    ...tortureSeeds(),
    ...messagesIn("osip/files", (name) => name.startsWith("sip")),
    ...messagesIn("pjproject-fuzzseed/files", (name) => /^sip(-dialog)?__/.test(name)),
    ...messagesIn("pjproject-tests/files", (name) => name.endsWith(".sip")).map(({ name, text }) => ({
      name,
      text: text.replace(/\$(LOCAL_)?IP\b/g, "127.0.0.1").replace(/\$LOCAL_PORT/g, "{ownPort}")
        .replace(/\$(CALL_ID|BRANCH|FROM_TAG|CID)\b/g, "{unique}"),
    })),
    ...[...readFolder("rtckit/files")].filter(([name]) => name.endsWith(".yaml")).flatMap(([name, bytes]) =>
      blocksOf(latin1(bytes)).map((text, index) => ({ name: `rtckit/${name}#${index}`, text }))
    ),
  ];
}

/** URIs, good and bad, of the corpus. */
export function uriSeeds(): string[] {
  return readTable("uris/uris.tsv").map((row) => row[2] ?? "");
}

/** Fills a message's braces, and makes its branch and its Call-ID its own. */
export function fill({ text }: Seed, { port, ownPort, transport, unique }: Filling): string {
  const filled = text.replace(/\{(to|from|port|ownPort|transport|unique)\}/g, (_, word) => {
    switch (word) {
      case "to":
        return `bob@127.0.0.1:${port}`;
      case "from":
        return `caller@127.0.0.1:${ownPort}`;
      case "port":
        return String(port);
      case "ownPort":
        return String(ownPort);
      case "transport":
        return transport;
      default:
        return unique;
    }
  }).replace("{length}", () => String(bodyLength(text)));
  // A message may hold others: those behind the first one get names of their own as well.
  let branches = 0;
  let calls = 0;
  return filled.replace(
    /(branch\s*=\s*z9hG4bK)[^;,\s>]*/gi,
    (_, name) => `${name}${unique}${suffix(branches++)}`,
  )
    .replace(/^((?:call-id|i)\s*:\s*)\S.*$/gim, (_, name) => `${name}${unique}${suffix(calls++)}`);
}

function suffix(index: number): string {
  return index === 0 ? "" : `.${index}`;
}

/** The same message, to be answered to where it comes from (RFC 3581) whatever its Via says. */
export function withRport(text: string): string {
  return text.replace(/^(?:via|v)[ \t]*:(?:[^,\r\n]|\r?\n[ \t])*/im, (via) => `${via};rport`);
}

function bodyLength(text: string): number {
  const end = text.search(/\r?\n\r?\n/);
  return end < 0 ? 0 : text.length - end - /\r?\n\r?\n/.exec(text)![0].length;
}
