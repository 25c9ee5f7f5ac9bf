// SPDX-License-Identifier: GPL-2.0-or-later
import {
  checkConcrete,
  checkInstance,
  checkInteger,
  checkOptionalText,
  checkPort,
  checkToken,
} from "../check_argument.ts";
import type { FrozenDict } from "../frozen.ts";
import {
  equalParameters,
  getIntegerParameter,
  getParameter,
  getTextParameter,
  type ParametersInit,
  parseParameters,
  setParameter,
  setTextParameter,
} from "../parameters.ts";
import { orNull, parsing } from "../parsing.ts";
import { headerBody } from "../sip_text.ts";
import { checkHost } from "../uri_parser.ts";
import { freezeHeader, ParameterHeader, type ParameterOptions, writeParameters } from "./parameter_header.ts";

/** What may be left out of {@linkcode ViaHeader}. */
export interface ViaOptions extends ParameterOptions {
  /** null or left out: none is written, which means 5060. */
  port?: number | null;
}

/** What {@linkcode ViaHeader} is made from. */
export interface ViaHeaderInit extends ViaOptions {
  /** "UDP", "TCP", "TLS" or another token. */
  transport: string;
  /** A name or an IP address. */
  host: string;
}

interface Fields {
  transport: string;
  host: string;
  port: number | null;
}

const DEFAULT_PORT = 5060;

let read: (header: BaseViaHeader) => Fields;

/** What {@linkcode ViaHeader} and {@linkcode FrozenViaHeader} share. */
export abstract class BaseViaHeader extends ParameterHeader {
  /** A copy, of the class on which it is called. */
  static from<T extends BaseViaHeader>(this: new (init: ViaHeaderInit) => T, other: BaseViaHeader): T {
    checkInstance(other, BaseViaHeader, "other");
    return new this({ ...read(other), parameters: other.parameters });
  }

  /**
   * Parses a Via header, whole or its body alone. It must hold one hop.
   *
   * @throws SIPCoreError for malformed text.
   */
  static parse<T extends BaseViaHeader>(this: new (init: ViaHeaderInit) => T, text: string): T {
    return parsing("Via header", text, () => new this(parseVia(text)));
  }

  /** The same; null for malformed text. */
  static tryParse<T extends BaseViaHeader>(this: new (init: ViaHeaderInit) => T, text: string): T | null {
    return orNull(() => parsing("Via header", text, () => new this(parseVia(text))));
  }

  static {
    read = (header) => header.#fields;
  }

  readonly #fields: Fields;

  /** For the two twins alone. */
  constructor(init: ViaHeaderInit) {
    super(init.parameters);
    checkConcrete(new.target, BaseViaHeader);
    this.#fields = {
      transport: checkToken(init.transport, "transport"),
      host: checkHost(init.host, "host"),
      port: checkPort(init.port, "port"),
    };
  }

  /** The name in front of the colon. */
  get name(): "Via" {
    return "Via";
  }

  /** "UDP", "TCP", "TLS" or another token, as written. */
  get transport(): string {
    return this.#fields.transport;
  }

  /** A name or an IP address, IPv6 without brackets. */
  get host(): string {
    return this.#fields.host;
  }

  /** The port, 5060 when none is written. */
  get port(): number {
    return this.#fields.port ?? DEFAULT_PORT;
  }

  /** The time to live for multicast, null when there is none. */
  get ttl(): number | null {
    return getIntegerParameter(this.parameters, "ttl", 255);
  }

  /** The multicast address, null when there is none. */
  get maddr(): string | null {
    return getTextParameter(this.parameters, "maddr");
  }

  /** The address from which the message came, null where the server has not added it. */
  get received(): string | null {
    return getTextParameter(this.parameters, "received");
  }

  /** What identifies the transaction, null when there is none. */
  get branch(): string | null {
    return getTextParameter(this.parameters, "branch");
  }

  /** The compression that is wanted ("sigcomp"), null when there is none (RFC 3486). */
  get compression(): string | null {
    return getTextParameter(this.parameters, "comp");
  }

  /** The port from which the message came, 0 while only asked for (`;rport`), null when there is none (RFC 3581). */
  get rport(): number | null {
    if (getParameter(this.parameters, "rport") === null) return 0;
    return getIntegerParameter(this.parameters, "rport", 65535);
  }

  /** Whether `other` is a Via header with equal components; the host has no case. */
  equals(other: unknown): boolean {
    return other instanceof BaseViaHeader &&
      this.transport === other.transport &&
      this.host.toLowerCase() === other.host.toLowerCase() &&
      this.port === other.port &&
      equalParameters(this.parameters, other.parameters);
  }

  /** The body without its parameters. */
  protected get value(): string {
    const { transport, host, port } = this.#fields;
    const place = host.includes(":") ? `[${host}]` : host;
    return `SIP/2.0/${transport} ${place}${port === null ? "" : `:${port}`}`;
  }
}

