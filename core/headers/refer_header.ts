// SPDX-License-Identifier: GPL-2.0-or-later
import { checkOptionalText, checkText } from "../check_argument.ts";
import { equalParameters } from "../parameters.ts";
import { headerBody, quote } from "../sip_text.ts";
import { BaseSIPURI } from "../uri.ts";
import { type AddressOptions, parseAddressText } from "./address_header.ts";
import { ParameterHeader } from "./parameter_header.ts";

/** What Refer-To and Referred-By headers are made from. */
export interface ReferInit extends AddressOptions {
  /** A URI of any scheme. */
  uri: BaseSIPURI | string;
}

interface Fields {
  uri: string;
  displayName: string | null;
}

let write: (header: ReferHeader, fields: Partial<Fields>) => void;

/** What the headers share that hold a name, a URI of any scheme and parameters. */
export abstract class ReferHeader extends ParameterHeader {
  static {
    write = (header, fields) => Object.assign(header.#fields, fields);
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(init: ReferInit) {
    super(init.parameters);
    const { uri, displayName = uri instanceof BaseSIPURI ? uri.display : null } = init;
    this.#fields = { uri: checkUri(uri), displayName: checkOptionalText(displayName, "displayName") || null };
  }

  /** The URI as text, without <>. */
  get uri(): string {
    return this.#fields.uri;
  }

  /** The name before the URI, without quotes; null when there is none. */
  get displayName(): string | null {
    return this.#fields.displayName;
  }

  /** Whether `other` is a header of the same name with equal components. */
  equals(other: unknown): boolean {
    return other instanceof ReferHeader &&
      this.name === other.name &&
      this.uri === other.uri &&
      this.displayName === other.displayName &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    const { uri, displayName } = this.#fields;
    return displayName === null ? `<${uri}>` : `${quote(displayName)} <${uri}>`;
  }
}

/** For setters. */
export function writeReferUri(header: ReferHeader, uri: BaseSIPURI | string): void {
  write(header, { uri: checkUri(uri) });
}

/** For setters. */
export function writeReferName(header: ReferHeader, displayName: string | null): void {
  write(header, { displayName: checkOptionalText(displayName, "displayName") || null });
}

/** Parses a header, whole or its body alone. */
export function parseReferHeader(text: string, ...names: string[]): ReferInit {
  const { address, ...options } = parseAddressText(headerBody(text, names));
  return { ...options, uri: address };
}

function checkUri(value: unknown): string {
  if (value instanceof BaseSIPURI) return value.toString();
  const text = checkText(value, "uri");
  const uri = /^<(.*)>$/.exec(text)?.[1] ?? text;
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"]+$/.test(uri)) {
    throw new TypeError(`uri must be a URI, got "${text}"`);
  }
  return uri;
}
