// SPDX-License-Identifier: GPL-2.0-or-later
import { checkBoolean, checkInstance, checkInteger } from "../core/check_argument.ts";
import { endSender, post } from "../core/dispatch.ts";
import { Engine } from "../core/engine.ts";
import { checkCodecs } from "../core/engine_options.ts";
import { SIPCoreError, SIPCoreInvalidStateError } from "../core/errors.ts";
import { type Note, notificationsOf } from "../core/notification.ts";
import type { NotificationStream } from "../core/notification_stream.ts";
import { release, track } from "../core/registry.ts";
import { check, create, running, runningOrNull } from "../core/running.ts";
import { SDPAttribute } from "../core/sdp_attribute.ts";
import { SDPConnection } from "../core/sdp_connection.ts";
import { type MediaDirection, SDPMediaStream } from "../core/sdp_media_stream.ts";
import { BaseSDPSession, FrozenSDPSession, SDPSession } from "../core/sdp_session.ts";
import { records } from "../ffi/bindings/records.ts";
import type { Serial } from "../ffi/types.ts";
import { argumentBlock, cstring, readAnswer, type Reader } from "../ffi/wire.ts";
import { audioFormats } from "./audio_codecs.ts";
import { AudioMixer, checkVolume, leaveMixer } from "./audio_mixer.ts";
import { type AudioStatistics, readStatistics } from "./audio_statistics.ts";
import { RTPTransport } from "./rtp_transport.ts";

/** What the constructor takes beside mixer and transport. */
export interface AudioTransportOptions {
  /** The offer that is to be answered; left out: we offer. */
  remoteSdp?: BaseSDPSession | null;
  /** Which stream of the descriptions it is. Default 0. */
  sdpIndex?: number;
  /** Whether silence is not sent. Default false. */
  enableSilenceDetection?: boolean;
  /** Instead of `engine.codecs`, in order of preference. */
  codecs?: readonly string[];
}

/** What `start()` takes beside the descriptions. */
export interface AudioStartOptions {
  /** Default: the constructor's. */
  sdpIndex?: number;
  /** Seconds without any RTP until RTPAudioTransportDidNotGetRTP; 0: no check at all. Default 10. */
  noMediaTimeout?: number;
  /** Seconds between later checks; 0: none. Default 30. */
  mediaCheckInterval?: number;
}

/** The notifications of AudioTransport. */
export interface AudioTransportNotifications {
  /** The peer pressed a key (RFC 4733): "0" to "9", "*", "#", "A" to "D"; how long, in ms. */
  RTPAudioTransportGotDTMF: Note<AudioTransport, { digit: string; duration: number }>;
  /** No RTP came for a while; `gotAny`: some had come before. */
  RTPAudioTransportDidNotGetRTP: Note<AudioTransport, { gotAny: boolean }>;
}

const directions: Record<MediaDirection, number> = { inactive: 0, sendonly: 1, recvonly: 2, sendrecv: 3 };

const directionNames: ReadonlySet<string> = new Set(Object.keys(directions));

/**
 * An audio stream between an RTP transport and a mixer. It lives once: the transport can be used again.
 *
 * @example
 * ```ts
 * import { AudioMixer, AudioTransport, Engine, RTPTransport } from "@sipcore/sipcore";
 *
 * await using engine = new Engine();
 * await engine.start({ ipAddress: "127.0.0.1" });
 * using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
 * using transport = new RTPTransport();
 * transport.setInit();
 * using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
 * console.log(audio.getLocalMedia(true).formats[0]); // 0
 * ```
 */
export class AudioTransport {
  /** @internal */
  readonly isLeaving = false;
  /** The mixer that it belongs to. */
  readonly mixer: AudioMixer;
  /** The RTP transport that carries it. */
  readonly transport: RTPTransport;
  /** Whether silence is not sent. */
  readonly enableSilenceDetection: boolean;
  readonly #codecs: readonly string[] | null;
  readonly #remoteSdp: FrozenSDPSession | null;
  readonly #sdpIndex: number;
  #serial: Serial<"audio_transport"> | null = null;
  #slot: number | null = null;
  #codec: string | null = null;
  #sampleRate: number | null = null;
  #direction: MediaDirection | null = null;
  #volume = 100;
  #isStarted = false;
  #statistics: AudioStatistics | null = null;
  #check: ReturnType<typeof setTimeout> | undefined;
  #received = 0;

  /**
   * Sound over that transport; it starts with `start()`.
   *
   * @throws TypeError, RangeError for bad arguments; SIPCoreInvalidStateError when the transport is not in "INIT".
   */
  constructor(mixer: AudioMixer, transport: RTPTransport, options: AudioTransportOptions = {}) {
    this.mixer = checkInstance(mixer, AudioMixer, "mixer");
    this.transport = checkInstance(transport, RTPTransport, "transport");
    this.#remoteSdp = options.remoteSdp
      ? FrozenSDPSession.from(checkInstance(options.remoteSdp, BaseSDPSession, "remoteSdp"))
      : null;
    this.#sdpIndex = checkInteger(options.sdpIndex ?? 0, "sdpIndex", 0, 255);
    this.enableSilenceDetection = checkBoolean(
      options.enableSilenceDetection ?? false,
      "enableSilenceDetection",
    );
    this.#codecs = options.codecs ? checkCodecs(options.codecs) : null;
    running();
    if (transport.state !== "INIT") {
      throw new SIPCoreInvalidStateError(
        `Could not use the transport: it is ${transport.state}, not INIT`,
        transport.state,
      );
    }
    const offered = this.#remoteSdp?.media[this.#sdpIndex];
    if (this.#remoteSdp && offered?.media !== "audio") {
      throw new RangeError(`remoteSdp has no audio stream at index ${this.#sdpIndex}`);
    }
  }

