// SPDX-License-Identifier: GPL-2.0-or-later
// The npm package `sip` as a server: what a JavaScript user has without sipcore. Plain JavaScript, so that a Node
// without type stripping runs it. Answers OPTIONS, INVITE and BYE with 200, an INVITE with a fixed SDP.
import { createRequire } from "node:module";
import process from "node:process";

const sip = createRequire(import.meta.url)("sip");
const port = Number(process.argv[2]);
const address = "127.0.0.1";
const contact = [{ uri: `sip:bench@${address}:${port}` }];
const sdp = [
  "v=0",
  `o=- 1 1 IN IP4 ${address}`,
  "s=-",
  `c=IN IP4 ${address}`,
  "t=0 0",
  "m=audio 4000 RTP/AVP 0",
  "a=rtpmap:0 PCMU/8000",
  "a=sendrecv",
  "",
].join("\r\n");

let tag = 0;

const stack = sip.create(
  { address, port, udp: true, tcp: false, logger: { error: (error) => console.error(error) } },
  (request) => {
    if (request.method === "ACK") return;
    const response = sip.makeResponse(request, 200, "OK");
    response.headers.to.params.tag ??= `s${++tag}`;
    if (request.method === "INVITE") {
      response.headers.contact = contact;
      response.headers["content-type"] = "application/sdp";
      response.content = sdp;
    }
    stack.send(response);
  },
);

process.stdin.on("end", () => process.exit(0)).resume();
process.on("SIGTERM", () => process.exit(0));
console.log(`ready ${port}`);
