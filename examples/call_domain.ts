// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Calls a SIP address by the name of its domain, over one server after the other until one answers, and hangs up after
 * five seconds: `deno run -A examples/call_domain.ts sip:bob@example.com` or
 * `bun examples/call_domain.ts sip:bob@example.com`. Ctrl-C gives up.
 */
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  FromHeader,
  Invitation,
  resolve,
  type RouteHeader,
  RTPTransport,
  SDPSession,
  SIPURI,
  ToHeader,
} from "../mod.ts";

const uri = SIPURI.parse(process.argv[2] ?? "sip:bob@localhost");
const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());
const { signal } = interrupt;

await using engine = new Engine();
await engine.start();
using mixer = new AudioMixer(null, null, { sampleRate: 8000 });

for (const route of await resolve(uri, { signal })) {
  console.log(`Trying ${route.uri}`);
  if (await call(route) || signal.aborted) break;
}

/** Calls over a route; false: it leads to nobody, and the next one is to be tried (RFC 3263, section 4.3). */
async function call(routeHeader: RouteHeader): Promise<boolean> {
  const { host } = engine.contactUri(routeHeader);
  using transport = new RTPTransport({ localRtpAddress: host });
  transport.setInit();
  using audio = new AudioTransport(mixer, transport);
  using invitation = new Invitation();

  const notes = invitation.notifications();
  invitation.sendInvite({
    requestUri: uri,
    fromHeader: new FromHeader(new SIPURI({ user: "alice", host })),
    toHeader: new ToHeader(uri),
    routeHeader,
    sdp: new SDPSession(host, { media: [audio.getLocalMedia(true)] }),
    signal,
  });
  let reached = false;
  for await (const { name, data } of notes) {
    if (name === "SIPInvitationGotSDPUpdate" && data.succeeded) {
      if (audio.isStarted) audio.update(data.localSdp, data.remoteSdp);
      else audio.start(data.localSdp, data.remoteSdp);
    } else if (name === "SIPInvitationChangedState") {
      console.log(data.prevState, "->", data.state, data.code ?? "", data.reason ?? "");
      if (data.state === "connected") wait(5000).then(() => invitation.end());
      const away = data.state === "disconnected" && (data.code === 503 || data.code === 408);
      if (data.state === "early" || (data.state === "disconnected" && !away)) reached = true;
    }
  }
  return reached;
}
