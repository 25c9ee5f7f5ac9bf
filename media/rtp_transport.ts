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
import { errors, records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, cstring, readAnswer, type Reader } from "../ffi/wire.ts";
import { ICEAgent, type ICEFacts } from "./ice_agent.ts";
import type { ICECandidateType, ICEResult, ICEState } from "./ice_negotiation.ts";
import { type ICEOptions, ICESettings } from "./ice_options.ts";
import {
  type CheckedSRTPOptions,
  checkSRTPOptions,
  type SRTPCipher,
  type SRTPKeying,
  type SRTPOptions,
} from "./srtp_options.ts";
import { type SRTPNotifications, SRTPSession, type SRTPStatistics } from "./srtp_session.ts";

/** The states of an RTPTransport. */
export type RTPTransportState =
  | "NULL"
  | "WAIT_STUN"
  | "STUN_FAILED"
  | "INIT"
  | "LOCAL"
  | "ESTABLISHED"
  | "INVALID";

/** What the constructor takes. */
export interface RTPTransportOptions extends ICEOptions, SRTPOptions {
  /** The local address to listen on; left out: the engine's, or all interfaces. */
  localRtpAddress?: string | null;
}

/** The notifications of RTPTransport. */
export interface RTPTransportNotifications extends SRTPNotifications {
  /** The sockets are open and all candidates are there: `setInit()` has succeeded. */
  RTPTransportDidInitialize: Note<RTPTransport>;
  /** The STUN or TURN server gave no candidate: the state is "STUN_FAILED", and nothing is open. */
  RTPTransportDidFail: Note<RTPTransport, { reason: string }>;
  /** ICE has gone on. */
  RTPTransportICENegotiationStateDidChange: Note<RTPTransport, { prevState: ICEState; state: ICEState }>;
  /** A way to the peer was found, and is in use. */
  RTPTransportICENegotiationDidSucceed: Note<RTPTransport, ICEResult>;
  /** No pair of candidates works; what is sent goes where the peer's description says. */
  RTPTransportICENegotiationDidFail: Note<RTPTransport, { reason: string }>;
}

/** An address of the documentation's network: asking the routing table for the way to it sends nothing. */
const elsewhere = "192.0.2.1";

const status = new Int32Array(1);

