// SPDX-License-Identifier: GPL-2.0-or-later
import type { Writer } from "../ffi/wire.ts";
import { checkInstance } from "./check_argument.ts";
import { BaseCredentials, FrozenCredentials, writeCredentials } from "./credentials.ts";
import { checkUriHeaders } from "./extra_headers.ts";
import {
  BaseContactHeader,
  BaseFromHeader,
  BaseRouteHeader,
  BaseToHeader,
  FrozenContactHeader,
  FrozenFromHeader,
  FrozenRouteHeader,
  FrozenToHeader,
} from "./headers.ts";
import { checkRoute } from "./route.ts";
import { BaseSIPURI, FrozenSIPURI } from "./uri.ts";

/** Whom a dialog of ours is with, and by which way. */
export interface DialogTargetOptions {
  /** The Request-URI: whom it is for. */
  requestUri: BaseSIPURI;
  /** Who asks. */
  fromHeader: BaseFromHeader;
  /** Whom it is about. */
  toHeader: BaseToHeader;
  /** Left out: our address towards the route, with the user of the From header, as sips where `requestUri` is. */
  contactHeader?: BaseContactHeader | null;
  /** Where the requests go: an IP address, its port and transport. */
  routeHeader: BaseRouteHeader;
  /** What answers challenges. */
  credentials?: BaseCredentials | null;
}

/** The same, checked and copied. */
export interface DialogTarget {
  readonly requestUri: FrozenSIPURI;
  readonly fromHeader: FrozenFromHeader;
  readonly toHeader: FrozenToHeader;
  readonly contactHeader: FrozenContactHeader | null;
  readonly routeHeader: FrozenRouteHeader;
  readonly credentials: FrozenCredentials | null;
}

/** Throws TypeError naming the option. */
export function checkDialogTarget(options: DialogTargetOptions): DialogTarget {
  const requestUri = FrozenSIPURI.from(checkInstance(options.requestUri, BaseSIPURI, "requestUri"));
  checkUriHeaders(requestUri);
  const routeHeader = FrozenRouteHeader.from(
    checkInstance(options.routeHeader, BaseRouteHeader, "routeHeader"),
  );
  checkRoute(routeHeader);
  return {
    requestUri,
    fromHeader: FrozenFromHeader.from(checkInstance(options.fromHeader, BaseFromHeader, "fromHeader")),
    toHeader: FrozenToHeader.from(checkInstance(options.toHeader, BaseToHeader, "toHeader")),
    contactHeader: options.contactHeader
      ? FrozenContactHeader.from(checkInstance(options.contactHeader, BaseContactHeader, "contactHeader"))
      : null,
    routeHeader,
    credentials: options.credentials
      ? FrozenCredentials.from(checkInstance(options.credentials, BaseCredentials, "credentials"))
      : null,
  };
}

/** Writes it as the border has it (shim/dialog.c), and the credentials behind it. */
export function writeDialogTarget(
  writer: Writer,
  target: DialogTarget,
  contactHeader: FrozenContactHeader,
): Writer {
  const { requestUri, fromHeader, toHeader, routeHeader, credentials } = target;
  const route = checkRoute(routeHeader);
  writer.text(requestUri.toString())
    .text(addressOf(fromHeader)).text(fromHeader.body).text(addressOf(toHeader)).text(toHeader.body)
    .text(contactHeader.body).text(route.body).text(route.tlsName);
  return writeCredentials(writer, credentials);
}

/** The header without its parameters, which PJSIP wants apart. */
export function addressOf({ uri, displayName }: BaseFromHeader | BaseToHeader): string {
  return new FrozenFromHeader(uri, { displayName }).body;
}
