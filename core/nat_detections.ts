// SPDX-License-Identifier: GPL-2.0-or-later
import { engineSender, post } from "./dispatch.ts";
import { hostAddress } from "./host_address.ts";
import { findNatType, type NATType } from "./nat_type.ts";
import { canonicalAddress } from "./stun_message.ts";

/** After so many milliseconds a detection is given up, wherever it stands. */
const timeLimit = 10_000;

const anyAddresses = new Set(["0.0.0.0", "::"]);

/** What became of one call of `Engine.detectNatType()`. */
export type EngineNATDetection =
  | { succeeded: true; userData: unknown; natType: NATType; error: null }
  | { succeeded: false; userData: unknown; natType: null; error: string };

/** A call of `Engine.detectNatType()`. */
export interface NATDetectionRequest {
  /** An IP address or a name. */
  readonly host: string;
  readonly port: number;
  readonly userData: unknown;
  /** The engine's ipAddress. */
  readonly ipAddress: string | null;
  /** The local address that packets to that one leave from. */
  readonly localAddressTowards: (remote: string) => string;
}

/** The detections of one run of the engine. Each posts exactly one SIPEngineDetectedNATType. */
export class NATDetections {
  readonly #running: Map<AbortController, Promise<void>> = new Map();

  start(request: NATDetectionRequest): void {
    const ending = new AbortController();
    this.#running.set(ending, this.#run(request, ending).finally(() => this.#running.delete(ending)));
  }

  /** Ends what still runs; resolves when all have told. */
  async end(): Promise<void> {
    for (const ending of this.#running.keys()) ending.abort(new Error("engine stopped"));
    await Promise.all(this.#running.values());
  }

  async #run(request: NATDetectionRequest, ending: AbortController): Promise<void> {
    const { userData } = request;
    const limit = setTimeout(
      () => ending.abort(new Error(`No result within ${timeLimit / 1000} s`)),
      timeLimit,
    );
    let result: EngineNATDetection;
    try {
      const natType = await detect(request, ending.signal);
      result = { succeeded: true, userData, natType, error: null };
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      result = { succeeded: false, userData, natType: null, error: text };
    } finally {
      clearTimeout(limit);
    }
    post("SIPEngineDetectedNATType", engineSender(), result);
  }
}

async function detect(request: NATDetectionRequest, signal: AbortSignal): Promise<NATType> {
  const { host, port, ipAddress, localAddressTowards } = request;
  const address = canonicalAddress(await hostAddress(host, ipAddress, signal));
  const isAny = ipAddress === null || anyAddresses.has(ipAddress);
  const local = isAny ? localAddressTowards(address) : ipAddress;
  return await findNatType({ address, port }, ipAddress, local, signal);
}
