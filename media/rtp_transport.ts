// SPDX-License-Identifier: GPL-2.0-or-later
import { checkInstance, checkInteger, checkText } from "../core/check_argument.ts";
import { endSender, post } from "../core/dispatch.ts";
import { Engine } from "../core/engine.ts";
import { PJSIPError, SIPCoreInvalidStateError } from "../core/errors.ts";
import { type Note, notificationsOf } from "../core/notification.ts";
import type { NotificationStream } from "../core/notification_stream.ts";
import { release, track } from "../core/registry.ts";
import { check, running, runningOrNull, statusText } from "../core/running.ts";
import { SDPMediaStream } from "../core/sdp_media_stream.ts";
import { BaseSDPSession, SDPSession } from "../core/sdp_session.ts";
import { isIPLiteral } from "../core/uri_parser.ts";
import { errors } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, cstring, readAnswer } from "../ffi/wire.ts";

/** The states of an RTPTransport. */
export type RTPTransportState = "NULL" | "INIT" | "LOCAL" | "ESTABLISHED" | "INVALID";

/** What the constructor takes. */
export interface RTPTransportOptions {
  /** The local address to listen on; left out: the engine's, or all interfaces. */
  localRtpAddress?: string | null;
}

/** The notifications of RTPTransport. */
export interface RTPTransportNotifications {
  /** The sockets are open: `setInit()` has succeeded. */
  RTPTransportDidInitialize: Note<RTPTransport>;
  /** The sockets could not be opened. */
  RTPTransportDidFail: Note<RTPTransport, { reason: string }>;
}

/** An address of the documentation's network: asking the routing table for the way to it sends nothing. */
const elsewhere = "192.0.2.1";

const status = new Int32Array(1);

/**
 * A pair of UDP sockets for RTP and RTCP (RFC 3550), and its part in offer and answer.
 *
 * @example
 * ```ts
 * import { Engine, RTPTransport } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * using transport = new RTPTransport();
 * transport.setInit();
 * console.log(transport.localRtpAddress, transport.localRtpPort);
 * ```
 */
export class RTPTransport {
  /** @internal */
  readonly isLeaving = false;
  #serial: Serial<"rtp_transport"> | null = null;
  #state: RTPTransportState = "NULL";
  readonly #requestedAddress: string | null;
  #localAddress: string | null = null;
  #localPort: number | null = null;
  #remoteSdp: { address: string | null; port: number | null } = { address: null, port: null };

  /**
   * Opens nothing yet.
   *
   * @throws TypeError, RangeError for a bad address; SIPCoreInvalidStateError when the engine does not run.
   */
  constructor(options: RTPTransportOptions = {}) {
    const address = options.localRtpAddress ?? null;
    if (address !== null && !isIPLiteral(checkText(address, "localRtpAddress"))) {
      throw new RangeError(`localRtpAddress must be an IP address, got "${address}"`);
    }
    running();
    this.#requestedAddress = address;
  }

  /** "NULL" until `setInit()`, "INVALID" after `close()` or the engine's stop. */
  get state(): RTPTransportState {
    return this.#state;
  }

  /** The address for session descriptions; null before `setInit()`. */
  get localRtpAddress(): string | null {
    return this.#localAddress;
  }

  /** The UDP port for RTP, RTCP has the next; null before `setInit()`. */
  get localRtpPort(): number | null {
    return this.#localPort;
  }

  /** The address that the peer's description names; null unless "ESTABLISHED". */
  get remoteRtpAddressSdp(): string | null {
    return this.#remoteSdp.address;
  }

  /** The port that the peer's description names; null unless "ESTABLISHED". */
  get remoteRtpPortSdp(): number | null {
    return this.#remoteSdp.port;
  }

  /** The address that RTP came from; null before any came. */
  get remoteRtpAddressReceived(): string | null {
    return this.#info()?.address ?? null;
  }

  /** The port that RTP came from; null before any came. */
  get remoteRtpPortReceived(): number | null {
    return this.#info()?.port ?? null;
  }

