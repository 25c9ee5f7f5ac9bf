// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Does what REFERs ask for: calls whom they refer to, at a port of 127.0.0.1, tells how that goes, and hangs up. Whom they
 * refer to may also be "refused", "unanswered" or "forgotten": nobody is called then, and it goes with the REFER as the
 * word says. Says its port, and goes on until it is killed.
 */
import {
  FromHeader,
  type IncomingReferral,
  Invitation,
  NotificationCenter,
  RouteHeader,
  SIPURI,
  ToHeader,
} from "../../../mod.ts";
import { silentSdp } from "../calls.ts";
import { startEngine } from "../engine_fixture.ts";

const referrals = new Map<Invitation, IncomingReferral>();
const center = new NotificationCenter();
const engine = await startEngine({ tcpPort: null, logLevel: 0 });

center.addObserver(({ sender, data }) => {
  const uri = SIPURI.parse(`${data.referTo?.uri}`);
  const { user } = uri;
  if (user === "refused") sender.reject(603);
  else if (user === "forgotten") sender.accept();
  else if (user !== "unanswered") {
    sender.accept();
    const invitation = new Invitation();
    referrals.set(invitation, sender);
    invitation.sendInvite({
      requestUri: uri,
      fromHeader: new FromHeader(new SIPURI({ user: "referee", host: "127.0.0.1" })),
      toHeader: new ToHeader(uri),
      routeHeader: RouteHeader.to({ address: "127.0.0.1", port: uri.port! }),
      sdp: silentSdp,
    });
  }
}, { name: "SIPIncomingReferralGotRefer" });

center.addObserver(({ sender, data }) => {
  const referral = referrals.get(sender);
  if (data.state === "early") referral?.sendNotify(180);
  if (data.state !== "connected" && data.state !== "disconnected") return;
  referrals.delete(sender);
  referral?.end({ code: data.state === "connected" ? 200 : data.code! });
  sender.end();
}, { name: "SIPInvitationChangedState" });

console.log(`port ${engine.udpPort}`);
