// SPDX-License-Identifier: GPL-2.0-or-later
import type { Reader } from "../ffi/wire.ts";

/** Of a quantity that was measured `count` times, in microseconds. */
export interface Measure {
  /** How often it was measured. */
  readonly count: number;
  /** The greatest value. */
  readonly max: number;
  /** The least value. */
  readonly min: number;
  /** The latest value. */
  readonly last: number;
  /** The mean value. */
  readonly avg: number;
}

/** One direction of a stream. */
export interface StreamStatistics {
  /** How many packets. */
  readonly packets: number;
  /** Payload only. */
  readonly bytes: number;
  /** Packets that came too late, or could not be used. */
  readonly packetsDiscarded: number;
  /** Packets that never came. */
  readonly packetsLost: number;
  /** Packets that came after a later one. */
  readonly packetsReordered: number;
  /** Packets that came again. */
  readonly packetsDuplicate: number;
  /** Whether losses came in bursts. */
  readonly burstLoss: boolean;
  /** Whether losses came one by one. */
  readonly randomLoss: boolean;
  /** How long losses lasted. */
  readonly lossPeriod: Measure;
  /** How much the times of arrival vary. */
  readonly jitter: Measure;
}

/** What RTP and RTCP have told of a stream (RFC 3550; `pjmedia_rtcp_stat`). */
export interface AudioStatistics {
  /** The round trip, by RTCP. */
  readonly rtt: Measure;
  /** What came. */
  readonly rx: StreamStatistics;
  /** What went; loss and jitter as the peer reports them. */
  readonly tx: StreamStatistics;
  /** The estimated mean opinion score of what is heard, 1 to 4.5 (ITU-T G.107, simplified); null before any sound. */
  readonly mos: number | null;
}

function readMeasure(reader: Reader): Measure {
  return {
    count: reader.i32(),
    max: reader.i32(),
    min: reader.i32(),
    last: reader.i32(),
    avg: reader.i32(),
  };
}

function readStream(reader: Reader): StreamStatistics {
  return {
    packets: reader.u32(),
    bytes: reader.u32(),
    packetsDiscarded: reader.u32(),
    packetsLost: reader.u32(),
    packetsReordered: reader.u32(),
    packetsDuplicate: reader.u32(),
    burstLoss: reader.u32() === 1,
    randomLoss: reader.u32() === 1,
    lossPeriod: readMeasure(reader),
    jitter: readMeasure(reader),
  };
}

/** The E-model with G.711's robustness: delay from the round trip and twice the jitter, loss as it was counted. */
export function estimateMos(rtt: Measure, rx: StreamStatistics): number | null {
  if (rx.packets === 0) return null;
  const delay = rtt.avg / 2000 + 2 * rx.jitter.avg / 1000 + 20;
  const loss = 100 * rx.packetsLost / (rx.packets + rx.packetsLost);
  const delayImpairment = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0);
  const lossImpairment = 95 * loss / (loss + 25.1);
  const r = Math.min(93.2, Math.max(0, 93.2 - delayImpairment - lossImpairment));
  return 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r);
}

/** Reads the answer of sc_audio_transport_statistics(). */
export function readStatistics(reader: Reader): AudioStatistics {
  const rtt = readMeasure(reader);
  const rx = readStream(reader);
  const tx = readStream(reader);
  return { rtt, rx, tx, mos: estimateMos(rtt, rx) };
}