  #info(): { localPort: number; address: string | null; port: number | null } | null {
    const native = runningOrNull();
    const serial = this.#serial;
    if (!native || serial === null) return null;
    const answer = readAnswer((buffer, capacity) => native.sc_rtp_transport_info(serial, buffer, capacity));
    if (!answer) return null;
    const localPort = answer.u32();
    const address = answer.text() || null;
    return { localPort, address, port: address ? answer.u32() : null };
  }

  /**
   * Opens the sockets: the next free pair of `engine.rtpPortRange`. From "LOCAL" and "ESTABLISHED" it makes the
   * transport ready for another use. RTPTransportDidInitialize follows.
   *
   * @throws PJSIPError when no pair is free, naming the range; SIPCoreInvalidStateError after the end.
   */
  setInit(): void {
    const native = running();
    switch (this.#state) {
      case "INIT":
        return;
      case "NULL":
        this.#open();
        break;
      case "LOCAL":
      case "ESTABLISHED":
        check(native.sc_rtp_transport_reset(this.serial), "Could not reset the RTP transport");
        this.#remoteSdp = { address: null, port: null };
        break;
      default:
        throw this.#wrongState("setInit");
    }
    this.#state = "INIT";
    queueMicrotask(() => {
      if (this.#state !== "INVALID") post("RTPTransportDidInitialize", this, {});
    });
  }

  #open(): void {
    const engine = new Engine();
    const bound = this.#requestedAddress ?? engine.ipAddress ?? "";
    const serial = running().sc_rtp_transport_create(cstring(bound), status);
    if (serial === 0) {
      const [first, last] = engine.rtpPortRange;
      const what = status[0] === errors.SC_ENOPORT
        ? `Could not open an RTP transport in the port range ${first} to ${last}`
        : `Could not open an RTP transport at ${bound || "all addresses"}`;
      throw new PJSIPError(what, status[0]!, statusText(status[0]!));
    }
    this.#serial = serial;
    track(serial, this);
    this.#localPort = this.#info()?.localPort ?? null;
    this.#localAddress = bound || ownAddress();
  }

  /**
   * "INIT" to "LOCAL": the transport writes its part into the stream of our offer.
   *
   * @param localSdp is changed.
   */
  setLocal(localSdp: SDPSession, sdpIndex: number): void {
    checkInstance(localSdp, SDPSession, "localSdp");
    if (this.#state === "LOCAL") return;
    if (this.#state !== "INIT") throw this.#wrongState("setLocal");
    this.encode(localSdp, null, sdpIndex);
    this.#state = "LOCAL";
  }

  /**
   * "INIT" or "LOCAL" to "ESTABLISHED": both descriptions are known.
   *
   * @param localSdp is changed, when it is mutable and the transport was in "INIT".
   */
  setEstablished(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession, sdpIndex: number): void {
    checkInstance(localSdp, BaseSDPSession, "localSdp");
    checkInstance(remoteSdp, BaseSDPSession, "remoteSdp");
    if (this.#state === "ESTABLISHED") return;
    if (this.#state !== "INIT" && this.#state !== "LOCAL") throw this.#wrongState("setEstablished");
    if (this.#state === "INIT") {
      this.encode(localSdp instanceof SDPSession ? localSdp : SDPSession.from(localSdp), remoteSdp, sdpIndex);
    }
    const args = argumentBlock().text(localSdp.toString()).text(remoteSdp.toString());
    check(
      running().sc_rtp_transport_establish(this.serial, args.block, args.size, sdpIndex),
      "Could not establish the RTP transport",
    );
    this.#state = "ESTABLISHED";
    const stream = remoteSdp.media[sdpIndex];
    this.#remoteSdp = {
      address: stream?.connection?.address ?? remoteSdp.connection?.address ?? null,
      port: stream?.port ?? null,
    };
  }

  /**
   * Not for programs: lets the transport write its part into a stream of ours; `remoteSdp` is the offer that it
   * answers.
   */
  encode(localSdp: SDPSession, remoteSdp: BaseSDPSession | null, sdpIndex: number): void {
    checkInteger(sdpIndex, "sdpIndex", 0, localSdp.media.length - 1);
    const native = running();
    const args = argumentBlock().text(localSdp.toString()).text(remoteSdp?.toString() ?? "");
    const answer = readAnswer((buffer, capacity) =>
      native.sc_rtp_transport_encode(this.serial, args.block, args.size, sdpIndex, status, buffer, capacity)
    );
    check(status[0]!, "Could not describe the RTP transport");
    const written = SDPSession.parse(answer?.text() ?? "").media[sdpIndex]!;
    const ours = localSdp.media[sdpIndex]!;
    // Only what a transport has a say in: the rest stays as the program wrote it.
    localSdp.media[sdpIndex] = new SDPMediaStream({
      ...ours,
      media: ours.media,
      port: written.port,
      transport: written.transport,
      portCount: ours.portCount,
      formats: ours.formats,
      info: ours.info,
      connection: written.connection ?? ours.connection,
      attributes: written.attributes,
      bandwidthInfo: ours.bandwidthInfo,
    });
  }

  #wrongState(method: string): SIPCoreInvalidStateError {
    return new SIPCoreInvalidStateError(
      `Could not call ${method}(): the transport is ${this.#state}`,
      this.#state,
    );
  }

  /** Closes the sockets (a stream that uses them keeps them until it stops). Quiet the second time. */
  close(): void {
    if (this.#state === "INVALID") return;
    if (this.#serial !== null) runningOrNull()?.sc_rtp_transport_close(this.#serial);
    this.engineStopped();
  }

  /** `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The stream of this transport's notifications. */
  notifications<const N extends keyof RTPTransportNotifications = keyof RTPTransportNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /**
   * Not for programs: the number of its other half. Throws SIPCoreInvalidStateError when there is none.
   * @internal
   */
  get serial(): Serial<"rtp_transport"> {
    if (this.#serial === null) {
      throw new SIPCoreInvalidStateError("The RTP transport is not open", this.#state);
    }
    return this.#serial;
  }

  /** @internal */
  receive(): void {
    // Without ICE nothing happens to it by itself.
  }

  /** @internal */
  engineStopping(): void {
    // Its sockets stay until the calls have ended.
  }

  /** @internal */
  engineStopped(): void {
    if (this.#state === "INVALID") return;
    if (this.#serial !== null) release(this.#serial, this);
    this.#serial = null;
    this.#state = "INVALID";
    this.#localAddress = this.#localPort = null;
    endSender(this);
  }
}

function ownAddress(): string {
  const native = running();
  const remote = cstring(elsewhere);
  const answer = readAnswer((buffer, capacity) => native.sc_engine_local_address(remote, buffer, capacity));
  return answer?.text() || "127.0.0.1";
}
