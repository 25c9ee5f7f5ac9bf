// SPDX-License-Identifier: GPL-2.0-or-later
/** What `call` and `listen` share: the mixer, the sound of a call, and how a call is told of. */
import { accessSync, constants } from "node:fs";
import { AudioMixer, type AudioTransport, type Invitation, NotificationCenter } from "../mod.ts";
import { Call, type CallOptions } from "./call.ts";
import type { CallEvent, CallReport } from "./call_report.ts";
import type { Input, Options, Values } from "./command.ts";
import { failedHere, Failure } from "./exit_status.ts";
import type { Output } from "./output.ts";
import type { SoundOptions } from "./sound.ts";
import { readURI } from "./station.ts";

/** Wide enough for G.722 and Opus. */
const mixerRate = 16000;

export const sound: Options = {
  play: { value: "WAV", help: "play this file (mono, 16 bit)" },
  loop: { help: "over and over" },
  record: { value: "WAV", help: "record what is heard" },
  echo: { help: "give back what is heard, after --play" },
  input: { value: "DEVICE", help: "talk with this sound device; see sipcore devices" },
  output: { value: "DEVICE", help: "hear with this sound device" },
  codec: { value: "NAME", help: "only this codec, such as PCMU, G722 or opus" },
  srtp: { help: "encrypt the sound with peers that can" },
  "srtp-only": { help: "no sound with peers that cannot" },
  stun: { value: "HOST[:PORT]", help: "find a way through NATs (ICE), with the help of this STUN server" },
};

/**
 * The mixer of all calls, with the devices that the options name.
 *
 * @throws {Failure} when the file to be played cannot be read.
 */
export function openMixer({ values }: Pick<Input, "values">): AudioMixer {
  const file = values.text("play");
  try {
    if (file !== null) accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new Failure(`Cannot read ${file}: ${(cause as Error).message}`, failedHere, { cause });
  }
  return new AudioMixer(values.text("input"), values.text("output"), { sampleRate: mixerRate });
}

export interface TalkOptions extends Pick<Input, "values" | "output"> {
  readonly mixer: AudioMixer;
  readonly address: string;
  /** Where it is recorded; null: nowhere. */
  readonly record: string | null;
  /** When an incoming call came; null for an outgoing one. */
  readonly started: Date | null;
  /** Hangs up so many seconds after the answer; null: not by itself. */
  readonly hangUpAfter: number | null;
  /** Hangs up once the file was played. */
  readonly endsWithFile: boolean;
  /** What to dial once it is answered. */
  readonly digits: string;
}

/** A call that is told of from its beginning to its end. */
export function talk(invitation: Invitation, options: TalkOptions): Call {
  const { values, output, mixer, address, record, started, hangUpAfter, endsWithFile, digits } = options;
  const report = (event: CallEvent): void => {
    if (event.type === "talk") {
      const { codec, sampleRate } = event;
      const { isSecure } = call.sound;
      const text = `Sound by ${codec} at ${sampleRate / 1000} kHz${isSecure ? ", encrypted" : ""}`;
      output.event("talk", { codec, sampleRate, srtp: isSecure }, text);
      joinDevices(mixer, call.sound.audio!, values.text("input"), values.text("output"));
    } else if (event.type === "played") {
      output.event("played", {}, null);
      if (endsWithFile) call.hangUp();
    } else if (event.type === "note") output.remark(`${event.name} ${event.text}`);
  };
  const callOptions: CallOptions = {
    mixer,
    address,
    play: values.text("play"),
    record,
    loop: values.has("loop"),
    echo: values.has("echo"),
    hangUpAfter,
    report,
    rtp: rtpOptions(values),
  };
  const call: Call = new Call(invitation, callOptions, started);
  tell(invitation, call, output, digits);
  return call;
}

/** Encryption and ICE, as the options want them. */
function rtpOptions(values: Values): SoundOptions["rtp"] & object {
  const stun = values.text("stun");
  const server = stun === null ? null : readURI(stun);
  return {
    useSrtp: values.has("srtp") || values.has("srtp-only"),
    srtpForced: values.has("srtp-only"),
    ...(server &&
      { useIce: true, iceStunAddress: server.host, ...(server.port && { iceStunPort: server.port }) }),
  };
}

/** Slot 0 of the mixer is its sound device. */
function joinDevices(
  mixer: AudioMixer,
  audio: AudioTransport,
  input: string | null,
  output: string | null,
): void {
  if (input !== null) mixer.connectSlots(0, audio);
  if (output !== null) mixer.connectSlots(audio, 0);
}

function tell(invitation: Invitation, call: Call, output: Output, digits: string): void {
  const leaving = new AbortController();
  const { signal } = leaving;
  const center = new NotificationCenter();
  center.addObserver(({ data }) => {
    const { state, code, reason, timestamp } = data;
    if (state === "disconnected") return;
    const text = [state, code === null ? "" : `${code} ${reason ?? ""}`].join(" ").trim();
    output.event("state", { state, code, reason }, text, timestamp);
    if (state === "connected" && digits !== "") dial(call, digits);
  }, { name: "SIPInvitationChangedState", sender: invitation, signal });
  center.addObserver(({ sender, data }) => {
    if (sender !== call.sound.audio) return;
    output.event("dtmf", { digit: data.digit, duration: data.duration }, `Key ${data.digit}`, data.timestamp);
  }, { name: "RTPAudioTransportGotDTMF", signal });
  const end = () => leaving.abort();
  call.ended.then(end, end);
}

function dial(call: Call, digits: string): void {
  // In the moment of the answer the stream may not have been started yet.
  setTimeout(() => {
    const audio = call.sound.audio;
    if (audio?.isActive) { for (const digit of digits) audio.sendDtmf(digit); }
  }, 200);
}

/** The end of a call, in a line and in facts. */
export function tellEnd(report: CallReport, output: Output): void {
  const { peer, code, reason, cause, endedBy, ringing, setUp, length, codec, received, sent, recording } =
    report;
  const why = code === null ? cause ?? reason ?? "" : `${code} ${reason ?? ""}`.trim();
  const parts = setUp === null ? [`Not answered: ${why}`] : [
    `${endedBy === "remote" ? "The other side" : "We"} ended after ${((length ?? 0) / 1000).toFixed(1)} s`,
    ...(received === null ? [] : [`${received.packets} packets came, ${received.arrival?.lost ?? 0} lost`]),
    ...(recording === null ? [] : [`recorded in ${recording}`]),
  ];
  output.event("ended", {
    ...{ peer, code, reason, cause, endedBy, ringing, setUp, length, codec, recording },
    received: received &&
      { packets: received.packets, bytes: received.bytes, lost: received.arrival?.lost ?? null },
    sent: sent && { packets: sent.packets, bytes: sent.bytes, lost: sent.arrival?.lost ?? null },
  }, parts.join("; "));
}
