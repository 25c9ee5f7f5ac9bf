// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * pjproject's own system tests against a program, where they lie in its source tree: which there are, which of them
 * sipcore passes, and why not the others.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { inPath } from "../../../scripts/build/debian.ts";
import { layoutOf } from "../../../scripts/build/layout.ts";

/** tests/pjsua of the source tree that was built. */
export const folder: string = join(layoutOf(false).pjproject, "tests", "pjsua");

/** For the `skip` option of `describe` and `it`: false when all is there, else the reason. */
export const skipWithoutScripts: string | false = !inPath("python3")
  ? "no python3 in PATH (Debian: python3)"
  : !inPath("sipp")
  ? "no sipp in PATH (Debian: sip-tester)"
  : existsSync(join(folder, "run.py"))
  ? false
  : "the library was not built here: there is no source tree of pjproject";

export type Kind = "recvfrom" | "sendto" | "sipp";

/**
 * How many there are in pjproject 2.17, and how many of them sipcore passes. What pjsua adds to PJSIP the program adds to
 * sipcore: SDES lines in answers, which those that speak of `--use-srtp` look at (there is no SRTP behind them), one codec
 * asked for again where a peer takes several, another duration after a 423.
 */
export const counts: Readonly<Record<Kind, { readonly all: number; readonly green: number }>> = {
  recvfrom: { all: 21, green: 15 },
  sendto: { all: 92, green: 75 },
  sipp: { all: 76, green: 54 },
};

const oneChallenge = "a Request answers one challenge; a second one is its response";
const noIce = "needs ICE";
const noSrtp = "needs SRTP in RTPTransport";
const noPresence = "needs a presence server in the program";
const noUpdate = "needs an UPDATE of ours, which Invitation does not send";
const no100 = "takes no 100 to a re-INVITE, which goes out at once because JavaScript answers later";
const noG7221 = "needs G.722.1, which the build does not have";
const noAmr = "needs AMR, which the build does not have";

/** Why the others fail. */
export const reasons: Readonly<Record<Kind, Readonly<Record<string, string>>>> = {
  recvfrom: {
    "203_reg_good_empty_realm":
      "wants a challenge without a realm to be overheard; a 401 that asks for nothing is the end",
    "208_reg_good_retry_nonce_ok": oneChallenge,
    "230_reg_bad_fail_stale_true": oneChallenge,
    "231_reg_bad_fail_stale_false_nonce_changed": oneChallenge,
    "234_reg_bad_stale_ok": oneChallenge,
    "235_reg_good_tel_uri_enocredential": "needs a tel: URI in From; SIPURI knows sip: and sips:",
  },
  sendto: {
    "200_ice_success_1": noIce,
    "200_ice_success_2": noIce,
    "200_ice_success_3": noIce,
    "200_ice_success_4": noIce,
    "201_ice_mismatch_1": noIce,
    "201_ice_mismatch_2": noIce,
    "201_ice_mismatch_3": noIce,
    "361_non_sip_uri": "wants 500 for a Contact without any sip: URI; the request is bad, so it gets 400",
    "363_non_sip_uri_subscribe": noPresence,
    "364_non_sip_uri_subscribe": noPresence,
    "400_fmtp_g7221_with_bitrate": noG7221,
    "401_fmtp_g7221_with_bitrate_24000": noG7221,
    "401_fmtp_g7221_with_bitrate_32000": noG7221,
    "410_fmtp_amrnb_offer_octet_align": noAmr,
    "411_fmtp_amrnb_offer_band_eff": noAmr,
    "412_fmtp_amrnb_offer_band_eff2": noAmr,
    "999_message_no_body":
      "wants 200 for a body that is shorter than Content-Length says; RFC 3261 wants 400",
  },
  sipp: {
    "uac-early-recv-update-481": noUpdate,
    "uac-reinvite-port-0-bad-sdp": no100,
    "uac-srtp-dtls": noSrtp,
    "uac-srtp-dtls-lower-prio": noSrtp,
    "uac-srtp-dtls-reinv-sdes": noSrtp,
    "uac-srtp-sdes": noSrtp,
    "uac-srtp-sdes-reinv-dtls": noSrtp,
    "uac-subscribe": noPresence,
    "uas-answer-180-multiple-fmts-support-update": noUpdate,
    "uas-answer-200-multiple-fmts-support-update": noUpdate,
    "uas-answer-200-update-without-sdp": noUpdate,
    "uas-answer-200-without-to-tag": noUpdate,
    "uas-norefersub-disabled": "needs an INVITE without norefersub in Supported, where sipcore always has it",
    "uas-register-ip-change": "needs pjsua's registration of the address that the registrar has seen",
    "uas-register-ip-change-port-only":
      "needs pjsua's registration of the address that the registrar has seen",
    "uas-reinv-after-failed-nego":
      "needs pjsua's --use-timer=3: a session timer that the peer does not know of",
    "uas-reinv-glare": noUpdate,
    "uas-reinv-no-media": no100,
    "uas-reinv-with-less-media": no100,
    "uas-subscribe-multipart-notify": "needs a reader of multipart bodies in the program",
    "uas-subscribe-notify-terminate": "takes no SUBSCRIBE that ends what was granted for no time",
    "uas-subscribe-terminated-retry": "needs pjsua's own way to subscribe again after retry-after",
  },
};

/** They wait for session timers of 90 seconds, or pause: `npm run pjsua` runs them, `npm test` does not. */
export const slow: Readonly<Record<Kind, readonly string[]>> = {
  recvfrom: [],
  sendto: [],
  sipp: ["uas-forked-100rel", "uas-timer-reinvite", "uas-timer-update"],
};

const endings: Readonly<Record<Kind, string>> = { recvfrom: ".py", sendto: ".py", sipp: ".xml" };

/** The names of all that lie there. */
export function scriptsOf(kind: Kind): string[] {
  return readdirSync(join(folder, `scripts-${kind}`))
    .filter((file) => file.endsWith(endings[kind]))
    .map((file) => file.slice(0, -endings[kind].length))
    .sort();
}

/** What tests/pjsua/run.py takes. */
export function argumentsOf(kind: Kind, name: string): readonly [module: string, script: string] {
  return [`mod_${kind}.py`, `scripts-${kind}/${name}${endings[kind]}`];
}