/**
 * A pair of UDP sockets for RTP and RTCP (RFC 3550), and its part in offer and answer; with `useIce` the best way to the
 * peer, found by ICE (RFC 8445, RFC 8839), which goes through NATs.
 *
 * What comes from anybody but the peer is not heard. With ICE the peer is where its candidates are. Without, it is where
 * its description says, or where the first RTP comes from as long as none has come from there (a peer behind a NAT that
 * does not know its address); when it has been silent for three seconds, its stream may go on from another address.
 *
 * With `useSrtp` it is SRTP (RFC 3711), with keys by SDES (RFC 4568) or DTLS (RFC 5763). With SDES whoever reads the
 * session descriptions can listen, so SIP should go over TLS then. The descriptions that a program gets carry these keys
 * on their a=crypto lines; log and trace have stars in place of them.
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
  readonly #iceStunAddress: string | null;
  readonly #iceStunPort: number;
  readonly #ice: ICEAgent | null;
  readonly #srtpOptions: CheckedSRTPOptions;
  readonly #srtp: SRTPSession | null;
  #localAddress: string | null = null;
  #localPort: number | null = null;
  #remoteSdp: { address: string | null; port: number | null } = { address: null, port: null };

  /**
   * Opens nothing yet.
   *
   * @throws TypeError, RangeError for a bad option; SIPCoreInvalidStateError when the engine does not run.
   */
  constructor(options: RTPTransportOptions = {}) {
    const address = options.localRtpAddress ?? null;
    if (address !== null && !isIPLiteral(checkText(address, "localRtpAddress"))) {
      throw new RangeError(`localRtpAddress must be an IP address, got "${address}"`);
    }
    const ice = ICESettings.read(options);
    this.#srtpOptions = checkSRTPOptions(options);
    running();
    this.#requestedAddress = address;
    this.#iceStunAddress = options.iceStunAddress ?? null;
    this.#iceStunPort = options.iceStunPort ?? 3478;
    this.#ice = ice && new ICEAgent(this, ice);
    this.#srtp = this.#srtpOptions.useSrtp ? new SRTPSession(this, this.#srtpOptions) : null;
  }

  /**
   * "NULL" until `setInit()`, "WAIT_STUN" until a STUN or TURN server has answered, "STUN_FAILED" if it has not,
   * "INVALID" after `close()` or the engine's stop.
   */
  get state(): RTPTransportState {
    return this.#state;
  }

  /** The address for session descriptions; null before "INIT". With ICE that of the candidate to begin with. */
  get localRtpAddress(): string | null {
    return this.#ice ? this.#iceFacts()?.address ?? null : this.#localAddress;
  }

  /** The UDP port for RTP, RTCP has the next (with ICE the one in `a=rtcp`); null before "INIT". */
  get localRtpPort(): number | null {
    return this.#ice ? this.#iceFacts()?.port ?? null : this.#localPort;
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

  /** The address of the peer that ICE has chosen; null until it has. */
  get remoteRtpAddressIce(): string | null {
    return this.#iceFacts()?.chosen?.remote.address ?? null;
  }

  /** The port of the peer that ICE has chosen; null until it has. */
  get remoteRtpPortIce(): number | null {
    return this.#iceFacts()?.chosen?.remote.port ?? null;
  }

  /** What kind of candidate of ours ICE has chosen; null until it has. */
  get localRtpCandidateType(): ICECandidateType | null {
    return this.#iceFacts()?.chosen?.local.type ?? null;
  }

  /** What kind of candidate of the peer's ICE has chosen; null until it has. */
  get remoteRtpCandidateType(): ICECandidateType | null {
    return this.#iceFacts()?.chosen?.remote.type ?? null;
  }

  /** Whether ICE was asked for. */
  get useIce(): boolean {
    return this.#ice !== null;
  }

  /** Whether both sides use ICE, and it has not failed. */
  get iceActive(): boolean {
    return this.#iceFacts()?.isActive ?? false;
  }

  /** The STUN server that was asked for: an IP address or a name; null: none. */
  get iceStunAddress(): string | null {
    return this.#iceStunAddress;
  }

  /** Its UDP port. */
  get iceStunPort(): number {
    return this.#iceStunPort;
  }

  /** Whether SRTP was asked for. */
  get useSrtp(): boolean {
    return this.#srtpOptions.useSrtp;
  }

  /** Whether a peer without SRTP is refused: the option `srtpForced`. */
  get forceSrtp(): boolean {
    return this.#srtpOptions.srtpForced;
  }

  /** How keys may be agreed on, what is offered first. */
  get srtpKeying(): readonly SRTPKeying[] {
    return this.#srtpOptions.srtpKeying;
  }

  /** The suites that are understood, in order of preference. */
  get srtpCiphers(): readonly SRTPCipher[] {
    return this.#srtpOptions.srtpCiphers;
  }

  /** Whether sound is encrypted and decrypted: with SDES once "ESTABLISHED", with DTLS once its handshake is over. */
  get srtpActive(): boolean {
    return this.srtpCipher !== null;
  }

  /** The suite that is in use; null while `srtpActive` is false. */
  get srtpCipher(): SRTPCipher | null {
    return this.#srtp?.state?.cipher ?? null;
  }

  /** How the keys in use were agreed on; null while `srtpActive` is false. */
  get srtpActiveKeying(): SRTPKeying | null {
    return this.#srtp?.state?.keying ?? null;
  }

  /** What SRTP has dropped since the last `setInit()`; null without SRTP and while the sockets are closed. */
  get srtpStatistics(): SRTPStatistics | null {
    return this.#srtp?.state?.statistics ?? null;
  }

  /** Null without ICE, and while there are no candidates. */
  #iceFacts(): ICEFacts | null {
    return this.#ice && this.#state !== "WAIT_STUN" ? this.#ice.facts(this.#serial) : null;
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
   * transport ready for another use. RTPTransportDidInitialize follows; with a STUN or TURN server "WAIT_STUN" comes
   * before, and where the server gives nothing within eight seconds, RTPTransportDidFail in its place.
   *
   * @throws PJSIPError when no pair is free, naming the range; SIPCoreInvalidStateError after the end.
   */
  setInit(): void {
    const native = running();
    switch (this.#state) {
      case "INIT":
      case "WAIT_STUN":
        return;
      case "NULL":
        if (this.#ice) this.#gather(this.#ice);
        else this.#open();
        if (this.#ice?.settings.asksServers) return;
        break;
      case "LOCAL":
      case "ESTABLISHED":
        check(native.sc_rtp_transport_reset(this.serial), "Could not reset the RTP transport");
        this.#srtp?.reset();
        this.#remoteSdp = { address: null, port: null };
        this.#ice?.changeLater("GATHERING_COMPLETE");
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
    const bound = this.#bound;
    this.#opened(running().sc_rtp_transport_create(cstring(bound), status));
    this.#localPort = this.#info()?.localPort ?? null;
    this.#localAddress = bound || ownAddress();
  }

  /** Where it listens; empty: everywhere. */
  get #bound(): string {
    return this.#requestedAddress ?? new Engine().ipAddress ?? "";
  }

  /** Takes the serial, or throws what the creator's status means. */
  #opened(serial: Serial<"rtp_transport">): void {
    if (serial === 0) {
      const [first, last] = new Engine().rtpPortRange;
      const what = status[0] === errors.SC_ENOPORT
        ? `Could not open an RTP transport in the port range ${first} to ${last}`
        : `Could not open an RTP transport at ${this.#bound || "all addresses"}`;
      throw new PJSIPError(what, status[0]!, statusText(status[0]!));
    }
    try {
      this.#srtp?.secure(serial);
    } catch (error) {
      running().sc_rtp_transport_close(serial);
      throw error;
    }
    this.#serial = serial;
    track(serial, this);
  }

  /** Begins to gather; without servers all candidates are there at once. */
  #gather(ice: ICEAgent): void {
    const bound = this.#bound;
    if (!ice.asksForNames) this.#opened(ice.open(bound, status));
    ice.changeLater("GATHERING");
    if (!ice.settings.asksServers) {
      ice.changeLater("GATHERING_COMPLETE");
      return;
    }
    this.#state = "WAIT_STUN";
    if (ice.asksForNames) void this.#gatherByName(ice, bound);
  }

  async #gatherByName(ice: ICEAgent, bound: string): Promise<void> {
    try {
      const addresses = await ice.resolve(bound);
      if (this.#state === "WAIT_STUN") this.#opened(ice.open(bound, status, addresses));
    } catch (error) {
      if (this.#state === "WAIT_STUN") this.#fail(ice, (error as Error).message, new Date());
    }
  }

  #gathered(ice: ICEAgent, time: Date, reader: Reader): void {
    if (this.#state !== "WAIT_STUN") return;
    const result = reader.i32();
    if (result !== 0) return this.#fail(ice, ice.gatheringFailure(result, reader.u32() !== 0), time);
    this.#state = "INIT";
    ice.change("GATHERING_COMPLETE", time);
    post("RTPTransportDidInitialize", this, {}, { timestamp: time });
  }

  #fail(ice: ICEAgent, reason: string, timestamp: Date): void {
    const serial = this.#serial;
    if (serial !== null) {
      runningOrNull()?.sc_rtp_transport_close(serial);
      release(serial, this);
      this.#serial = null;
    }
    this.#state = "STUN_FAILED";
    ice.change("FAILED", timestamp);
    post("RTPTransportDidFail", this, { reason }, { timestamp });
  }

  /**
   * "INIT" to "LOCAL": the transport writes its part into the stream of our offer.
   *
   * @param localSdp is changed: with SRTP its profile and the lines about keys.
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
   * @throws PJSIPError when the peer has no SRTP and it is forced, or its keys are of no use.
   */
  setEstablished(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession, sdpIndex: number): void {
    checkInstance(localSdp, BaseSDPSession, "localSdp");
    checkInstance(remoteSdp, BaseSDPSession, "remoteSdp");
    if (this.#state === "ESTABLISHED") return;
    if (this.#state !== "INIT" && this.#state !== "LOCAL") throw this.#wrongState("setEstablished");
    if (this.#state === "INIT") {
      this.encode(localSdp instanceof SDPSession ? localSdp : SDPSession.from(localSdp), remoteSdp, sdpIndex);
    }
    this.#establish(localSdp, remoteSdp, sdpIndex);
    this.#state = "ESTABLISHED";
    this.#ice?.established(this.serial);
  }

  /**
   * The next offer begins ICE anew, with other passwords and all candidates: after a change of networks, or after ICE has
   * failed. Make it by `AudioTransport.getLocalMedia(true)`, and give the outcome of the re-INVITE to
   * `AudioTransport.update()`. Until then what is sent goes where the peer's description says. When the peer begins anew
   * nothing of this is needed.
   *
   * @throws SIPCoreInvalidStateError when it is not "ESTABLISHED" or without ICE.
   */
  restartIce(): void {
    const ice = this.#ice;
    if (ice === null) throw new SIPCoreInvalidStateError("The transport is without ICE", this.#state);
    if (this.#state !== "ESTABLISHED") throw this.#wrongState("restartIce");
    check(running().sc_rtp_transport_restart_ice(this.serial), "Could not begin ICE anew");
    ice.changeLater("NEGOTIATION_START");
  }

  /**
   * Not for programs: "ESTABLISHED" with other descriptions; unless ICE has seen to it that nothing changes for it, the
   * stream of the old ones is gone.
   */
  renegotiate(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession, sdpIndex: number): void {
    if (this.#state !== "ESTABLISHED") throw this.#wrongState("renegotiate");
    this.#establish(localSdp, remoteSdp, sdpIndex);
    this.#ice?.established(this.serial);
  }

  #establish(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession, sdpIndex: number): void {
    const args = argumentBlock().text(localSdp.toString()).text(remoteSdp.toString());
    check(
      running().sc_rtp_transport_establish(this.serial, args.block, args.size, sdpIndex),
      "Could not establish the RTP transport",
    );
    const stream = remoteSdp.media[sdpIndex];
    this.#remoteSdp = {
      address: stream?.connection?.address ?? remoteSdp.connection?.address ?? null,
      port: stream?.port ?? null,
    };
    this.#srtp?.established();
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
    this.#ice?.described();
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
  receive(kind: number, time: Date, reader: Reader): void {
    if (kind === records.SC_RECORD_SRTP) this.#srtp?.receive(time, reader);
    const ice = this.#ice;
    if (ice === null) return;
    if (kind === records.SC_RECORD_RTP_TRANSPORT_GATHERED) this.#gathered(ice, time, reader);
    else if (kind === records.SC_RECORD_RTP_TRANSPORT_NEGOTIATED) ice.negotiated(time, reader);
  }

  /** @internal */
  engineStopping(): void {
    // Its sockets stay until the calls have ended.
  }

  /** @internal */
  engineStopped(): void {
    if (this.#state === "INVALID") return;
    this.#ice?.end();
    if (this.#serial !== null) release(this.#serial, this);
    this.#srtp?.ended();
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
