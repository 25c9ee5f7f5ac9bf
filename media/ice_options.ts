// SPDX-License-Identifier: GPL-2.0-or-later
import { checkBoolean, checkInteger, checkText } from "../core/check_argument.ts";
import { hostName } from "../core/names.ts";
import { isIPLiteral } from "../core/uri_parser.ts";
import type { Writer } from "../ffi/wire.ts";

/** How a TURN server is reached. */
export type TURNTransport = "udp" | "tcp" | "tls";

/** A TURN server (RFC 8656): what is sent to its relay comes to us, wherever we are. */
export interface ICETURNServer {
  /** An IP address, or a name, which the system resolves. */
  address: string;
  /** Default 3478, for "tls" 5349. */
  port?: number;
  /** Default "udp". "tls" looks at certificates as `engine.tlsVerifyServer` says, for the name `address`. */
  transport?: TURNTransport;
  /** What it asks for. */
  username?: string;
  /** Its password. */
  password?: string;
}

/** What RTPTransport's constructor takes about ICE (RFC 8445). */
export interface ICEOptions {
  /** Whether ways to the peer are tried out, and offered. Default false. */
  useIce?: boolean;
  /** A STUN server (RFC 8489), which tells the address that a NAT gives us: an IP address or a name. */
  iceStunAddress?: string | null;
  /** Default 3478. */
  iceStunPort?: number;
  /** A TURN server, whose relay is a candidate; null: none. */
  iceTurn?: ICETURNServer | null;
  /** Whether nothing but the relay of `iceTurn` is a candidate, so that the peer learns no address of ours. Default false. */
  iceRelayOnly?: boolean;
}

const transports: readonly TURNTransport[] = ["udp", "tcp", "tls"];

/** A server of ICE's, known by name. */
export interface ICEServer {
  readonly address: string;
  readonly port: number;
}

/** `ICEOptions`, checked and copied; for a transport without ICE null. */
export class ICESettings {
  readonly stun: ICEServer | null;
  readonly turn: Readonly<Required<ICETURNServer>> | null;
  readonly relayOnly: boolean;

  private constructor(
    stun: ICEServer | null,
    turn: Readonly<Required<ICETURNServer>> | null,
    relayOnly: boolean,
  ) {
    this.stun = stun;
    this.turn = turn;
    this.relayOnly = relayOnly;
  }

  /** @throws TypeError, RangeError that name the option. */
  static read(options: ICEOptions): ICESettings | null {
    const isWanted = checkBoolean(options.useIce ?? false, "useIce");
    const stunAddress = options.iceStunAddress ?? null;
    const stunPort = checkInteger(options.iceStunPort ?? 3478, "iceStunPort", 1, 65535);
    const stun = stunAddress === null
      ? null
      : { address: checkHost(stunAddress, "iceStunAddress"), port: stunPort };
    const turn = options.iceTurn ? checkTurn(options.iceTurn) : null;
    const relayOnly = checkBoolean(options.iceRelayOnly ?? false, "iceRelayOnly");
    if (relayOnly && turn === null) throw new TypeError("iceRelayOnly needs iceTurn");
    return isWanted ? new ICESettings(relayOnly ? null : stun, turn, relayOnly) : null;
  }

  /** Whether servers must be asked before there are all candidates. */
  get asksServers(): boolean {
    return this.stun !== null || this.turn !== null;
  }

  /** Writes the block of sc_rtp_transport_create_ice(), with the addresses that the servers' names stand for. */
  write(writer: Writer, stunAddress: string, turnAddress: string): Writer {
    const { stun, turn, relayOnly } = this;
    return writer.text(stunAddress).u32(stun?.port ?? 0)
      .text(turnAddress).u32(turn?.port ?? 0).u32(turn ? transports.indexOf(turn.transport) : 0)
      .text(turn?.address ?? "").text(turn?.username ?? "").text(turn?.password ?? "")
      .u8(relayOnly ? 1 : 0);
  }
}

function checkTurn(value: ICETURNServer): Readonly<Required<ICETURNServer>> {
  if (typeof value !== "object") throw new TypeError("iceTurn must be an object");
  const address = checkHost(value.address, "iceTurn.address");
  const transport = value.transport ?? "udp";
  if (typeof transport !== "string") throw new TypeError("iceTurn.transport must be a string");
  if (!transports.includes(transport)) {
    throw new RangeError(`iceTurn.transport must be one of ${transports.join(", ")}, got "${transport}"`);
  }
  const port = checkInteger(value.port ?? (transport === "tls" ? 5349 : 3478), "iceTurn.port", 1, 65535);
  const username = checkText(value.username ?? "", "iceTurn.username");
  const password = checkText(value.password ?? "", "iceTurn.password");
  return { address, port, transport, username, password };
}

function checkHost(value: unknown, argument: string): string {
  const host = checkText(value, argument);
  if (!isIPLiteral(host) && hostName(host) === null) {
    throw new RangeError(`${argument} must be an IP address or a host name, got "${host}"`);
  }
  return host;
}
