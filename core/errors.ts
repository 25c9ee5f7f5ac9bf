// SPDX-License-Identifier: GPL-2.0-or-later

/** What a {@linkcode SIPCoreError} is about, for programs; its `message` is for people. */
export type SIPCoreErrorCode =
  | "PARSE"
  | "ENDED"
  | "ENGINE_NOT_RUNNING"
  | "ENGINE_RUNNING"
  | "INVALID_STATE"
  | "PJSIP"
  | "PJSIP_TLS"
  | "LIBRARY_NOT_FOUND"
  | "LIBRARY_MISMATCH"
  | "LIBRARY_BUSY"
  | "NAME_SERVER"
  | "NOT_FOUND"
  | "RUNTIME_UNSUPPORTED"
  | "PUBLICATION"
  | "PUBLICATION_ETAG";

/**
 * Every failure that a caller may want to handle; wrong arguments are `TypeError` and `RangeError` instead.
 *
 * @example
 * ```ts
 * import { SIPCoreError, SIPURI } from "@sipcore/sipcore";
 *
 * try {
 *   SIPURI.parse("no address");
 * } catch (error) {
 *   if (!(error instanceof SIPCoreError) || error.code !== "PARSE") throw error;
 * }
 * ```
 */
export class SIPCoreError extends Error {
  /** The name of its class. */
  override name = "SIPCoreError";
  /** What happened, for programs. */
  readonly code: SIPCoreErrorCode;

  /** Made by the library; programs need it for tests of their own. */
  constructor(message: string, code: SIPCoreErrorCode, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** pj_status_t of errno N is N + 120000 (PJ_ERRNO_START_SYS, PJ_STATUS_FROM_OS of pj/errno.h). */
const SYSTEM_ERRORS = { start: 120_000, size: 50_000 } as const;

/** A function of PJSIP failed. `message` is "what failed: PJSIP's text". */
export class PJSIPError extends SIPCoreError {
  /** The name of its class. */
  override name = "PJSIPError";
  /** The `pj_status_t` that PJSIP returned. */
  readonly status: number;
  /** The operating system's error number that `status` carries, 0 when it carries none. */
  readonly errno: number;

  /** `what` says what failed ("Could not send request"), `text` is PJSIP's text for `status`. */
  constructor(
    what: string,
    status: number,
    text: string,
    options?: ErrorOptions & { code?: SIPCoreErrorCode },
  ) {
    super(`${what}: ${text}`, options?.code ?? "PJSIP", options);
    const errno = status - SYSTEM_ERRORS.start;
    this.status = status;
    this.errno = errno >= 0 && errno < SYSTEM_ERRORS.size ? errno : 0;
  }
}

/** A {@linkcode PJSIPError} that has to do with TLS: certificates, keys, protocol versions, the TLS listener. */
export class PJSIPTLSError extends PJSIPError {
  /** The name of its class. */
  override name = "PJSIPTLSError";

  /** Made by the library; programs need it for tests of their own. */
  constructor(what: string, status: number, text: string, options?: ErrorOptions) {
    super(what, status, text, { ...options, code: "PJSIP_TLS" });
  }
}

/** A call that the state of the object, or of the engine (code "ENGINE_NOT_RUNNING"), forbids. */
export class SIPCoreInvalidStateError extends SIPCoreError {
  /** The name of its class. */
  override name = "SIPCoreInvalidStateError";
  /** The state that forbids the call; null where the object has none to name. */
  readonly state: string | null;

  /** Made by the library; programs need it for tests of their own. */
  constructor(
    message: string,
    state: string | null,
    code: SIPCoreErrorCode = "INVALID_STATE",
    options?: ErrorOptions,
  ) {
    super(message, code, options);
    this.state = state;
  }
}

/** A call that the publication cannot serve: nothing was published that could be refreshed or ended. */
export class PublicationError extends SIPCoreError {
  /** The name of its class. */
  override name = "PublicationError";

  /** Made by the library; programs need it for tests of their own. */
  constructor(message: string, code: SIPCoreErrorCode = "PUBLICATION", options?: ErrorOptions) {
    super(message, code, options);
  }
}

/** The server no longer knows the entity tag: the body has to be published again. */
export class PublicationETagError extends PublicationError {
  /** The name of its class. */
  override name = "PublicationETagError";

  /** Made by the library; programs need it for tests of their own. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, "PUBLICATION_ETAG", options);
  }
}
