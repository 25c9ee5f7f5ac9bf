// SPDX-License-Identifier: GPL-2.0-or-later
import {
  copyParameters,
  freezeParameters,
  type ParametersInit,
  parseParameters,
  printParameters,
  type ReadonlyParameters,
} from "../parameters.ts";
import { headerBody } from "../sip_text.ts";
import { BaseHeader } from "./header.ts";

/** What may be left out of a header with parameters. */
export interface ParameterOptions {
  /** The header's parameters; null is a flag. */
  parameters?: ParametersInit | null;
}

let write: (header: ParameterHeader, parameters: ReadonlyParameters) => void;

/** What all headers with parameters share. */
export abstract class ParameterHeader extends BaseHeader {
  static {
    write = (header, parameters) => header.#parameters = parameters;
  }

  #parameters: ReadonlyParameters;

  /** For the two twins alone. */
  constructor(parameters: ParametersInit | null | undefined) {
    super();
    this.#parameters = copyParameters(parameters, "parameters");
  }

  /** The body without its parameters. */
  protected abstract get value(): string;

  /** The parameters, keys as written, quoted values with their quotes; null is a flag such as `;rport`. */
  get parameters(): ReadonlyMap<string, string | null> {
    return this.#parameters;
  }

  /** What stands behind the colon. */
  get body(): string {
    return this.value + printParameters(this.#parameters);
  }
}

/** For the setters of changeable headers. */
export function writeParameters(header: ParameterHeader, parameters: ParametersInit): void {
  write(header, copyParameters(parameters, "parameters"));
}

/** For the constructors of frozen headers. */
export function freezeHeader(header: ParameterHeader): void {
  write(header, freezeParameters(header.parameters));
  Object.freeze(header);
}

/** Parses "value;parameters" of a header, whole or its body alone. */
export function parseValueHeader(
  text: string,
  ...names: string[]
): { value: string; parameters: Map<string, string | null> } {
  const body = headerBody(text, names);
  const value = /^[^;]*/.exec(body)![0];
  return { value: value.trim(), parameters: parseParameters(body.slice(value.length)) };
}
