// SPDX-License-Identifier: GPL-2.0-or-later
import type { Body } from "./body.ts";
import type { BaseCredentials } from "./credentials.ts";
import type {
  BaseContactHeader,
  BaseFromHeader,
  BaseHeader,
  BaseRouteHeader,
  BaseToHeader,
} from "./headers.ts";
import type { BaseSIPURI } from "./uri.ts";

/** What a Request is made from. */
export interface RequestOptions {
  /** Any but INVITE, ACK and CANCEL, which are an Invitation's. */
  method: string;
  /** The Request-URI: whom it is for. */
  requestUri: BaseSIPURI;
  /** It gets a tag when it has none. */
  fromHeader: BaseFromHeader;
  /** The To header. */
  toHeader: BaseToHeader;
  /** Where the request goes: an IP address, its port and transport. */
  routeHeader: BaseRouteHeader;
  /** What answers the first challenge. */
  credentials?: BaseCredentials | null;
  /**
   * null: none. Left out: none, but for SUBSCRIBE, REFER, NOTIFY and UPDATE, which must have one: our address towards
   * the route, with the user of the From header.
   */
  contactHeader?: BaseContactHeader | null;
  /** Left out: a new one. */
  callId?: string | null;
  /** 0 to 2147483646; left out: 1. */
  cseq?: number | null;
  /** An Authorization or Proxy-Authorization among them gives way to the answer to a challenge of the same realm. */
  extraHeaders?: Iterable<BaseHeader>;
  /** "type/subtype", parameters may follow; only beside `body`. */
  contentType?: string | null;
  /** The body; null when there is none. */
  body?: Body | null;
}

/** What sending takes. */
export interface SendOptions {
  /** Seconds to wait for a final response; then it fails with 408. PJSIP's own 32 s hold as well. */
  timeout?: number | null;
  /** Its abort does what `end()` does. */
  signal?: AbortSignal;
}
