// SPDX-License-Identifier: GPL-2.0-or-later
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/**
 * An IP address of that host (a name, or an address itself), of the family of ours; without ours IPv4 comes first: NATs
 * are about it.
 *
 * @throws Error with a text for people; the signal's reason.
 */
export async function hostAddress(host: string, ours: string | null, signal: AbortSignal): Promise<string> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  const addresses = await Promise.race([addressesOf(host), aborted]);
  const families = ours === null ? [4, 6] : [isIP(ours)];
  const [address] = families.flatMap((family) => addresses.filter((one) => isIP(one) === family));
  if (address === undefined) throw new Error(`${host} has no address of the kind of ${ours}`);
  return address;
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw new Error(`Could not resolve ${host}: ${(error as Error).message}`, { cause: error });
  }
}
