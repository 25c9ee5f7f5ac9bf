// SPDX-License-Identifier: GPL-2.0-or-later
/** Who wants to know that a connection is lost; the engine tells. */
import type { EngineTransportConnection } from "./connection.ts";

const waiting = new Map<string, Set<() => void>>();

/** The name of a connection: its transport and both of its ends. */
export function connectionName(
  { transport, localAddress, remoteAddress }: EngineTransportConnection,
): string {
  return `${transport} ${localAddress} ${remoteAddress}`;
}

/** Calls `lost` once when the connection of this name is lost; the result takes that back. */
export function onConnectionLost(name: string, lost: () => void): () => void {
  const all = waiting.get(name) ?? new Set();
  waiting.set(name, all.add(lost));
  return () => {
    all.delete(lost);
    if (all.size === 0 && waiting.get(name) === all) waiting.delete(name);
  };
}

/** A connection is lost. */
export function connectionLost(connection: EngineTransportConnection): void {
  const name = connectionName(connection);
  const all = waiting.get(name);
  waiting.delete(name);
  for (const lost of all ?? []) lost();
}
