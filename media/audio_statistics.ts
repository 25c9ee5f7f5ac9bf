// SPDX-License-Identifier: GPL-2.0-or-later
import type { Reader } from "../ffi/wire.ts";
import { estimateMos } from "./mos.ts";

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
  /** Whether several packets were lost in a row. */
  readonly burstLoss: boolean;
  /** Whether single packets were lost. */
  readonly randomLoss: boolean;
  /** How long what was lost in a row would have sounded. */
  readonly lossPeriod: Measure;
  /** The interarrival jitter (RFC 3550, section 6.4.1). */
  readonly jitter: Measure;
}

/**
 * What RTP and RTCP have told of a stream (RFC 3550), from its start on: changes of codec or address do not begin anew.
 */
export interface AudioStatistics {
  /** The round trip, by the peer's reports on ours. */
  readonly rtt: Measure;
  /** What came. */
  readonly rx: StreamStatistics;
  /** What went; loss and jitter as the peer reports them, about every 5 seconds. */
  readonly tx: StreamStatistics;
  /**
   * The mean opinion score that may be expected of what is heard, 1 to 4.5, by the E-model (ITU-T G.107) with its
   * default values; null before any sound. R = 93.2 - Id - Ie,eff. Id = 0.024 d + 0.11 (d - 177.3) where d > 177.3:
   * d is half the round trip, what the jitter buffer keeps and one packet, in ms. Ie,eff = Ie + (95 - Ie) p / (p + Bpl),
   * p being the percentage that was lost; Ie and Bpl are the codec's (G.113, appendix I). MOS = 1 + 0.035 R +
   * 0.000007 R (R - 60)(100 - R). Wide-band codecs count as good as G.711, since the scale is that of narrow band.
   */
  readonly mos: number | null;
}

/** What was counted, without what follows from it. */
export interface AudioCounts {
  readonly rtt: Measure;
  readonly rx: StreamStatistics;
  readonly tx: StreamStatistics;
  /** What the jitter buffer keeps, in ms. */
  readonly bufferDelay: number;
  /** What a packet has of sound, in ms. */
  readonly packetTime: number;
}

function readMeasure(reader: Reader): Measure {
  const [count, max, min, last, avg] = [reader.i32(), reader.i32(), reader.i32(), reader.i32(), reader.i32()];
  // pjmedia's least is -1 before it has one.
  return { count, max, min: Math.max(min, 0), last, avg };
}

type Read = Omit<StreamStatistics, "burstLoss" | "randomLoss">;

function readStream(reader: Reader): Read {
  return {
    packets: reader.u32(),
    bytes: reader.u32(),
    packetsDiscarded: reader.u32(),
    packetsLost: reader.u32(),
    packetsReordered: reader.u32(),
    packetsDuplicate: reader.u32(),
    lossPeriod: readMeasure(reader),
    jitter: readMeasure(reader),
  };
}

function withLossTypes(read: Read, packetTime: number): StreamStatistics {
  const { count, max, min } = read.lossPeriod;
  // pjmedia cuts a period to whole ms.
  const one = (packetTime + 1) * 1000;
  return { ...read, burstLoss: count > 0 && max > one, randomLoss: count > 0 && min <= one };
}

/** Reads the answer of sc_audio_transport_statistics(). */
export function readCounts(reader: Reader): AudioCounts {
  const rtt = readMeasure(reader);
  const [rx, tx] = [readStream(reader), readStream(reader)];
  const bufferDelay = reader.u32();
  const packetTime = reader.u32() / 1000;
  return {
    rtt,
    rx: withLossTypes(rx, packetTime),
    tx: withLossTypes(tx, packetTime),
    bufferDelay,
    packetTime,
  };
}

function addMeasures(a: Measure, b: Measure): Measure {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  return {
    count,
    max: Math.max(a.max, b.max),
    min: Math.min(a.min, b.min),
    last: b.last,
    avg: Math.round((a.avg * a.count + b.avg * b.count) / count),
  };
}

function addStreams(a: StreamStatistics, b: StreamStatistics): StreamStatistics {
  return {
    packets: a.packets + b.packets,
    bytes: a.bytes + b.bytes,
    packetsDiscarded: a.packetsDiscarded + b.packetsDiscarded,
    packetsLost: a.packetsLost + b.packetsLost,
    packetsReordered: a.packetsReordered + b.packetsReordered,
    packetsDuplicate: a.packetsDuplicate + b.packetsDuplicate,
    burstLoss: a.burstLoss || b.burstLoss,
    randomLoss: a.randomLoss || b.randomLoss,
    lossPeriod: addMeasures(a.lossPeriod, b.lossPeriod),
    jitter: addMeasures(a.jitter, b.jitter),
  };
}

/** Of two streams that followed each other in one transport. */
export function addCounts(earlier: AudioCounts | null, later: AudioCounts): AudioCounts {
  if (!earlier) return later;
  return {
    rtt: addMeasures(earlier.rtt, later.rtt),
    rx: addStreams(earlier.rx, later.rx),
    tx: addStreams(earlier.tx, later.tx),
    bufferDelay: later.bufferDelay,
    packetTime: later.packetTime,
  };
}

/** What a program sees of them. */
export function statisticsOf(counts: AudioCounts, codec: string, sampleRate: number): AudioStatistics {
  const { rtt, rx, tx, bufferDelay, packetTime } = counts;
  const heard = rx.packets - rx.packetsDuplicate;
  const mos = rx.bytes === 0 ? null : estimateMos({
    codec,
    sampleRate,
    delay: rtt.avg / 2000 + bufferDelay + packetTime,
    loss: 100 * rx.packetsLost / (heard + rx.packetsLost),
  });
  return { rtt, rx, tx, mos };
}
