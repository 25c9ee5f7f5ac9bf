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
import { argumentBlock, cstring, readAnswer, type Reader, type Writer } from "../ffi/wire.ts";
import { audioFormats } from "./audio_codecs.ts";
import { AudioMixer, checkVolume, leaveMixer } from "./audio_mixer.ts";
import {
  answerDirection,
  checkDirection,
  directionBits,
  directionOf,
  receives,
  sends,
  streamKey,
} from "./audio_negotiation.ts";
import {
  addCounts,
  type AudioCounts,
  type AudioStatistics,
  readCounts,
  statisticsOf,
} from "./audio_statistics.ts";
import { MediaWatch } from "./media_watch.ts";
import { PCMPort, type PCMPortOptions } from "./pcm_port.ts";
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

/** What `getLocalMedia()` takes beside the side. */
export interface LocalMediaOptions {
  /** What we want; an answer has as much of it as fits the offer. Default "sendrecv". */
  direction?: MediaDirection;
  /** The offer that is answered, where it is another than the constructor's: that of a re-INVITE. */
  remoteSdp?: BaseSDPSession | null;
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
  /**
   * The peer pressed a key (RFC 4733): "0" to "9", "*", "#", "A" to "D"; how long, in ms. Once for each, when it has
   * ended; 250 ms after its last packet, when those that tell of the end are lost. Of more than 20 a second, after the
   * first 40, the rest is not told.
   */
  RTPAudioTransportGotDTMF: Note<AudioTransport, { digit: string; duration: number }>;
  /** No RTP came for a while; `gotAny`: some had come before. */
  RTPAudioTransportDidNotGetRTP: Note<AudioTransport, { gotAny: boolean }>;
}

