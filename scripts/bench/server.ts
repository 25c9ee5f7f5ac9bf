// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * sipcore as the server that is measured, on the runtime that runs this file: answers OPTIONS, MESSAGE and INVITE with 200,
 * an INVITE with an SDP made to fit the offer. Nothing but the public API. The argument is the UDP port.
 */
import process from "node:process";
import {
  type BaseSDPMediaStream,
  type BaseSDPSession,
  Engine,
  NotificationCenter,
  SDPConnection,
  SDPMediaStream,
  SDPSession,
} from "../../mod.ts";

const address = "127.0.0.1";

/** Static payload types of codecs that the answer takes, G.722 among them. */
const codecs = ["0", "8", "9", "3"];

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
  const offer = n.sender.sdp.proposedRemote;
  if (offer) n.sender.sendResponse(200, { sdp: answerTo(offer) });
  else n.sender.sendResponse(488);
}, { name: "SIPInvitationChangedState" });

function answerTo(offer: BaseSDPSession): SDPSession {
  return new SDPSession(address, {
    connection: new SDPConnection(address),
    media: Array.from(offer.media, answerStream),
  });
}

/** The first audio codec that both know, and DTMF; any other stream is refused with port 0. */
function answerStream(offer: BaseSDPMediaStream): SDPMediaStream {
  const codec = offer.formats.find((format) => codecs.includes(format));
  if (offer.media !== "audio" || codec === undefined) {
    return new SDPMediaStream(offer.media, 0, offer.transport, { formats: [...offer.formats] });
  }
  const rtpmaps = offer.attributes.filter(({ name }) => name === "rtpmap");
  const dtmf = rtpmaps.find(({ value }) => value.endsWith(" telephone-event/8000"))?.value.split(" ")[0];
  const formats = dtmf === undefined ? [codec] : [codec, dtmf];
  const attributes = offer.attributes.filter(({ name, value }) =>
    (name === "rtpmap" || name === "fmtp") && formats.includes(value.split(" ")[0] ?? "")
  );
  return new SDPMediaStream("audio", 4000, offer.transport, { formats, attributes });
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
