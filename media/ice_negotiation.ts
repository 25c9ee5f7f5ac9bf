// SPDX-License-Identifier: GPL-2.0-or-later
import type { EndpointAddress } from "../core/endpoint_address.ts";
import type { Reader } from "../ffi/wire.ts";

/**
 * Where ICE stands.
 *
 * - "NULL": nothing has begun.
 * - "GATHERING": our candidates are being found. "GATHERING_COMPLETE": they are there, and no call uses them.
 * - "NEGOTIATION_START": they are in a description.
 * - "NEGOTIATING": both descriptions are known, pairs are checked.
 * - "RUNNING": a pair is chosen. "FAILED": no pair works.
 */
export type ICEState =
  | "NULL"
  | "GATHERING"
  | "GATHERING_COMPLETE"
  | "NEGOTIATION_START"
  | "NEGOTIATING"
  | "RUNNING"
  | "FAILED";

/** What kind of address a candidate is: an interface's, one seen by a STUN server, by the peer, or a TURN relay's. */
export type ICECandidateType = "host" | "srflx" | "prflx" | "relay";

/** An address at which one side may be reached. */
export interface ICECandidate {
  /** Its number in its list. */
  readonly id: number;
  /** What it is for: sound, or reports about it. */
  readonly component: "RTP" | "RTCP";
  /** What kind of address it is. */
  readonly type: ICECandidateType;
  /** An IP address. */
  readonly address: string;
  /** The port. */
  readonly port: number;
  /** RFC 8445, section 5.1.2. */
  readonly priority: number;
}

/** How far a check came (RFC 8445, section 6.1.2.6). */
export type ICECheckState = "FROZEN" | "WAITING" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED";

/** A pair of candidates that was to be checked. */
export interface ICECheck {
  /** Its number in the list. */
  readonly id: number;
  /** What it is for: sound, or reports about it. */
  readonly component: "RTP" | "RTCP";
  /** Ours. */
  readonly source: EndpointAddress;
  /** The peer's. */
  readonly destination: EndpointAddress;
  /** Whether it was nominated to be used. */
  readonly nominated: boolean;
  /** How far it came. */
  readonly state: ICECheckState;
}

/** The candidates of one side that were chosen; null: the component is not in use. */
export interface ICEChosenCandidates {
  /** For the sound. */
  readonly rtp: ICECandidate | null;
  /** For the reports about it. */
  readonly rtcp: ICECandidate | null;
}

/** How ICE has found a way. */
export interface ICEResult {
  /** From the start of the checks on, in seconds. */
  readonly duration: number;
  /** Ours that are in use. */
  readonly chosenLocalCandidates: ICEChosenCandidates;
  /** The peer's that are in use. */
  readonly chosenRemoteCandidates: ICEChosenCandidates;
  /** All of ours. */
  readonly localCandidates: readonly ICECandidate[];
  /** All of the peer's. */
  readonly remoteCandidates: readonly ICECandidate[];
  /** The pairs that were checked. */
  readonly connectivityChecksResults: readonly ICECheck[];
}

/** In pjnath's order (pj_ice_cand_type, pj_ice_sess_check_state). */
const types: readonly ICECandidateType[] = ["host", "srflx", "prflx", "relay"];
const checkStates: readonly ICECheckState[] = ["FROZEN", "WAITING", "IN_PROGRESS", "SUCCEEDED", "FAILED"];

const component = (id: number): "RTP" | "RTCP" => id === 1 ? "RTP" : "RTCP";

export function readCandidate(reader: Reader): ICECandidate {
  const id = reader.u32();
  return {
    id,
    component: component(reader.u32()),
    type: types[reader.u32()] ?? "host",
    address: reader.text(),
    port: reader.u32(),
    priority: reader.u32(),
  };
}

function readEndpoint(reader: Reader): EndpointAddress {
  const ip = reader.text();
  return { ip, port: reader.u32() };
}

function readCheck(reader: Reader): ICECheck {
  return {
    id: reader.u32(),
    component: component(reader.u32()),
    source: readEndpoint(reader),
    destination: readEndpoint(reader),
    nominated: reader.u32() !== 0,
    state: checkStates[reader.u32()] ?? "FAILED",
  };
}

function readList<T>(reader: Reader, read: (reader: Reader) => T): T[] {
  return Array.from({ length: reader.u32() }, () => read(reader));
}

/** What shim/ice.c has written of a session (write_session()). */
export function readResult(duration: number, reader: Reader): ICEResult {
  const chosen = Array.from(
    { length: 2 },
    () => reader.u32() === 0 ? null : { local: readCandidate(reader), remote: readCandidate(reader) },
  );
  const side = (name: "local" | "remote"): ICEChosenCandidates => ({
    rtp: chosen[0]?.[name] ?? null,
    rtcp: chosen[1]?.[name] ?? null,
  });
  return {
    duration,
    chosenLocalCandidates: side("local"),
    chosenRemoteCandidates: side("remote"),
    localCandidates: readList(reader, readCandidate),
    remoteCandidates: readList(reader, readCandidate),
    connectivityChecksResults: readList(reader, readCheck),
  };
}