/** The descriptions by which a stream goes. */
interface Agreed {
  readonly local: BaseSDPSession;
  readonly remote: BaseSDPSession;
  readonly index: number;
}

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
  #agreed: Agreed | null = null;
  /** Of the streams before the present one. */
  #earlier: AudioCounts | null = null;
  #counts: AudioCounts | null = null;
  #watch: MediaWatch | null = null;
  readonly #ports = new Set<PCMPort>();

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

  /** What was counted so far, after `stop()` at the end; null before `start()`. Updates do not begin it anew. */
  get statistics(): AudioStatistics | null {
    const counts = this.#count();
    return counts && statisticsOf(counts, this.#codec ?? "", this.#sampleRate ?? 0);
  }

  #count(): AudioCounts | null {
    const native = runningOrNull();
    const serial = this.#serial;
    if (native && serial !== null) {
      const answer = readAnswer((buffer, size) => native.sc_audio_transport_statistics(serial, buffer, size));
      if (answer) this.#counts = addCounts(this.#earlier, readCounts(answer));
    }
    return this.#counts;
  }

  /**
   * The stream for our description: address, port, codecs and direction; for the first offer or answer, and for those
   * of later re-INVITEs.
   *
   * @param isOffer whether it is for an offer; else it is for the answer to `remoteSdp`.
   * @throws RangeError for no direction; SIPCoreInvalidStateError when the RTP transport is not open.
   */
  getLocalMedia(isOffer: boolean, options: LocalMediaOptions = {}): SDPMediaStream {
    checkBoolean(isOffer, "isOffer");
    const wanted = checkDirection(options.direction ?? "sendrecv");
    const offer = options.remoteSdp
      ? checkInstance(options.remoteSdp, BaseSDPSession, "remoteSdp")
      : this.#remoteSdp;
    const { localRtpAddress: address, localRtpPort: port } = this.transport;
    if (address === null || port === null) {
      throw new SIPCoreInvalidStateError("The RTP transport is not open", this.transport.state);
    }
    const { formats, attributes } = audioFormats(this.#codecs ?? new Engine().codecs);
    if (formats.length === 0) throw new SIPCoreError("None of the codecs is in this build", "INVALID_STATE");
    const direction = isOffer || !offer
      ? wanted
      : answerDirection(wanted, directionOf(offer, this.#sdpIndex));
    const stream = new SDPMediaStream("audio", port, "RTP/AVP", {
      formats,
      connection: new SDPConnection(address),
      attributes: [...attributes, new SDPAttribute(direction, "")],
    });
    const session = this.#sessionAround(stream, address, offer);
    if (isOffer && this.transport.state === "INIT") this.transport.setLocal(session, this.#sdpIndex);
    else this.transport.encode(session, isOffer ? null : offer, this.#sdpIndex);
    return session.media[this.#sdpIndex]!;
  }

  /** A description with this stream in its place, as the transport wants to see it. */
  #sessionAround(stream: SDPMediaStream, address: string, offer: BaseSDPSession | null): SDPSession {
    const others = offer?.media ?? [];
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
    if (!hasStream({ local: localSdp, remote: remoteSdp, index: sdpIndex })) {
      throw new SIPCoreError("Could not start: the stream was refused (port 0)", "INVALID_STATE");
    }
    this.transport.setEstablished(localSdp, remoteSdp, sdpIndex);
    const native = running();
    const agreed = agreedOn(localSdp, remoteSdp, sdpIndex);
    const direction = directionOf(agreed.local, sdpIndex);
    const args = this.#argumentsFor(agreed, direction);
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
    this.#serial = serial;
    this.#isStarted = true;
    track(serial, this);
    this.mixer.enter();
    this.#direction = direction;
    this.#runs(agreed);
    if (this.#volume !== 100) this.volume = this.#volume;
    this.#watch = new MediaWatch(
      { first: noMediaTimeout, interval: mediaCheckInterval },
      () => this.#count()?.rx.packets ?? 0,
      (gotAny) => post("RTPAudioTransportDidNotGetRTP", this, { gotAny }),
    );
    if (receives(direction)) this.#watch.start();
  }

  #argumentsFor({ local, remote, index }: Agreed, direction: MediaDirection): Writer {
    return argumentBlock().text(local.toString()).text(remote.toString()).u32(index)
      .u32(directionBits[direction]).u8(this.enableSilenceDetection ? 1 : 0);
  }

  /** The stream of those descriptions runs. */
  #runs(agreed: Agreed): void {
    const native = running();
    const serial = this.#serial!;
    const info = readAnswer((buffer, capacity) => native.sc_audio_transport_info(serial, buffer, capacity));
    this.#slot = info?.u32() ?? null;
    this.#codec = info?.text() ?? null;
    this.#sampleRate = info?.u32() ?? null;
    this.#agreed = agreed;
  }

  /**
   * Goes by what was negotiated anew, after a re-INVITE or UPDATE (the data of SIPInvitationGotSDPUpdate). With another
   * codec, address or key a new stream takes the place of the present one: slot, connections, volume and statistics
   * stay, and RTP goes on with its source and sequence numbers. Where only the direction has changed, or ICE begins anew
   * for a stream that uses it, sound goes on without a gap. A stream with port 0 has been given up by a side: it ends as by `stop()`.
   *
   * @throws RangeError when the descriptions have no such stream; SIPCoreInvalidStateError when it is not active;
   * PJSIPError when PJMEDIA cannot make the new stream: the present one goes on.
   */
  update(localSdp: BaseSDPSession, remoteSdp: BaseSDPSession, options: { sdpIndex?: number } = {}): void {
    checkInstance(localSdp, BaseSDPSession, "localSdp");
    checkInstance(remoteSdp, BaseSDPSession, "remoteSdp");
    const before = this.#agreed;
    const index = checkInteger(options.sdpIndex ?? before?.index ?? this.#sdpIndex, "sdpIndex", 0, 255);
    if (this.#serial === null || before === null) throw notActive();
    const agreed = agreedOn(localSdp, remoteSdp, index);
    if (!hasStream(agreed)) return this.stop();
    const direction = directionOf(agreed.local, index);
    const byIce = this.transport.iceActive && [before, agreed].every(hasIce);
    if (keyOf(agreed, byIce) !== keyOf(before, byIce)) this.#replace(agreed, direction);
    else if (this.transport.useIce) this.transport.renegotiate(agreed.local, agreed.remote, agreed.index);
    this.#agreed = agreed;
    this.updateDirection(direction);
  }

  #replace(agreed: Agreed, direction: MediaDirection): void {
    const native = running();
    const serial = this.#serial!;
    const last = readAnswer((buffer, size) => native.sc_audio_transport_detach(serial, buffer, size));
    if (last) this.#earlier = this.#counts = addCounts(this.#earlier, readCounts(last));
    try {
      this.#attach(agreed, direction);
    } catch (error) {
      this.#restore();
      throw error;
    }
    this.#runs(agreed);
  }

  /** Where that fails as well there is silence, until another update or the end. */
  #restore(): void {
    try {
      this.#attach(this.#agreed!, this.#direction!);
    } catch {
      // What is to be told is why the new one failed.
    }
  }

  #attach(agreed: Agreed, direction: MediaDirection): void {
    this.transport.renegotiate(agreed.local, agreed.remote, agreed.index);
    const args = this.#argumentsFor(agreed, direction);
    check(
      running().sc_audio_transport_attach(this.#serial!, args.block, args.size),
      "Could not change the audio stream",
    );
  }

  /**
   * Which way sound flows from now on, after a negotiation: `update()` does it by itself.
   *
   * @throws RangeError for no direction; SIPCoreInvalidStateError when it is not active.
   */
  updateDirection(direction: MediaDirection): void {
    checkDirection(direction);
    if (this.#serial === null) throw notActive();
    check(
      running().sc_audio_transport_set_direction(this.#serial, directionBits[direction]),
      "Could not set the direction",
    );
    const received = receives(this.#direction);
    this.#direction = direction;
    // What did not come while nothing was to come is nothing to tell.
    if (!receives(direction)) this.#watch?.stop();
    else if (!received) this.#watch?.start();
  }

  /**
   * Sends one DTMF digit (RFC 4733): "0" to "9", "*", "#", "A" to "D", for 200 ms. Several go one after the other with
   * 60 ms between them; up to 32 wait.
   *
   * @throws RangeError for another; SIPCoreInvalidStateError when it is not active, or does not send; PJSIPError when
   * the peer takes none, or too many wait.
   */
  sendDtmf(digit: string): void {
    if (typeof digit !== "string") throw new TypeError("digit must be a string");
    if (!/^[0-9*#A-Da-d]$/.test(digit)) throw new RangeError(`digit must be one of 0-9*#A-D, got "${digit}"`);
    if (this.#serial === null) throw notActive();
    if (!sends(this.#direction)) {
      throw new SIPCoreInvalidStateError(
        `Could not send DTMF: the direction is ${this.#direction}`,
        this.#direction,
      );
    }
    check(running().sc_audio_transport_send_dtmf(this.#serial, cstring(digit)), "Could not send DTMF");
  }

  /**
   * The sound of the call in the program's hands: a port that is started and joined both ways. It ends with this, or
   * by its own `stop()`.
   *
   * @throws SIPCoreInvalidStateError when this is not active; what `new PCMPort()` and its `start()` throw.
   */
  pcm(options: PCMPortOptions = {}): PCMPort {
    if (this.#slot === null) throw new SIPCoreInvalidStateError("The audio transport is not active", null);
    const port = new PCMPort(this.mixer, options);
    try {
      port.start();
      this.mixer.connectSlots(this, port);
      this.mixer.connectSlots(port, this);
    } catch (error) {
      port.stop();
      throw error;
    }
    this.#ports.add(port);
    port.whenEnded(() => this.#ports.delete(port));
    return port;
  }

  /** Ends the stream and readies the RTP transport for another use. Quiet the second time. */
  stop(): void {
    if (this.#serial === null) return;
    this.#count();
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
    this.#count();
  }

  /** @internal */
  engineStopped(): void {
    this.#watch?.stop();
    if (this.#serial === null) return;
    for (const port of this.#ports) port.stop();
    release(this.#serial, this);
    if (this.#slot !== null) leaveMixer(this.mixer, this.#slot);
    this.#serial = null;
    this.#slot = null;
    endSender(this);
  }
}

function notActive(): SIPCoreInvalidStateError {
  return new SIPCoreInvalidStateError("The audio transport is not active", null);
}

/** As they are now: what the program does to its own later is no negotiation. */
function agreedOn(local: BaseSDPSession, remote: BaseSDPSession, index: number): Agreed {
  return { local: FrozenSDPSession.from(local), remote: FrozenSDPSession.from(remote), index };
}

/** False where a side has refused it. Throws RangeError where there is none. */
function hasStream({ local, remote, index }: Agreed): boolean {
  const [ours, theirs] = [local.media[index], remote.media[index]];
  if (!ours || !theirs) throw new RangeError(`There is no stream at index ${index} in both descriptions`);
  return ours.port !== 0 && theirs.port !== 0;
}

function keyOf({ local, remote, index }: Agreed, byIce: boolean): string {
  return streamKey(local, remote, index, byIce);
}

/** Whether the peer's description wants ICE. */
function hasIce({ remote, index }: Agreed): boolean {
  return remote.media[index]!.hasIceAttributes || remote.attributes.has("ice-ufrag");
}

function checkSeconds(value: unknown, argument: string): number {
  if (typeof value !== "number") throw new TypeError(`${argument} must be a number of seconds`);
  if (!(value >= 0 && value <= 2147483)) {
    throw new RangeError(`${argument} must be 0 or more seconds, got ${value}`);
  }
  return value;
}
