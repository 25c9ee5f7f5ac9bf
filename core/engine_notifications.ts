// SPDX-License-Identifier: GPL-2.0-or-later
import type { Body } from "./body.ts";
import type { EngineTransportCertificate, EngineTransportConnection } from "./connection.ts";
import type { Engine } from "./engine.ts";
import type { HeaderMap } from "./header_map.ts";
import type { FrozenContentTypeHeader, FrozenFromHeader, FrozenToHeader } from "./headers.ts";
import type { EngineNATDetection } from "./nat_detections.ts";
import type { Note } from "./notification.ts";
import type { FrozenSIPURI } from "./uri.ts";

/** One line of PJSIP's log. */
export interface EngineLogLine {
  /** The part of PJSIP that wrote the line. */
  sender: string;
  /** 1 (most critical) to 6. */
  level: number;
  /** The text of the line. */
  message: string;
}

/**
 * One SIP message as it was on the wire.
 *
 * For a received message the destination, for a sent one the source may not be reliable.
 */
export interface EngineSIPTrace {
  /** True for a message that came in, false for one that went out. */
  received: boolean;
  /** The address it came from. */
  sourceIp: string;
  /** The port it came from. */
  sourcePort: number;
  /** The address it went to. */
  destinationIp: string;
  /** The port it went to. */
  destinationPort: number;
  /** What carried it: "udp", "tcp" or "tls". */
  transport: string;
  /** The whole message. */
  data: string;
}

/** A MESSAGE outside dialogs; the stack has answered it with 200. */
export interface EngineMessage {
  /** Null for what is no sip or sips URI. */
  requestUri: FrozenSIPURI | null;
  /** Null for a sender that is not named by a sip or sips URI; `headers` has it all the same. */
  fromHeader: FrozenFromHeader | null;
  /** Null for a receiver that is not named by a sip or sips URI. */
  toHeader: FrozenToHeader | null;
  /** The content type; null when there is none. */
  contentType: FrozenContentTypeHeader | null;
  /** All headers of the message; empty where there was none. */
  headers: HeaderMap;
  /** A string for text, else bytes; null for none. */
  body: Body | null;
}

/** An exception that the core caught: a defect of an observer of the application, or of the core. */
export interface EngineException {
  /** The name of the error ("TypeError"); the `typeof` of what was thrown if it was no Error. */
  type: string;
  /** What was thrown, as it was. */
  value: unknown;
  /** Name, message, stack and causes as text. */
  traceback: string;
  /** True if the engine cannot go on: SIPEngineDidFail follows. */
  fatal: boolean;
}

/** What a SIPEngineGotWarning is about. */
export type EngineWarningKind = "slow-stream" | "overload" | "log-dropped" | "forgotten" | "sound-device";

/** Something that works and should not be left so. */
export interface EngineWarning {
  /** What the warning is about. */
  kind: EngineWarningKind;
  /** How many: notifications pending, requests refused, lines dropped, objects forgotten, devices lost. */
  count: number;
  /** The warning as a sentence. */
  message: string;
}

/** The notifications whose sender is the engine. */
export interface EngineNotifications {
  /** The engine is about to start. */
  SIPEngineWillStart: Note<Engine>;
  /** The engine has started. */
  SIPEngineDidStart: Note<Engine>;
  /** The engine could not start, or failed and is about to end. */
  SIPEngineDidFail: Note<Engine>;
  /** The engine is about to end because `stop()` was called. */
  SIPEngineWillEnd: Note<Engine>;
  /** The engine has ended; the last notification of a run. */
  SIPEngineDidEnd: Note<Engine>;
  /** PJSIP wrote a log line. */
  SIPEngineLog: Note<Engine, EngineLogLine>;
  /** A SIP message was sent or received; only while `traceSip` is on. */
  SIPEngineSIPTrace: Note<Engine, EngineSIPTrace>;
  /** A MESSAGE came that `incomingRequests` does not name (RFC 3428). */
  SIPEngineGotMessage: Note<Engine, EngineMessage>;
  /** An exception was caught. */
  SIPEngineGotException: Note<Engine, EngineException>;
  /** Something needs attention. */
  SIPEngineGotWarning: Note<Engine, EngineWarning>;
  /** Sound devices have come or gone: the names before and after (`Engine.soundDevices`). */
  AudioDevicesDidChange: Note<Engine, { oldDevices: readonly string[]; newDevices: readonly string[] }>;
  /** "system_default" is another device than before; a mixer stays with its own until `setSoundDevices()`. */
  DefaultAudioDeviceDidChange: Note<Engine, { changedInput: boolean; changedOutput: boolean }>;
  /** A connection was made, by us or by the peer. */
  SIPEngineTransportDidConnect: Note<Engine, EngineTransportConnection>;
  /** A connection is gone, or one that we wanted to make never came about; once per connection. */
  SIPEngineTransportDidDisconnect: Note<Engine, EngineTransportConnection & { reason: string }>;
  /** A TLS server has shown its certificate; `verified`: it is good and bears the name. The connection follows. */
  SIPEngineTransportDidVerifyCertificate: Note<Engine, EngineTransportCertificate & { verified: boolean }>;
  /** A TLS server was refused for its certificate; what went to it fails with 503, and nothing reached it. */
  SIPEngineTransportGotCertificateError: Note<
    Engine,
    EngineTransportCertificate & { reason: string; certificateErrors: readonly string[] }
  >;
  /** A call of `detectNatType()` is answered: `natType` when it succeeded, else `error`. */
  SIPEngineDetectedNATType: Note<Engine, EngineNATDetection>;
}
