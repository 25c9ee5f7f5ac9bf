// SPDX-License-Identifier: GPL-2.0-or-later
import {
  FromHeader,
  Request,
  type RequestOptions,
  RouteHeader,
  type SIPNotification,
  SIPURI,
  ToHeader,
} from "../../mod.ts";
import type { requestNames } from "./told.ts";

export const alice: SIPURI = SIPURI.parse("sip:alice@example.net");
export const bob: SIPURI = SIPURI.parse("sip:bob@example.net");

/** What a MESSAGE from alice to bob is made from, on its way to a port of 127.0.0.1. */
export function optionsTo(port: number, options: Partial<RequestOptions> = {}): RequestOptions {
  return {
    method: "MESSAGE",
    requestUri: bob,
    fromHeader: new FromHeader(alice),
    toHeader: new ToHeader(bob),
    routeHeader: RouteHeader.to({ address: "127.0.0.1", port }),
    ...options,
  };
}

export function requestTo({ port }: { port: number }, options: Partial<RequestOptions> = {}): Request {
  return new Request(optionsTo(port, options));
}

/** All that the request tells from now on to its end. */
export async function storyOf(
  request: Request,
): Promise<SIPNotification<(typeof requestNames)[number]>[]> {
  const notes = [];
  for await (const note of request.notifications()) notes.push(note);
  return notes;
}
