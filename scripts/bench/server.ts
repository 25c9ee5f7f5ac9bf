// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * sipcore as the server that is measured, on the runtime that runs this file: answers OPTIONS, MESSAGE and INVITE with 200,
 * an INVITE with a description of its own. Nothing but the public API. The argument is the UDP port.
 */
import process from "node:process";
import {
  Engine,
  FrozenSDPAttribute,
  FrozenSDPAttributeList,
  FrozenSDPConnection,
  FrozenSDPMediaStream,
  FrozenSDPSession,
  NotificationCenter,
} from "../../mod.ts";

const address = "127.0.0.1";

/** Of what the server in C offers, what is usual. */
const rtpmaps = {
  "3": "GSM/8000",
  "0": "PCMU/8000",
  "8": "PCMA/8000",
  "9": "G722/8000",
  "101": "telephone-event/8000",
};
const formats = Object.keys(rtpmaps);
const attributes = new FrozenSDPAttributeList([
  ...Object.entries(rtpmaps).map(([format, codec]) => new FrozenSDPAttribute("rtpmap", `${format} ${codec}`)),
  new FrozenSDPAttribute("fmtp", "101 0-16"),
  new FrozenSDPAttribute("sendrecv", ""),
]);
const connection = new FrozenSDPConnection(address);

const engine = new Engine();
const center = new NotificationCenter();

/** Read, so that it is not only passed over. */
let characters = 0;

center.addObserver(({ sender, data }) => {
  if (data.method === "MESSAGE") characters += String(data.body).length;
  sender.answer(200);
}, { name: "SIPIncomingRequestGotRequest" });
center.addObserver((n) => {
  if (n.data.state !== "incoming" || n.data.prevState === "incoming") return;
  n.sender.sendResponse(200, { sdp: description() });
}, { name: "SIPInvitationChangedState" });

/** All that we speak, made anew for each call: PJSIP makes it fit the offer, as it does for the server in C. */
function description(): FrozenSDPSession {
  const stream = new FrozenSDPMediaStream("audio", 4000, "RTP/AVP", { formats, attributes });
  return new FrozenSDPSession(address, { connection, media: [stream] });
}

async function stop(): Promise<void> {
  await engine.stop();
  process.exit(0);
}

await engine.start({
  ipAddress: address,
  udpPort: Number(process.argv[2]),
  tcpPort: null,
  logLevel: 0,
  incomingRequests: ["OPTIONS", "MESSAGE"],
});
process.on("SIGTERM", stop);
process.stdin.on("end", stop).resume();
process.on("exit", () => console.log(`read ${characters} characters`));
console.log(`ready ${engine.udpPort}`);
