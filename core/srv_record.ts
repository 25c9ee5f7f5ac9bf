// SPDX-License-Identifier: GPL-2.0-or-later

/** What an SRV record says of a server (RFC 2782). */
export interface SRVRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly name: string;
}

/**
 * The first `most` of these records in the order of RFC 2782: lower priorities first, among equal ones by lot, each
 * with the chance that its weight gives it.
 *
 * @param random gives numbers from 0 to below 1.
 */
export function orderRecords<T extends SRVRecord>(
  records: readonly T[],
  most: number,
  random: () => number,
): T[] {
  const ordered: T[] = [];
  // Those of weight 0 stand first, so that they have a chance at all.
  const left = records.toSorted((a, b) => a.priority - b.priority || a.weight - b.weight);
  while (left.length > 0 && ordered.length < most) {
    const end = left.findIndex(({ priority }) => priority !== left[0]!.priority);
    const equal = end < 0 ? left.length : end;
    const total = left.slice(0, equal).reduce((sum, { weight }) => sum + weight, 0);
    let lot = Math.floor(random() * (total === 0 ? equal : total + 1));
    const chosen = total === 0 ? lot : left.findIndex(({ weight }) => (lot -= weight) <= 0);
    ordered.push(...left.splice(chosen, 1));
  }
  return ordered;
}
