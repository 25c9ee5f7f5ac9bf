// SPDX-License-Identifier: GPL-2.0-or-later

/** What one run of a client, of either kind, found out about a server. */
export interface Measurement {
  /** Requests or calls that were started. */
  requests: number;
  /** Those that did not end with 200. */
  lost: number;
  /** Requests that the client had to repeat; null: it does not count them. */
  resent: number | null;
  /** Of 100 answers 99 came within so many ms, as fine as SIPp's clock of 1 ms; null: not counted. */
  p99: number | null;
  /** Answered per second. */
  rate: number;
  /** The server's CPU time in µs per request, all threads. */
  cpu: number;
  /** Of 100 parts of that time those that the runtime's own threads took; null: there is no runtime, or it is not asked. */
  script?: number | null;
  /** The server's resident memory in MiB at the end. */
  rss: number;
}