/**
 * A Via header (RFC 3261, section 20.42): one hop that the message has taken.
 *
 * @example
 * ```ts
 * import { ViaHeader } from "@sipcore/sipcore";
 *
 * const via = new ViaHeader("UDP", "192.0.2.1", { port: 5070, parameters: { branch: "z9hG4bK776asdhds" } });
 * via.toString(); // "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK776asdhds"
 * ```
 */
export class ViaHeader extends BaseViaHeader {
  /** From its parts, which are copied. */
  constructor(transport: string, host: string, options?: ViaOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ViaHeaderInit);
  constructor(first: string | ViaHeaderInit, host?: string, options?: ViaOptions) {
    super(viaInit(first, host, options));
  }

  /** That it can be changed. */
  get frozen(): false {
    return false;
  }

  /** The transport, as in "UDP". */
  override get transport(): string {
    return super.transport;
  }
  override set transport(transport: string) {
    read(this).transport = checkToken(transport, "transport");
  }

  /** Where the answer is to go: a name or an IP address. */
  override get host(): string {
    return super.host;
  }
  override set host(host: string) {
    read(this).host = checkHost(host, "host");
  }

  /** The port there. */
  override get port(): number {
    return super.port;
  }
  /** null: none is written, which means 5060. */
  override set port(port: number | null) {
    read(this).port = checkPort(port, "port");
  }

  /** The parameters; what is changed in this map changes the header. */
  override get parameters(): Map<string, string | null> {
    return super.parameters as Map<string, string | null>;
  }
  override set parameters(parameters: ParametersInit) {
    writeParameters(this, parameters);
  }

  /** The ttl parameter; null when there is none. */
  override get ttl(): number | null {
    return super.ttl;
  }
  /** null takes the parameter away. */
  override set ttl(ttl: number | null) {
    setParameter(this.parameters, "ttl", ttl === null ? undefined : String(checkInteger(ttl, "ttl", 0, 255)));
  }

  /** The maddr parameter; null when there is none. */
  override get maddr(): string | null {
    return super.maddr;
  }
  /** null takes the parameter away. */
  override set maddr(maddr: string | null) {
    setTextParameter(this.parameters, "maddr", maddr);
  }

  /** The received parameter; null when there is none. */
  override get received(): string | null {
    return super.received;
  }
  /** null takes the parameter away. */
  override set received(received: string | null) {
    setTextParameter(this.parameters, "received", received);
  }

  /** The branch parameter; null when there is none. */
  override get branch(): string | null {
    return super.branch;
  }
  /** null takes the parameter away. */
  override set branch(branch: string | null) {
    setParameter(this.parameters, "branch", branch === null ? undefined : checkToken(branch, "branch"));
  }

  /** The comp parameter; null when there is none. */
  override get compression(): string | null {
    return super.compression;
  }
  /** null takes the parameter away. */
  override set compression(compression: string | null) {
    setTextParameter(this.parameters, "comp", checkOptionalText(compression, "compression"));
  }

  /** The rport parameter; null when there is none. */
  override get rport(): number | null {
    return super.rport;
  }
  /** 0 asks for it, null takes the parameter away. */
  override set rport(rport: number | null) {
    const value = rport === null ? undefined : checkPort(rport, "rport")?.toString() ?? null;
    setParameter(this.parameters, "rport", value);
  }
}

/** A {@linkcode ViaHeader} that never changes. */
export class FrozenViaHeader extends BaseViaHeader {
  /** From its parts, which are copied. */
  constructor(transport: string, host: string, options?: ViaOptions);
  /** From all of it in one object, which may be another value of the kind. */
  constructor(init: ViaHeaderInit);
  constructor(first: string | ViaHeaderInit, host?: string, options?: ViaOptions) {
    super(viaInit(first, host, options));
    freezeHeader(this);
  }

  /** That it never changes. */
  get frozen(): true {
    return true;
  }

  /** The parameters, which never change. */
  override get parameters(): FrozenDict<string | null> {
    return super.parameters as FrozenDict<string | null>;
  }
}

function viaInit(
  first: string | ViaHeaderInit,
  host: string | undefined,
  options: ViaOptions | undefined,
): ViaHeaderInit {
  return typeof first === "string" ? { ...options, transport: first, host: checkHost(host, "host") } : first;
}

const SENT_BY =
  /^SIP\s*\/\s*2\.0\s*\/\s*([^\s/;]+)\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?:\s*:\s*([0-9]+))?\s*(;[^]*)?$/i;

function parseVia(text: string): ViaHeaderInit {
  const parts = SENT_BY.exec(headerBody(text, ["Via", "v"]));
  if (parts === null) throw new SyntaxError("no transport and host");
  const [, transport, host, port, parameters = ""] = parts;
  return {
    transport: transport!,
    host: host!,
    port: port === undefined ? null : Number(port),
    parameters: parseParameters(parameters),
  };
}
