// SPDX-License-Identifier: GPL-2.0-or-later
/** What name servers and the system say of host names, checked: nothing in it is a peer's free text. */
import { lookup, Resolver } from "node:dns/promises";
import { HostsFile } from "./hosts_file.ts";
import type { SRVRecord } from "./srv_record.ts";
import { isIPLiteral } from "./uri_parser.ts";

/** Where and how is asked. */
export interface NameSettings {
  /** Name servers, "address:port"; none: those of the system. */
  servers: readonly string[];
  hostsFile: string;
  /** The most that one question waits for its answer, in milliseconds. */
  patience: number;
  /** Draws lots among SRV records: from 0 to below 1. */
  random: () => number;
}

/** Not public: tests bring a name server of their own. */
export const nameSettings: NameSettings = {
  servers: [],
  hostsFile: "/etc/hosts",
  patience: 5000,
  random: Math.random,
};

/** For c-ares: the second try, or the second server, comes well within our patience. */
const tries = { timeout: 2000, tries: 2 } as const;

/** No honest name has more; what is beyond is not looked at. */
const mostAddresses = 8;

/** Answers that a name or a record does not exist; everything else is a question without an answer. */
const NOTHING = /^(?:DNS_)?(?:ENOTFOUND|ENODATA|ENONAME)$/;

/** Addresses that no host has: filters answer them for names that they block. */
const UNSPECIFIED = /^(?:0\.0\.0\.0|[0:]+)$/;

/** A name as it can be asked for, without the dot at its end; null: it is none. */
export function hostName(text: string): string | null {
  const name = text.replace(/\.$/, "");
  const labels = name.split(".");
  const fits = name.length <= 253 && labels.every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label));
  // A number at the end is an address that is written wrongly.
  return fits && !/^[0-9]+$/.test(labels.at(-1)!) ? name : null;
}

/** A record of RFC 3403, whose text may be anything. */
export interface NAPTRRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly regexp: string;
  readonly replacement: string;
}

/** Asks; closing it leaves no question on its way. */
export class Names implements Disposable {
  readonly #asking: Set<() => void> = new Set();
  readonly #srv: Map<string, Promise<SRVRecord[]>> = new Map();
  readonly #addresses: Map<string, Promise<string[]>> = new Map();
  #hosts: Promise<HostsFile> | null = null;
  #closed = false;
  #failure: Error | null = null;

  /** Why the first question that had no answer had none; null: there was none. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** The NAPTR records of a name, as they came. */
  naptr(name: string): Promise<NAPTRRecord[]> {
    return this.#ask((resolver) => resolver.resolveNaptr(absolute(name)));
  }

  /** The SRV records of a name, as they came. */
  srv(name: string): Promise<SRVRecord[]> {
    return remember(this.#srv, name, () => this.#ask((resolver) => resolver.resolveSrv(absolute(name))));
  }

  /**
   * Whether a name is the system's own affair: one in its hosts file, or one without a dot, or that ends in ".local",
   * for which it has a search list and multicast. Its addresses are known from then on.
   */
  async isOwn(name: string): Promise<boolean> {
    let found = (await this.#hostsFile()).addresses(name);
    const own = found.length > 0 || /^[^.]+$|\.local(?:host)?$/i.test(name);
    if (own) {
      if (found.length === 0) {
        const entries = await this.#ask(() => lookup(name, { all: true }));
        found = entries.toSorted((a, b) => a.family - b.family).map(({ address }) => address);
      }
      this.#addresses.set(name.toLowerCase(), Promise.resolve(plausible(found)));
    }
    return own;
  }

  /** The IP addresses of a host, IPv4 first; of an IP address, itself. */
  addresses(host: string): Promise<string[]> {
    if (isIPLiteral(host)) return Promise.resolve([host]);
    return remember(this.#addresses, host, async () => {
      const pinned = (await this.#hostsFile()).addresses(host);
      if (pinned.length > 0) return plausible(pinned);
      const families = await Promise.all([
        this.#ask((resolver) => resolver.resolve4(absolute(host))),
        this.#ask((resolver) => resolver.resolve6(absolute(host))),
      ]);
      return families.flatMap(plausible);
    });
  }

  #hostsFile(): Promise<HostsFile> {
    return this.#hosts ??= HostsFile.read(nameSettings.hostsFile);
  }

  /** The answer; an empty one when there is none. */
  async #ask<T>(question: (resolver: Resolver) => Promise<T[]>): Promise<T[]> {
    if (this.#closed) return [];
    const { servers, patience } = nameSettings;
    const late = Promise.withResolvers<never>();
    let cancel = (): void => {};
    const timer = setTimeout(() => {
      late.reject(new Error(`No answer within ${patience / 1000} s`));
      cancel();
    }, patience);
    try {
      const resolver = new Resolver(tries);
      cancel = () => resolver.cancel();
      this.#asking.add(cancel);
      if (servers.length > 0) resolver.setServers(servers);
      return await Promise.race([question(resolver), late.promise]);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (!NOTHING.test(String(code))) {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      }
      return [];
    } finally {
      clearTimeout(timer);
      this.#asking.delete(cancel);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const cancel of this.#asking) cancel();
  }
}

/** As many addresses as an honest answer has, and none that no host has. */
function plausible(addresses: readonly string[]): string[] {
  return addresses
    .filter((address) => isIPLiteral(address) && !UNSPECIFIED.test(address))
    .slice(0, mostAddresses);
}

/** The name with the dot that keeps search lists away. */
function absolute(name: string): string {
  return `${name}.`;
}

function remember<T>(known: Map<string, T>, name: string, find: () => T): T {
  const key = name.toLowerCase();
  const value = known.get(key) ?? find();
  known.set(key, value);
  return value;
}
