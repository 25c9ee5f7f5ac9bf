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
  /** One for all questions, so that it learns which server is silent. */
  #resolver: Resolver | null = null;
  readonly #srv: Map<string, Promise<SRVRecord[]>> = new Map();
  readonly #addresses: Map<string, Promise<string[]>> = new Map();
  #hosts: Promise<HostsFile> | null = null;
  #closed = false;
  #failure: Error | null = null;
  readonly #host: string;

  /** @param host the one to be found. */
  constructor(host: string) {
    this.#host = host;
  }

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
   * Whether a name is the system's own affair: one in its hosts file, or one without a dot, for which it has a search
   * list. Its addresses are known from then on.
   */
  async isOwn(name: string): Promise<boolean> {
    const pinned = (await this.#hostsFile()).addresses(name);
    const own = pinned.length > 0 || /^[^.]+$|\.localhost$/i.test(name);
    if (own) {
      const found = pinned.length > 0 ? pinned : await this.#ofSystem(name);
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
      const found = families.flatMap(plausible);
      // Multicast (RFC 6762) knows such names, but of what a record names nobody but name servers is asked.
      const multicast = found.length === 0 && host === this.#host && /\.local$/i.test(host);
      return multicast ? plausible(await this.#ofSystem(host)) : found;
    });
  }

  /** What any program of the system finds, which cannot be cancelled. */
  async #ofSystem(name: string): Promise<string[]> {
    const found = await this.#ask(() => lookup(name, { all: true }));
    return found.toSorted((a, b) => a.family - b.family).map(({ address }) => address);
  }

  #hostsFile(): Promise<HostsFile> {
    return this.#hosts ??= HostsFile.read(nameSettings.hostsFile);
  }

  /** The answer; an empty one when there is none. */
  async #ask<T>(question: (resolver: Resolver) => Promise<T[]>): Promise<T[]> {
    if (this.#closed) return [];
    const { patience } = nameSettings;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new Error(`No answer within ${patience / 1000} s`));
      // The others began in the same moment.
      this.#resolver?.cancel();
    }, patience);
    try {
      return await Promise.race([question(this.#resolver ??= newResolver()), late.promise]);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (!NOTHING.test(String(code))) {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      }
      return [];
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#resolver?.cancel();
  }
}

function newResolver(): Resolver {
  const resolver = new Resolver(tries);
  if (nameSettings.servers.length > 0) resolver.setServers(nameSettings.servers);
  return resolver;
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
