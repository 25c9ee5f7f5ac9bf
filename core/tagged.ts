// SPDX-License-Identifier: GPL-2.0-or-later
import type { FrozenFromHeader, FrozenToHeader } from "./headers.ts";
import type { AddressOptions } from "./headers/address_header.ts";
import type { BaseSIPURI } from "./uri.ts";

/** The header with this tag. */
export function tagged<H extends FrozenFromHeader | FrozenToHeader>(
  type: new (uri: BaseSIPURI, options: AddressOptions) => H,
  { uri, displayName, parameters }: H,
  tag: string,
): H {
  return new type(uri, { displayName, parameters: new Map([...parameters, ["tag", tag]]) });
}
