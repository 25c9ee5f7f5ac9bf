// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * The state table of Invitation: in each state each thing that can happen, what comes of it, all that is told, and what
 * goes over the wire.
 */
import { after, before, describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import type { Engine, Invitation } from "../mod.ts";
import { silentSdp } from "./support/calls.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { Peer, type PeerMessage } from "./support/peer.ts";
import { inviteOptions } from "./support/peer_calls.ts";
import { type Place, places } from "./support/placed_calls.ts";
import { cseqOf } from "./support/sip_text.ts";
import { Story, type Told } from "./support/story.ts";
import { until } from "./support/until.ts";

const sdp = silentSdp.toString();
const otherCodec = sdp.replace("RTP/AVP 0", "RTP/AVP 8").replace("0 PCMU", "8 PCMA");

/** What happens to a call: the program does it, or the peer. */
type Act = (call: Invitation, peer: Peer, message: PeerMessage) => unknown;

interface Row {
  readonly from: Place;
  readonly event: string;
  readonly act: Act;
  /** State and sub-state that it comes to. */
  readonly to: string;
  /** What is told, in order: all that is not null of each. */
  readonly told: readonly string[];
  /** What comes to the peer, in order, but for repetitions. */
  readonly wire: readonly string[];
  /** It waits for 64 T1. */
  readonly isSlow?: boolean;
}

/** The peer's dialog of a call, whichever end it has. */
const within = (peer: Peer, message: PeerMessage) => {
  // Of a call of its own it has sent the INVITE; the answer to that has the dialog.
  const answer = message.method === "INVITE" && peer.received.every(({ text }) => text !== message.text)
    ? peer.received.find((one) => (one.code ?? 0) >= 180 && one.code! < 300)
    : message;
  return peer.dialog(answer ?? message);
};

const rows: readonly Row[] = [
  {
    from: "null",
    event: "sendInvite()",
    act: (call, peer) => call.sendInvite(inviteOptions(peer.port)),
    to: "outgoing",
    told: ["null -> outgoing by local: INVITE URI (INVITE) {PCMU}"],
    wire: ["INVITE"],
  },
  { from: "null", event: "end()", act: (call) => call.end(), to: "null", told: [], wire: [] },
  {
    from: "outgoing",
    event: "180",
    act: (_, peer, invite) => peer.respond(invite, 180),
    to: "early",
    told: ['outgoing -> early by remote: 180 "Scripted" (INVITE)'],
    wire: [],
  },
  {
    from: "outgoing",
    event: "100",
    act: (_, peer, invite) => peer.respond(invite, 100),
    to: "outgoing",
    told: [],
    wire: [],
  },
  {
    from: "outgoing",
    event: "183 with an answer",
    act: (_, peer, invite) => peer.respond(invite, 183, { body: sdp }),
    to: "early",
    told: ['outgoing -> early by remote: 183 "Scripted" (INVITE) {PCMU}', "agreed: PCMU | PCMU"],
    wire: [],
  },
  {
    from: "outgoing",
    event: "200",
    act: (_, peer, invite) => peer.respond(invite, 200, { body: sdp }),
    to: "connected/normal",
    told: [
      'outgoing -> connecting by remote: 200 "Scripted" (INVITE) {PCMU}',
      "agreed: PCMU | PCMU",
      "connecting -> connected/normal",
    ],
    wire: ["ACK"],
  },
  {
    from: "outgoing",
    event: "302",
    act: (_, peer, invite) => peer.respond(invite, 302, { headers: { Contact: "<sip:carol@192.0.2.9>" } }),
    to: "disconnected",
    told: ['outgoing -> disconnected by remote: 302 "Scripted" (INVITE) because "user request"'],
    wire: ["ACK"],
  },
  {
    from: "outgoing",
    event: "401",
    act: (_, peer, invite) =>
      peer.respond(invite, 401, { headers: { "WWW-Authenticate": 'Digest realm="r", nonce="n"' } }),
    to: "disconnected",
    told: ['outgoing -> disconnected by remote: 401 "Scripted" (INVITE) because "user request"'],
    wire: ["ACK"],
  },
  {
    from: "outgoing",
    event: "486",
    act: (_, peer, invite) => peer.respond(invite, 486),
    to: "disconnected",
    told: ['outgoing -> disconnected by remote: 486 "Scripted" (INVITE) because "user request"'],
    wire: ["ACK"],
  },
  {
    from: "outgoing",
    event: "603",
    act: (_, peer, invite) => peer.respond(invite, 603),
    to: "disconnected",
    told: ['outgoing -> disconnected by remote: 603 "Scripted" (INVITE) because "user request"'],
    wire: ["ACK"],
  },
  {
    from: "outgoing",
    event: "nothing for 64 T1",
    act: () => {},
    to: "disconnected",
    told: ['outgoing -> disconnected 408 "Request Timeout" because "timeout"'],
    wire: [],
    isSlow: true,
  },
  {
    from: "outgoing",
    event: "end()",
    act: (call, peer, invite) => {
      call.end();
      peer.respond(invite, 100);
    },
    to: "disconnecting",
    told: ["outgoing -> disconnecting by local: CANCEL"],
    wire: ["CANCEL"],
  },
  {
    from: "early, outgoing",
    event: "183 with an answer",
    act: (_, peer, invite) => peer.respond(invite, 183, { body: sdp }),
    to: "early",
    told: ['early -> early by remote: 183 "Scripted" (INVITE) {PCMU}', "agreed: PCMU | PCMU"],
    wire: [],
  },
  {
    from: "early, outgoing",
    event: "200",
    act: (_, peer, invite) => peer.respond(invite, 200, { body: sdp }),
    to: "connected/normal",
    told: [
      'early -> connecting by remote: 200 "Scripted" (INVITE) {PCMU}',
      "agreed: PCMU | PCMU",
      "connecting -> connected/normal",
    ],
    wire: ["ACK"],
  },
  {
    from: "early, outgoing",
    event: "486",
    act: (_, peer, invite) => peer.respond(invite, 486),
    to: "disconnected",
    told: ['early -> disconnected by remote: 486 "Scripted" (INVITE) because "user request"'],
    wire: ["ACK"],
  },
  {
    from: "early, outgoing",
    event: "end()",
    act: (call) => call.end(),
    to: "disconnecting",
    told: ["early -> disconnecting by local: CANCEL"],
    wire: ["CANCEL"],
  },
  {
    from: "early, outgoing",
    event: "end(), and 487",
    act: async (call, peer, invite) => {
      call.end();
      peer.respond(await peer.next({ method: "CANCEL" }), 200);
      peer.respond(invite, 487);
    },
    to: "disconnected",
    told: [
      "early -> disconnecting by local: CANCEL",
      'disconnecting -> disconnected by remote: 487 "Scripted" (INVITE) because "user request"',
    ],
    wire: ["CANCEL", "ACK"],
  },
  {
    from: "early, outgoing",
    event: "end(), and a 200 that was faster",
    act: async (call, peer, invite) => {
      call.end();
      const cancel = await peer.next({ method: "CANCEL" });
      peer.respond(invite, 200, { body: sdp });
      peer.respond(cancel, 200);
      peer.respond(await peer.next({ method: "BYE" }), 200);
    },
    to: "disconnected",
    told: [
      "early -> disconnecting by local: CANCEL",
      'disconnecting -> disconnected by remote: 200 "Normal call clearing" (BYE) because "user request"',
    ],
    wire: ["CANCEL", "ACK", "BYE"],
  },
  {
    from: "early, the peer's offer",
    event: "sendAck()",
    act: (call) => call.sendAck(silentSdp),
    to: "early",
    told: ["agreed: PCMU | PCMU"],
    wire: ["PRACK"],
  },
  {
    from: "connecting, the peer's offer",
    event: "sendAck()",
    act: (call) => call.sendAck(silentSdp),
    to: "connected/normal",
    told: ["agreed: PCMU | PCMU", "connecting -> connected/normal"],
    wire: ["ACK"],
  },
  {
    from: "connecting, the peer's offer",
    event: "end()",
    act: (call) => call.end(),
    to: "disconnecting",
    told: ["connecting -> disconnecting by local: BYE"],
    wire: ["ACK", "BYE"],
  },
  {
    from: "incoming",
    event: "sendResponse(180)",
    act: (call) => call.sendResponse(180),
    to: "early",
    told: ['incoming -> early by local: 180 "Ringing" (INVITE)'],
    wire: ["180 (INVITE)"],
  },
  {
    from: "incoming",
    event: "sendResponse(183) with an answer",
    act: (call) => call.sendResponse(183, { sdp: silentSdp }),
    to: "early",
    told: ["agreed: PCMU | PCMU", 'incoming -> early by local: 183 "Session Progress" (INVITE) {PCMU}'],
    wire: ["183 (INVITE)"],
  },
  {
    from: "incoming",
    event: "sendResponse(200)",
    act: (call) => call.sendResponse(200, { sdp: silentSdp }),
    to: "connecting",
    told: ["agreed: PCMU | PCMU", 'incoming -> connecting by local: 200 "OK" (INVITE) {PCMU}'],
    wire: ["200 (INVITE)"],
  },
  {
    from: "incoming",
    event: "sendResponse(486)",
    act: (call) => call.sendResponse(486),
    to: "disconnected",
    told: [
      'incoming -> disconnecting by local: 486 "Busy Here"',
      'disconnecting -> disconnected by local: 486 "Busy Here" (INVITE) because "Busy Here"',
    ],
    wire: ["486 (INVITE)"],
  },
  {
    from: "incoming",
    event: "end()",
    act: (call) => call.end(),
    to: "disconnected",
    told: [
      'incoming -> disconnecting by local: 603 "Decline"',
      'disconnecting -> disconnected by local: 603 "Decline" (INVITE) because "Decline"',
    ],
    wire: ["603 (INVITE)"],
  },
  {
    from: "incoming",
    event: "CANCEL",
    act: (_, peer, invite) => {
      peer.cancel(invite);
    },
    to: "disconnected",
    told: [
      'incoming -> disconnected by remote: CANCEL URI 487 "Request Terminated" (CANCEL) because "user request"',
    ],
    wire: ["200 (CANCEL)", "487 (INVITE)"],
  },
  {
    from: "early, incoming",
    event: "sendResponse(200)",
    act: (call) => call.sendResponse(200, { sdp: silentSdp }),
    to: "connecting",
    told: ["agreed: PCMU | PCMU", 'early -> connecting by local: 200 "OK" (INVITE) {PCMU}'],
    wire: ["200 (INVITE)"],
  },
  {
    from: "early, incoming",
    event: "sendResponse(603)",
    act: (call) => call.sendResponse(603),
    to: "disconnected",
    told: [
      'early -> disconnecting by local: 603 "Decline"',
      'disconnecting -> disconnected by local: 603 "Decline" (INVITE) because "Decline"',
    ],
    wire: ["603 (INVITE)"],
  },
  {
    from: "early, incoming",
    event: "end()",
    act: (call) => call.end(),
    to: "disconnected",
    told: [
      'early -> disconnecting by local: 603 "Decline"',
      'disconnecting -> disconnected by local: 603 "Decline" (INVITE) because "Decline"',
    ],
    wire: ["603 (INVITE)"],
  },
  {
    from: "early, incoming",
    event: "CANCEL",
    act: (_, peer, invite) => {
      peer.cancel(invite);
    },
    to: "disconnected",
    told: [
      'early -> disconnected by remote: CANCEL URI 487 "Request Terminated" (CANCEL) because "user request"',
    ],
    wire: ["200 (CANCEL)", "487 (INVITE)"],
  },
  {
    from: "connecting, incoming",
    event: "ACK",
    act: (_, peer, ok) => peer.ack(ok),
    to: "connected/normal",
    told: ["connecting -> connected/normal by remote: ACK URI (ACK)"],
    wire: [],
  },
  {
    from: "connecting, incoming",
    event: "BYE",
    act: (_, peer, ok) => peer.request("BYE", peer.dialog(ok)),
    to: "disconnected",
    told: [
      'connecting -> disconnected by remote: BYE URI 200 "Normal call clearing" (BYE) because "user request"',
    ],
    wire: ["200 (BYE)"],
  },
  {
    from: "connecting, incoming",
    event: "no ACK for 64 T1",
    act: () => {},
    to: "disconnected",
    told: ['connecting -> disconnected 408 "Request Timeout" because "missing ACK"'],
    wire: ["BYE"],
    isSlow: true,
  },
  {
    from: "connected/normal",
    event: "end()",
    act: (call) => call.end(),
    to: "disconnecting",
    told: ["connected/normal -> disconnecting by local: BYE"],
    wire: ["BYE"],
  },
  {
    from: "connected/normal",
    event: "BYE",
    act: (_, peer, invite) => peer.request("BYE", peer.dialog(invite)),
    to: "disconnected",
    told: [
      'connected/normal -> disconnected by remote: BYE URI 200 "Normal call clearing" (BYE) because "user request"',
    ],
    wire: ["200 (BYE)"],
  },
  {
    from: "connected/normal",
    event: "sendReinvite()",
    act: (call) => call.sendReinvite(),
    to: "connected/sent_proposal",
    told: ["connected/normal -> connected/sent_proposal by local: INVITE URI (INVITE) {PCMU}"],
    wire: ["INVITE"],
  },
  {
    from: "connected/normal",
    event: "INVITE with an offer",
    act: (_, peer, invite) => peer.request("INVITE", { ...peer.dialog(invite), body: sdp }),
    to: "connected/received_proposal",
    told: ["connected/normal -> connected/received_proposal by remote: INVITE URI (INVITE) {PCMU}"],
    wire: ["100 (INVITE)"],
  },
  {
    from: "connected/normal",
    event: "INVITE without one",
    act: (_, peer, invite) => peer.request("INVITE", peer.dialog(invite)),
    to: "connected/received_proposal_request",
    told: ["connected/normal -> connected/received_proposal_request by remote: INVITE URI (INVITE)"],
    wire: ["100 (INVITE)"],
  },
  {
    from: "connected/normal",
    event: "UPDATE with an offer",
    act: (_, peer, invite) => peer.request("UPDATE", { ...peer.dialog(invite), body: sdp }),
    to: "connected/normal",
    told: ["agreed: PCMU | PCMU"],
    wire: ["200 (UPDATE)"],
  },
  {
    from: "connected/sent_proposal",
    event: "200",
    act: (_, peer, invite) => peer.respond(invite, 200, { body: sdp }),
    to: "connected/normal",
    told: [
      "agreed: PCMU | PCMU",
      'connected/sent_proposal -> connected/normal by remote: 200 "Scripted" (INVITE) {PCMU}',
    ],
    wire: ["ACK"],
  },
  {
    from: "connected/sent_proposal",
    event: "200 that does not fit",
    act: (_, peer, invite) => peer.respond(invite, 200, { body: otherCodec }),
    to: "connected/normal",
    told: [
      "not agreed",
      'connected/sent_proposal -> connected/normal by remote: 200 "Scripted" (INVITE) {PCMA}',
    ],
    wire: ["ACK"],
  },
  {
    from: "connected/sent_proposal",
    event: "488",
    act: (_, peer, invite) => peer.respond(invite, 488),
    to: "connected/normal",
    told: ['connected/sent_proposal -> connected/normal by remote: 488 "Scripted" (INVITE)'],
    wire: ["ACK"],
  },
  {
    from: "connected/sent_proposal",
    event: "491",
    act: (_, peer, invite) => peer.respond(invite, 491),
    to: "connected/normal",
    told: ['connected/sent_proposal -> connected/normal by remote: 491 "Scripted" (INVITE)'],
    wire: ["ACK"],
  },
  {
    from: "connected/sent_proposal",
    event: "481",
    act: (_, peer, invite) => peer.respond(invite, 481),
    to: "disconnecting",
    told: [
      'connected/sent_proposal -> connected/normal by remote: 481 "Scripted" (INVITE)',
      "connected/normal -> disconnecting by local: BYE",
    ],
    wire: ["ACK", "BYE"],
  },
  {
    from: "connected/sent_proposal",
    event: "INVITE of the peer's",
    act: (_, peer, invite) => peer.request("INVITE", { ...peer.dialog(invite), body: sdp }),
    to: "connected/sent_proposal",
    told: [],
    wire: ["491 (INVITE)"],
  },
  {
    from: "connected/sent_proposal",
    event: "cancelReinvite(), and 487",
    act: async (call, peer, invite) => {
      peer.respond(invite, 100);
      call.cancelReinvite();
      peer.respond(await peer.next({ method: "CANCEL" }), 200);
      peer.respond(invite, 487);
    },
    to: "connected/normal",
    told: ['connected/sent_proposal -> connected/normal by remote: 487 "Scripted" (INVITE)'],
    wire: ["CANCEL", "ACK"],
  },
  {
    from: "connected/sent_proposal",
    event: "BYE",
    act: (_, peer, invite) => peer.request("BYE", peer.dialog(invite)),
    to: "disconnected",
    told: [
      'connected/sent_proposal -> disconnected by remote: BYE URI 200 "Normal call clearing" (BYE) because "user request"',
    ],
    wire: ["200 (BYE)"],
  },
  {
    from: "connected/sent_proposal",
    event: "end()",
    act: (call) => call.end(),
    to: "disconnecting",
    told: ["connected/sent_proposal -> disconnecting by local: BYE"],
    wire: ["BYE"],
  },
  {
    from: "connected/received_proposal",
    event: "sendResponse(200)",
    act: (call) => call.sendResponse(200, { sdp: silentSdp }),
    to: "connected/normal",
    told: [
      "agreed: PCMU | PCMU",
      'connected/received_proposal -> connected/normal by local: 200 "OK" (INVITE) {PCMU}',
    ],
    wire: ["200 (INVITE)"],
  },
  {
    from: "connected/received_proposal",
    event: "sendResponse(488)",
    act: (call) => call.sendResponse(488),
    to: "connected/normal",
    told: ['connected/received_proposal -> connected/normal by local: 488 "Not Acceptable Here" (INVITE)'],
    wire: ["488 (INVITE)"],
  },
  {
    from: "connected/received_proposal",
    event: "CANCEL",
    act: (_, peer, invite) => peer.cancel(invite),
    to: "connected/normal",
    told: ['connected/received_proposal -> connected/normal by local: 487 "Request Terminated" (INVITE)'],
    wire: ["200 (CANCEL)", "487 (INVITE)"],
  },
  {
    from: "connected/received_proposal",
    event: "BYE",
    act: (_, peer, invite) => peer.request("BYE", within(peer, invite)),
    to: "disconnected",
    told: [
      'connected/received_proposal -> disconnected by remote: BYE URI 200 "Normal call clearing" (BYE) because "user request"',
    ],
    wire: ["200 (BYE)", "487 (INVITE)"],
  },
  {
    from: "connected/received_proposal",
    event: "end()",
    act: (call) => call.end(),
    to: "disconnecting",
    told: ["connected/received_proposal -> disconnecting by local: BYE"],
    wire: ["BYE"],
  },
  {
    from: "connected/received_proposal, by our ACK",
    event: "sendAck()",
    act: (call) => call.sendAck(silentSdp),
    to: "connected/normal",
    told: ["agreed: PCMU | PCMU", "connected/received_proposal -> connected/normal by local: ACK"],
    wire: ["ACK"],
  },
  {
    from: "connected/received_proposal_request",
    event: "sendResponse(200), and its ACK",
    act: async (call, peer) => {
      call.sendResponse(200);
      peer.ack(await peer.next({ code: 200, cseqMethod: "INVITE" }), { body: sdp });
    },
    to: "connected/normal",
    told: [
      "agreed: PCMU | PCMU",
      'connected/received_proposal_request -> connected/normal by local: 200 "OK" (INVITE) {PCMU}',
    ],
    wire: ["200 (INVITE)"],
  },
  {
    from: "connected/received_proposal_request",
    event: "sendResponse(488)",
    act: (call) => call.sendResponse(488),
    to: "connected/normal",
    told: [
      'connected/received_proposal_request -> connected/normal by local: 488 "Not Acceptable Here" (INVITE)',
    ],
    wire: ["488 (INVITE)"],
  },
  {
    from: "disconnecting",
    event: "200",
    act: (_, peer, bye) => peer.respond(bye, 200),
    to: "disconnected",
    told: [
      'disconnecting -> disconnected by remote: 200 "Normal call clearing" (BYE) because "user request"',
    ],
    wire: [],
  },
  {
    from: "disconnecting",
    event: "nothing for its timeout",
    act: () => {},
    to: "disconnected",
    told: ['disconnecting -> disconnected 408 "Request Timeout" because "timeout"'],
    wire: [],
  },
  { from: "disconnected", event: "end()", act: (call) => call.end(), to: "disconnected", told: [], wire: [] },
];

const codecs = (text: string) =>
  text.replaceAll("audio 4000 RTP/AVP 0", "PCMU").replaceAll("audio 4000 RTP/AVP 8", "PCMA");

/** All of it that is not null, on a line. */
function line(told: Told): string {
  if ("succeeded" in told) {
    return told.succeeded ? codecs(`agreed: ${told.local} | ${told.remote}`) : "not agreed";
  }
  const { change, originator, method, requestUri, code, reason, cseq, body, disconnectReason } = told;
  const words = [
    originator && `by ${originator}:`,
    method,
    requestUri && "URI",
    code,
    reason && `"${reason}"`,
    cseq && `(${cseq})`,
    body && codecs(`{${body}}`),
    disconnectReason && `because "${disconnectReason}"`,
  ].filter((word) => word !== null && word !== "");
  return [change, ...words].join(" ");
}

/** A message in a word. */
function word(message: PeerMessage): string {
  const method = cseqOf(message).method;
  return message.code === null ? method : `${message.code} (${method})`;
}

describe("Invitation, state table", () => {
  let engine: Engine;
  /** What waits does so beside the others. */
  const waiting = new Map<Row, Promise<void>>();
  before(async () => {
    engine = await startEngine();
    for (const row of rows.filter(({ isSlow }) => isSlow)) {
      const done = check(row);
      done.catch(() => {});
      waiting.set(row, done);
    }
  });
  after(stopEngine);

  async function check({ from, act, to, told, wire }: Row): Promise<void> {
    await using peer = await Peer.open();
    const { invitation, message, ...call } = await places[from](engine, peer);
    const story = call.story ?? new Story(invitation);
    const toldBefore = story.told.length;
    const known = new Set(peer.received.map(({ text }) => text));
    const came = () =>
      [...new Map(peer.received.map((one) => [one.text, one])).values()]
        .filter(({ text }) => !known.has(text)).map(word);
    await act(invitation, peer, message!);
    await story.untilCount(toldBefore + told.length);
    await until(() => came().length >= wire.length, `${wire} at the peer`);
    assertEquals(
      { to: at(invitation), told: story.since(toldBefore).map(line), wire: came() },
      { to, told: [...told], wire: [...wire] },
    );
    if (invitation.state === null || invitation.state === "disconnected") return;
    // What is told next begins there: nothing else was told.
    if (invitation.state !== "disconnecting") invitation.end({ timeout: 0.05 });
    else {
      const last = peer.received.findLast(({ method }) => method === "BYE" || method === "CANCEL")!;
      peer.respond(last, 200);
      if (last.method === "CANCEL") peer.respond(message!, 487);
    }
    await story.untilCount(toldBefore + told.length + 1);
    const next = story.told[toldBefore + told.length]!;
    assertEquals("change" in next && next.change.split(" ->")[0], to);
    invitation[Symbol.dispose]();
  }

  for (const row of rows) {
    it(`Invitation, ${row.from}: ${row.event}`, () => waiting.get(row) ?? check(row));
  }
});

function at({ state, subState }: Invitation): string {
  return subState === null ? `${state}` : `${state}/${subState}`;
}
