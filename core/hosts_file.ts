// SPDX-License-Identifier: GPL-2.0-or-later
import { readFile } from "node:fs/promises";
import { isIPLiteral } from "./uri_parser.ts";

/** The list of names that a system has of its own (hosts(5)). */
export class HostsFile {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** A file that is not there, or may not be read, names nobody. */
  static async read(path: string): Promise<HostsFile> {
    return new HostsFile(await readFile(path, "utf8").then((text) => text.toLowerCase(), () => ""));
  }

  /** The addresses that it gives a name, in its order. */
  addresses(name: string): string[] {
    const wanted = name.toLowerCase();
    // Filters put a hundred thousand names there.
    if (!this.#text.includes(wanted)) return [];
    return this.#text.split("\n").flatMap((line) => {
      const [address, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
      return address !== undefined && isIPLiteral(address) && names.includes(wanted) ? [address] : [];
    });
  }
}
