// SPDX-License-Identifier: GPL-2.0-or-later
/** What the methods of Invitation take, checked, copied, and written for the shim. */
import type { Writer } from "../ffi/wire.ts";
import { checkInstance, checkText } from "./check_argument.ts";
import { BaseCredentials, FrozenCredentials, writeCredentials } from "./credentials.ts";
import { Engine } from "./engine.ts";
import { addressOf } from "./dialog_target.ts";
import { checkExtraHeaders, checkUriHeaders, writeHeaders } from "./extra_headers.ts";
import {
  BaseContactHeader,
  BaseFromHeader,
  type BaseHeader,
  BaseRouteHeader,
  BaseToHeader,
  FrozenContactHeader,
  FrozenContentTypeHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  FrozenToHeader,
} from "./headers.ts";
import type { InviteOptions } from "./invitation_options.ts";
import { lazy } from "./lazy.ts";
import { ownContact } from "./own_contact.ts";
import { type CheckedRoute, checkRoute } from "./route.ts";
import { BaseSDPSession, FrozenSDPSession } from "./sdp_session.ts";
import {
  type CheckedSessionTimer,
  checkSessionTimer,
  type SessionTimer,
  writeSessionTimer,
} from "./session_timer.ts";
import { checkTimeout } from "./timeout.ts";
import { BaseSIPURI, FrozenSIPURI } from "./uri.ts";

/** The options of `sendInvite()`, checked and copied. */
export interface CheckedInvite {
  readonly requestUri: FrozenSIPURI;
  readonly fromHeader: FrozenFromHeader;
  readonly toHeader: FrozenToHeader;
  readonly routeHeader: FrozenRouteHeader;
  readonly route: CheckedRoute;
  readonly contactHeader: FrozenContactHeader | null;
  readonly sdp: CheckedSDP | null;
  readonly credentials: FrozenCredentials | null;
  readonly extraHeaders: readonly BaseHeader[];
  readonly timeout: number | null;
  readonly sessionTimer: CheckedSessionTimer | null;
}

/** Throws TypeError and RangeError for bad arguments. */
export function checkInvite(options: InviteOptions): CheckedInvite {
  const requestUri = FrozenSIPURI.from(checkInstance(options.requestUri, BaseSIPURI, "requestUri"));
  const fromHeader = FrozenFromHeader.from(checkInstance(options.fromHeader, BaseFromHeader, "fromHeader"));
  const toHeader = FrozenToHeader.from(checkInstance(options.toHeader, BaseToHeader, "toHeader"));
  const routeHeader = FrozenRouteHeader.from(
    checkInstance(options.routeHeader, BaseRouteHeader, "routeHeader"),
  );
  const route = checkRoute(routeHeader);
  // Forgotten is not the same as none.
  const sdp = options.sdp === null ? null : checkSdp(options.sdp, "sdp");
  const credentials = options.credentials
    ? FrozenCredentials.from(checkInstance(options.credentials, BaseCredentials, "credentials"))
    : null;
  const extraHeaders = checkExtraHeaders(options.extraHeaders);
  checkUriHeaders(requestUri);
  const timeout = checkTimeout(options.timeout ?? null);
  const contactHeader = checkContact(options.contactHeader);
  const sessionTimer = sessionTimerOf(options);
  return {
    requestUri,
    fromHeader,
    toHeader,
    routeHeader,
    route,
    contactHeader,
    sdp,
    credentials,
    extraHeaders,
    timeout,
    sessionTimer,
  };
}

/** A description: as it was when it was given, whatever becomes of the object. */
export interface CheckedSDP {
  readonly text: string;
  readonly value: () => FrozenSDPSession;
}

/** The text is the copy; what is parsed of it is seldom asked for. */
export function checkSdp(sdp: unknown, argument: string): CheckedSDP {
  const given = checkInstance(sdp, BaseSDPSession, argument);
  const text = given.toString();
  return {
    text,
    value: given instanceof FrozenSDPSession ? () => given : lazy(() => FrozenSDPSession.parse(text)),
  };
}

/** A Contact, copied; null for none. */
export function checkContact(header: BaseContactHeader | null | undefined): FrozenContactHeader | null {
  return header ? FrozenContactHeader.from(checkInstance(header, BaseContactHeader, "contactHeader")) : null;
}

/** The Contact of an INVITE whose options name none. */
export function defaultContact({ requestUri, fromHeader, routeHeader }: CheckedInvite): FrozenContactHeader {
  return ownContact(requestUri, fromHeader, routeHeader);
}

/** Writes the block of sc_invitation_create(). */
export function writeInvite(args: Writer, invite: CheckedInvite, contactHeader: FrozenContactHeader): Writer {
  const { requestUri, fromHeader, toHeader, route, sdp, credentials, extraHeaders } = invite;
  args.text(requestUri.toString())
    .text(addressOf(fromHeader)).text(fromHeader.body).text(addressOf(toHeader)).text(toHeader.body)
    .text(contactHeader.body).text(route.body).text(route.tlsName).text(sdp?.text ?? "");
  writeCredentials(args, credentials);
  return writeHeaders(writeSessionTimer(args, invite.sessionTimer), extraHeaders);
}

/** What is asked for, or the engine's option. */
export function sessionTimerOf(options: { sessionTimer?: SessionTimer | null }): CheckedSessionTimer | null {
  const { sessionTimer } = options;
  return sessionTimer === undefined ? new Engine().sessionTimer : checkSessionTimer(sessionTimer);
}

/** "type/subtype", with parameters or without. */
export function checkContentType(contentType: string): string {
  const header = FrozenContentTypeHeader.tryParse(checkText(contentType, "contentType"));
  if (header === null) throw new TypeError(`contentType must be "type/subtype", got "${contentType}"`);
  return header.body;
}
