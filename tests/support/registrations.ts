// SPDX-License-Identifier: GPL-2.0-or-later
import {
  ContactHeader,
  FromHeader,
  Registration,
  type RegistrationOptions,
  RouteHeader,
  SIPURI,
  type TransportName,
} from "../../mod.ts";
import type { PeerMessage } from "./peer.ts";
import { alice } from "./requests.ts";
import { header } from "./sip_text.ts";
import { requestNames } from "./told.ts";

/** The notifications of Registration, and those of its requests. */
export const registrationNames = [
  ...requestNames,
  "SIPRegistrationDidSucceed",
  "SIPRegistrationDidFail",
  "SIPRegistrationWillExpire",
  "SIPRegistrationWillEnd",
  "SIPRegistrationDidNotEnd",
  "SIPRegistrationDidEnd",
] as const;

export const contact: ContactHeader = new ContactHeader(SIPURI.parse("sip:alice@127.0.0.1:5099"));

export function registrationOf(options: RegistrationOptions = {}): Registration {
  return new Registration(new FromHeader(alice), options);
}

export function routeTo({ port }: { port: number }, transport: TransportName = "udp"): RouteHeader {
  return RouteHeader.to({ address: "127.0.0.1", port, transport });
}

/** The headers with which a registrar grants what a REGISTER asks for, or `seconds`. */
export function granting(request: PeerMessage, seconds?: number): Record<string, string> {
  const expires = seconds ?? Number(header(request, "Expires"));
  return expires === 0 ? {} : { Contact: `${header(request, "Contact")};expires=${expires}` };
}
