// SPDX-License-Identifier: GPL-2.0-or-later
import { accessSync, constants } from "node:fs";
import type { Writer } from "../ffi/wire.ts";
import { checkBoolean, checkInteger, checkText } from "./check_argument.ts";
import { PJSIPTLSError } from "./errors.ts";

/** The TLS options of the engine. */
export interface TLSOptions {
  /** 0: any free port; null: off, nothing comes and goes by TLS. */
  tlsPort: number | null;
  /** The least version that is accepted: "TLSv1" (or null), "TLSv1.1", "TLSv1.2", "TLSv1.3". */
  tlsProtocol: TLSProtocol | null;
  /** Whether a server's certificate must be good and bear the name that was asked for (the route's `tlsName`). */
  tlsVerifyServer: boolean;
  /** A PEM file of the certificate authorities that are trusted; null: none. */
  tlsCaFile: string | null;
  /** A PEM file of our certificate, and the chain behind it; null: none, so nobody can connect to us. */
  tlsCertFile: string | null;
  /** A PEM file of its key, without a pass phrase. */
  tlsPrivkeyFile: string | null;
  /** How long a handshake may take, in milliseconds. */
  tlsTimeout: number;
}

type FileOption = "tlsCaFile" | "tlsCertFile" | "tlsPrivkeyFile";

/** Versions of TLS, the oldest first. */
export type TLSProtocol = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

const protocols: readonly TLSProtocol[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

export const defaultTLSOptions: Readonly<TLSOptions> = Object.freeze({
  tlsPort: 0,
  tlsProtocol: "TLSv1.2",
  tlsVerifyServer: false,
  tlsCaFile: null,
  tlsCertFile: null,
  tlsPrivkeyFile: null,
  tlsTimeout: 3000,
});

/** What `Engine.setTlsOptions()` takes; what is left out keeps its value. */
export interface TLSChanges {
  /** As `tlsPort`. */
  localPort?: number | null;
  /** As `tlsProtocol`. */
  protocol?: TLSProtocol | null;
  /** As `tlsVerifyServer`. */
  verifyServer?: boolean;
  /** As `tlsCaFile`. */
  caFile?: string | null;
  /** As `tlsCertFile`. */
  certFile?: string | null;
  /** As `tlsPrivkeyFile`. */
  privkeyFile?: string | null;
  /** As `tlsTimeout`. */
  timeout?: number;
}

const changes = {
  localPort: "tlsPort",
  protocol: "tlsProtocol",
  verifyServer: "tlsVerifyServer",
  caFile: "tlsCaFile",
  certFile: "tlsCertFile",
  privkeyFile: "tlsPrivkeyFile",
  timeout: "tlsTimeout",
} as const satisfies Record<keyof TLSChanges, keyof TLSOptions>;

/** The options with these changes. Throws TypeError or RangeError that names the argument. */
export function changeTLSOptions(options: TLSOptions, given: TLSChanges): TLSOptions {
  const set: Partial<Record<keyof TLSOptions, unknown>> = {};
  const names: Partial<Record<keyof TLSOptions, string>> = {};
  for (const [argument, value] of Object.entries(given)) {
    if (!Object.hasOwn(changes, argument)) throw new TypeError(`There is no option "${argument}"`);
    const option = changes[argument as keyof TLSChanges];
    names[option] = argument;
    if (value !== undefined) set[option] = value;
  }
  return checkTLSOptions({ ...options, ...set }, (option) => names[option] ?? option);
}

/** Throws TypeError or RangeError that names the option. */
export function checkTLSOptions(
  given: Readonly<Record<keyof TLSOptions, unknown>>,
  nameOf: (option: keyof TLSOptions) => string = (option) => option,
): TLSOptions {
  const file = (option: FileOption) => {
    const value = given[option];
    return value === null ? null : checkText(value, nameOf(option));
  };
  const { tlsPort } = given;
  const options: TLSOptions = {
    tlsPort: tlsPort === null ? null : checkInteger(tlsPort, nameOf("tlsPort"), 0, 65535),
    tlsProtocol: checkProtocol(given.tlsProtocol, nameOf("tlsProtocol")),
    tlsVerifyServer: checkBoolean(given.tlsVerifyServer, nameOf("tlsVerifyServer")),
    tlsCaFile: file("tlsCaFile"),
    tlsCertFile: file("tlsCertFile"),
    tlsPrivkeyFile: file("tlsPrivkeyFile"),
    tlsTimeout: checkInteger(given.tlsTimeout, nameOf("tlsTimeout"), 1, 3_600_000),
  };
  if ((options.tlsCertFile === null) !== (options.tlsPrivkeyFile === null)) {
    throw new TypeError(
      `${nameOf("tlsCertFile")} and ${nameOf("tlsPrivkeyFile")} are of use together only`,
    );
  }
  return options;
}

function checkProtocol(value: unknown, argument: string): TLSProtocol | null {
  if (value === null) return null;
  const found = protocols.find((protocol) => protocol === checkText(value, argument));
  if (found === undefined) {
    throw new RangeError(`${argument} must be one of ${protocols.join(", ")}, got "${value}"`);
  }
  return found;
}

/** Throws PJSIPTLSError for a file that cannot be read. */
export function checkTLSFiles(options: TLSOptions): void {
  for (const option of ["tlsCaFile", "tlsCertFile", "tlsPrivkeyFile"] as const satisfies FileOption[]) {
    const path = options[option];
    if (path === null) continue;
    try {
      accessSync(path, constants.R_OK);
    } catch (cause) {
      throw new PJSIPTLSError(`Could not read ${option} ${path}`, 0, (cause as Error).message, { cause });
    }
  }
}

/** Appends them, but for the port, to an argument block (shim/transports.h). */
export function writeTLSOptions(writer: Writer, options: TLSOptions): Writer {
  return writer.u32(protocols.indexOf(options.tlsProtocol ?? "TLSv1")).u8(options.tlsVerifyServer ? 1 : 0)
    .text(options.tlsCaFile ?? "").text(options.tlsCertFile ?? "").text(options.tlsPrivkeyFile ?? "")
    .u32(options.tlsTimeout);
}

/** PJSIP's statuses that tell of a file or an option of TLS (pjsip/sip_errno.h), and what each is about. */
const failures: Readonly<Record<number, keyof TLSOptions | null>> = {
  171160: null, // PJSIP_TLS_EUNKNOWN
  171161: "tlsProtocol", // PJSIP_TLS_EINVMETHOD
  171162: "tlsCaFile", // PJSIP_TLS_ECACERT
  171163: "tlsCertFile", // PJSIP_TLS_ECERTFILE
  171164: "tlsPrivkeyFile", // PJSIP_TLS_EKEYFILE
  171165: null, // PJSIP_TLS_ECIPHER
  171166: null, // PJSIP_TLS_ECTX
};

/** The error for a status of TLS options, or null for a status of something else. */
export function tlsError(status: number, text: string, options: TLSOptions): PJSIPTLSError | null {
  if (!Object.hasOwn(failures, status)) return null;
  const option = failures[status];
  const about = option ? `${option} ${options[option]}` : "the TLS options";
  return new PJSIPTLSError(`Could not use ${about}`, status, text);
}