  /** The slot in the mixer; null while it is not active. */
  get slot(): number | null {
    return this.#slot;
  }

  /** Percent at which it is heard in the mixer; above 100 amplifies. */
  get volume(): number {
    return this.#volume;
  }
  set volume(value: number) {
    const volume = checkVolume(value, "volume");
    if (this.#serial !== null) {
      check(running().sc_audio_transport_set_volume(this.#serial, volume), "Could not set the volume");
    }
    this.#volume = volume;
  }

  /** Whether sound flows. */
  get isActive(): boolean {
    return this.#serial !== null;
  }

  /** Whether `start()` was called, ever. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** The negotiated codec ("PCMU"); null before `start()`. */
  get codec(): string | null {
    return this.#codec;
  }

  /** The negotiated codec's clock rate in Hz; null before `start()`. */
  get sampleRate(): number | null {
    return this.#sampleRate;
  }

  /** The direction from our side; null before there is one. */
  get direction(): MediaDirection | null {
    return this.#direction;
  }

  /** What was counted so far, after `stop()` at the end; null before `start()`. */
  get statistics(): AudioStatistics | null {
    const native = runningOrNull();
    const serial = this.#serial;
    if (native && serial !== null) {
      const answer = readAnswer((buffer, size) => native.sc_audio_transport_statistics(serial, buffer, size));
      if (answer) this.#statistics = readStatistics(answer);
    }
    return this.#statistics;
  }

  /**
   * The stream for our description: address, port, codecs and direction.
   *
   * @param isOffer whether it is for an offer; else it is for the answer to `remoteSdp`.
   */
  getLocalMedia(isOffer: boolean, options: { direction?: MediaDirection } = {}): SDPMediaStream {
    const direction = checkDirection(options.direction ?? "sendrecv");
    const { localRtpAddress: address, localRtpPort: port } = this.transport;
    if (address === null || port === null) {
      throw new SIPCoreInvalidStateError("The RTP transport is not open", this.transport.state);
    }
    const engine = new Engine();
    const { formats, attributes } = audioFormats(this.#codecs ?? engine.codecs);
    if (formats.length === 0) throw new SIPCoreError("None of the codecs is in this build", "INVALID_STATE");
    const stream = new SDPMediaStream("audio", port, "RTP/AVP", {
      formats,
      connection: new SDPConnection(address),
      attributes: [...attributes, new SDPAttribute(direction, "")],
    });
    const session = this.#sessionAround(stream, address);
    if (isOffer && this.transport.state === "INIT") this.transport.setLocal(session, this.#sdpIndex);
    else this.transport.encode(session, isOffer ? null : this.#remoteSdp, this.#sdpIndex);
    return session.media[this.#sdpIndex]!;
  }

  /** A description with this stream in its place, as the transport wants to see it. */
  #sessionAround(stream: SDPMediaStream, address: string): SDPSession {
    const others = this.#remoteSdp?.media ?? [];
    const media = Array.from({ length: Math.max(others.length, this.#sdpIndex + 1) }, (_, index) => {
      if (index === this.#sdpIndex) return stream;
      const other = others[index];
      return new SDPMediaStream(other?.media ?? "audio", 0, other?.transport ?? "RTP/AVP", {
        formats: other?.formats ?? ["0"],
      });
    });
    return new SDPSession(address, { connection: new SDPConnection(address), media });
  }

  /**
   * Starts the stream that was negotiated.
   *
   * @throws SIPCoreInvalidStateError when it was started before; SIPCoreError when a side has refused the stream;
   * PJSIPError when PJMEDIA cannot make it.
   */
  start(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession, options: AudioStartOptions = {}): void {
    checkInstance(localSdp, BaseSDPSession, "localSdp");
    checkInstance(remoteSdp, BaseSDPSession, "remoteSdp");
    const sdpIndex = checkInteger(options.sdpIndex ?? this.#sdpIndex, "sdpIndex", 0, 255);
    const noMediaTimeout = checkSeconds(options.noMediaTimeout ?? 10, "noMediaTimeout");
    const mediaCheckInterval = checkSeconds(options.mediaCheckInterval ?? 30, "mediaCheckInterval");
    if (this.#isStarted) {
      throw new SIPCoreInvalidStateError("The audio transport was started before", null);
    }
    const local = localSdp.media[sdpIndex];
    const remote = remoteSdp.media[sdpIndex];
    if (!local || !remote) {
      throw new RangeError(`There is no stream at index ${sdpIndex} in both descriptions`);
    }
    if (local.port === 0 || remote.port === 0) {
      throw new SIPCoreError("Could not start: the stream was refused (port 0)", "INVALID_STATE");
    }
    this.transport.setEstablished(localSdp, remoteSdp, sdpIndex);
    const native = running();
    const args = argumentBlock().text(localSdp.toString()).text(remoteSdp.toString()).u32(sdpIndex)
      .u8(this.enableSilenceDetection ? 1 : 0);
    const serial = create(
      "Could not start the audio stream",
      (status) =>
        native.sc_audio_transport_create(
          this.mixer.serial,
          this.transport.serial,
          args.block,
          args.size,
          status,
        ),
    );
    this.#began(serial, local.direction);
    if (noMediaTimeout > 0) this.#watch(noMediaTimeout, mediaCheckInterval);
  }

  #began(serial: Serial<"audio_transport">, direction: MediaDirection): void {
    const native = running();
    this.#serial = serial;
    this.#isStarted = true;
    track(serial, this);
    this.mixer.enter();
    const info = readAnswer((buffer, capacity) => native.sc_audio_transport_info(serial, buffer, capacity));
    this.#slot = info?.u32() ?? null;
    this.#codec = info?.text() ?? null;
    this.#sampleRate = info?.u32() ?? null;
    this.#direction = direction;
    if (this.#volume !== 100) this.volume = this.#volume;
  }

  /** The first check asks whether any RTP came at all, the later ones whether some came since the last. */
  #watch(seconds: number, interval: number): void {
    this.#check = setTimeout(() => {
      const received = this.statistics?.rx.packets ?? 0;
      const silent = received === this.#received;
      if (silent && this.#direction !== "sendonly" && this.#direction !== "inactive") {
        post("RTPAudioTransportDidNotGetRTP", this, { gotAny: received > 0 });
      }
      this.#received = received;
      if (interval > 0) this.#watch(interval, interval);
    }, seconds * 1000);
  }

  /** Which way sound flows from now on, after a negotiation. */
  updateDirection(direction: MediaDirection): void {
    checkDirection(direction);
    if (this.#serial === null) throw new SIPCoreInvalidStateError("The audio transport is not active", null);
    check(
      running().sc_audio_transport_set_direction(this.#serial, directions[direction]),
      "Could not set the direction",
    );
    this.#direction = direction;
  }

  /**
   * Sends one DTMF digit (RFC 4733): "0" to "9", "*", "#", "A" to "D".
   *
   * @throws RangeError for another; PJSIPError when the peer takes none.
   */
  sendDtmf(digit: string): void {
    if (typeof digit !== "string") throw new TypeError("digit must be a string");
    if (!/^[0-9*#A-Da-d]$/.test(digit)) throw new RangeError(`digit must be one of 0-9*#A-D, got "${digit}"`);
    if (this.#serial === null) throw new SIPCoreInvalidStateError("The audio transport is not active", null);
    check(running().sc_audio_transport_send_dtmf(this.#serial, cstring(digit)), "Could not send DTMF");
  }

  /** Ends the stream and readies the RTP transport for another use. Quiet the second time. */
  stop(): void {
    if (this.#serial === null) return;
    void this.statistics;
    runningOrNull()?.sc_audio_transport_close(this.#serial);
    const { transport } = this;
    this.engineStopped();
    if (runningOrNull() && (transport.state === "ESTABLISHED" || transport.state === "LOCAL")) {
      transport.setInit();
    }
  }

  /** `stop()`. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** The stream of this object's notifications. */
  notifications<const N extends keyof AudioTransportNotifications = keyof AudioTransportNotifications>(
    name?: N | readonly N[],
  ): NotificationStream<N> {
    return notificationsOf(this, name);
  }

  /** @internal */
  receive(kind: number, time: Date, reader: Reader): void {
    if (kind !== records.SC_RECORD_AUDIO_TRANSPORT_DTMF) return;
    const digit = String.fromCharCode(reader.u32()).toUpperCase();
    post("RTPAudioTransportGotDTMF", this, { digit, duration: reader.u32() }, { timestamp: time });
  }

  /** @internal */
  engineStopping(): void {
    void this.statistics;
  }

  /** @internal */
  engineStopped(): void {
    clearTimeout(this.#check);
    if (this.#serial === null) return;
    release(this.#serial, this);
    if (this.#slot !== null) leaveMixer(this.mixer, this.#slot);
    this.#serial = null;
    this.#slot = null;
    endSender(this);
  }
}

function checkDirection(value: unknown): MediaDirection {
  if (typeof value !== "string") throw new TypeError("direction must be a string");
  if (!directionNames.has(value)) {
    throw new RangeError(`direction must be one of ${[...directionNames].join(", ")}`);
  }
  return value as MediaDirection;
}

function checkSeconds(value: unknown, argument: string): number {
  if (typeof value !== "number") throw new TypeError(`${argument} must be a number of seconds`);
  if (!(value >= 0 && value <= 2147483)) {
    throw new RangeError(`${argument} must be 0 or more seconds, got ${value}`);
  }
  return value;
}
