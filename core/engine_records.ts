// SPDX-License-Identifier: GPL-2.0-or-later
/** The records that are the engine's own, as its notifications. */
import { records } from "../ffi/bindings/records.ts";
import type { Reader } from "../ffi/wire.ts";
import { readCertificate, readConnection } from "./connection.ts";
import { connectionLost } from "./connection_losses.ts";
import { devicesChanged } from "./devices.ts";
import { post, postLazily, postWarning } from "./dispatch.ts";
import type { Engine } from "./engine.ts";
import { emptyHeaderMap } from "./header_map.ts";
import { readPeerMessage, transportName } from "./peer_message.ts";

type Post = (engine: Engine, reader: Reader, timestamp: Date) => void;

const posts: ReadonlyMap<number, Post> = new Map<number, Post>([
  [records.SC_RECORD_LOG, postLog],
  [records.SC_RECORD_TRACE, postTrace],
  [records.SC_RECORD_DROPPED, (_engine, reader) => {
    const count = reader.u32();
    postWarning("log-dropped", count, `${count} lines of log and trace were dropped: they came too fast`);
  }],
  [records.SC_RECORD_TRANSPORT, postConnection],
  [records.SC_RECORD_CERTIFICATE, postCertificate],
  [records.SC_RECORD_MESSAGE, postMessage],
  [records.SC_RECORD_DEVICES, devicesChanged],
  [records.SC_RECORD_OVERLOAD, (_engine, reader) => {
    const count = reader.u32();
    postWarning("overload", count, `${count} requests were refused with 503: too many wait for the program`);
  }],
]);

/** Posts what the record tells; false for a record of something else. */
export function postEngineRecord(engine: Engine, kind: number, timestamp: Date, reader: Reader): boolean {
  const postRecord = posts.get(kind);
  postRecord?.(engine, reader, timestamp);
  return postRecord !== undefined;
}

function postLog(engine: Engine, reader: Reader, timestamp: Date): void {
  const level = reader.u32();
  const [, sender = "", message = ""] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(reader.text()) ?? [];
  post("SIPEngineLog", engine, { sender, level, message }, { timestamp });
}

function postTrace(engine: Engine, reader: Reader, timestamp: Date): void {
  const received = reader.u8() === 1;
  const transport = transportName(reader.text()) ?? "udp";
  const local = { ip: reader.text(), port: reader.u32() };
  const remote = { ip: reader.text(), port: reader.u32() };
  const [source, destination] = received ? [remote, local] : [local, remote];
  post("SIPEngineSIPTrace", engine, {
    received,
    sourceIp: source.ip,
    sourcePort: source.port,
    destinationIp: destination.ip,
    destinationPort: destination.port,
    transport,
    data: reader.text(),
  }, { timestamp });
}

function postConnection(engine: Engine, reader: Reader, timestamp: Date): void {
  const { connected, connection, reason } = readConnection(reader);
  if (connected) post("SIPEngineTransportDidConnect", engine, connection, { timestamp });
  else {
    post("SIPEngineTransportDidDisconnect", engine, { ...connection, reason }, { timestamp });
    connectionLost(connection);
  }
}

function postCertificate(engine: Engine, reader: Reader, timestamp: Date): void {
  const { refused, shown, errors } = readCertificate(reader);
  if (refused) {
    const data = { ...shown, reason: errors.join("; "), certificateErrors: errors };
    post("SIPEngineTransportGotCertificateError", engine, data, { timestamp });
  } else {
    const data = { ...shown, verified: shown.verifyStatus === 0 };
    post("SIPEngineTransportDidVerifyCertificate", engine, data, { timestamp });
  }
}

function postMessage(engine: Engine, reader: Reader, timestamp: Date): void {
  const peer = readPeerMessage(reader);
  postLazily("SIPEngineGotMessage", engine, timestamp, () => {
    const { message } = peer;
    return {
      get requestUri() {
        return message?.requestUri ?? null;
      },
      get fromHeader() {
        return message?.from ?? null;
      },
      get toHeader() {
        return message?.to ?? null;
      },
      get contentType() {
        return message?.contentType ?? null;
      },
      headers: message?.headers ?? emptyHeaderMap,
      get body() {
        return message?.body ?? null;
      },
    };
  });
}
