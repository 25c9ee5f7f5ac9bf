// SPDX-License-Identifier: GPL-2.0-or-later
import { checkOptionalText } from "../check_argument.ts";
import { equalParameters, parseParameters } from "../parameters.ts";
import { headerBody, quote } from "../sip_text.ts";
import { BaseSIPURI, FrozenSIPURI, SIPURI } from "../uri.ts";
import { splitNameAddress } from "../uri_parser.ts";
import { freezeHeader, ParameterHeader, type ParameterOptions } from "./parameter_header.ts";

/** What may be left out of a header with an address. */
export interface AddressOptions extends ParameterOptions {
  /** The name before the URI; "" and null are none. Left out: the `display` of the URI. */
  displayName?: string | null;
}

/** What From, To, Route and Record-Route headers are made from. */
export interface AddressInit extends AddressOptions {
  /** The URI. */
  uri: BaseSIPURI;
}

interface Fields {
  uri: BaseSIPURI | null;
  displayName: string | null;
}

let write: (header: AddressHeader, fields: Partial<Fields>) => void;

/** What the headers share that hold a name, a SIP URI and parameters. */
export abstract class AddressHeader extends ParameterHeader {
  static {
    write = (header, fields) => Object.assign(header.#fields, fields);
  }

  readonly #fields: Fields;

  /** `uri` is a copy already. */
  constructor(uri: BaseSIPURI | null, { displayName = uri?.display ?? null, parameters }: AddressOptions) {
    super(parameters);
    this.#fields = { uri, displayName: checkOptionalText(displayName, "displayName") || null };
  }

  /** The URI. */
  get uri(): BaseSIPURI | null {
    return this.#fields.uri;
  }

  /** The name before the URI, without quotes; null when there is none. */
  get displayName(): string | null {
    return this.#fields.displayName;
  }

  /** Whether `other` is a header of the same name with equal components. */
  equals(other: unknown): boolean {
    return other instanceof AddressHeader &&
      this.name === other.name &&
      this.displayName === other.displayName &&
      (this.uri?.equals(other.uri) ?? other.uri === null) &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    const { uri, displayName } = this.#fields;
    if (uri === null) return "*";
    return displayName === null ? `<${uri}>` : `${quote(displayName)} <${uri}>`;
  }
}

/** For setters. */
export function writeUri(header: AddressHeader, uri: BaseSIPURI): void {
  write(header, { uri: SIPURI.from(uri) });
}

/** For setters. */
export function writeDisplayName(header: AddressHeader, displayName: string | null): void {
  write(header, { displayName: checkOptionalText(displayName, "displayName") || null });
}

/** Contact only: the "*" that stands for all contacts has no name. */
export function writeStar(header: AddressHeader): void {
  write(header, { uri: null, displayName: null });
}

/** For the constructors of frozen headers. */
export function freezeAddress(header: AddressHeader): void {
  if (header.uri !== null) write(header, { uri: freezeUri(header.uri) });
  freezeHeader(header);
}

export function freezeUri(uri: BaseSIPURI): FrozenSIPURI {
  return uri instanceof FrozenSIPURI ? uri : FrozenSIPURI.from(uri);
}

/** Both forms of a constructor's arguments as one. */
export function addressInit<U extends BaseSIPURI | string | null>(
  first: U | (AddressOptions & { uri: U }),
  options: AddressOptions | undefined,
): AddressOptions & { uri: U } {
  // Not by shape: a URI and an init object are both objects.
  if (first === null || typeof first !== "object" || first instanceof BaseSIPURI) {
    return { ...options, uri: first as U };
  }
  return first;
}

/** Parses a header, whole or its body alone. */
export function parseAddressHeader(text: string, ...names: string[]): AddressInit {
  const { address, ...options } = parseAddressText(headerBody(text, names));
  return { ...options, uri: FrozenSIPURI.parse(address) };
}

/** Parses `"name" <uri>;parameters` or `uri;parameters`, whatever the URI's scheme. */
export function parseAddressText(body: string): Required<AddressOptions> & { address: string } {
  const { display, address, behind } = splitNameAddress(body);
  // RFC 3261, section 20: without brackets neither may stand in the URI.
  if (!body.includes("<") && /[?,]/.test(address)) throw new SyntaxError('a URI with "?" or "," without <>');
  return { address, displayName: display, parameters: parseParameters(behind) };
}
